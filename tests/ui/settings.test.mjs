// The start at log-in and the settings of the daemon, as the window changes them.

import assert from "node:assert/strict";
import { access, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { World, openWindow, passes, screen } from "./world.mjs";

let world;
let browser;

before(async () => {
  world = await World.make();
  browser = await world.browser();
});
after(() => world.end());

const section = (page) => page.getByRole("region", { name: "Start at log-in" });

test("the start at log-in is switched on and off, and what somebody else wrote stays", async () => {
  const device = await world.device("alice");
  await device.useDirectoriesOfUser();
  await device.run("register", "--email", "alice@example.com");
  const page = await openWindow(browser, device, {}, "--screen", "settings");
  await screen(page, "Settings");
  const box = section(page).getByRole("checkbox", { name: "Start Ensafer whenever you log in to this computer" });
  await box.waitFor();
  assert.ok(!(await box.isChecked()));
  await passes(page, "no start at log-in");

  const entry = path.join(device.user, ".config/autostart/ensafer.desktop");
  await box.check();
  await section(page).getByText("The desktop starts it, by ~/.config/autostart/ensafer.desktop.").waitFor();
  assert.match(await readFile(entry, "utf8"), /^Exec="\/.*\/ensafer" daemon$/m);
  assert.deepEqual(JSON.parse(await device.run("autostart", "status", "--json")), { autostart: "desktop-entry" });
  await page.reload();
  await box.waitFor();
  assert.ok(await box.isChecked());
  await box.uncheck();
  await section(page).getByText(/^As it is, the icon in the panel starts it/).waitFor();
  await assert.rejects(access(entry));

  const foreign = "[Desktop Entry]\nType=Application\nName=Mine\nExec=mine\nHidden=true\n";
  await writeFile(entry, foreign);
  await box.click();
  await page.getByRole("alert").filter({ hasText: "was not written by Ensafer, and is left as it is" }).waitFor();
  assert.ok(!(await box.isChecked()), "it shows what is");
  assert.equal(await readFile(entry, "utf8"), foreign);
  await passes(page, "start at log-in, refused");
  await rm(entry);
  await page.context().close();
});

test("an installation with directories of its own says why it is not started at log-in", async () => {
  const device = await world.device("second");
  await device.run("register", "--email", "bob@example.com");
  const page = await openWindow(browser, device, {}, "--screen", "settings");
  await section(page).getByText(/^This Ensafer has directories of its own/).waitFor();
  assert.equal(await section(page).getByRole("checkbox").count(), 0);
  await passes(page, "no start at log-in here");
  await page.context().close();
});

test("settings are sentences with boxes, and what is rare is folded away", async () => {
  const device = await world.device("third");
  await device.run("register", "--email", "carol@example.com");
  const page = await openWindow(browser, device, {}, "--screen", "settings");
  const value = (key) => device.run("config", "get", key);
  const battery = page.getByRole("checkbox", { name: "Rest while this computer runs on battery" });
  await battery.waitFor();
  assert.ok(await battery.isChecked());
  await battery.click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  assert.equal(await value("pause_on_battery"), "false");
  assert.ok(!(await battery.isChecked()));
  await page.getByLabel("Days for which the trash keeps what was deleted or replaced", { exact: true }).fill("7");
  await page.getByRole("button", { name: /^Save Days for which the trash/ }).click();
  await page.getByText("The default is 30.").waitFor();
  assert.equal(await value("trash_days"), "7");
  await passes(page, "settings of the daemon");

  const proxy = page.getByLabel("Proxy to the key server", { exact: true });
  assert.ok(!(await proxy.isVisible()), "nobody needs it every day");
  await page.getByText("Advanced", { exact: true }).click();
  await page.getByLabel("What the sizes of the encrypted files show").selectOption("The exact size");
  await page.getByText("The default is The size, up to 12 % larger.").waitFor();
  assert.equal(await value("padding"), "none");
  await proxy.fill("no address at all");
  await proxy.press("Enter");
  await page.getByRole("alert").waitFor();
  assert.equal(await value("proxy"), "");
  await passes(page, "advanced settings, refused");
  await page.route("**/v1/settings", (route) => route.fulfill({ status: 500, json: { class: "failed", what: "the disk is worn out" } }));
  await battery.click();
  await page.getByRole("alert").filter({ hasText: "the disk is worn out" }).waitFor();
  assert.ok(!(await battery.isChecked()), "it shows what is");
  await page.context().close();
});
