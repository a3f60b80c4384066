// Makes the user guide's pictures of the window, of a real daemon: node tests/ui/pictures.mjs
// (after scripts/ui-tests --install; needs ImageMagick's `convert`, which reduces the colours).

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
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
  const [alice, laptop] = [await world.device("alice"), await world.device("laptop")];
  const bob = await world.device("bob");
  await laptop.run("register", "--email", "alice@example.com", "--server", server);
  await alice.run("login", "--email", "alice@example.com", "--server", server);
  await bob.run("register", "--email", "bob@example.com", "--server", server);
  await alice.addCloud();
  for (let n = 0; n < 311; n += 1) await alice.write(`letters/${n}.txt`, `letter ${n}`);
  await alice.run("start");
  const page = await openWindow(browser, alice, { viewport: { width: 720, height: 560 } });

  const take = async (name, { dark = false, width = 720, height = 560 } = {}) => {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await page.setViewportSize({ width, height });
    // The paths and the name of the machine that made the picture are nobody's business.
    const names = [
      [alice.user, "/home/alice"],
      [`, ${hostname()}`, ", laptop"],
    ];
    await page.evaluate((names) => {
      const shown = (text) => names.reduce((text, [name, instead]) => text.replaceAll(name, instead), text);
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) texts.currentNode.data = shown(texts.currentNode.data);
      for (const field of document.querySelectorAll("input:not([type=radio])")) field.value = shown(field.value);
    }, names);
    const file = path.join(images, `${name}.png`);
    await page.screenshot({ path: file });
    await convert("convert", [file, "-strip", "-dither", "None", "-colors", COLOURS, `PNG8:${file}`]);
  };

  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Your first folder");
  await page.getByLabel("Work folder", { exact: true }).fill(alice.work);
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
  await page.getByRole("button", { name: "They match" }).click();
  await page.getByText("Safety numbers were compared").waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await take("window-people", { height: 640 });


  // A file that both of Alice's computers change before either hears of the other.
  const encrypted = path.join(alice.cloud, (await readdir(alice.cloud))[0]);
  await mkdir(laptop.work, { recursive: true });
  await laptop.run("folder", "add", laptop.work, encrypted);
  await laptop.run("sync", "--once");
  await page.getByRole("button", { name: "Stop" }).click();
  await status(page, "Stopped");
  await laptop.write("letters/7.txt", "Dear Bob, it is on Monday.");
  await alice.write("letters/7.txt", "Dear Bob, it is on Tuesday, as I said.");
  await laptop.run("sync", "--once");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("link", { name: "Conflicts (1)" }).click();
  await status(page, "Up to date");
  await take("window-conflicts", { height: 840 });

  const [one] = (await readdir(encrypted)).filter((name) => name.endsWith(".ensafer"));
  const stranger = path.join(encrypted, `${"0".repeat(32)}.ensafer`);
  await copyFile(path.join(encrypted, one), stranger);
  await page.getByRole("link", { name: "Problems (1)" }).click();
  await status(page, "Some files need attention");
  await take("window-problems", { height: 420 });
  await rm(stranger);

  await page.getByRole("link", { name: "Folders" }).click();
  await status(page, "Up to date");
  // Enough for some seconds, in one go.
  await page.getByRole("button", { name: "Stop" }).click();
  await status(page, "Stopped");
  for (let n = 0; n < 80; n += 1) await alice.write(`pictures/${n}.raw`, randomBytes(10 << 20));
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText(/ left$/).waitFor();
  await take("window-working", { height: 470 });
  await status(page, "Up to date");

  await rm(path.join(alice.work, "letters"), { recursive: true });
  await page.getByText(/files were deleted here\.$/).waitFor();
  await take("window-braked", { height: 640 });

  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("link", { name: "Folders" }).click();
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  await take("window-locked", { height: 500 });
} finally {
  await world.end();
}
