// Folders: the first one with its dry run, how they are, what is wrong with them, the brake.

import assert from "node:assert/strict";
import { copyFile, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, openWindow, passes, screen, status } from "./world.mjs";

let world;
let browser;
let device;
let page;
let encrypted;
let opened;

before(async () => {
  world = await World.make();
  [browser, device] = await Promise.all([world.browser(), world.device("alice")]);
  // What others call their folders is text, whatever it looks like.
  device.work = path.join(device.user, "Work <img src=x onerror=window.injected=1> &amp;");
  await device.addCloud();
  opened = await device.addDesktop();
  await device.run("register", "--email", "alice@example.com");
  for (let n = 0; n < 30; n += 1) await device.write(`letters/${n}.txt`, `letter ${n}`);
  page = await openWindow(browser, device);
});
after(() => world.end());

const files = async (directory) => (await readdir(directory)).filter((name) => name.endsWith(".ensafer"));

test("the first folder is looked at before anything is written", async () => {
  await status(page, "No folder yet");
  const unlock = page.getByRole("button", { name: "Unlock" });
  await page.getByLabel("Password").fill("wrong");
  await unlock.click();
  await page.getByRole("alert").filter({ hasText: /^The password is wrong\.$/ }).waitFor();
  await passes(page, "locked");
  await page.getByLabel("Password").fill(PASSWORD);
  await unlock.click();
  await unlock.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Your first folder");
  const cloud = page.getByRole("radio", { name: /A new folder in Dropbox/ });
  await cloud.check();
  encrypted = await cloud.inputValue();
  assert.ok(encrypted.startsWith(device.cloud), encrypted);
  await page.getByLabel("Work folder", { exact: true }).fill(encrypted);
  await page.getByRole("button", { name: "See what would happen" }).click();
  await page.getByRole("alert").waitFor();
  await passes(page, "first run, refused");

  // An answer about a directory that is not meant any more would be taken for one about the directory that is.
  let answer;
  const asked = new Promise((resolve) => {
    page.route("**/v1/folders/preview", (route) => {
      answer = () => route.continue().catch(() => {});
      resolve();
    });
  });
  await page.getByLabel("Work folder", { exact: true }).fill(`${device.work}-before`);
  await page.getByRole("button", { name: "See what would happen" }).click();
  await asked;
  await page.getByLabel("Work folder", { exact: true }).fill(device.work);
  await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
  await answer();
  await page.unroute("**/v1/folders/preview");
  const looked = page.getByRole("region", { name: "What the first sync does" });
  assert.equal(await looked.count(), 0);

  await page.getByLabel("Work folder", { exact: true }).fill("~/Somewhere");
  await page.getByRole("button", { name: "See what would happen" }).click();
  await looked.getByText(path.join(device.user, "Somewhere"), { exact: true }).waitFor();
  await looked.getByText("Nothing to encrypt, to decrypt or to delete.").waitFor();
  await page.getByLabel("Work folder", { exact: true }).fill(device.work);

  await page.getByRole("button", { name: "See what would happen" }).click();
  await looked.getByText(device.work, { exact: true }).waitFor();
  await looked.getByText(encrypted, { exact: true }).waitFor();
  await page.getByText("31 files and directories to encrypt, 260 B").waitFor();
  assert.equal(await looked.getByText(/to (decrypt|delete)/).count(), 0, "what is not done is no line");
  const heading = "What the first sync does";
  await page.waitForFunction((text) => document.activeElement.textContent === text, heading);
  const { y, height } = await page.getByRole("button", { name: "Start" }).boundingBox();
  assert.ok(y >= 0 && y + height <= page.viewportSize().height, "Start is in sight");
  await passes(page, "dry run");
  await assert.rejects(readdir(encrypted), "nothing was made yet");
  await page.getByRole("button", { name: "Start" }).click();
  await screen(page, "Folders");
  await status(page, "Up to date");
  assert.ok((await files(encrypted)).length >= 30);
  await page.getByText(device.work).first().waitFor();
  assert.equal(await page.evaluate(() => window.injected), undefined);
  await passes(page, "folders");
});

test("a folder is opened where the desktop shows it", async () => {
  for (const [button, directory] of [
    ["Open the work folder", device.work],
    ["Open the encrypted folder", encrypted],
  ]) {
    const answered = page.waitForResponse((response) => response.url().endsWith("/v1/folders/open"));
    await page.getByRole("button", { name: button }).click();
    assert.equal((await answered).status(), 200);
    assert.equal(await readFile(opened, "utf8"), directory);
  }
  await writeFile(opened.replace(/opened$/, "xdg-open"), "#!/bin/sh\nexit 3\n");
  await page.getByRole("button", { name: "Open the work folder" }).click();
  await page.getByRole("alert").waitFor();
  await passes(page, "a folder is not opened");
});

