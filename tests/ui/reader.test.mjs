// Who reads the page otherwise: by keyboard alone, in German, without motion.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";

import { World, focused, openWindow, passes, screen, status, tabTo } from "./world.mjs";

let world;
let browser;
let device;

before(async () => {
  world = await World.make();
  [browser, device] = await Promise.all([world.browser(), world.device("alice")]);
  await device.run("register", "--email", "alice@example.com");
  await mkdir(device.work, { recursive: true });
  await mkdir(device.cloud, { recursive: true });
  await device.run("folder", "add", device.work, device.cloud);
  await device.run("start");
});
after(() => world.end());

test("the keyboard does everything, and its place is seen", async () => {
  const page = await openWindow(browser, device);
  await status(page, "Up to date");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  const link = page.getByRole("link", { name: "Skip to the content" });
  assert.ok((await link.boundingBox()).x >= 0, "the skip link is seen while it has the focus");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await tabTo(page, "Add a folder");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  assert.equal(outline, "3px");
  await page.keyboard.press("Enter");
  await screen(page, "Add a folder");
  assert.equal(await focused(page), "Add a folder", "the heading of the new screen has the focus");
  await page.goBack();
  await screen(page, "Folders");

  await tabTo(page, "Remove");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  for (let n = 0; n < 6; n += 1) {
    await page.keyboard.press("Tab");
    const inside = await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null);
    assert.ok(inside, "the keyboard stays in the dialog");
  }
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(page), "Remove", "the keyboard is where it was");

  await page.keyboard.press("Tab");
  await page.reload();
  await status(page, "Up to date");
  await tabTo(page, "Stop");
  await page.keyboard.press("Enter");
  await status(page, "Stopped");
  await page.keyboard.press("Shift+Tab");
  await tabTo(page, "Start");
  await page.keyboard.press("Enter");
  await status(page, "Up to date");
  await page.context().close();
});

test("a German reads German, and may choose English", async () => {
  const page = await openWindow(browser, device, { locale: "de-CH" });
  await status(page, "Auf dem neuesten Stand");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  await passes(page, "Ordner");
  for (const name of ["Personen", "Verlauf", "Konflikte", "Probleme", "Papierkorb", "Einstellungen"]) {
    await page.getByRole("link", { name }).click();
    await screen(page, name);
    await passes(page, name);
  }
  await page.getByLabel("Sprache").selectOption("en");
  await screen(page, "Settings");
  await page.reload();
  await screen(page, "Settings");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
  await page.context().close();
});

test("whoever wants no motion gets none, and dark is dark", async () => {
  const page = await openWindow(browser, device, { colorScheme: "dark", reducedMotion: "reduce" });
  await status(page, "Up to date");
  const moving = await page.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(ground, "rgb(21, 25, 23)");
  await page.context().close();
});
