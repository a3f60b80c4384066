// Makes the guides' pictures of the window, of a real daemon in each status: node tests/ui/pictures.mjs
// (after scripts/ui-tests --install; needs ImageMagick's `convert`, which reduces the colours, and util-linux's `unshare`, which
// gives each computer a name).

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { PASSWORD, World, fill, openWindow, screen, status } from "./world.mjs";

const images = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const convert = promisify(execFile);
const COLOURS = "32";
const WIDTH = 720;
const LEAST_HEIGHT = 240;
/** Enough work for some seconds, in one go. */
const LARGE_COUNT = 80;
const LARGE_BYTES = 10 << 20;

const world = await World.make();
let browser;
let server;

/** Takes a picture, as high as the page is if no height is given. The paths and ports of the machine that makes it are nobody's
 * business. */
async function take(page, device, name, { dark = false, width = WIDTH, height } = {}) {
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
  const names = [
    [device.user, `/home/${path.basename(path.dirname(device.user))}`],
    [server, "https://keys.example.com"],
  ];
  await page.evaluate((names) => {
    const shown = (text) => names.reduce((text, [name, instead]) => text.replaceAll(name, instead), text);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = shown(texts.currentNode.data);
    for (const field of document.querySelectorAll("input:not([type=radio], [type=checkbox], [type=file])")) field.value = shown(field.value);
    // A keyboard that blinks, or not, makes another picture each time.
    document.activeElement?.blur();
  }, names);
  await page.mouse.move(0, 0);
  await page.setViewportSize({ width, height: height ?? LEAST_HEIGHT });
  if (!height) await page.setViewportSize({ width, height: await page.evaluate(() => document.scrollingElement.scrollHeight) });
  const file = path.join(images, `${name}.png`);
  await page.screenshot({ path: file });
  await convert("convert", [file, "-strip", "-dither", "None", "-colors", COLOURS, `PNG8:${file}`]);
}

const go = async (page, name) => {
  await page.getByRole("link", { name }).click();
  await page.evaluate(() => scrollTo(0, 0));
};
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function stop(page) {
  await press(page, "Stop");
  await status(page, "Stopped");
}

/** Somebody makes an account on a computer that has none. */
async function register(device) {
  const page = await openWindow(browser, device);
  await press(page, "Make an account");
  await fill(page, { "E-mail address": "alice@example.com", "New password": PASSWORD, "The same password again": PASSWORD, "Key server": server });
  await take(page, device, "window-register");
  // The picture has another address of the server in it.
  await fill(page, { "Key server": server });
  await press(page, "Make the account");
  await screen(page, "Write this down");
  await take(page, device, "window-recovery-key");
  await page.context().close();
  await device.run("daemon", "--quit");
}

/** The first folder, from the dry run to the first time that all is well. */
async function addFirstFolder(page, alice) {
  await press(page, "Add a folder");
  await screen(page, "Your first folder");
  await page.getByLabel("Work folder", { exact: true }).fill(alice.work);
  await page.getByRole("radio", { name: /A new folder in Dropbox/ }).check();
  await press(page, "See what would happen");
  await page.getByText(/^312 files and directories to encrypt/).waitFor();
  await take(page, alice, "window-first-run");
  await press(page, "Start");
  await status(page, "Up to date");
  await take(page, alice, "window-folders", { dark: true });
}

async function share(page, alice) {
  await go(page, "People");
  await page.getByLabel("E-mail address").fill("bob@example.com");
  await press(page, "Add");
  await page.getByRole("dialog").waitFor();
  await take(page, alice, "window-safety-number", { width: 360, height: 700 });
  await press(page, "They match");
  await page.getByText("Safety numbers were compared").waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await take(page, alice, "window-people");
}