test("syncing is paused, stopped and started", async () => {
  await page.getByRole("button", { name: "Pause for an hour" }).click();
  await status(page, "Paused");
  await passes(page, "paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await status(page, "Up to date");
  await page.getByRole("button", { name: "Stop" }).click();
  await status(page, "Stopped");
  assert.equal(JSON.parse(await device.run("status", "--json")).state, "stopped");
  await page.getByRole("button", { name: "Start" }).click();
  await status(page, "Up to date");
});

test("a look that takes its time holds nothing else up", async () => {
  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Add a folder");
  const asked = new Promise((resolve) => page.route("**/v1/folders/preview", resolve));
  await page.getByRole("radio", { name: "Another directory" }).check();
  await page.getByLabel("Work folder", { exact: true }).fill(`${device.work}-other`);
  await page.getByLabel("Encrypted folder", { exact: true }).fill(`${encrypted}-other`);
  await page.getByRole("button", { name: "See what would happen" }).click();
  await asked;
  await page.getByRole("button", { name: "Pause for an hour" }).click();
  await status(page, "Paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await status(page, "Up to date");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
  await page.unroute("**/v1/folders/preview");
  await page.getByRole("link", { name: "Folders" }).click();
  await screen(page, "Folders");
});

test("what is not in order is listed with what to do, and gone when it is mended", async () => {
  const stranger = path.join(encrypted, `${"0".repeat(32)}.ensafer`);
  const [one] = await files(encrypted);
  await copyFile(path.join(encrypted, one), stranger);
  await status(page, "Some files need attention");
  await page.getByRole("link", { name: "Problems (1)" }).click();
  await screen(page, "Problems");
  const [problem] = JSON.parse(await device.run("problems", "--json"));
  await page.getByText(problem.what.replace(/ \([^()]*\)$/, ""), { exact: true }).waitFor();
  await page.getByText(problem.remedy).waitFor();
  await passes(page, "problems");
  await page.getByRole("button", { name: /^Show in its directory/ }).click();
  await page.getByRole("alert").filter({ hasText: "The desktop could not show it." }).waitFor();
  await rm(stranger);
  await page.getByText("Everything is in order.").waitFor();
  await status(page, "Up to date");
  await passes(page, "no problems");
});

test("a directory that is gone is told with what to do, and nothing is deleted", async () => {
  await page.getByRole("link", { name: "Folders" }).click();
  await rename(encrypted, `${encrypted}-away`);
  await status(page, "A folder cannot be reached");
  await page.getByText(/^A directory of this folder is not there\./).waitFor();
  await passes(page, "unreachable");
  await page.getByRole("link", { name: "Problems" }).click();
  await screen(page, "Problems");
  await page.getByRole("listitem").filter({ hasText: "A folder cannot be reached" }).getByText(/^A directory of this folder is not there\./).waitFor();
  assert.equal(await page.getByText("Everything is in order.").count(), 0);
  await passes(page, "unreachable, among the problems");
  await rename(`${encrypted}-away`, encrypted);
  await status(page, "Up to date");
});

test("a brake says what it holds, and lets go for exactly that", async () => {
  await page.getByRole("link", { name: "Problems" }).click();
  await page.getByText("Everything is in order.").waitFor();
  await rm(path.join(device.work, "letters"), { recursive: true });
  await device.write("one.txt", "not empty");
  await status(page, "Stopped by the brake: look, then go on or undo");
  await page.getByText(/^\d\d of 3\d files were deleted here\.$/).waitFor();
  await passes(page, "braked");
  const before = (await files(encrypted)).length;
  await page.getByRole("button", { name: "Go on" }).click();
  const dialog = page.getByRole("dialog");
  await passes(page, "brake, sure");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal((await files(encrypted)).length, before, "nothing was done yet");
  await page.getByRole("button", { name: "Go on" }).click();
  await dialog.getByRole("button", { name: "Go on" }).click();
  await status(page, "Up to date");
});

test("a folder is taken off the list, and its files stay", async () => {
  await page.getByRole("link", { name: "Folders" }).click();
  await page.getByRole("button", { name: "Remove" }).click();
  await passes(page, "remove, sure");
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No folder is synced on this computer yet.").waitFor();
  assert.deepEqual(await readdir(path.join(device.work)).then((names) => names.filter((n) => n === "one.txt")), ["one.txt"]);
  assert.ok((await files(encrypted)).length > 0);
});

test("where no daemon answers, nothing old is shown, and the way back is", async () => {
  await device.run("daemon", "--quit");
  await screen(page, "Ensafer has ended here");
  await page.getByText("ensafer open", { exact: true }).waitFor();
  assert.equal(await page.getByText("Up to date").count(), 0);
  await passes(page, "no daemon");
});
