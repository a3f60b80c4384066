// What the page asks of the daemon, and what becomes of the answers.

import * as api from "/ui/api.js";
import { filtered, toCsv, toJson } from "/ui/deeds.js";
import { observed } from "/ui/rate.js";
import { state, update } from "/ui/store.js";
import { download, hex, unhex } from "/ui/files.js";
import { bringUp, toTop } from "/ui/parts.js";
import { has, t } from "/ui/text.js";

/** Refusals of which the daemon knows more than their kind. */
const KEEPS_DETAIL = [
  "weak-password",
  "server-unreachable",
  "server-distrusted",
  "retry-later",
  "preview-bad-request",
  "add-bad-request",
  "open-failed",
  "account-bad-request",
  "account-not-allowed",
  "invitation-bad-request",
  "invitation-retry-later",
  "invitation-server-unreachable",
  "unexpected",
];

/** Refusals that say how the account stands. */
const OF_ACCOUNT = ["not-set-up", "locked", "not-on-server", "not-logged-in"];

/** A file that somebody chose, and that is gone, or not theirs to read (File API, "Error conditions"). */
const UNREADABLE = ["NotFoundError", "NotReadableError"];

/** Rows that a long list shows at first, and then more of them. */
export const PAGE_COUNT = 200;

/** The name that a saved account gets. */
const ACCOUNT_FILE = "account.ensafer-keys";

/** No saved account is longer (MAX_EXPORT_BYTES of daemon/src/account/local.rs). */
const ACCOUNT_FILE_LIMIT_BYTES = 2 * 1024 * 1024;

/** A file that somebody chose, and that cannot hold what is wanted of it. */
class TooLarge extends Error {}

/** What the status does not have, and where it is read. */
const BESIDE_STATUS = { account: "/v1/account", folders: "/v1/folders", problems: "/v1/problems", conflicts: "/v1/conflicts" };

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_BETWEEN_TRIES_MS = 30_000;

/**
 * Lets the page in, then follows the daemon's events for good.
 *
 * In a browser their end is the page's: a daemon that starts anew knows no page of before, and whoever listens on the
 * port by then need not be one. Nothing is asked of it, and nobody types a password for it.
 */
