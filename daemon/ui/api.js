// The daemon's local API (core/src/api/local.rs has its documents).
//
// In a browser the page comes with a token behind the `#` of its address. It is taken once, for a cookie, which this
// file never sees, and a key, which every request sends. In Ensafer's own window there is neither.

const KEY_HEADER = "x-ensafer-key";
const KEPT_KEY = "ensafer-key";
// Behind the token there may be a screen.
const TOKEN = /^#([0-9a-f]{64})(?:\/([a-z-]+))?$/;

/** The daemon's answer that is not a success; with its own words. */
export class Refused extends Error {
  constructor(status, refusal) {
    super(refusal.what);
    this.status = status;
    this.class = refusal.class;
    this.remedy = refusal.remedy;
    this.about = refusal.about;
  }

  /** Whether this page is not let in, or not any more. */
  get isShutOut() {
    return this.status === 401;
  }
}

/** No answer came: the daemon has ended, or this page is no longer let in. */
export class Unreachable extends Error {}

let key = null;
const leaving = new AbortController();

/** Whether the page came by the door for browsers, which lets each page in once. */
export function isInBrowser() {
  return key !== null;
}

/** Asks nobody anything from now on, and hears of no event any more. */
export function leave() {
  leaving.abort();
}

/** Whether it has left. */
export function hasLeft() {
  return leaving.signal.aborted;
}

/** Whether this page is in Ensafer's own window, which can start a daemon. */
export let isInOwnWindow = false;

/** Lets this page in. Afterwards the address has no secret in it. */
export async function enter() {
  const [, token, screen = ""] = TOKEN.exec(location.hash) ?? [];
  if (token) history.replaceState(null, "", `/#/${screen}`);
  key = sessionStorage.getItem(KEPT_KEY);
  if (key && !token) return;
  const response = await send("POST", "/claim", JSON.stringify({ token: token ?? "" }), "application/json");
  // Only the door for browsers has this request.
  isInOwnWindow = response.status === 404;
  if (isInOwnWindow) return;
  ({ key } = await read(response));
  sessionStorage.setItem(KEPT_KEY, key);
}

export async function get(path) {
  return read(await send("GET", path));
}

/** `signal` breaks the request off. */
export async function post(path, body = null, { signal } = {}) {
  return read(await send("POST", path, JSON.stringify(body), "application/json", signal));
}

/** For the one document that is a secret as it is. */
export async function postText(path, text) {
  return read(await send("POST", path, text, "text/plain; charset=utf-8"));
}

/** The daemon's events as they happen: `{name, data}`, until the daemon ends. (An EventSource could send no key.) */
export async function* events() {
  const response = await send("GET", "/v1/events", undefined, undefined, leaving.signal);
  if (!response.ok) await read(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    const blocks = (pending + value).split("\n\n");
    pending = blocks.pop();
    yield* blocks.map(parseEvent).filter(Boolean);
  }
}

/** One event of a stream (HTML Standard, 9.2.6); null for a comment, which keeps the connection alive. */
export function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}

async function send(method, path, body, type, signal) {
  if (hasLeft()) throw new Unreachable("this page has ended");
  const headers = {};
  if (type) headers["content-type"] = type;
  if (key) headers[KEY_HEADER] = key;
  return fetch(path, { method, body, headers, signal, cache: "no-store", redirect: "error" }).catch(brokenOff);
}

function brokenOff(error) {
  throw error.name === "AbortError" ? error : new Unreachable(error.message);
}

async function read(response) {
  const text = await response.text().catch(brokenOff);
  if (response.ok) return JSON.parse(text);
  let refusal;
  try {
    refusal = JSON.parse(text);
  } catch {
    // What the daemon's HTTP library refuses is plain text.
    refusal = { class: "bad-request", what: text };
  }
  throw new Refused(response.status, refusal);
}
