// Somebody is invited: without an account, with one, and in every way that an invitation may be refused.

import assert from "node:assert/strict";
import { cp, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { PASSWORD, World, fill, openWindow, passes, screen, status } from "./world.mjs";

let world;
let browser;
let server;
let alice;
let carol;
let page;
let secrets;

before(async () => {
  world = await World.make();
  [browser, server] = await Promise.all([world.browser(), world.server()]);
  [alice, carol] = [await world.device("alice"), await world.device("carol")];
  await alice.run("register", "--email", "alice@example.com", "--server", server);
  await mkdir(alice.cloud, { recursive: true });
  await alice.write("plan.txt", "the plan");
  await alice.run("folder", "add", alice.work, alice.cloud);
  await alice.run("sync", "--once");
  await carol.addCloud();
  page = await openWindow(browser, carol);
});
after(() => world.end());

/** Link and one-time password of a new invitation. */
const invite = async (email, role = "writer") => JSON.parse(await alice.run("invite", "add", alice.work, email, "--role", role, "--print-link", "--json"));
const enter = (page, { link, password }) => fill(page, { "Link of the invitation": link, "One-time password": password });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const refusal = (page, text) => page.getByRole("alert").filter({ hasText: text });
const look = (page) => press(page, "See the invitation");

test("what is wrong with link or password is said, with the way to it", async () => {
  secrets = await invite("carol@example.com");
  const other = await invite("dave@example.com", "reader");
  await press(page, "I was invited");
  await screen(page, "I was invited");
  await page.getByText("You need no account yet: it is made with the invitation.").waitFor();
  await passes(page, "invited");
  await enter(page, { link: secrets.link.split("#")[0], password: secrets.password });
  await look(page);
  await refusal(page, "This is not the whole link of an invitation.").waitFor();
  await passes(page, "invited, no link");
  await press(page, "To the link");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(secrets.link);
  await fill(page, { "One-time password": "0000-0000-0000-0000-0000" });
  await look(page);
  await refusal(page, "The one-time password is mistyped.").waitFor();
  await press(page, "To the one-time password");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(other.password);
  await page.keyboard.press("Enter");
  await refusal(page, "Link and one-time password do not belong together.").waitFor();
  await enter(page, { link: secrets.link.replace(server, "http://127.0.0.1:1"), password: secrets.password });
  await look(page);
  await refusal(page, "The key server of the invitation cannot be reached.").waitFor();
  await press(page, "Try again");
  await refusal(page, "The key server of the invitation cannot be reached.").waitFor();
  await alice.run("invite", "revoke", "dave@example.com", "-y");
  await enter(page, other);
  await look(page);
  await refusal(page, "This invitation has ended, was taken back, or never was.").waitFor();
  await press(page, "Enter another link");
  assert.equal(await page.evaluate(() => document.activeElement.id), "link");
});

test("a guest makes an account, and accepts by it", async () => {
  await enter(page, { ...secrets, password: ` ${secrets.password.toLowerCase()} ` });
  await look(page);
  await page.getByText("alice@example.com invites you to read and write the folder “Work”.").waitFor();
  assert.equal(await page.getByLabel("E-mail address").inputValue(), "carol@example.com");
  await passes(page, "invited, who invites");
  await fill(page, { "New password": "carol", "The same password again": "carol" });
  await press(page, "Make the account and accept");
  await refusal(page, "This password is too easy to guess.").waitFor();
  await fill(page, { "New password": PASSWORD, "The same password again": PASSWORD });
  await press(page, "Make the account and accept");
  await screen(page, "Write this down");
  const key = await page.locator(".key").textContent();
  await page.getByLabel("I wrote it down").check();
  await press(page, "Continue");
  await screen(page, "Invitation accepted");
  const number = page.getByRole("region", { name: "Safety number with alice@example.com" });
  await number.getByRole("img", { name: "The number as a QR code" }).waitFor();
  const shown = (await number.locator(".key").textContent()).replaceAll(/\s/g, "");
  const told = (await alice.run("share", "verify", "carol@example.com")).replaceAll(/\s/g, "");
  assert.ok(shown.length === 60 && told.includes(shown), `${shown} in ${told}`);
  await page.getByText(/^It has not arrived on this computer yet\./).waitFor();
  await passes(page, "accepted");
  const content = await page.content();
  for (const secret of [key, PASSWORD, secrets.password, secrets.link.split("#")[1]]) assert.ok(!content.includes(secret), "no secret is left");
  await press(page, "They match");
  await number.getByText("Safety numbers were compared").waitFor();
});

test("another folder is not taken for the one that has not arrived", async () => {
  await press(page, "Choose its directory");
  await screen(page, "Your first folder");
  await fill(page, { "Work folder": carol.work });
  await page.getByRole("radio", { name: /^A new folder in Dropbox/ }).check();
  await press(page, "See what would happen");
  await page.getByText(/^This is not the folder that you were invited to/).waitFor();
  assert.equal(await page.getByRole("button", { name: "Start", exact: true }).count(), 0);
  await passes(page, "add, not the folder of the invitation");
});

test("the folder is offered once the cloud has delivered it, and read before anybody has made a member of the guest", async () => {
  // What was accepted is accepted, whoever looks at it again.
  await page.goBack();
  await screen(page, "I was invited");
  await enter(page, secrets);
  await look(page);
  await press(page, "Accept");
  await screen(page, "Invitation accepted");
  await page.getByText(/^It has not arrived on this computer yet\./).waitFor();
  const team = path.join(carol.cloud, "Team");
  await cp(alice.cloud, team, { recursive: true });
  await press(page, "Look again");
  await page.getByText(`It has arrived in ${team}.`).waitFor();
  await passes(page, "accepted, arrived");
  await press(page, "Add this folder");
  await screen(page, "Your first folder");
  assert.ok(await page.getByRole("radio", { name: /^Shared with you by alice@example\.com/ }).isChecked());
  await page.getByRole("group", { name: "Where the cloud lives" }).getByText("Safety numbers were compared").waitFor();
  await fill(page, { "Work folder": carol.work });
  await press(page, "See what would happen");
  await page.getByText("This computer joins the folder of alice@example.com.").waitFor();
  await passes(page, "invited, dry run");
  await press(page, "Start");
  await screen(page, "Folders");
  await status(page, "Up to date");
  assert.equal(await readFile(path.join(carol.work, "plan.txt"), "utf8"), "the plan");
  await passes(page, "a guest's folder");
  await page.getByRole("link", { name: "People" }).click();
  await page.getByRole("heading", { name: "alice@example.com" }).waitFor();
  await passes(page, "a guest's people");
});

test("who has accepted an invitation that is over is led to the folder", async () => {
  assert.equal(await alice.run("invite", "list", "--json"), "[]", "Carol is a member");
  await page.getByRole("link", { name: "Folders" }).click();
  await press(page, "I was invited");
  await enter(page, secrets);
  await look(page);
  await page.getByText("You have accepted this invitation before, and it is over.").waitFor();
  await page.getByText("It is synced here already, as Work.").waitFor();
  await passes(page, "accepted, over");
  await press(page, "Go to Folders");
  await screen(page, "Folders");
});

test("somebody comes second, and somebody's keys are locked", async () => {
  secrets = await invite("erin@example.com", "reader");
  const [erin, frank] = [await world.device("erin"), await world.device("frank")];
  await erin.run("register", "--email", "erin@example.com", "--server", server);
  const of = await openWindow(browser, erin);
  await of.getByRole("button", { name: "Unlock" }).waitFor();
  await press(of, "I was invited");
  await screen(of, "I was invited");
  await enter(of, secrets);
  await look(of);
  await of.getByText("alice@example.com invites you to read the folder “Work”.").waitFor();
  await press(of, "Accept");
  await refusal(of, "The keys are locked.").waitFor();
  await passes(of, "invited, locked");
  await press(of, "Enter the password");
  await of.keyboard.type(PASSWORD);
  await of.keyboard.press("Enter");
  await of.getByRole("button", { name: "Unlock" }).waitFor({ state: "detached" });

  // Logged out: Settings log in, and lead back.
  await erin.run("logout");
  await press(of, "Accept");
  await refusal(of, "This computer is not logged in to the key server.").waitFor();
  await press(of, "Go to Settings");
  await of.getByRole("region", { name: "Account" }).getByLabel("Password", { exact: true }).fill(PASSWORD);
  await press(of, "Log in");
  await screen(of, "I was invited");
  await press(of, "Accept");
  await screen(of, "Invitation accepted");

  const second = await openWindow(browser, frank);
  await press(second, "I was invited");
  await enter(second, secrets);
  await look(second);
  await refusal(second, "Somebody has accepted this invitation already.").waitFor();
  await passes(second, "invited, too late");
  await Promise.all([of, second].map((page) => page.context().close()));
});

test("an account that is on this computer only is put on the invitation's server first", async () => {
  const grace = await world.device("grace");
  await grace.run("register", "--email", "grace@example.com");
  const sent = await invite("grace@example.com");
  const other = await invite("heidi@example.com");
  const of = await openWindow(browser, grace);
  await of.getByLabel("Password").fill(PASSWORD);
  await press(of, "Unlock");
  await of.getByRole("button", { name: "Unlock" }).waitFor({ state: "detached" });
  await press(of, "I was invited");
  // Of a link that opens nothing, nobody is asked to put the account anywhere.
  const put = of.getByRole("button", { name: /^Put the account on/ });
  for (const [secrets, said] of [
    [{ ...sent, link: sent.link.replace(server, "http://127.0.0.1:1") }, "The key server of the invitation cannot be reached."],
    [{ ...sent, password: other.password }, "Link and one-time password do not belong together."],
  ]) {
    await enter(of, secrets);
    await look(of);
    await refusal(of, said).waitFor();
    assert.equal(await put.count(), 0, said);
  }
  await enter(of, sent);
  await look(of);
  await of.getByText("By the invitation’s own words, alice@example.com invites you").waitFor();
  await of.getByText(`Whoever accepts needs it on the key server of the invitation: ${server}.`).waitFor();
  await passes(of, "invited, on no server");
  await of.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await press(of, `Put the account on ${server}`);
  await put.waitFor({ state: "detached" });
  await press(of, "Accept");
  await screen(of, "Invitation accepted");
  await of.context().close();
});
