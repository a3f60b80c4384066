// How long the work of a folder still takes, measured as it goes. Nothing here draws or looks at a clock.

/** What a file costs beside its bytes, as bytes: opening, sealing, renaming. */
const FILE_BYTES = 64 * 1024;
/** The rate follows changes of about this length; shorter ones are smoothed away. */
const SMOOTHED_MS = 20_000;
/** Before that nobody can tell. */
const LEAST_MS = 4_000;

const done = (progress) => progress["done-bytes"] + FILE_BYTES * progress["done-count"];
const total = (progress) => progress["total-bytes"] + FILE_BYTES * progress["total-count"];

/** What is known of a folder's work after `progress` was seen at `now_ms`; `before` is what was known, if anything. */
export function observed(before, progress, now_ms) {
  const isSame = before && before.total === total(progress) && before.done <= done(progress);
  const start = { since_ms: now_ms, at_ms: now_ms, done: done(progress), total: total(progress), rate: null };
  if (!isSame) return start;
  const passed_ms = now_ms - before.at_ms;
  if (passed_ms <= 0) return before;
  const rate = (done(progress) - before.done) / passed_ms;
  const weight = 1 - Math.exp(-passed_ms / SMOOTHED_MS);
  return { ...start, since_ms: before.since_ms, rate: before.rate === null ? rate : before.rate + weight * (rate - before.rate) };
}

/** Milliseconds that are left, or `null` while nobody can tell. */
export function left(known) {
  if (!known || known.rate === null || known.rate <= 0 || known.at_ms - known.since_ms < LEAST_MS) return null;
  return (known.total - known.done) / known.rate;
}

/** A length of time as people say it: the name of its text, and how many. */
export function spoken(length_ms) {
  const seconds = length_ms / 1000;
  if (seconds < 10) return { text: "left.moments", count: 0 };
  if (seconds < 50) return { text: "left.seconds", count: Math.ceil(seconds / 10) * 10 };
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 90) return { text: "left.minutes", count: minutes };
  return { text: "left.hours", count: Math.round(minutes / 60) };
}
