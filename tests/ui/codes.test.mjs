// Codes: the administrator's, which a server wants of new accounts, and those that it mails. And what an account's owner changes.

import assert from "node:assert/strict";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, fill, openWindow, passes, screen, status } from "./world.mjs";

const NEW_PASSWORD = "grass tulip anchor lantern";

let world;
let browser;
let server;
let mails;
let first;
let page;

before(async () => {
  world = await World.make();
  mails = path.join(world.directory, "mails");
  const codes = path.join(world.directory, "codes");
  await mkdir(mails);
  await writeFile(codes, "alpha-7\n", { mode: 0o600 });
  const mail = ["mail.transport=file", "mail.from=keys@example.org", `mail.directory=${mails}`];
  [browser, server] = await Promise.all([
    world.browser(),
    world.server(...mail, "registration.mode=code", `registration.code_file=${codes}`),
  ]);
  first = await world.device("first");
  page = await openWindow(browser, first);
});
after(() => world.end());

/** The codes in the mails to `email`, which the server has sent before it answered. */
async function mailedCodes(email) {
  const texts = await Promise.all((await readdir(mails)).map((name) => readFile(path.join(mails, name), "utf8")));
  return texts.filter((text) => text.includes(`To: ${email}`)).flatMap((text) => /^\s*([0-9A-Z]{8})\s*$/m.exec(text)?.[1] ?? []);
}

async function mailedCode(email) {
  const found = await mailedCodes(email);
  assert.equal(found.length, 1, `one code for ${email}`);
  return found[0];
}

const alert = (text) => page.getByRole("alert").filter({ hasText: text }).waitFor();

test("a server that takes no strangers asks for its authorisation code", async () => {
  await page.getByRole("button", { name: "Make an account" }).click();
  await fill(page, { "E-mail address": "alice@example.com", "New password": PASSWORD, "The same password again": PASSWORD, "Key server": server });
  const register = page.getByRole("button", { name: "Make the account" });
  await register.click();
  await alert("The key server wants an authorisation code.");
  await fill(page, { "Authorisation code": "wrong" });
  await passes(page, "authorisation code");
  await register.click();
  await page.waitForFunction(() => !document.querySelector("button[aria-disabled]"));
  await alert("The key server wants an authorisation code.");
  await fill(page, { "Authorisation code": "alpha-7" });
  await register.click();
  await screen(page, "Write this down");
  await page.getByLabel("I wrote it down").check();
  await page.getByRole("button", { name: "Continue" }).click();
});

test("the address is confirmed by the code from the mail, also after the page was loaded again", async () => {
  await screen(page, "Enter the code from the mail");
  await page.getByText("The key server has sent a code to alice@example.com.").waitFor();
  await page.reload();
  await screen(page, "Enter the code from the mail");
  await passes(page, "mail code");
  const code = await mailedCode("alice@example.com");
  const confirm = page.getByRole("button", { name: "Confirm" });
  await fill(page, { Code: code.replace(/^./, (first) => (first === "7" ? "8" : "7")), Password: PASSWORD });
  await confirm.click();
  await alert("The code is wrong, or too old.");
  await passes(page, "mail code, refused");

  // Nothing stands between a code that never came and another one, or the settings.
  await page.getByRole("button", { name: "Go to Settings" }).click();
  await screen(page, "Settings");
  await page.getByRole("link", { name: "Folders" }).click();
  await screen(page, "Enter the code from the mail");
  await page.getByRole("button", { name: "Send another code" }).click();
  assert.notEqual(await page.getByLabel("Password").evaluate((field) => field.validationMessage), "");
  await fill(page, { Password: PASSWORD });
  await page.getByRole("button", { name: "Send another code" }).click();
  await alert("The key server wants an authorisation code.");
  await fill(page, { "Authorisation code": "alpha-7" });
  await page.getByRole("button", { name: "Send another code" }).click();
  await page.getByText("Another code is on its way to alice@example.com.").first().waitFor();
  await passes(page, "another mail code");
  const [another] = (await mailedCodes("alice@example.com")).filter((one) => one !== code);
  await fill(page, { Code: another });
  await confirm.click();
  await screen(page, "Your first folder");
});

test("the password is changed for the old one only", async () => {
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Change the password" }).click();
  const dialog = page.getByRole("dialog", { name: "Change the password" });
  const set = dialog.getByRole("button", { name: "Set the new password" });
  await fill(dialog, { "Password until now": "wrong horse battery", "New password": NEW_PASSWORD, "The same password again": "other" });
  await set.click();
  assert.equal(await dialog.getByLabel("The same password again").evaluate((field) => field.validationMessage), "The two passwords differ.");
  await fill(dialog, { "The same password again": NEW_PASSWORD });
  await set.click();
  await alert("The password until now is wrong.");
  await passes(page, "change the password");
  await fill(dialog, { "Password until now": PASSWORD });
  await set.click();
  await page.getByText("The new password is set. Other computers stay logged in.").first().waitFor();
  await passes(page, "password changed");
});

