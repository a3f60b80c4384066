// What the window gives its page on macOS and Windows, where the web view answers whole bodies only: answers in pieces, and
// requests that fail (window/src/platform/desktop/answers.js). It needs no browser.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

let answer;
globalThis.window = globalThis;
globalThis.fetch = async () => answer;
const script = await readFile(new URL("../../window/src/platform/desktop/answers.js", import.meta.url), "utf8");
(0, eval)(script);
const { Unreachable, events, get } = await import("../../daemon/ui/api.js");

const STREAM = "x-ensafer-stream";
const bytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));
const stream = (number) => new Response("", { headers: { "content-type": "text/event-stream", [STREAM]: number } });

test("events come as they are, also before anybody reads, until the stream ends", async () => {
  answer = stream("1");
  const [first, second] = ['event: status\ndata: "ä"\n\n', 'data: "b"\n\n'];
  const all = bytes(first + second);
  // A piece may end within a letter, and come before the answer does.
  const within = bytes('event: status\ndata: "').length + 1;
  ensaferPiece(1, all.slice(0, within));
  const reading = events();
  const next = reading.next();
  ensaferPiece(1, all.slice(within));
  assert.deepEqual((await next).value, { name: "status", data: "ä" });
  assert.deepEqual((await reading.next()).value, { name: "message", data: "b" });
  ensaferPiece(1, null);
  assert.equal((await reading.next()).done, true);
});

test("streams are told apart, and what is cancelled takes no more", async () => {
  answer = stream("2");
  const two = await fetch("/v1/events");
  answer = stream("3");
  const three = await fetch("/v1/events");
  await two.body.cancel();
  ensaferPiece(2, "x");
  ensaferPiece(2, null);
  ensaferPiece(3, "y");
  ensaferPiece(3, null);
  assert.equal(await three.text(), "y");
});

test("who leaves hears of it as of any stream that is broken off", async () => {
  answer = stream("4");
  const leaving = new AbortController();
  const response = await fetch("/v1/events", { signal: leaving.signal });
  leaving.abort();
  await assert.rejects(response.text(), { name: "AbortError" });
});

test("no answer is a network that does not work; a refusal is an answer", async () => {
  answer = new Response("no daemon runs", { status: 502, headers: { "x-ensafer-unanswered": "1" } });
  await assert.rejects(get("/v1/status"), (error) => error instanceof Unreachable && error.message === "no daemon runs");
  answer = new Response('{"what":"no"}', { status: 409 });
  await assert.rejects(get("/v1/status"), { message: "no", status: 409 });
});
