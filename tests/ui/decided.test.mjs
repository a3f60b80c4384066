// What people decide about single files, and what they are told of what was done: conflicts, the trash, activity.

import assert from "node:assert/strict";
import { open, readFile, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { World, focused, openWindow, passes, screen, status, tabTo } from "./world.mjs";

let world;
let browser;
let device;
let other;
let page;
let opened;

before(async () => {
  world = await World.make();
  const [made, server] = await Promise.all([world.browser(), world.server()]);
  browser = made;
  device = await world.device("desktop");
  other = await world.device("laptop");
  other.cloud = device.cloud;
  opened = await device.addDesktop();
  await other.run("register", "--email", "alice@example.com", "--server", server);
  await device.run("login", "--email", "alice@example.com", "--server", server);
  await device.addCloud();
  for (const one of [other, device]) {
    await one.write("notes/first.txt", "first");
    await one.run("folder", "add", one.work, one.cloud);
  }
  const both = ["notes/report.txt", "notes/<b>plan</b>.txt"];
  for (const name of both) await other.write(name, "common");
  await settle(other, device);
  for (const name of both) await other.write(name, `of the laptop, ${name}`);
  for (const name of both) await device.write(name, `of the desktop, ${name}`);
  await settle(other, device, other);
  await device.run("start");
  page = await openWindow(browser, device);
  await status(page, "Up to date");
});
after(() => world.end());

async function settle(...devices) {
  // 4: something waits for a decision.
  for (const one of devices) await one.run("sync", "--once").catch((error) => assert.equal(error.code, 4, error.message));
}

const conflicts = async () => JSON.parse(await device.run("conflicts", "list", "--json"));
const card = (name) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 2, name, exact: true }) });

test("both contents of a conflict are shown side by side, and where they lie", async () => {
  await page.getByRole("link", { name: "Conflicts (2)" }).click();
  await screen(page, "Conflicts");
  const report = card("notes/report.txt");
  const [original, copy] = [report.locator(".pair section").first(), report.locator(".pair section").last()];
  await original.getByText("Has kept the name").waitFor();
  await copy.getByText(/^notes\/report \(alice, .*\)\.txt$/).waitFor();
  const known = (await conflicts()).find((one) => one.original.path.endsWith("report.txt"));
  assert.notEqual(known.original.here, known.copy.here, "one was written here, the other elsewhere");
  for (const [part, file] of [[original, known.original], [copy, known.copy]]) {
    await part.getByText(file.here ? "On this computer" : "On another computer").waitFor();
    await part.getByText(`${file.size_bytes} B`, { exact: true }).waitFor();
    await part.getByText("alice, ").last().waitFor();
  }
  await passes(page, "conflicts");

  const answered = page.waitForResponse((response) => response.url().endsWith("/v1/folders/open"));
  await copy.getByRole("button", { name: /^Show in its directory: notes\/report .*/ }).click();
  assert.equal((await answered).status(), 200);
  assert.equal(await readFile(opened, "utf8"), `${path.join(device.work, "notes")}/`, "the directory is shown; nobody opens the file");
});

test("what is open in a program is not resolved, and by the keyboard alone it is afterwards", async () => {
  const known = (await conflicts()).find((one) => one.original.path.endsWith("report.txt"));
  const report = card("notes/report.txt");
  const held = await open(known.original.path, "r+");
  await report.getByRole("radio", { name: "Both", exact: true }).focus();
  await page.keyboard.press("ArrowDown");
  assert.ok(await report.getByRole("radio", { name: "Only the one that has kept the name" }).isChecked());
  await report.getByText("The copy goes to the trash and lies there for 30 days.").waitFor();
  await page.keyboard.press("ArrowDown");
  await tabTo(page, "Keep that");
  await page.keyboard.press("Enter");
  await report.getByRole("alert").filter({ hasText: "a program has it open" }).waitFor();
  await passes(page, "conflict, refused");
  await held.close();
  const [lost, kept] = await Promise.all([readFile(known.original.path, "utf8"), readFile(known.copy.path, "utf8")]);
  assert.equal(await focused(page), "Keep that", "the keyboard has stayed where it was");
  await page.keyboard.press("Enter");
  await report.waitFor({ state: "detached" });
  assert.equal(await readFile(known.original.path, "utf8"), kept);
  await assert.rejects(readFile(known.copy.path), "the copy has taken the file's place");
  await page.getByText("The copy has taken the file's place.").waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the keyboard is somewhere");
  const [trashed] = JSON.parse(await device.run("trash", "--json")).filter((item) => item.path === "notes/report.txt");
  assert.equal(await readFile(path.join(device.work, ".ensafer/trash", trashed.item), "utf8"), lost);
});

test("keeping both changes nothing, and the list is empty then", async () => {
  const plan = card("notes/<b>plan</b>.txt");
  const before = await readdir(path.join(device.work, "notes"));
  await plan.getByRole("button", { name: "Keep that" }).click();
  await page.getByText(/^This computer knows of no file that is kept twice\./).waitFor();
  assert.deepEqual(await readdir(path.join(device.work, "notes")), before);
  await page.getByRole("link", { name: "Conflicts", exact: true }).waitFor();
  await passes(page, "no conflicts");
});

