// An account: made, lost, found again, from another computer.

import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, fill, openWindow, passes, screen, status } from "./world.mjs";

const NEW_PASSWORD = "grass tulip anchor lantern";

let world;
let browser;
let server;
let recoveryKey;

before(async () => {
  world = await World.make();
  [browser, server] = await Promise.all([world.browser(), world.server()]);
});
after(() => world.end());

test("somebody makes an account, and writes the recovery key down before anything else", async () => {
  const page = await openWindow(browser, await world.device("first"));
  await status(page, "No account on this computer yet");
  await screen(page, "Log in");
  await passes(page, "log in");
  await page.setViewportSize({ width: 900, height: 300 });
  const toRegister = page.getByRole("button", { name: "Make an account" });
  await toRegister.scrollIntoViewIfNeeded();
  assert.notEqual(await page.evaluate(() => scrollY), 0);
  await toRegister.click();
  await screen(page, "Make an account");
  await page.waitForFunction(() => document.activeElement.textContent === "Make an account");
  assert.equal(await page.evaluate(() => scrollY), 0, "it begins at its top");
  await page.setViewportSize({ width: 900, height: 700 });
  await passes(page, "register");
  const register = page.getByRole("button", { name: "Make the account" });

  await fill(page, { "E-mail address": "alice@example.com", "New password": PASSWORD, "The same password again": "other", "Key server": server });
  await register.click();
  assert.equal(await page.getByLabel("The same password again").evaluate((field) => field.validationMessage), "The two passwords differ.");
  await fill(page, { "New password": "alice", "The same password again": "alice" });
  await register.click();
  await page.getByRole("alert").filter({ hasText: "This password is too easy to guess." }).waitFor();
  await passes(page, "register, refused");
  await fill(page, { "New password": PASSWORD, "The same password again": PASSWORD });
  let answer;
  const asked = new Promise((resolve) => {
    page.route("**/v1/account/register", (route) => {
      answer = () => route.continue();
      resolve();
    });
  });
  await register.click();
  await asked;
  const working = page.getByRole("button", { name: /^Make the account.*working…$/ });
  await working.waitFor();
  assert.equal(await working.getAttribute("aria-busy"), "true");
  await passes(page, "register, at work");
  await answer();

  await screen(page, "Write this down");
  recoveryKey = await page.locator(".key").textContent();
  assert.match(recoveryKey, /^[0-9A-Z-]{30,}$/);
  await passes(page, "recovery key");
  await page.getByRole("button", { name: "Continue" }).click();
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Write this down", "not before it is written down");

  // Whoever goes away without having said so is reminded.
  await page.reload();
  await screen(page, "Folders");
  const reminder = page.getByText(/^Nobody has said yet that the recovery key is written down\./);
  await reminder.waitFor();
  await passes(page, "recovery key, not written down");
  await page.getByRole("button", { name: "Show the recovery key" }).click();
  await fill(page.getByRole("dialog"), { Password: PASSWORD });
  await page.getByRole("dialog").getByRole("button", { name: "Show", exact: true }).click();
  await screen(page, "Write this down");
  assert.equal(await page.locator(".key").textContent(), recoveryKey);
  await page.getByLabel("I wrote it down").check();
  await page.getByRole("button", { name: "Continue" }).click();
  await screen(page, "Settings");
  assert.equal(await reminder.count(), 0);
  await page.getByRole("link", { name: "Folders" }).click();
  await page.getByRole("button", { name: "Add a folder" }).click();
  await screen(page, "Your first folder");
  await page.getByText(/^No cloud directory was found on this computer\./).waitFor();
  assert.ok(!(await page.content()).includes(recoveryKey), "it is shown once");
  await page.context().close();
});

test("somebody logs in on another computer, after a wrong password and a wrong address", async () => {
  const page = await openWindow(browser, await world.device("second"));
  await screen(page, "Log in");
  const logIn = page.getByRole("button", { name: "Log in", exact: true });
  await fill(page, { "E-mail address": "alice@example.com", Password: "wrong horse battery", "Key server": server });
  await logIn.click();
  await page.getByRole("alert").filter({ hasText: "The password is wrong, or nobody has this address." }).waitFor();
  await passes(page, "log in, refused");
  await fill(page, { Password: PASSWORD, "Key server": "http://127.0.0.1:1" });
  await logIn.click();
  await page.getByRole("alert").filter({ hasText: "The key server cannot be reached." }).waitFor();
  await fill(page, { "Key server": server });
  await logIn.click();
  await screen(page, "Your first folder");
  assert.equal(await page.getByLabel("Password").count(), 0, "no password is left in the page");
  await page.getByRole("link", { name: "Settings" }).click();
  await screen(page, "Settings");
  await page.getByText("Logged in", { exact: true }).waitFor();
  await passes(page, "settings");
  await page.context().close();
});

