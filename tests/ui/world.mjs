// What the tests are made of: a key server, devices with a daemon each, a browser, and what every screen must pass.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const programs = process.env.ENSAFER_TEST_PROGRAMS ?? path.join(root, "target/debug");
const axe = await readFile(path.join(root, "tests/ui/node_modules/axe-core/axe.min.js"), "utf8");
const execute = promisify(execFile);

export const PASSWORD = "correct horse battery";
/** How long anything may take: key derivation in a debug build, on a busy machine. */
export const PATIENCE_MS = 60_000;

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** One test file's surroundings, gone when it has ended: `after(() => world.end())`. */
export class World {
  #endings = [];

  static async make() {
    const world = new World();
    world.directory = await mkdtemp(path.join(tmpdir(), "ensafer-ui-"));
    world.#endings.push(() => rm(world.directory, { recursive: true, force: true }));
    return world;
  }

  async end() {
    for (const ending of this.#endings.reverse()) await ending();
  }

  /** A key server of its own, with `settings` such as `registration.mode=code`; its address. */
  async server(...settings) {
    const data = path.join(this.directory, "server");
    await mkdir(data);
    const child = spawn(path.join(programs, "ensafer-server"), ["serve", "--listen", "127.0.0.1:0", "--data", data, ...settings.flatMap((one) => ["--set", one])], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#endings.push(() => ended(child));
    for await (const line of createInterface(child.stdout)) {
      const address = /^listening on (.*)$/.exec(line)?.[1];
      if (address) return address;
    }
    throw new Error("the key server has ended");
  }

  async device(name) {
    const device = new Device(path.join(this.directory, name));
    await mkdir(device.user, { recursive: true });
    this.#endings.push(() => device.run("daemon", "--quit"));
    return device;
  }

  async browser() {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    this.#endings.push(() => browser.close());
    return browser;
  }
}

async function ended(child) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await gone;
}

/** An installation of Ensafer with a home of its own. */
export class Device {
  /** What the verbs are given. */
  password = PASSWORD;

  constructor(directory) {
    this.home = path.join(directory, "ensafer");
    this.user = path.join(directory, "user");
    this.work = path.join(directory, "user/Work");
    this.cloud = path.join(directory, "user/Cloud");
  }

  get environment() {
    return {
      PATH: process.env.PATH,
      LANG: "C.UTF-8",
      HOME: this.user,
      ENSAFER_HOME: this.home,
      ENSAFER_KEYRING: "off",
      ENSAFER_PBKDF2_ITERATIONS: "600000",
      // The machine's own battery and network are none of a test's business.
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${path.join(this.home, "no-system-bus")}`,
      ...this.variables,
    };
  }

  /** Has Ensafer's own files lie where they do without ENSAFER_HOME, in a session that systemd does not run. */
  async useDirectoriesOfUser() {
    const runtime = path.join(this.user, "run");
    await mkdir(runtime, { mode: 0o700 });
    this.variables = { ENSAFER_HOME: "", XDG_RUNTIME_DIR: runtime };
  }

  /** Gives the daemon that is started next a display, and an `xdg-open` that writes down what it is given; its file. */
  async addDesktop() {
    const directory = path.join(this.user, "bin");
    const seen = path.join(directory, "opened");
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, "xdg-open"), `#!/bin/sh\nprintf '%s' "$1" >'${seen}'\n`, { mode: 0o755 });
    this.variables = { DISPLAY: ":4711", PATH: `${directory}:${process.env.PATH}` };
    return seen;
  }

  /** Runs a verb to its end; what it printed. */
  async run(...words) {
    const env = { ...this.environment, ENSAFER_PASSWORD_COMMAND: `printf '%s' '${this.password}'` };
    const { stdout } = await execute(...this.#command(words), { env });
    return stdout.trim();
  }

  /** A program and its arguments: `ensafer` with `words`, on a computer called `hostName` where the device has one. */
  #command(words) {
    const ensafer = path.join(programs, "ensafer");
    if (!this.hostName) return [ensafer, words];
    const rename = 'printf %s "$0" >/proc/sys/kernel/hostname; exec "$@"';
    const asRoot = process.getuid() === 0 ? [] : ["--map-root-user"];
    return ["unshare", ["--uts", ...asRoot, "sh", "-c", rename, this.hostName, ensafer, ...words]];
  }

  /** Starts the daemon where nobody types a password for it, as a desktop does; a link into the window. */
  async link(...words) {
    const { stdout } = await execute(...this.#command(["open", "--print", ...words]), { env: this.environment });
    return stdout.trim();
  }

  /** A directory that a cloud client says it carries: Dropbox's own file tells. */
  async addCloud() {
    await mkdir(this.cloud, { recursive: true });
    await mkdir(path.join(this.user, ".dropbox"), { recursive: true });
    const info = { personal: { path: this.cloud, host: 1, is_team: false, subscription_type: "Basic" } };
    await writeFile(path.join(this.user, ".dropbox/info.json"), JSON.stringify(info));
  }

  async write(name, content) {
    const file = path.join(this.work, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

/** Opens the window in a browser session of its own. */
export async function openWindow(browser, device, options = {}, ...words) {
  const context = await browser.newContext({ locale: "en-GB", viewport: { width: 900, height: 700 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(String(error)));
  page.on("console", (message) => {
    // A refusal that the page reacts to is reported by the browser as well.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.failures.push(message.text());
  });
  await page.goto(await device.link(...words));
  return page;
}

/** Fills fields by their labels. */
export async function fill(within, fields) {
  for (const [label, text] of Object.entries(fields)) await within.getByLabel(label, { exact: true }).fill(text);
}

/** Waits for a screen by its heading. */
export async function screen(page, heading) {
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
}

/** Waits until the one status says `text`. */
export async function status(page, text) {
  await page.getByRole("status").filter({ hasText: new RegExp(`^${text}$`) }).first().waitFor();
}

/** The text of what has the keyboard. */
export const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);

/** Presses Tab until what has the focus says `text`. */
export async function tabTo(page, text) {
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === text) return;
  }
  assert.fail(`the keyboard does not come to ${text}`);
}

/** What every screen must pass: no violation found by axe in light and dark, no scrolling sideways at 320 px, no error. */
export async function passes(page, name) {
  const size = page.viewportSize();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await violations(page), [], `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  for (const width of [320, 1600]) {
    await page.setViewportSize({ width, height: 700 });
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} px wide in a window of ${width}`);
  }
  await page.setViewportSize(size);
  assert.deepEqual(page.failures, [], name);
}

async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}
