// What the page computes without a browser: how long work takes, which deeds are found, what is written into files.

import assert from "node:assert/strict";
import { test } from "node:test";

import { filtered, toCsv, toJson } from "../../daemon/ui/deeds.js";
import { left, observed, spoken } from "../../daemon/ui/rate.js";

const KIB = 1024;
const MINUTE_MS = 60_000;
const progress = (done_bytes, total_bytes, done_count = 0, total_count = 1) => ({
  "done-count": done_count,
  "total-count": total_count,
  "done-bytes": done_bytes,
  "total-bytes": total_bytes,
});

/** What is known after `rates`, each in bytes a second and for a second. */
function after(total, rates) {
  let done = 0;
  let known = observed(undefined, progress(0, total), 0);
  rates.forEach((rate, at) => {
    done += rate;
    known = observed(known, progress(done, total), (at + 1) * 1000);
  });
  return known;
}

test("nobody can tell at first, and then it is what is left by the rate", () => {
  assert.equal(left(undefined), null);
  const total = 6_000 * KIB - 64 * KIB;
  assert.equal(left(after(total, [])), null);
  assert.equal(left(after(total, Array(3).fill(100 * KIB))), null);
  const rest = left(after(total, Array(10).fill(100 * KIB)));
  assert.ok(Math.abs(rest - 50_000) < 1, `${rest}`);
});

test("a stall and a burst are smoothed, a lasting change is followed", () => {
  const total = 1_000_000 * KIB;
  const steady = left(after(total, Array(60).fill(100 * KIB)));
  const stalled = left(after(total, [...Array(60).fill(100 * KIB), 0, 0]));
  assert.ok(stalled > steady && stalled < steady * 1.2, `${stalled} after ${steady}`);
  const faster = left(after(total, [...Array(60).fill(100 * KIB), ...Array(120).fill(1000 * KIB)]));
  assert.ok(faster < steady / 8, `${faster} after ${steady}`);
  assert.equal(left(after(total, Array(20).fill(0))), null, "nothing moves");
});

test("small files cost time as well", () => {
  // Of a byte each.
  let known;
  for (const [done, now] of [[0, 0], [100, 5_000], [200, 10_000]]) known = observed(known, progress(done, 1000, done, 1000), now);
  assert.ok(Math.abs(left(known) - 40_000) < 10, `${left(known)}`);
});

test("other work begins anew, and a clock that stands still changes nothing", () => {
  const known = after(10_000 * KIB, Array(10).fill(100 * KIB));
  assert.equal(left(observed(known, progress(0, 500 * KIB), 11_000)), null, "another plan");
  assert.equal(left(observed(known, progress(10 * KIB, 10_000 * KIB), 11_000)), null, "less is done than was");
  assert.deepEqual(observed(known, progress(1100 * KIB, 10_000 * KIB), known.at_ms), known);
});

test("time is spoken in words of its own length", () => {
  for (const [length, text, count] of [
    [0, "left.moments", 0],
    [9_999, "left.moments", 0],
    [10_001, "left.seconds", 20],
    [49_000, "left.seconds", 50],
    [51_000, "left.minutes", 1],
    [3.4 * MINUTE_MS, "left.minutes", 3],
    [89 * MINUTE_MS, "left.minutes", 89],
    [100 * MINUTE_MS, "left.hours", 2],
    [600 * MINUTE_MS, "left.hours", 10],
  ]) {
    assert.deepEqual(spoken(length), { text, count }, `${length}`);
  }
});

const DEEDS = [
  { folder: "f1", at: "2026-11-21T14:03:22Z", deed: "added", path: "Ägypten/a.txt", here: true, author: "alice, laptop" },
  { folder: "f2", at: "2026-11-20T14:03:22Z", deed: "moved", path: "b, c.txt", from: 'was "b".txt', here: false, author: "bob, pc" },
  { folder: "f1", at: "2026-11-19T14:03:22Z", deed: "added", path: '=HYPERLINK("x")', here: false, author: "bob, pc" },
];

test("deeds are found by text in paths and authors, by folder and by kind, and all of it together", () => {
  const found = (wanted) => filtered(DEEDS, wanted).map((deed) => DEEDS.indexOf(deed));
  assert.deepEqual(found({}), [0, 1, 2]);
  assert.deepEqual(found({ text: " äGYP " }), [0]);
  assert.deepEqual(found({ text: "was" }), [1]);
  assert.deepEqual(found({ text: "BOB" }), [1, 2]);
  assert.deepEqual(found({ text: "bob", folder: "f1" }), [2]);
  assert.deepEqual(found({ deed: "added", folder: "f1" }), [0, 2]);
  assert.deepEqual(found({ deed: "removed" }), []);
});

test("files have every deed as it is; a spreadsheet calculates none of it", () => {
  assert.deepEqual(JSON.parse(toJson(DEEDS)), DEEDS);
  assert.equal(
    toCsv(DEEDS),
    "\ufeffat,deed,folder,path,from,here,author\r\n" +
      '2026-11-21T14:03:22Z,added,f1,Ägypten/a.txt,,true,"alice, laptop"\r\n' +
      '2026-11-20T14:03:22Z,moved,f2,"b, c.txt","was ""b"".txt",false,"bob, pc"\r\n' +
      `2026-11-19T14:03:22Z,added,f1,"'=HYPERLINK(""x"")",,false,"bob, pc"\r\n`,
  );
});