test("who forgot the password gets back in by the recovery key", async () => {
  const page = await openWindow(browser, await world.device("third"));
  await page.getByRole("button", { name: "I forgot my password" }).click();
  await screen(page, "Use the recovery key");
  await passes(page, "recover");
  await fill(page, { "E-mail address": "alice@example.com", "Key server": server, "Recovery key": recoveryKey.replace(/.$/, (last) => (last === "0" ? "1" : "0")), "New password": NEW_PASSWORD });
  const recover = page.getByRole("button", { name: "Set the new password" });
  await recover.click();
  await page.getByRole("alert").waitFor();
  await fill(page, { "Recovery key": recoveryKey });
  await recover.click();
  await screen(page, "Your first folder");
  await page.context().close();
});

test("the computer is logged out, and the recovery key shown again for the password only", async () => {
  const device = await world.device("fourth");
  const page = await openWindow(browser, device);
  await fill(page, { "E-mail address": "alice@example.com", Password: NEW_PASSWORD, "Key server": server });
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(page, "Your first folder");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Show the recovery key" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Password").fill(PASSWORD);
  await dialog.getByRole("button", { name: "Show", exact: true }).click();
  await dialog.getByRole("alert").waitFor();
  await passes(page, "recovery key, asked for");
  await dialog.getByLabel("Password").fill(NEW_PASSWORD);
  await dialog.getByRole("button", { name: "Show", exact: true }).click();
  await screen(page, "Write this down");
  await page.getByLabel("I wrote it down").check();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("link", { name: "Settings" }).click();

  // Somebody else's address: whoever has an account is not told to log in.
  const other = await world.device("taken");
  await other.run("register", "--email", "taken@example.com", "--server", server);
  await page.getByRole("button", { name: "Change the e-mail address" }).click();
  await fill(dialog, { "New e-mail address": "taken@example.com", Password: NEW_PASSWORD });
  await dialog.getByRole("button", { name: "Change it" }).click();
  await dialog.getByRole("alert").filter({ hasText: /^This address has an account already\.$/ }).waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Log in" }).count(), 0);
  await passes(page, "e-mail address, taken");
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await page.getByRole("button", { name: "Log out" }).click();
  await passes(page, "log out, sure");
  await dialog.getByRole("button", { name: "Log out" }).click();
  await page.getByText("Logged out", { exact: true }).waitFor();
  await page.getByText(/^This computer is logged out, and its keys are locked/).waitFor();
  assert.equal(await page.getByLabel("Password").count(), 1, "one password is asked for");
  assert.equal(await page.evaluate(() => scrollY), 0);
  await passes(page, "logged out");
  await page.getByLabel("Password").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(page, "Your first folder");
  assert.equal(await page.getByRole("button", { name: "Unlock" }).count(), 0, "the keys are open, too");
  await page.context().close();
});

test("a new recovery key takes the place of the old one", async () => {
  const page = await openWindow(browser, await world.device("fifth"));
  await fill(page, { "E-mail address": "alice@example.com", Password: NEW_PASSWORD, "Key server": server });
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(page, "Your first folder");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Make a new recovery key" }).click();
  const dialog = page.getByRole("dialog", { name: "Make a new recovery key" });
  const make = dialog.getByRole("button", { name: "Make a new one" });
  await fill(dialog, { Password: PASSWORD });
  await make.click();
  await dialog.getByRole("alert").filter({ hasText: "The password is wrong." }).waitFor();
  await passes(page, "new recovery key, refused");
  await fill(dialog, { Password: NEW_PASSWORD });
  await make.click();
  await screen(page, "Write this down");
  await page.getByText(/^It holds from now on/).waitFor();
  const fresh = await page.locator(".key").textContent();
  assert.match(fresh, /^[0-9A-Z-]{30,}$/);
  assert.notEqual(fresh, recoveryKey);
  await passes(page, "new recovery key");
  await page.getByLabel("I wrote it down").check();
  await page.getByRole("button", { name: "Continue" }).click();
  await screen(page, "Settings");
  await page.context().close();

  const lost = await openWindow(browser, await world.device("sixth"));
  await lost.getByRole("button", { name: "I forgot my password" }).click();
  await fill(lost, { "E-mail address": "alice@example.com", "Key server": server, "Recovery key": recoveryKey, "New password": PASSWORD });
  const recover = lost.getByRole("button", { name: "Set the new password" });
  await recover.click();
  await lost.getByRole("alert").filter({ hasText: "The recovery key or the address is wrong." }).waitFor();
  await fill(lost, { "Recovery key": fresh });
  await recover.click();
  await screen(lost, "Your first folder");
  await lost.context().close();
});

