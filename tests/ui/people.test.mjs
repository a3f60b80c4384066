// People: added by their address, their keys compared, invited where they have no account.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, openWindow, passes, screen, status } from "./world.mjs";

let world;
let browser;
let alice;
let page;

before(async () => {
  world = await World.make();
  const [opened, server] = await Promise.all([world.browser(), world.server()]);
  browser = opened;
  alice = await world.device("alice");
  const bob = await world.device("bob");
  await alice.run("register", "--email", "alice@example.com", "--server", server);
  await bob.run("register", "--email", "bob@example.com", "--server", server);
  await mkdir(alice.work, { recursive: true });
  await mkdir(alice.cloud, { recursive: true });
  await alice.run("folder", "add", alice.work, alice.cloud);
  await alice.run("start");
  page = await openWindow(browser, alice);
  await status(page, "Up to date");
});
after(() => world.end());

const card = (email) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: email }) });

test("somebody is added by their address, and both compare the number", async () => {
  await page.getByRole("link", { name: "People" }).click();
  await screen(page, "People");
  await card("alice@example.com").waitFor();
  await passes(page, "people");
  await page.getByLabel("E-mail address").fill("bob@example.com");
  await page.getByLabel("Role").selectOption("reader");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Safety number with bob@example.com" });
  await dialog.getByRole("img", { name: "The number as a QR code" }).waitFor();
  await passes(page, "safety number");
  const number = (await dialog.locator(".key").textContent()).replaceAll(/\s/g, "");
  const told = (await alice.run("share", "verify", "bob@example.com")).replaceAll(/\s/g, "");
  assert.ok(number.length > 20 && told.includes(number), `${number} in ${told}`);
  await dialog.getByRole("button", { name: "They match" }).click();
  await card("bob@example.com").getByText("Safety numbers were compared").waitFor();
  assert.equal(await card("bob@example.com").getByLabel("Role").inputValue(), "reader");
});

test("a role is changed, and somebody is removed", async () => {
  await card("bob@example.com").getByLabel("Role").selectOption("writer");
  await page.getByText("The role of bob@example.com has been changed.").waitFor();
  const listed = await alice.run("share", "list", alice.work, "--json");
  assert.match(listed, /"login":"bob@example.com","role":"writer"/);
  await card("bob@example.com").getByRole("button", { name: "Remove" }).click();
  await passes(page, "remove somebody, sure");
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await card("bob@example.com").waitFor({ state: "detached" });
  assert.doesNotMatch(await alice.run("share", "list", alice.work, "--json"), /"login":"bob@example.com"/);
});

test("who has no account is invited by a link and a password", async () => {
  await page.getByLabel("E-mail address").fill("carol@example.com");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "Nobody has an account under this address." }).waitFor();
  await passes(page, "unknown person");
  await page.getByRole("button", { name: "Invite by a link" }).click();
  const dialog = page.getByRole("dialog", { name: "Invitation for carol@example.com" });
  assert.match(await dialog.locator(".key").first().textContent(), /\/invite\/.+#.+/);
  await passes(page, "invitation");
  await dialog.getByRole("button", { name: "Done" }).click();
  await card("carol@example.com").getByText(/^Invited/).waitFor();
  await passes(page, "invited");
  await card("carol@example.com").getByRole("button", { name: "Take back" }).click();
  await card("carol@example.com").waitFor({ state: "detached" });
});

test("where the keys are locked, the way to the password is a button away", async () => {
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  await page.getByRole("link", { name: "People" }).click();
  await page.getByRole("alert").filter({ hasText: "The keys are locked." }).waitFor();
  await passes(page, "people, locked");
  await page.getByRole("button", { name: "Enter the password" }).click();
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await card("alice@example.com").waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
});

test("nobody is shown in a folder, or removed from it, who is in another", async () => {
  const [work, cloud] = ["Second", "Second cloud"].map((name) => path.join(alice.user, name));
  await Promise.all([mkdir(work), mkdir(cloud)]);
  await alice.run("share", "add", alice.work, "bob@example.com", "--role", "reader");
  await alice.run("folder", "add", work, cloud);
  const choice = page.getByLabel("Folder", { exact: true });
  await choice.waitFor();
  const idOf = (name) => choice.getByText(name, { exact: true }).getAttribute("value");
  const [first, second] = [await idOf("Work"), await idOf("Second")];
  await choice.selectOption(first);
  await card("bob@example.com").waitFor();

  // The answers come in the other order.
  const [held, released] = [[], new Set()];
  await page.route("**/v1/people?folder=*", (route) => {
    const folder = new URL(route.request().url()).searchParams.get("folder");
    return released.has(folder) ? route.continue() : held.push({ folder, route });
  });
  const asked = (folder) => page.waitForRequest((request) => request.url().endsWith(`/v1/people?folder=${folder}`));
  const answer = async (folder) => {
    const answered = page.waitForResponse((response) => response.url().endsWith(`/v1/people?folder=${folder}`));
    released.add(folder);
    await Promise.all(held.filter((one) => one.folder === folder).map((one) => one.route.continue()));
    await (await answered).finished();
  };
  let asking = asked(second);
  await choice.selectOption(second);
  await asking;
  await card("bob@example.com").waitFor({ state: "detached" });
  asking = asked(first);
  await choice.selectOption(first);
  await asking;
  asking = asked(second);
  await choice.selectOption(second);
  await asking;
  await answer(second);
  await card("alice@example.com").waitFor();
  await answer(first);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.equal(await card("bob@example.com").count(), 0);
  await page.unroute("**/v1/people?folder=*");

  await choice.selectOption(first);
  await card("bob@example.com").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog", { name: `Remove bob@example.com from ${path.basename(alice.work)}?` }).waitFor();
  await passes(page, "remove somebody from one of two");

  // The way to the password leads out of the dialog.
  await alice.run("lock");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await dialog.getByRole("alert").filter({ hasText: "The keys are locked." }).waitFor();
  await page.getByRole("button", { name: "Unlock", includeHidden: true }).waitFor();
  await dialog.getByRole("button", { name: "Enter the password" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "unlock");
});