export async function run() {
  try {
    await api.enter();
    await takeRoute();
  } catch (error) {
    return shut(error instanceof api.Unreachable ? "ended" : "shut");
  }
  takeOver();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_BETWEEN_TRIES_MS)) {
    try {
      for await (const event of api.events()) {
        pause = FIRST_PAUSE_MS;
        if (api.hasLeft()) return;
        if (event.name === "status") takeStatus(event.data);
      }
    } catch (error) {
      if (error.isShutOut) return shut("shut");
      if (!(error instanceof api.Unreachable || api.hasLeft())) console.error(error);
    }
    if (api.isInBrowser()) return shut("ended");
    // What was shown last may not be true any more.
    update({ link: "lost", status: null });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** The name by which the pages of one daemon, in one browser, hear each other. */
const PAGES = "ensafer-pages";

/**
 * Ends the pages that came before this one. Each holds a connection for its events, and browsers open six to an address at
 * most: the sixth page would wait for ever, and hold up the others.
 */
function takeOver() {
  const pages = new BroadcastChannel(PAGES);
  pages.addEventListener("message", () => {
    pages.close();
    shut("elsewhere");
  });
  pages.postMessage("entered");
}

/** Ends the page for good: `link` is how (store.js). */
function shut(link) {
  if (api.hasLeft()) return;
  api.leave();
  cancelPreview();
  update({ link, status: null, dialog: null, form: {}, invitation: null, failure: null, unread: {}, said: "" });
}

/** Shows a status at once. What it does not have is asked for beside it: an answer may take its time. */
function takeStatus(status) {
  const isFirst = state.link !== "open";
  const before = state.status;
  update({ status, link: "open", rates: ratesOf(status) });
  if (isFirst) refreshInTurn().then(readScreen);
  else if (summary(before) !== summary(status)) refreshInTurn().then(readListInTurn);
  if (state.invitation?.isAccepted && sharedIn(before) !== sharedIn(status)) lookForFolder();
}

/** What of others' the cloud has delivered, as a status tells it. */
const sharedIn = (status) => JSON.stringify(status?.["shared-with-me"] ?? []);

/** What has to change in a status for the lists to have changed. */
function summary(status) {
  const folders = status?.folders.map((f) => [f.folder, f.state, f.problems, f["still-arriving"], f.conflicts]);
  return JSON.stringify([status?.account, folders]);
}

/** Does `work`, and once more where it was asked for meanwhile: never twice at a time. */
function inTurn(work) {
  let running = null;
  let isAsked = false;
  const workThrough = async () => {
    while (isAsked) {
      isAsked = false;
      await work();
    }
    running = null;
  };
  return () => {
    isAsked = true;
    running ??= workThrough();
    return running;
  };
}

export const refreshInTurn = inTurn(async () => {
  try {
    await refresh();
  } catch (error) {
    // That no daemon answers is told by the end of its events.
    if (!(error instanceof api.Unreachable)) console.error(error);
  }
});

const readListInTurn = inTurn(readList);

/** How fast the folders' work goes, by folder. */
function ratesOf(status) {
  const working = status.folders.filter((folder) => folder.progress);
  return Object.fromEntries(working.map(({ folder, progress }) => [folder, observed(state.rates[folder], progress, performance.now())]));
}

let refreshesAsked = 0;
let refreshShown = 0;

/** Reads what the status does not have. What cannot be read holds nothing else back: `state.unread` says why. */
export async function refresh() {
  refreshesAsked += 1;
  const asked = refreshesAsked;
  const names = Object.keys(BESIDE_STATUS);
  const answers = await Promise.allSettled(names.map((name) => api.get(BESIDE_STATUS[name])));
  const lost = answers.find(({ reason }) => reason instanceof api.Unreachable);
  if (lost) throw lost.reason;
  // One that was asked for later may have been answered before.
  if (asked < refreshShown) return;
  refreshShown = asked;
  const { account, ...lists } = Object.fromEntries(names.flatMap((name, at) => (answers[at].status === "fulfilled" ? [[name, answers[at].value]] : [])));
  const unread = Object.fromEntries(names.flatMap((name, at) => (answers[at].status === "rejected" ? [[name, failureOf("refresh", answers[at].reason)]] : [])));
  update({ ...lists, unread });
  if (account) takeAccount(account);
}

/** Shows the account as it is now. With the keys at hand the screen shows more than without them. */
function takeAccount(account) {
  const isOpened = state.account?.state === "locked" && account.state === "open";
  update({ account });
  if (isOpened) readScreen();
}

/** Reads what the screen lists beside that, and what changes as folders do. */
async function readList() {
  const { screen } = state.route;
  if (screen === "people") await readPeople();
  if (screen === "activity") await readActivity();
  if (screen === "trash") await readTrash();
}

/** Reads what the screen shows beside what the status tells. */
async function readScreen() {
  const { screen } = state.route;
  if (["settings", "conflicts", "trash"].includes(screen)) readSettings();
  if (screen === "add") readClouds();
  await readList();
}

/** Does `work` under a name, one of that name at a time; `true` where it succeeded. Its failure is shown where the name is. */
async function perform(name, work, said = "") {
  if (state.busy.has(name)) return false;
  update({ busy: new Set([...state.busy, name]), failure: null, said: "" });
  try {
    await work();
    if (said) update({ said });
    return true;
  } catch (error) {
    update({ failure: error.name === "AbortError" ? null : failureOf(name, error) });
    // What the account is shown as is older than such a refusal.
    if (OF_ACCOUNT.includes(error.class)) refreshInTurn();
    return false;
  } finally {
    update({ busy: new Set([...state.busy].filter((other) => other !== name)) });
  }
}

function failureOf(name, error) {
  if (error instanceof api.Refused) {
    if (error.isShutOut) shut("shut");
    return { name, class: error.class, what: error.message, remedy: error.remedy, about: error.about };
  }
  if (error instanceof api.Unreachable) return { name, class: "lost" };
  if (UNREADABLE.includes(error.name)) return { name, class: "unreadable-file" };
  if (error instanceof TooLarge) return { name, class: "too-large-file" };
  console.error(error);
  return { name, class: "unexpected", what: error.message };
}

/** A failure in the reader's words where the page has some for its kind, else in the daemon's. */
export function words({ name, class: of, what, remedy }) {
  // What was asked for says it better than what it was refused with.
  const [asked, how] = name.split(" ");
  const kind = [`${how}-${of}`, `${asked}-${of}`, of].find((kind) => has(`refusal.${kind}`));
  if (!kind) return { what, remedy };
  return { what: t(`refusal.${kind}`), detail: KEEPS_DETAIL.includes(kind) ? what : null };
}

export function resetForm(form) {
  update({ form, failure: null });
}

/** Shows another screen, or the same one anew. */
export function go(screen, folder = null) {
  const hash = folder ? `#/${screen}/${folder}` : `#/${screen}`;
  // The browser tells of other addresses only.
  if (location.hash === hash) takeRoute();
  else location.hash = hash;
}

export async function takeRoute() {
  const [, screen, folder] = /^#\/([a-z-]*)(?:\/([0-9a-f]+))?/.exec(location.hash) ?? [];
  cancelPreview();
  const form = screen === "add" && state.wanted ? state.wanted : {};
  const invitation = staysWithInvitation(screen) ? state.invitation : null;
  update({ route: { screen: screen || "folders", folder: folder ?? null }, people: null, invitations: [], activity: null, isActivityWhole: false, form, wanted: null, invitation, failure: null, dialog: null, said: "" });
  if (state.link === "open") await readScreen();
}

export function openDialog(dialog) {
  update({ dialog, failure: null });
}

export function closeDialog() {
  update({ dialog: null, failure: null });
}

export function changeForm(changes) {
  update({ form: { ...state.form, ...changes } });
}

// --- Syncing.

export const start = () => perform("sync", () => api.post("/v1/start"));
export const stop = () => perform("sync", () => api.post("/v1/stop"));
export const pause = (seconds) => perform("sync", () => api.post("/v1/pause", { for_s: seconds }));
export const resume = () => perform("sync", () => api.post("/v1/resume", {}));

export async function releaseBrake(token) {
  if (await perform("brake", () => api.post("/v1/resume", { go_on: token }))) closeDialog();
}

export const unlock = (password) =>
  perform("unlock", async () => {
    await api.postText("/v1/unlock", password);
    await refresh();
  });

export const lock = () =>
  perform("lock", async () => {
    await api.post("/v1/lock");
    await refresh();
  });

// --- The account.

export async function logIn(fields) {
  // Who types an address may have typed another one.
  const done = await perform(fields.email ? "account by-address" : "account", async () => takeAccount(await api.post("/v1/account/login", fields)));
  // The code is entered on the computer that registered; elsewhere the refusal says so.
  if (state.failure?.class === "needs-mail-code" && state.account.session === "waits-for-code") {
    update({ form: { password: fields.password }, failure: null });
    if (state.route.screen === "settings") go("folders");
  }
  if (done) await afterAccount();
}

export async function register(fields) {
  const done = await perform("account", async () => {
    const made = await api.post("/v1/account/register", fields);
    const { recovery_key: recoveryKey, account_key: accountKey, unpublished } = made;
    update({
      account: made.account,
      once: { kind: "keys", recoveryKey, accountKey, unpublished },
      form: { password: fields.password, server: fields.server },
    });
  });
  const failure = state.failure;
  if (failure?.class === "needs-registration-code") changeForm({ wantsCode: true });
  if (failure?.class === "address-taken") changeForm({ isTaken: true });
  return done;
}

/** Publishes an account that was made while its server did not answer. */
export async function publish(fields) {
  const done = await perform("account", async () => takeAccount(await api.post("/v1/account/publish", fields)));
  if (state.failure?.class === "needs-registration-code") changeForm({ wantsCode: true });
  if (done && state.once) update({ once: { ...state.once, unpublished: null } });
  return done;
}

/** Publishes an account that was made without a key server. The server may mail a code first; then that is asked for. */
export async function publishHere(fields) {
  if (!(await publish(fields))) return;
  const { email, session } = state.account;
  if (session === "waits-for-code") return go("folders");
  closeWith(t("settings.published", { email }));
  await readScreen();
}

/** Has the server mail another code: an account that was never confirmed may be published again. */
export async function sendAnotherCode(fields) {
  const { server, email } = state.account;
  if (await publish({ server, ...fields })) closeWith(t("code.sent-again", { email }));
}

export async function confirm(code, password) {
  const body = { code, password: password ?? state.form.password };
  if (await perform("account", async () => takeAccount(await api.post("/v1/account/confirm", body)))) {
    await afterAccount();
  }
}

export async function recover(fields) {
  const done = await perform("account", async () => takeAccount(await api.post("/v1/account/recover", fields)));
  if (done) await afterAccount();
}

/** Opens this computer's account by the recovery key, with a new password. */
export async function recoverLocked(fields) {
  const done = await perform("recover-locked", async () => {
    takeAccount(await api.post("/v1/account/recover", fields));
    await refresh();
  });
  if (done) closeWith(t("unlock.recovered"));
}

/** Sets up the account that a file carries; `file` is what somebody chose. */
export async function importAccount(file, fields) {
  const done = await perform("account", async () => {
    if (file.size > ACCOUNT_FILE_LIMIT_BYTES) throw new TooLarge("no saved account is that long");
    const bytes = new Uint8Array(await file.arrayBuffer());
    takeAccount(await api.post("/v1/account/import", { file: hex(bytes), ...fields }));
  });
  if (done) await afterAccount();
}

/** Has the browser save the sealed account. */
export const saveAccount = () =>
  perform("save-account", async () => {
    const { file } = await api.get("/v1/account/file");
    handOver(ACCOUNT_FILE, unhex(file), "application/octet-stream");
  });

/** Hands a file to the browser. Ensafer's own window asks where it is to lie, and says when it lies there (`ensafer-saved`). */
function handOver(name, data, type) {
  download(name, data, type);
  if (!api.isInOwnWindow) update({ said: t("files.handed-over", { name }) });
}

/** A file that was handed to Ensafer's own window lies where somebody wanted it. */
export const fileIsSaved = () => update({ said: t("settings.saved") });

async function afterAccount() {
  update({ form: {} });
  await refresh();
  go(afterwards());
  await acceptIfWanted();
}

/** Where somebody is led who has an account now. */
function afterwards() {
  if (state.invitation) return "invited";
  return state.folders.length ? "folders" : "add";
}

/** Where that cannot be noted, somebody is reminded once more. */
export async function keysAreWrittenDown() {
  await perform("written", async () => takeAccount(await api.post("/v1/account/recovery-key/written")));
  const { leadsTo = afterwards() } = state.once;
  update({ once: null });
  go(leadsTo);
  await acceptIfWanted();
}

export async function logOut() {
  let isTold = true;
  const done = await perform("log-out", async () => {
    const answer = await api.post("/v1/account/logout", {});
    isTold = answer.is_server_told;
    update({ account: answer.account, devices: null, profile: null });
  });
  if (!done) return;
  if (isTold) closeDialog();
  else closeWith(t("settings.server-not-told"));
  // After it was drawn: what to do next stands there.
  queueMicrotask(toTop);
}

export const showRecoveryKey = (password) =>
  perform("recovery-key", async () => {
    const report = await api.post("/v1/account/recovery-key", { password });
    update({ dialog: null, once: { kind: "keys", leadsTo: "settings", recoveryKey: report.recovery_key, unchecked: report.unchecked } });
  });

/** The old recovery key is worth nothing then; the new one is shown, also where nobody knows whether it holds. */
export const makeRecoveryKey = (password) =>
  perform("recovery-key new", async () => {
    const made = await api.post("/v1/account/recovery-key/new", { password });
    const { recovery_key: recoveryKey, unsettled } = made;
    update({ dialog: null, once: { kind: "keys", leadsTo: "settings", recoveryKey, isNew: true, unsettled } });
  });

export async function changePassword(fields) {
  const isOnServer = Boolean(state.account.server);
  const done = await perform("password", async () => takeAccount(await api.post("/v1/account/password", fields)));
  if (done) closeWith(t(isOnServer ? "settings.password-set" : "settings.password-set-here"));
}

/** The server may mail a code to the new address first; then it is asked for. */
export async function changeEmail(fields) {
  const done = await perform("email", async () => takeAccount(await api.post("/v1/account/email", fields)));
  if (done) closeWith(t("settings.email-set", { email: state.account.email }));
  else if (state.failure?.class === "needs-mail-code") update({ dialog: { ...state.dialog, wantsCode: true }, failure: null });
}

/** Closes the dialog, and says what was done. */
function closeWith(said) {
  closeDialog();
  update({ said });
}

/** What the account's server knows of it. To ask may take a while. */
const OF_SERVER = { profile: "/v1/account/profile", devices: "/v1/account/devices" };

async function readOfServer(name) {
  update({ [name]: null });
  if (!state.account?.server || state.account.state !== "open") return;
  try {
    update({ [name]: { answer: await api.get(OF_SERVER[name]) } });
  } catch (error) {
    update({ [name]: { failure: failureOf(name, error) } });
  }
}

/** Sets what others read beside the address; nothing, and they read the address alone. */
export async function changeName(name) {
  const done = await perform("profile", async () => {
    update({ profile: { answer: await api.post("/v1/account/profile", { name }) } });
  });
  if (done) closeWith(t(state.profile.answer.name ? "settings.name-set" : "settings.name-removed", { name: state.profile.answer.name }));
}

export async function revokeDevice({ id, name }) {
  const done = await perform("revoke-device", async () => {
    update({ devices: { answer: await api.post("/v1/account/devices/revoke", { device: id }) } });
  });
  if (done) closeWith(t("settings.device-revoked", { name }));
}

// --- Folders.

const readClouds = inTurn(async () => {
  update({ clouds: null });
  try {
    update({ clouds: await api.get("/v1/clouds") });
  } catch (error) {
    update({ failure: failureOf("clouds", error) });
  }
});

/** Adds what somebody shares with this account, and nothing else where it is known which `folder` that is. */
export function addShared(place, folder = null) {
  update({ wanted: { place, folder } });
  go("add");
}

/** Opens the dialog that chooses a directory for the field of that name, where it is now or in the home directory. */
export async function chooseDirectory(field, start) {
  if (state.busy.has("directories")) return;
  openDialog({ name: "choose-directory", field, start, listing: null, isHiddenShown: false });
  // What somebody has typed may not be there yet.
  if (!(await listDirectory(start)) && start) await listDirectory("", start);
}

/** Shows what lies in a directory, in the home directory without one; `typed` stays in the field. */
export const listDirectory = (path, typed) =>
  perform("directories", async () => {
    const listing = await api.get(path ? `/v1/directories?path=${encodeURIComponent(path)}` : "/v1/directories");
    if (state.dialog?.name !== "choose-directory") return;
    update({ dialog: { ...state.dialog, listing } });
    typeDirectory(typed ?? listing.path);
    const list = document.getElementById("directories");
    if (list) list.selectedIndex = -1;
  });

export function typeDirectory(path) {
  const field = document.getElementById("path");
  if (field) field.value = path;
}

export const toggleHidden = () => update({ dialog: { ...state.dialog, isHiddenShown: !state.dialog.isHiddenShown } });

export const joined = (directory, name) => `${directory.replace(/\/$/, "")}/${name}`;

/** Takes the directory into the field that the dialog was opened for. It is made when the folder is added. */
export function takeDirectory(path) {
  const { field } = state.dialog;
  document.getElementById(field).value = path;
  closeDialog();
  forgetPreview();
}

let previewing = new AbortController();

export function cancelPreview() {
  previewing.abort();
}

/** What was looked at, or is being looked at, is not what would be added any more. */
export function forgetPreview(changes = {}) {
  cancelPreview();
  changeForm({ ...changes, preview: null, askedOwner: null });
}

/** Whose folder it is has to be asked where this account never met its owner: that is no failure. */
function askedOwner(error) {
  if (error.class !== "unknown-owner") throw error;
  return { askedOwner: error.about };
}

/** What the first sync of a pair would do. Nothing is changed. */
export async function preview(pair) {
  if (state.busy.has("preview")) return;
  forgetPreview();
  previewing = new AbortController();
  const { signal } = previewing;
  const done = await performAbout(pair.from, "preview", async () => {
    const looked = api.post("/v1/folders/preview", pair, { signal });
    const answer = await looked.then((preview) => ({ preview }), askedOwner);
    signal.throwIfAborted();
    changeForm({ pair, ...answer });
  });
  // After it was drawn.
  if (done) queueMicrotask(() => bringUp(state.form.askedOwner ? "owner" : "preview"));
}

export async function addFolder() {
  const { pair, preview: shown } = state.form;
  // What was looked at, and nothing that has come since, is added.
  const expected = shown.folder ? { folder: shown.folder } : "new";
  const isFirst = state.folders.length === 0;
  const done = await perform("add", async () => {
    await api.post("/v1/folders/add", { ...pair, create_missing: true, expected });
    await api.post("/v1/start");
    // Whoever sets up on battery power wants to see it work; later folders wait for mains power.
    if (isFirst) await api.post("/v1/resume", {});
    await refresh();
  });
  if (done) go("folders");
  else if (state.failure?.class === "retry-later") changeForm({ preview: null });
}

export async function removeFolder(folder) {
  const done = await perform(`remove ${folder}`, async () => {
    await api.post("/v1/folders/remove", { folder });
    await refresh();
  });
  // It may take its time, while another dialog is open.
  if (done && state.dialog?.folder?.id === folder) closeDialog();
}

/** Shows a directory of a folder where the desktop shows directories, or with a path below it where that lies. */
export const openFolder = (folder, side, path) => perform("open", () => api.post("/v1/folders/open", { folder, side, path }));
export const showFile = (folder, path) => openFolder(folder, "work", path);

/** The name of a folder that may be gone from the list. */
export const nameOf = (id) => state.folders.find((folder) => folder.id === id)?.name ?? id;

/** The path below the work folder of what lies in it. */
export function below(id, path) {
  const start = `${state.folders.find((folder) => folder.id === id)?.work}/`;
  return path.startsWith(start) ? path.slice(start.length) : path;
}

// --- Conflicts and the trash.

/** Days for which the trash keeps what lies in it. */
export const trashDays = () => Number(state.settings?.settings.find((setting) => setting.key === "trash_days")?.value ?? 30);

export const resolve = ({ folder, conflict }, keep) =>
  perform(
    `resolve ${conflict}`,
    async () => {
      await api.post("/v1/conflicts/resolve", { folder, conflict, keep });
      await refresh();
    },
    t(`keep.done-${keep}`),
  );

export async function readTrash() {
  try {
    update({ trash: await api.get("/v1/trash") });
  } catch (error) {
    update({ trash: null, failure: failureOf("trash", error) });
  }
}

export async function restore({ folder, item, path }) {
  const done = await perform(
    `restore ${folder} ${item}`,
    async () => {
      const restored = await api.post("/v1/trash/restore", { folder, item });
      await readTrash();
      changeForm({ restored: { folder, path: restored.path } });
    },
    t("trash.restored-one", { name: path }),
  );
  // Its button is gone, and with it the place of the keyboard.
  if (done) document.querySelector("main h1")?.focus();
}

// --- Activity.

let activityAsked = 0;
let activityShown = 0;
// All that is kept, while it is being read.
let wholeActivity = null;

/** Reads the latest deeds; all that are kept where they were read before, or are being read. */
const readActivity = () => readDeeds(state.isActivityWhole || wholeActivity !== null);

/** Reads all that is kept: ten thousand deeds a folder at most. Whoever asks meanwhile waits for the same. */
async function readWholeActivity() {
  if (state.isActivityWhole) return;
  wholeActivity ??= readDeeds(true).finally(() => {
    wholeActivity = null;
  });
  await wholeActivity;
}

async function readDeeds(isWhole) {
  activityAsked += 1;
  const asked = activityAsked;
  const isLate = () => asked < activityShown;
  try {
    const activity = await api.get(isWhole ? "/v1/activity" : `/v1/activity?limit=${PAGE_COUNT}`);
    if (isLate()) return;
    activityShown = asked;
    update({ activity, isActivityWhole: isWhole || activity.length < PAGE_COUNT });
  } catch (error) {
    if (!isLate()) update({ activity: null, isActivityWhole: false, failure: failureOf("activity", error) });
  }
}

export async function filterActivity(wanted) {
  changeForm({ ...wanted, shown: PAGE_COUNT });
  await readWholeActivity();
}

export async function showMoreActivity(shown) {
  await readWholeActivity();
  changeForm({ shown: shown + PAGE_COUNT });
}

/** Hands all that the filter lets through to the browser, as a file. */
export const exportActivity = (kind) =>
  perform("activity", async () => {
    await readWholeActivity();
    // Why it did not come is shown; a part of it is no export.
    if (!state.isActivityWhole) return;
    const works = new Map(state.folders.map((folder) => [folder.id, folder.work]));
    const deeds = filtered(state.activity, state.form).map((deed) => ({ ...deed, folder: works.get(deed.folder) ?? deed.folder }));
    const text = kind === "csv" ? toCsv(deeds) : toJson(deeds);
    handOver(`ensafer-activity.${kind}`, text, `${kind === "csv" ? "text/csv" : "application/json"};charset=utf-8`);
  });

// --- People.

/** Does what is about somebody: where their keys have changed, they can be looked at. */
async function performAbout(email, name, work, said) {
  const done = await perform(name, work, said);
  const { failure } = state;
  if (!done && failure?.class === "keys-changed") update({ failure: { ...failure, about: failure.about ?? email } });
  return done;
}

/** The folder that the people's screen is about; none where it is gone. */
export function chosenFolder() {
  const { folder: id } = state.route;
  return id ? state.folders.find((folder) => folder.id === id) : state.folders[0];
}

let peopleAsked = 0;

/** What is known of the folder's people goes with the folder's id: whoever acts on them acts on that folder. */
export async function readPeople() {
  const folder = chosenFolder();
  if (!folder) return;
  peopleAsked += 1;
  const asked = peopleAsked;
  const isLate = () => asked !== peopleAsked || chosenFolder()?.id !== folder.id;
  try {
    const [people, invitations] = await Promise.all([
      api.get(`/v1/people?folder=${folder.id}`),
      api.get("/v1/invitations").catch((error) => {
        if (error instanceof api.Refused) return [];
        throw error;
      }),
    ]);
    if (isLate()) return;
    update({ people: { ...people, folder: folder.id }, invitations: invitations.filter((invitation) => invitation.folder === folder.id) });
  } catch (error) {
    if (isLate()) return;
    update({ people: null, invitations: [], failure: failureOf("people", error) });
  }
}

export async function addPerson(folder, email, role) {
  const done = await performAbout(
    email,
    "add-person",
    async () => {
      const added = await api.post("/v1/people/add", { folder, email, role });
      await readPeople();
      update({ dialog: { name: "safety-number", person: added.person, isNew: true } });
    },
    t("people.added", { email }),
  );
  if (!done && state.failure?.class === "unknown-person") changeForm({ unknown: { folder, email, role } });
  return done;
}

const find = (email, changed) => api.post("/v1/people/find", { email, changed });

export const compareWith = (email, changed = false) =>
  performAbout(email, `find-person ${email}`, async () => {
    update({ dialog: { name: "safety-number", person: await find(email, changed), changed } });
  });

export const numbersMatch = ({ person, changed = false }) =>
  performAbout(
    person.login,
    "verify-person",
    async () => {
      const verified = await api.post("/v1/people/verify", { email: person.login, safety_number: person.safety_number, changed });
      if (state.invitation?.inviter?.login === person.login) update({ invitation: { ...state.invitation, inviter: verified } });
      await readPeople();
      update({ dialog: null });
    },
    t("people.verified", { email: person.login }),
  );

export const setRole = (folder, member, role) =>
  performAbout(member.login, "role", async () => {
    await api.post("/v1/people/role", { folder, member: member.identity, role });
    await readPeople();
  }, t("people.role-set", { email: member.login }));

export const removePerson = (folder, member) =>
  perform("remove-person", async () => {
    const { still_by_groups: groups } = await api.post("/v1/people/remove", { folder, member: member.identity });
    await readPeople();
    update({ dialog: null, form: { ...state.form, stillByGroups: groups } });
  }, t("people.removed", { email: member.login }));

export const leaveFolder = (folder) =>
  perform("leave", async () => {
    await api.post("/v1/people/leave", { folder });
    update({ dialog: null });
    await refresh();
    if (chosenFolder()) await readPeople();
    else go("folders");
  });

export async function invite(folder, email, role, mail) {
  await perform("invite", async () => {
    const sent = await api.post("/v1/invitations/add", { folder, email, role, mail });
    update({ form: {}, dialog: { name: "invitation", sent } });
    await readPeople();
  });
}

export const resend = (invitation, mail = false) =>
  perform("resend", async () => {
    const sent = await api.post("/v1/invitations/resend", { invitation, mail });
    update({ dialog: { name: "invitation", sent } });
  });

export const revoke = (invitation) =>
  perform("revoke", async () => {
    await api.post("/v1/invitations/revoke", { invitation });
    await readPeople();
  });

// --- Invitations that somebody else made.

/** Whoever has no account yet, or no session, gets one on another screen, and goes on with the invitation then. */
function staysWithInvitation(screen) {
  const { account } = state;
  return ["invited", "settings"].includes(screen) || account?.state === "none" || account?.session === "waits-for-code";
}

/** Shows what an invitation says. Nothing is accepted yet. */
export async function lookAtInvitation(secrets) {
  const { route } = state;
  await perform("invitation", async () => {
    const answer = await api.post("/v1/invitations/look", secrets);
    // Whoever went elsewhere meanwhile has left the secrets behind.
    if (state.route === route && state.link === "open") takeInvitation(secrets, answer);
  });
}

/** What its server has forgotten, and says nothing any more, this computer has accepted before. */
function takeInvitation(secrets, answer) {
  const isAccepted = Boolean(answer.inviter) || !answer.from;
  update({ invitation: isAccepted ? { ...answer, isAccepted } : { ...answer, secrets } });
  if (isAccepted) {
    update({ clouds: null });
    lookForFolder();
  }
}

export function forgetInvitation() {
  update({ invitation: null, form: {}, failure: null });
}

/** Accepts the invitation that is shown; to do it twice changes nothing. */
export async function acceptInvitation() {
  const { secrets, from } = state.invitation;
  await performAbout(from, "invitation", async () => {
    const answer = await api.post("/v1/invitations/accept", secrets);
    if (state.invitation?.secrets === secrets) takeInvitation(secrets, answer);
  });
  const { failure } = state;
  // With an account here it was another one that has accepted it.
  if (failure?.name === "invitation" && failure.class === "already") update({ failure: { ...failure, class: "taken" } });
}

/**
 * Shows the new keys of somebody in whose name an invitation has others than before. Where the server has the ones from before,
 * there is nothing to compare: the invitation is somebody else's.
 */
export async function compareInviter(refusal) {
  const { about: email } = refusal;
  let person;
  if (!(await performAbout(email, "find-person", async () => (person = await find(email, true))))) return;
  if (person.has_changed) openDialog({ name: "safety-number", person, changed: true });
  else update({ failure: { ...refusal, class: "forged" } });
}

/** Makes the account that accepts. Its keys are shown first; meanwhile the invitation is accepted. */
export async function registerAndAccept(fields) {
  update({ invitation: { ...state.invitation, isWanted: true } });
  if (await register({ ...fields, server: state.invitation.server })) await acceptIfWanted();
  // An account that is set up later has not been asked for it.
  else if (state.invitation) update({ invitation: { ...state.invitation, isWanted: false } });
}

async function acceptIfWanted() {
  if (state.invitation?.isWanted && state.account.session === "logged-in") await acceptInvitation();
}

/** Puts this computer's account on the server of the invitation that is shown. */
export async function publishForInvitation(fields) {
  const { server } = state.invitation;
  if (!(await publish({ server, ...fields }))) return;
  update({ said: t("invited.published", { server }) });
  await acceptIfWanted();
  // Its button is gone, and with it the place of the keyboard.
  document.querySelector("main h1")?.focus();
}

/** Looks whether the cloud has delivered the folder that somebody was invited to. */
export const lookForFolder = () =>
  perform("clouds", async () => {
    update({ clouds: await api.get("/v1/clouds") });
  });

// --- Settings.

export async function readSettings() {
  if (state.route.screen === "settings") {
    Object.keys(OF_SERVER).forEach(readOfServer);
    readAutostart();
  }
  try {
    update({ settings: await api.get("/v1/settings") });
  } catch (error) {
    update({ failure: failureOf("settings", error) });
  }
}

export const set = (key, value) =>
  perform(`set-${key}`, async () => update({ settings: await api.post("/v1/settings", { key, value }) }), t("settings.saved"));

async function readAutostart() {
  try {
    update({ autostart: { answer: await api.get("/v1/autostart") } });
  } catch (error) {
    update({ autostart: { failure: failureOf("autostart", error) } });
  }
}

/** Has the daemon started at log-in, or not any more. What is wanted is shown until it is done, or refused. */
export async function switchAutostart(on) {
  const { answer } = state.autostart;
  update({ autostart: { answer, wanted: on } });
  const work = async () => update({ autostart: { answer: await api.post("/v1/autostart", { on }) } });
  if (!(await perform("autostart", work, t("settings.saved")))) update({ autostart: { answer } });
}
