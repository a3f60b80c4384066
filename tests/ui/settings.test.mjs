// The start at log-in, as Settings switch it.

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
