// Who is let in by the address that `ensafer open` gives, and who is not.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";

import { World, openWindow, passes, screen, status } from "./world.mjs";

let world;
let browser;
let device;

before(async () => {
  world = await World.make();
  browser = await world.browser();
  device = await world.device("alice");
  await device.run("register", "--email", "alice@example.com");
});
after(() => world.end());

test("the page keeps its secret out of its address, and stays let in when it is loaded again", async () => {
  const page = await openWindow(browser, device);
  await status(page, "No folder yet");
  assert.match(page.url(), /^http:\/\/127\.0\.0\.1:\d+\/#\/[a-z]*$/);
  assert.equal(await page.evaluate(() => document.cookie), "", "no page reads the cookie");
  await page.reload();
  await status(page, "No folder yet");
  await page.context().close();
});

test("a screen may stand behind the token", async () => {
  const page = await openWindow(browser, device, {}, "--screen", "settings");
  await screen(page, "Settings");
  assert.match(page.url(), /\/#\/settings$/);
  await page.context().close();
});

test("the policy has nothing unsafe in it, and the browser keeps to it", async () => {
  const page = await openWindow(browser, device);
  await status(page, "No folder yet");
  const response = await page.reload();
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  assert.deepEqual(page.failures, [], "the page itself breaks no rule");
  const ran = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    const image = document.createElement("img");
    image.setAttribute("onerror", "window.injected = true");
    const failed = new Promise((resolve) => image.addEventListener("error", resolve));
    image.src = "/nothing.png";
    document.body.append(image);
    await failed;
    return window.injected;
  });
  assert.equal(ran, undefined);
  await page.context().close();
});

test("a stolen token is refused, and whoever has it sees nothing", async () => {
  const link = await device.link();
  const first = await (await browser.newContext()).newPage();
  await first.goto(link);
  await status(first, "No folder yet");
  const thief = await openWindow(browser, { link: async () => link });
  await screen(thief, "This page is not let in");
  assert.equal(await thief.getByRole("navigation").count(), 0);
  await passes(thief, "shut");
  const [{ value: cookie, name }] = await first.context().cookies();
  await thief.context().addCookies([{ name, value: cookie, url: new URL(link).origin }]);
  await thief.reload();
  await screen(thief, "This page is not let in");
  await first.context().close();
  await thief.context().close();
});

test("another page in the same browser can neither read, nor do, nor frame anything", async () => {
  const page = await openWindow(browser, device);
  await status(page, "No folder yet");
  const target = new URL(page.url()).origin;
  await device.run("stop");
  const key = await page.evaluate(() => sessionStorage.getItem("ensafer-key"));
  const evil = createServer((_, response) => response.end("<!doctype html><title>evil</title>"));
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  const other = await page.context().newPage();
  await other.goto(`http://127.0.0.1:${evil.address().port}/`);
  const tried = await other.evaluate(
    async ({ target, key }) => {
      const attempts = {
        read: fetch(`${target}/v1/status`, { credentials: "include" }),
        readWithKey: fetch(`${target}/v1/status`, { credentials: "include", headers: { "x-ensafer-key": key } }),
        claim: fetch(`${target}/claim`, { method: "POST", body: "{}", credentials: "include" }),
      };
      const ends = {};
      for (const [name, attempt] of Object.entries(attempts)) ends[name] = await attempt.then(() => "answered", () => "refused");
      // Browsers send this without asking, and hide the answer: whether it was done is looked at below.
      await fetch(`${target}/v1/start`, { method: "POST", mode: "no-cors", credentials: "include" }).catch(() => {});
      const frame = document.createElement("iframe");
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
      frame.src = target;
      document.body.append(frame);
      await loaded;
      ends.frame = frame.contentDocument === null ? "hidden" : "readable";
      const script = document.createElement("script");
      const settled = new Promise((resolve) => {
        script.addEventListener("load", () => resolve("ran"));
        script.addEventListener("error", () => resolve("refused"));
      });
      script.type = "module";
      script.src = `${target}/ui/text/en.js`;
      document.body.append(script);
      ends.script = await settled;
      return ends;
    },
    { target, key },
  );
  assert.deepEqual(tried, { read: "refused", readWithKey: "refused", claim: "refused", frame: "hidden", script: "refused" });
  assert.equal(other.frames().length, 2);
  assert.equal(await other.frames()[1].locator("#window").count(), 0, "the frame shows nothing of the window");
  await access(path.join(device.home, "state/stopped"));
  evil.close();
  await page.context().close();
});

test("a new page takes over from the one before, which says so and can take it back", async () => {
  const first = await openWindow(browser, device);
  await status(first, "No folder yet");
  const second = await first.context().newPage();
  await second.goto(await device.link());
  await status(second, "No folder yet");
  await screen(first, "The window is open in another tab");
  await passes(first, "elsewhere");
  await first.getByRole("button", { name: "Go on here" }).click();
  await status(first, "No folder yet");
  await screen(second, "The window is open in another tab");
  await first.context().close();
});

test("a page whose daemon has ended says so, and asks nothing of whoever listens there then", async () => {
  const page = await openWindow(browser, device);
  await status(page, "No folder yet");
  const { port } = new URL(page.url());
  await page.clock.install();
  await device.run("daemon", "--quit");
  await screen(page, "Ensafer has ended here");
  await page.getByText("ensafer open", { exact: true }).waitFor();
  await passes(page, "ended");

  // Another user's program, which would like to have the password.
  const asked = [];
  const evil = createServer((request, response) => {
    asked.push(request.url);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ state: "locked", email: "alice@example.com", notices: [] }));
  });
  await new Promise((resolve) => evil.listen(Number(port), "127.0.0.1", resolve));
  const asks = [];
  // The browser may look at the page's icon whenever it likes.
  const isOfPage = (url) => !url.endsWith("/ui/icon.svg");
  page.on("request", (request) => asks.push(request.url()));
  await page.evaluate(() => {
    location.hash = "#/settings";
  });
  // Twice as long as the longest pause between two tries.
  await page.clock.runFor(60_000);
  await page.getByText("ensafer open", { exact: true }).waitFor();
  assert.equal(await page.locator("input").count(), 0);
  assert.deepEqual([...asked, ...asks].filter(isOfPage), []);
  evil.close();
  await page.context().close();
});