/** A file that both of Alice's computers change before either hears of the other, and what becomes of it. */
async function disagree(page, alice, laptop) {
  await stop(page);
  await laptop.write("letters/7.txt", "Dear Bob, it is on Monday.");
  await alice.write("letters/7.txt", "Dear Bob, it is on Tuesday, as I said.");
  for (const n of [12, 15]) await rm(path.join(laptop.work, `letters/${n}.txt`));
  await laptop.run("sync", "--once");
  await press(page, "Start");
  await go(page, "Conflicts (1)");
  await status(page, "Up to date");
  await take(page, alice, "window-conflicts");
  await page.getByRole("radio", { name: "Only the copy, under the file's name" }).check();
  await press(page, "Keep that");
  await page.getByText(/^This computer knows of no file that is kept twice\./).waitFor();
  await status(page, "Up to date");
  await go(page, "Trash");
  await page.getByText("letters/7.txt").first().waitFor();
  await take(page, alice, "window-trash");
  await go(page, "Activity");
  await page.getByText(/entries, the latest first$/).waitFor();
  await take(page, alice, "window-activity", { height: 620 });
}

/** What the laptop has written arrives in part: the cloud is still at it. */
async function waitForCloud(page, alice, laptop, encrypted) {
  await go(page, "Folders");
  await stop(page);
  const before = new Set(await readdir(encrypted));
  await laptop.write("minutes.txt", "what was said, ".repeat(10_000));
  await laptop.run("sync", "--once");
  const [arriving] = (await readdir(encrypted)).filter((name) => name.endsWith(".ensafer") && !before.has(name));
  const file = path.join(encrypted, arriving);
  const whole = await readFile(file);
  await writeFile(file, whole.subarray(0, whole.length / 2));
  await press(page, "Start");
  await status(page, "Waiting for the cloud to deliver");
  await take(page, alice, "window-waiting");
  await writeFile(file, whole);
  await status(page, "Up to date");
}

async function pauseAndStop(page, alice) {
  await press(page, "Pause for an hour");
  await status(page, "Paused");
  await take(page, alice, "window-paused");
  await press(page, "Resume");
  await status(page, "Up to date");
  await stop(page);
  await take(page, alice, "window-stopped");
  await press(page, "Start");
  await status(page, "Up to date");
}

/** Both sides are looked at faster than a picture is taken: the daemon is let go on for moments only, until the page says so. */
async function check(page, alice) {
  const { process_id: id } = JSON.parse(await readFile(path.join(alice.user, ".local/share/ensafer/daemon.lock"), "utf8"));
  // What the daemon has told is drawn by then.
  const shown = () =>
    page.evaluate(async () => {
      await new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 10));
      return document.querySelector(".status p").textContent;
    });
  for (let isTaken = false; !isTaken; ) {
    await stop(page);
    process.kill(id, "SIGSTOP");
    await press(page, "Start");
    for (let text = "Stopped"; text === "Stopped"; text = await shown()) {
      process.kill(id, "SIGCONT");
      await new Promise((resolve) => setImmediate(resolve));
      process.kill(id, "SIGSTOP");
    }
    isTaken = (await shown()) === "Checking both sides";
    if (isTaken) await take(page, alice, "window-checking");
    process.kill(id, "SIGCONT");
    await status(page, "Up to date");
  }
}

async function loseDirectory(page, alice, encrypted) {
  await rename(encrypted, `${encrypted} away`);
  await status(page, "A folder cannot be reached");
  await take(page, alice, "window-unreachable");
  await rename(`${encrypted} away`, encrypted);
  await status(page, "Up to date");
}

/** A file is called as none can be on every computer. */
async function haveProblem(page, alice) {
  const name = "Accounts 2025\\2026.ods";
  await alice.write(name, "what was spent");
  await go(page, "Problems (1)");
  await status(page, "Some files need attention");
  await take(page, alice, "window-problems");
  await rm(path.join(alice.work, name));
  await status(page, "Up to date");
}

async function work(page, alice) {
  await go(page, "Folders");
  await stop(page);
  for (let n = 0; n < LARGE_COUNT; n += 1) await alice.write(`pictures/${n}.raw`, randomBytes(LARGE_BYTES));
  await press(page, "Start");
  await page.getByText(/ left$/).waitFor();
  await take(page, alice, "window-working");
  await status(page, "Up to date");
}

