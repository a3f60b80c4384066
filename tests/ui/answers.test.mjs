// What the page makes of answers that fail, and of those that are others once the keys are at hand.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, fill, openWindow, passes, screen, status } from "./world.mjs";

let world;
let browser;
let server;
let device;

before(async () => {
  world = await World.make();
  [browser, server] = await Promise.all([world.browser(), world.server()]);
  device = await world.device("alice");
  await device.run("register", "--email", "alice@example.com", "--server", server);
  await device.addCloud();
  device.encrypted = path.join(device.cloud, "Mine");
  for (const directory of [device.work, device.encrypted]) await mkdir(directory, { recursive: true });
  await device.run("folder", "add", device.work, device.encrypted);
});
after(() => world.end());

/** The place that is chosen for the encrypted folder. */
const chosen = (page) => page.getByRole("radio", { checked: true });

async function unlock(page) {
  const button = page.getByRole("button", { name: "Unlock" });
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button.click();
  await button.waitFor({ state: "detached" });
}

test("a list that cannot be read holds nothing else back, and is not called empty", async () => {
  await device.run("start");
  const page = await openWindow(browser, device);
  await status(page, "Up to date");
  const refusal = { class: "failed", what: "the disk is worn out" };
  for (const list of ["conflicts", "problems"]) await page.route(`**/v1/${list}`, (route) => route.fulfill({ status: 500, json: refusal }));
  await page.reload();
  await page.getByText(device.work, { exact: true }).waitFor();
  const alert = page.getByRole("alert").filter({ hasText: "This could not be read: the problems and the conflicts." });
  await alert.getByText("the disk is worn out", { exact: true }).waitFor();
  await passes(page, "lists that cannot be read");
  for (const [name, empty] of [
    ["Conflicts", /^This computer knows of no file/],
    ["Problems", "Everything is in order."],
  ]) {
    await page.getByRole("link", { name }).click();
    await screen(page, name);
    await alert.waitFor();
    assert.equal(await page.getByText(empty).count(), 0);
  }
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Everything is in order.").waitFor();
  assert.equal(await alert.count(), 0);

  // Without the account there is nothing to show, and the way out is a button away.
  await page.route("**/v1/account", (route) => route.fulfill({ status: 500, json: refusal }));
  await page.reload();
  await page.getByRole("alert").filter({ hasText: "This could not be read: the account." }).waitFor();
  assert.equal(await page.getByRole("navigation").count(), 0);
  await passes(page, "no account can be read");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await screen(page, "Problems");
  await page.context().close();
});

test("with the keys come one's own folders, and the computers of the account", async () => {
  await device.run("folder", "remove", device.work);
  await device.run("lock");
  const page = await openWindow(browser, device, {}, "--screen", "add");
  await screen(page, "Your first folder");
  await page.getByRole("radio", { name: /^A new folder in Dropbox/ }).waitFor();
  await unlock(page);
  await page.getByRole("radio", { name: /^Your folder/ }).waitFor();
  assert.equal(await chosen(page).inputValue(), device.encrypted, "nobody makes a second folder by mistake");
  await page.getByRole("link", { name: "Settings" }).click();
  const devices = page.getByRole("region", { name: "Computers of this account" }).getByRole("listitem");
  await devices.first().waitFor();

  await page.getByRole("button", { name: "Lock", exact: true }).click();
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  assert.equal(await devices.count(), 0);
  await unlock(page);
  await devices.first().waitFor();
  await page.context().close();
});

test("who logs in on the way to a new folder is offered their own", async () => {
  const other = await world.device("other");
  other.cloud = device.cloud;
  await other.addCloud();
  const page = await openWindow(browser, other, {}, "--screen", "add");
  await screen(page, "Log in");
  await fill(page, { "E-mail address": "alice@example.com", Password: PASSWORD, "Key server": server });
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(page, "Your first folder");
  await page.getByRole("radio", { name: /^Your folder/ }).waitFor();
  assert.equal(await chosen(page).inputValue(), device.encrypted);
  await page.context().close();
});