test("a file carries the account to another computer, where there is no server", async () => {
  const device = await world.device("alone");
  await device.run("register", "--email", "carol@example.com");
  const first = await openWindow(browser, device);
  await first.getByLabel("Password").fill(PASSWORD);
  const unlock = first.getByRole("button", { name: "Unlock" });
  await unlock.click();
  await unlock.waitFor({ state: "detached" });
  await first.getByRole("link", { name: "Settings" }).click();
  const saving = first.waitForEvent("download");
  await first.getByRole("button", { name: "Save the account in a file" }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), "account.ensafer-keys");
  await first.getByText("Your browser saves it as account.ensafer-keys.").waitFor();
  await passes(first, "settings without a server");

  const page = await openWindow(browser, await world.device("other"));
  await page.getByRole("button", { name: "I have a file with my account" }).click();
  await screen(page, "Take the account from a file");
  await passes(page, "import");
  const take = page.getByRole("button", { name: "Take it over" });
  const file = page.getByLabel("File with the account");
  const gone = path.join(device.user, "gone");
  await writeFile(gone, "x");
  await file.setInputFiles(gone);
  await rm(gone);
  await fill(page, { Password: PASSWORD });
  await take.click();
  await page.getByRole("alert").filter({ hasText: "The browser cannot read this file." }).waitFor();
  const film = path.join(device.user, "film");
  await writeFile(film, new Uint8Array((2 << 20) + 1));
  await file.setInputFiles(film);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await take.click();
  await page.getByRole("alert").filter({ hasText: "This file is too large to hold an account." }).waitFor();
  assert.ok(!asked.includes("/v1/account/import"), "nobody waits for a film that is sent in vain");
  await passes(page, "import, a film");
  await file.setInputFiles(await saved.path());
  await fill(page, { Password: "wrong" });
  await take.click();
  await page.getByRole("alert").filter({ hasText: /^The password is wrong\.$/ }).waitFor();
  await fill(page, { Password: PASSWORD });
  await take.click();
  await screen(page, "Your first folder");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByText("carol@example.com", { exact: true }).waitFor();

  // The recovery key opens it where the password is forgotten, without a server too.
  const key = /[0-9A-Z]+(-[0-9A-Z]+){5,}/.exec(await device.run("recovery-key", "show"))[0];
  await first.getByRole("button", { name: "Lock", exact: true }).click();
  await first.getByRole("button", { name: "I forgot my password" }).click();
  const dialog = first.getByRole("dialog", { name: "Use the recovery key" });
  await fill(dialog, { "Recovery key": key, "New password": NEW_PASSWORD });
  await passes(first, "recovery key, locked");
  await dialog.getByRole("button", { name: "Set the new password" }).click();
  await dialog.waitFor({ state: "detached" });
  await unlock.waitFor({ state: "detached" });
  await first.context().close();
  await page.context().close();
});

test("an account without a key server is put on one where that is needed", async () => {
  const device = await world.device("later");
  await device.run("register", "--email", "dave@example.com");
  for (const directory of [device.work, device.cloud]) await mkdir(directory, { recursive: true });
  await device.run("folder", "add", device.work, device.cloud);
  await device.run("start");
  const page = await openWindow(browser, device, {}, "--screen", "people");
  await fill(page, { "E-mail address": "alice@example.com" });
  const add = page.getByRole("button", { name: "Add", exact: true });
  await add.click();
  await page.getByRole("alert").filter({ hasText: "For this it has to be on a key server." }).waitFor();
  await page.getByRole("button", { name: "Put the account on a key server" }).click();
  const dialog = page.getByRole("dialog", { name: "Put the account on a key server" });
  const put = dialog.getByRole("button", { name: "Put it there" });
  await fill(dialog, { "Key server": server, Password: "wrong" });
  await put.click();
  await dialog.getByRole("alert").filter({ hasText: "The password is wrong" }).waitFor();
  await passes(page, "publish, refused");
  await fill(dialog, { Password: PASSWORD });
  await put.click();
  await page.getByText("The account is on the key server. Others share with it by dave@example.com.").waitFor();
  await passes(page, "published");
  await add.click();
  await page.getByRole("dialog", { name: "Safety number with alice@example.com" }).waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByText(server, { exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Put the account on a key server" }).count(), 0);
  await page.context().close();
});