async function brake(page, alice) {
  await rm(path.join(alice.work, "letters"), { recursive: true });
  await page.getByText(/files were deleted here\.$/).waitFor();
  await take(page, alice, "window-braked");
}

async function lookAtSettings(page, alice) {
  await go(page, "Settings");
  await page.getByRole("region", { name: "Start at log-in" }).waitFor();
  await page.getByText("None", { exact: true }).waitFor();
  await page.getByLabel("Days for which the trash keeps what was deleted or replaced", { exact: true }).waitFor();
  await take(page, alice, "window-settings", { height: 1000 });
}

async function lock(page, alice) {
  await press(page, "Lock");
  await go(page, "Folders");
  await page.getByRole("button", { name: "Unlock" }).waitFor();
  await take(page, alice, "window-locked");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await press(page, "Unlock");
  await status(page, "Up to date");
}

async function end(page, alice) {
  await alice.run("daemon", "--quit");
  await screen(page, "Ensafer has ended here");
  await take(page, alice, "window-ended");
}

/** Somebody without an account is invited, and the cloud has delivered the folder. */
async function beInvited(alice, carol, encrypted) {
  const sent = JSON.parse(await alice.run("invite", "add", alice.work, "carol@example.com", "--print-link", "--json"));
  await carol.addCloud();
  await cp(encrypted, path.join(carol.cloud, "Team"), { recursive: true });
  const page = await openWindow(browser, carol, { viewport: { width: WIDTH, height: 560 } });
  await press(page, "I was invited");
  await fill(page, { "Link of the invitation": sent.link, "One-time password": sent.password });
  await press(page, "See the invitation");
  await page.getByText(/alice@example\.com invites you/).waitFor();
  await take(page, carol, "window-invited", { height: 640 });
  // The picture has another address of the server in it.
  await page.reload();
  await screen(page, "I was invited");
  await fill(page, { "Link of the invitation": sent.link, "One-time password": sent.password });
  await press(page, "See the invitation");
  await fill(page, { "New password": PASSWORD, "The same password again": PASSWORD });
  await press(page, "Make the account and accept");
  await screen(page, "Write this down");
  await page.getByLabel("I wrote it down").check();
  await press(page, "Continue");
  await page.getByText(/^It has arrived in/).waitFor();
  await take(page, carol, "window-accepted", { height: 890 });
  await page.context().close();
  await carol.run("daemon", "--quit");
}

try {
  await mkdir(images, { recursive: true });
  [browser, server] = await Promise.all([world.browser(), world.server()]);
  const [alice, laptop, bob] = [await world.device("alice"), await world.device("laptop"), await world.device("bob")];
  await alice.useDirectoriesOfUser();
  alice.cloud = path.join(alice.user, "Dropbox");
  alice.hostName = "desktop";
  laptop.hostName = "laptop";
  bob.hostName = "bobs-computer";
  await register(laptop);
  await alice.run("login", "--email", "alice@example.com", "--server", server);
  await bob.run("register", "--email", "bob@example.com", "--server", server);
  await alice.addCloud();
  for (let n = 0; n < 311; n += 1) await alice.write(`letters/${n}.txt`, `letter ${n}`);
  await alice.run("start");
  const page = await openWindow(browser, alice, { viewport: { width: WIDTH, height: 560 } });
  await addFirstFolder(page, alice);
  await share(page, alice);

  const encrypted = path.join(alice.cloud, (await readdir(alice.cloud))[0]);
  const carol = await world.device("carol");
  await beInvited(alice, carol, encrypted);
  await mkdir(laptop.work, { recursive: true });
  await laptop.run("folder", "add", laptop.work, encrypted);
  await laptop.run("sync", "--once");
  await disagree(page, alice, laptop);
  await waitForCloud(page, alice, laptop, encrypted);
  await pauseAndStop(page, alice);
  await check(page, alice);
  await loseDirectory(page, alice, encrypted);
  await haveProblem(page, alice);
  await work(page, alice);
  await lookAtSettings(page, alice);
  await lock(page, alice);
  await brake(page, alice);
  await end(page, alice);
} finally {
  await world.end();
}
