// Two people, two computers, one server: what one shares the other adds by the page, with the keyboard alone.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { World, focused, openWindow, passes, screen, status, tabTo } from "./world.mjs";

let world;
let browser;
let alice;
let bob;
let page;

before(async () => {
  world = await World.make();
  const [made, server] = await Promise.all([world.browser(), world.server()]);
  browser = made;
  [alice, bob] = [await world.device("alice"), await world.device("bob")];
  await alice.run("register", "--email", "alice@example.com", "--server", server);
  await bob.run("register", "--email", "bob@example.com", "--server", server);
  await alice.addCloud();
  const team = path.join(alice.cloud, "Team");
  await mkdir(team);
  await alice.write("plan.txt", "the plan");
  await alice.run("folder", "add", alice.work, team);
  await alice.run("share", "add", alice.work, "bob@example.com", "--role", "writer");
  await alice.run("sync", "--once");
  // The same cloud carries it to Bob.
  bob.cloud = alice.cloud;
  await bob.addCloud();
  bob.work = path.join(bob.user, "Documents/Team work");
  for (const name of ["Documents/Team work", "Downloads", ".cache/deep"]) await mkdir(path.join(bob.user, name), { recursive: true });
  await bob.run("start");
  page = await openWindow(browser, bob);
});
after(() => world.end());

test("what a stranger shares is never chosen by itself", async () => {
  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Your first folder");
  const shared = page.getByRole("radio", { name: /^Shared with you by alice@example\.com/ });
  await shared.waitFor();
  assert.ok(!(await shared.isChecked()));
  await page.getByRole("group", { name: "Where the cloud lives" }).getByText("Never met outside of this folder").waitFor();
  assert.ok(await page.getByRole("radio", { name: /^A new folder in Dropbox/ }).isChecked());
  await page.goBack();
  await screen(page, "Folders");
});

test("what is shared with somebody is offered, and chosen for who says so", async () => {
  await page.getByText(/^alice@example\.com shares a folder with you, in /).waitFor();
  await page.getByText("Never met outside of this folder").waitFor();
  await passes(page, "shared with you");
  await tabTo(page, "Add this folder");
  await page.keyboard.press("Enter");
  await screen(page, "Your first folder");
  const shared = page.getByRole("radio", { name: /^Shared with you by alice@example\.com/ });
  await shared.waitFor();
  assert.ok(await shared.isChecked());
});

test("a directory is chosen by the keyboard alone", async () => {
  await tabTo(page, "Choose…");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Choose a directory" });
  const list = dialog.getByRole("listbox");
  await list.waitFor();
  const field = dialog.getByLabel("Directory", { exact: true });
  assert.equal(await field.inputValue(), bob.user);
  const place = () => page.evaluate(() => document.activeElement.id);
  assert.equal(await place(), "dialog-title", "the dialog says what it is");
  await page.keyboard.press("Tab");
  assert.equal(await place(), "path");
  const shown = () => list.getByRole("option").allTextContents();
  assert.deepEqual((await shown()).filter((name) => name.startsWith(".") || name.startsWith("D")), ["Documents", "Downloads"]);
  await passes(page, "choose a directory");

  await page.keyboard.press("Tab");
  assert.equal(await place(), "directories");
  await page.keyboard.type("Doc");
  assert.equal(await field.inputValue(), path.join(bob.user, "Documents"));
  await page.keyboard.press("Enter");
  await dialog.getByText("1 directory.").waitFor();
  await page.keyboard.press("ArrowDown");
  assert.equal(await field.inputValue(), bob.work);
  await tabTo(page, "Up");
  await page.keyboard.press("Enter");
  await dialog.getByText("1 directory.").waitFor({ state: "detached" });
  assert.equal(await field.inputValue(), bob.user);

  await dialog.getByLabel("Show hidden directories").focus();
  await page.keyboard.press("Space");
  assert.ok((await shown()).includes(".cache"));
  await field.fill(path.join(bob.user, "not/there yet"));
  await tabTo(page, "Go there");
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").filter({ hasText: "It is made when the folder is added." }).waitFor();
  await passes(page, "choose a directory, refused");
  await writeFile(path.join(bob.user, "file"), "");
  await field.fill(path.join(bob.user, "file"));
  await tabTo(page, "Go there");
  await page.keyboard.press("Enter");
  await dialog.getByRole("alert").filter({ hasText: "This is no directory's path." }).waitFor();
  await field.fill("~/Documents/Team work");
  await tabTo(page, "Go there");
  await page.keyboard.press("Enter");
  await dialog.getByText("0 directories.").waitFor();
  assert.equal(await field.inputValue(), bob.work, "the home directory is known");
  await field.fill(bob.work);
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Work folder", { exact: true }).inputValue(), bob.work);
  assert.equal(await focused(page), "Choose…", "the keyboard is where it was");
});

test("a stranger's folder is joined after a question, and a look at what happens", async () => {
  await tabTo(page, "See what would happen");
  await page.keyboard.press("Enter");
  const yes = page.getByRole("button", { name: "Yes, from alice@example.com" });
  await yes.waitFor();
  assert.equal(await page.getByRole("alert").count(), 0, "a question is no failure");
  assert.equal(await page.getByRole("button", { name: "Start", exact: true }).count(), 0, "nothing is joined before the answer");
  await passes(page, "whom nobody has met");
  await yes.focus();
  await page.keyboard.press("Enter");
  const looked = page.getByRole("region", { name: "What the first sync does" });
  await looked.getByText("This computer joins the folder of alice@example.com.").waitFor();
  await looked.getByText("Never met outside of this folder").waitFor();
  await page.getByText("1 file or directory to decrypt, 8 B").waitFor();
  await passes(page, "join, dry run");
  await tabTo(page, "Start");
  await page.keyboard.press("Enter");
  await screen(page, "Folders");
  await status(page, "Up to date");
  assert.equal(await readFile(path.join(bob.work, "plan.txt"), "utf8"), "the plan");
  await page.getByText("Writer: changes files").waitFor();
  assert.equal(await page.getByText(/shares a folder with you/).count(), 0);
  await passes(page, "joined");
});
