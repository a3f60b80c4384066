// Makes the user guide's pictures of the window, of a real daemon: node tests/ui/pictures.mjs
// (after scripts/ui-tests --install; needs ImageMagick's `convert`, which reduces the colours).

import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { World, openWindow, screen, status } from "./world.mjs";

const images = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const convert = promisify(execFile);
const COLOURS = "32";

const world = await World.make();
try {
  await mkdir(images, { recursive: true });
  const [browser, server] = await Promise.all([world.browser(), world.server()]);
  const alice = await world.device("alice");
  const bob = await world.device("bob");
  await alice.run("register", "--email", "alice@example.com", "--server", server);
  await bob.run("register", "--email", "bob@example.com", "--server", server);
  await alice.addCloud();
  for (let n = 0; n < 311; n += 1) await alice.write(`letters/${n}.txt`, `letter ${n}`);
  await alice.run("start");
  const page = await openWindow(browser, alice, { viewport: { width: 720, height: 560 } });

  const take = async (name, { dark = false, width = 720, height = 560 } = {}) => {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await page.setViewportSize({ width, height });
    // The paths of the machine that made the picture are nobody's business.
    await page.evaluate((directory) => {
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(directory, "/home/alice");
      for (const field of document.querySelectorAll("input")) field.value = field.value.replaceAll(directory, "/home/alice");
    }, alice.user);
    const file = path.join(images, `${name}.png`);
    await page.screenshot({ path: file });
    await convert("convert", [file, "-strip", "-dither", "None", "-colors", COLOURS, `PNG8:${file}`]);
  };

  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Your first folder");
  await page.getByLabel("Work folder").fill(alice.work);
  await page.getByRole("radio", { name: /A new folder in Dropbox/ }).check();
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByText(/^312 files and directories to encrypt/).waitFor();
  await page.getByRole("button", { name: "Start" }).scrollIntoViewIfNeeded();
  await take("window-first-run", { height: 840 });
  await page.getByRole("button", { name: "Start" }).click();
  await status(page, "Up to date");
  await take("window-folders", { dark: true, height: 500 });
  await page.getByRole("link", { name: "People" }).click();
  await page.getByLabel("E-mail address").fill("bob@example.com");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("dialog").waitFor();
  await take("window-safety-number", { width: 360, height: 700 });
} finally {
  await world.end();
}