test("what was replaced or deleted comes back from the trash", async () => {
  await rm(path.join(other.work, "notes/first.txt"));
  await settle(other);
  await page.getByRole("link", { name: "Trash" }).click();
  await screen(page, "Trash");
  const row = (name) => page.getByRole("listitem").filter({ has: page.getByRole("button", { name: `Restore ${name}`, exact: true }) });
  await row("notes/report.txt").waitFor();
  await row("notes/first.txt").waitFor();
  await passes(page, "trash");
  await page.getByLabel("Find by name").fill("FIRST");
  await row("notes/report.txt").waitFor({ state: "detached" });
  await tabTo(page, "Restore");
  await page.keyboard.press("Enter");
  await page.getByText("It is back: notes/first.txt").waitFor();
  assert.equal(await readFile(path.join(device.work, "notes/first.txt"), "utf8"), "first");
  await page.getByLabel("Find by name").fill("");

  // What somebody has emptied meanwhile is refused. The list is read again after each status: from here on it stays as it was.
  await row("notes/report.txt").waitFor();
  const list = await page.evaluate(() => import("/ui/store.js").then(({ state }) => JSON.stringify(state.trash)));
  await page.route("**/v1/trash", (route) => route.fulfill({ body: list, contentType: "application/json" }));
  await page.getByRole("button", { name: "Stop" }).click();
  await status(page, "Stopped");
  await rm(path.join(device.work, ".ensafer/trash"), { recursive: true });
  await row("notes/report.txt").getByRole("button").click();
  await page.getByRole("alert").filter({ hasText: "It is not in the trash any more." }).waitFor();
  await passes(page, "restore, refused");
  await page.unroute("**/v1/trash");
  await page.reload();
  await page.getByText("Nothing is here.").waitFor();
  await passes(page, "empty trash");
});

test("activity is told, found and saved", async () => {
  await page.getByRole("link", { name: "Activity" }).click();
  await screen(page, "Activity");
  const rows = page.locator("main li");
  await rows.first().waitFor();
  const told = JSON.parse(await device.run("activity", "--json"));
  assert.equal(await rows.count(), told.length);
  const shown = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
  assert.equal(await rows.first().locator("time").textContent(), shown.format(new Date(told[0].at)));
  await passes(page, "activity");

  await page.getByLabel("What was done").selectOption("removed");
  await page.getByLabel("Find by name of a file or person").fill("First");
  const [removed] = told.filter((deed) => deed.deed === "removed" && deed.path === "notes/first.txt");
  await page.getByText("1 entry", { exact: true }).waitFor();
  await rows.getByText("Deleted notes/first.txt").waitFor();
  const saved = async (button) => {
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: button }).click();
    return readFile(await (await download).path(), "utf8");
  };
  assert.deepEqual(JSON.parse(await saved("Save as JSON")), [{ ...removed, folder: device.work }]);
  const csv = await saved("Save as CSV");
  assert.equal(csv, `\ufeffat,deed,folder,path,from,here,author\r\n${removed.at},removed,${device.work},notes/first.txt,,false,"${removed.author}"\r\n`);
  assert.deepEqual(page.failures, []);

  await page.getByLabel("Find by name of a file or person").fill("nothing of this name");
  await page.getByText("Nothing is here.").waitFor();
  await passes(page, "no activity");
});

test("a long list is shown in parts", async () => {
  await page.getByRole("button", { name: "Start", exact: true }).click();
  for (let n = 0; n < 210; n += 1) await device.write(`many/${n}.txt`, `${n}`);
  await settle(device);
  await page.getByRole("link", { name: "Folders" }).click();
  await page.getByRole("link", { name: "Activity" }).click();
  await page.getByText("200 entries, the latest first").waitFor();
  await page.getByRole("button", { name: "Show more" }).click();
  const all = JSON.parse(await device.run("activity", "-n", "10000", "--json")).length;
  await page.getByText(`${all} entries, the latest first`).waitFor();
  assert.equal(await page.locator("main li").count(), all);
  assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
  await passes(page, "long activity");
});

/** Requests for the deeds, for all of them or for the first part. */
const asksForDeeds = (url, isWhole) => new URL(url).pathname === "/v1/activity" && new URL(url).searchParams.has("limit") !== isWhole;

async function comeAnew() {
  await page.getByRole("link", { name: "Folders" }).click();
  await page.getByRole("link", { name: "Activity" }).click();
  await page.getByText("200 entries, the latest first").waitFor();
}

test("what is saved is all of it, also when that is still being read", async () => {
  await comeAnew();
  const asked = new Promise((resolve) => page.route((url) => asksForDeeds(url, true), resolve));
  await page.getByLabel("Find by name of a file or person").fill("MANY/");
  const answer = await asked;
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as JSON" }).click();
  await answer.continue();
  const saved = JSON.parse(await readFile(await (await saving).path(), "utf8"));
  const told = JSON.parse(await device.run("activity", "-n", "10000", "--json"));
  assert.deepEqual(saved.map(({ path }) => path), told.map(({ path }) => path).filter((path) => path.includes("many/")));
  assert.ok(saved.length > 200, `${saved.length}`);
  await page.unrouteAll();
});

test("where all of it cannot be read, nothing is saved, and the first part is read again", async () => {
  await comeAnew();
  await page.route((url) => asksForDeeds(url, true), (route) => route.fulfill({ status: 500, json: { class: "failed", what: "the disk is worn out" } }));
  const downloads = [];
  page.on("download", (download) => downloads.push(download));
  await page.getByRole("button", { name: "Save as CSV" }).click();
  await page.getByRole("alert").filter({ hasText: "the disk is worn out" }).waitFor();
  const asking = page.waitForRequest((request) => new URL(request.url()).pathname === "/v1/activity");
  await device.write("late.txt", "late");
  assert.ok(asksForDeeds((await asking).url(), false), "not ten thousand deeds at every change");
  await page.getByText("200 entries, the latest first").waitFor();
  assert.deepEqual(downloads, []);
  await page.unrouteAll();
});