test("another address is confirmed before it counts", async () => {
  await page.getByRole("button", { name: "Change the e-mail address" }).click();
  const dialog = page.getByRole("dialog", { name: "Change the e-mail address" });
  const change = dialog.getByRole("button", { name: "Change it" });
  await fill(dialog, { "New e-mail address": "al@example.com", Password: PASSWORD });
  await change.click();
  await alert("The password is wrong.");
  await fill(dialog, { Password: NEW_PASSWORD });
  await change.click();
  await dialog.getByText("A code was sent to that address.").waitFor();
  await passes(page, "another address");
  await page.getByText("alice@example.com", { exact: true }).waitFor();
  await fill(dialog, { Code: await mailedCode("al@example.com") });
  await change.click();
  await page.getByText("The account's address is al@example.com now.").first().waitFor();
  await page.getByText("al@example.com", { exact: true }).waitFor();
});

test("others read a name beside the address, where one is given", async () => {
  await page.getByRole("button", { name: "Change the name" }).click();
  const dialog = page.getByRole("dialog", { name: "Change the name" });
  const save = dialog.getByRole("button", { name: "Save" });
  await fill(dialog, { Name: "Alice\u0007" });
  await save.click();
  await dialog.getByRole("alert").filter({ hasText: "The key server does not take this name." }).waitFor();
  await passes(page, "name, refused");
  await fill(dialog, { Name: " Alice <b>A.</b> " });
  await save.click();
  await page.getByText("Others read Alice <b>A.</b> beside your address now.").first().waitFor();
  const shown = page.getByRole("region", { name: "Account" });
  await shown.getByText("Alice <b>A.</b>", { exact: true }).waitFor();
  await page.reload();
  await shown.getByText("Alice <b>A.</b>", { exact: true }).waitFor();
  await passes(page, "name");
  await page.getByRole("button", { name: "Change the name" }).click();
  assert.equal(await dialog.getByLabel("Name").inputValue(), "Alice <b>A.</b>");
  await fill(dialog, { Name: "" });
  await save.click();
  await page.getByText("Others read your address alone now.").first().waitFor();
  await shown.getByText("None", { exact: true }).waitFor();
});

test("another computer of the account is removed", async () => {
  const second = await openWindow(browser, await world.device("second"));
  await fill(second, { "E-mail address": "al@example.com", Password: NEW_PASSWORD, "Key server": server });
  await second.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(second, "Your first folder");
  await page.reload();
  await status(page, "No folder yet");
  const devices = page.getByRole("region", { name: "Computers of this account" }).getByRole("listitem");
  await devices.last().waitFor();
  assert.equal(await devices.count(), 2);
  assert.equal(await devices.filter({ hasText: "this computer" }).getByRole("button").count(), 0);
  await passes(page, "computers of the account");
  await devices.getByRole("button", { name: /^Remove/ }).click();
  await passes(page, "remove a computer, sure");
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await devices.count(), 1);

  // The other hears of it when it asks next, and is offered the way back.
  await second.getByRole("link", { name: "Settings" }).click();
  await second.getByText("Logged out by the server", { exact: true }).or(second.getByRole("alert")).first().waitFor();
  await second.reload();
  await second.getByText("Logged out by the server", { exact: true }).waitFor();
  await fill(second, { Password: NEW_PASSWORD });
  await second.getByRole("button", { name: "Log in", exact: true }).click();
  await screen(second, "Your first folder");
});

test("an account without a key server is put on one that asks for codes", async () => {
  const device = await world.device("later");
  await device.run("register", "--email", "dave@example.com");
  page = await openWindow(browser, device, {}, "--screen", "settings");
  await page.getByRole("button", { name: "Put the account on a key server" }).click();
  const dialog = page.getByRole("dialog", { name: "Put the account on a key server" });
  const put = dialog.getByRole("button", { name: "Put it there" });
  await fill(dialog, { "Key server": server, Password: PASSWORD });
  await put.click();
  await alert("The key server wants an authorisation code.");
  await passes(page, "publish, with a code");
  await fill(dialog, { "Authorisation code": "alpha-7" });
  await put.click();
  await screen(page, "Enter the code from the mail");
  await fill(page, { Code: await mailedCode("dave@example.com"), Password: PASSWORD });
  await page.getByRole("button", { name: "Confirm" }).click();
  await screen(page, "Your first folder");
});

test("who is invited enters the codes as anybody, and is led on with the invitation", async () => {
  first.password = NEW_PASSWORD;
  await Promise.all([mkdir(first.work), mkdir(first.cloud)]);
  await first.run("folder", "add", first.work, first.cloud);
  const { link, password } = JSON.parse(await first.run("invite", "add", first.work, "guest@example.com", "--print-link", "--json"));
  const guest = await openWindow(browser, await world.device("guest"));
  const press = (name) => guest.getByRole("button", { name, exact: true }).click();
  await press("I was invited");
  await fill(guest, { "Link of the invitation": link, "One-time password": password });
  await press("See the invitation");
  await fill(guest, { "New password": PASSWORD, "The same password again": PASSWORD });
  await press("Make the account and accept");
  await guest.getByRole("alert").filter({ hasText: "The key server wants an authorisation code." }).waitFor();
  await fill(guest, { "Authorisation code": "alpha-7" });
  await passes(guest, "invited, authorisation code");
  await press("Make the account and accept");
  await screen(guest, "Write this down");
  await guest.getByLabel("I wrote it down").check();
  await press("Continue");
  await screen(guest, "Enter the code from the mail");
  await fill(guest, { Code: await mailedCode("guest@example.com"), Password: PASSWORD });
  await press("Confirm");
  await screen(guest, "Invitation accepted");
  await guest.context().close();
});
