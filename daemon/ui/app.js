// The window: its header with the one status, the way through the screens, and where the keyboard is.

import * as act from "/ui/actions.js";
import { isInOwnWindow } from "/ui/api.js";
import { AskingDialog } from "/ui/asking.js";
import { html, render } from "/ui/html.js";
import { Button, Failure, Field, Sign, toTop } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { AccountDialog } from "/ui/screens/account-dialogs.js";
import { Activity } from "/ui/screens/activity.js";
import { AddFolder } from "/ui/screens/add-folder.js";
import { Conflicts } from "/ui/screens/conflicts.js";
import { Folders } from "/ui/screens/folders.js";
import { Invited } from "/ui/screens/invited.js";
import { Keys } from "/ui/screens/keys.js";
import { People } from "/ui/screens/people.js";
import { Problems } from "/ui/screens/problems.js";
import { Settings, canLogInAgain } from "/ui/screens/settings.js";
import { Trash } from "/ui/screens/trash.js";
import { MailCode, Welcome } from "/ui/screens/welcome.js";
import { drawWith, state } from "/ui/store.js";
import { currentLanguage, has, t } from "/ui/text.js";

const SCREENS = {
  folders: Folders,
  add: AddFolder,
  invited: Invited,
  people: People,
  activity: Activity,
  conflicts: Conflicts,
  problems: Problems,
  trash: Trash,
  settings: Settings,
};
/** Those that are come to from Folders only. */
const OF_FOLDERS = ["add", "invited"];
const IN_MENU = Object.keys(SCREENS).filter((name) => !OF_FOLDERS.includes(name));
const HOUR_S = 60 * 60;
/** What this page does not come back from, and what it says of it. */
const ENDS = {
  shut: ["shut.title", "shut.text"],
  ended: ["ended.title", "ended.text"],
  elsewhere: ["elsewhere.title", "elsewhere.text"],
};
/** Notices of which the daemon knows more than their kind. */
const WITH_DETAIL = ["server-distrusted"];
/** What a notice's button opens, by its text; of others Settings. */
const OPENS = { "recovery-key-unwritten": ["settings.recovery-key", "recovery-key"] };

/** The screen that is shown: what has to be done first goes before where somebody wants to go. */
function screen() {
  // What is shown once stays until somebody has it.
  if (state.once?.kind === "keys") return { name: "keys", view: Keys };
  if (Object.hasOwn(ENDS, state.link)) return { name: "shut", view: Shut };
  if (state.account?.session === "waits-for-code" && state.route.screen !== "settings") return { name: "code", view: MailCode };
  if (state.account?.state === "none" && state.route.screen !== "invited") return { name: "welcome", view: Welcome };
  const name = Object.hasOwn(SCREENS, state.route.screen) ? state.route.screen : "folders";
  return { name, view: SCREENS[name] };
}

function Shut() {
  const { link } = state;
  const [title, text] = ENDS[link];
  return html`<h1 tabindex="-1">${t(title)}</h1>
    <p>${t(text)}</p>
    ${link === "elsewhere"
      ? html`<${Button} kind="main" onClick=${() => location.reload()}>${t("elsewhere.here")}<//>`
      : html`<p><code>ensafer open</code></p>`}`;
}

/** The daemon's state, never better than it. A look that needs no keys does not find out that there are none. */
export const stateOfAll = ({ status, account }) => (account?.state === "locked" ? "locked" : status.state);

/** The daemon's one status: without an answer there is none. */
export function statusText({ link, status, account }) {
  if (link === "connecting") return t("link.connecting");
  if (Object.hasOwn(ENDS, link)) return t("link.ended");
  if (link !== "open" || !status) return t("link.lost");
  if (account?.state === "none") return t("link.no-account");
  if (status.folders.length === 0 && status.state === "stopped") return t("link.no-folder");
  return t(`state.${stateOfAll({ status, account })}`);
}

function StatusLine() {
  const { link, status, account } = state;
  const sign = link === "open" && status ? stateOfAll(state) : "not-running";
  return html`<div class="status">
    <${Sign} state=${link === "connecting" ? "checking" : sign} />
    <p role="status">${statusText(state)}</p>
    ${status && account && account.state !== "none" && status.folders.length > 0 && html`<${SyncButtons} state=${status.state} />`}
  </div>`;
}

function SyncButtons({ state: of }) {
  const busy = state.busy.has("sync");
  const button = (text, work, kind) => html`<${Button} kind=${kind} busy=${busy} onClick=${work}>${text}<//>`;
  if (of === "stopped") return html`<div class="actions">${button(t("sync.start"), act.start, "main")}</div>`;
  return html`<div class="actions">
    ${of === "paused" ? button(t("sync.resume"), act.resume, "main") : button(t("sync.pause"), () => act.pause(HOUR_S))}
    ${button(t("sync.stop"), act.stop)}
  </div>`;
}

function Unlock() {
  const submit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    act.unlock(form.elements.unlock.value).then((done) => done && form.reset());
  };
  return html`<form class="notice warn" onSubmit=${submit}>
    <p>${t("unlock.why")}</p>
    <p class="quiet">${t("unlock.when")}</p>
    <${Field} name="unlock" type="password" label=${t("unlock.password")} autocomplete="current-password" required />
    <div class="actions">
      <${Button} kind="main" type="submit" busy=${state.busy.has("unlock")}>${t("unlock.button")}<//>
      <${Button} kind="link" onClick=${() => act.openDialog({ name: "recover" })}>${t("welcome.to-recover")}<//>
    </div>
    ${state.failure?.name === "unlock" && html`<${Failure} failure=${act.words(state.failure)} />`}
  </form>`;
}

/** The recovery key sets a new password; on the key server as well, where the account is on one. */
function Recover() {
  if (state.dialog?.name !== "recover") return null;
  const { server } = state.account;
  const set = ({ key, fresh, here }) =>
    act.recoverLocked({ recovery_key: key.value.trim(), password: fresh.value, here: here?.checked ?? true });
  return html`<${AskingDialog} title=${t("welcome.recover")} action="recover-locked" button=${t("welcome.recover-button")} work=${set}>
    <p>${t("welcome.recover-why")}</p>
    <${Field} name="key" label=${t("field.recovery-key")} autocomplete="off" required />
    <${Field} name="fresh" type="password" label=${t("field.new-password")} hint=${t("field.new-password-hint")} autocomplete="new-password" required />
    ${server && html`<label class="choice"><input type="checkbox" name="here" />${t("unlock.only-here")}</label>`}
  <//>`;
}

function Menu({ current }) {
  const counts = { problems: state.problems.length, conflicts: state.conflicts.length };
  const item = (name) => {
    const text = counts[name] > 0 ? t("menu.count", { name: t(`menu.${name}`), count: counts[name] }) : t(`menu.${name}`);
    return html`<li><a href="#/${name}" aria-current=${name === current ? "page" : undefined}>${text}</a></li>`;
  };
  return html`<nav aria-label=${t("menu.label")}><ul>${IN_MENU.map(item)}</ul></nav>`;
}

/** What somebody should know about the account, from the status and from the account itself, each once. */
function Notices() {
  const notices = [...(state.status?.account ?? []), ...(state.account?.notices ?? [])];
  const known = new Map(notices.map((notice) => [notice.text, notice]));
  const isInSettings = state.route.screen === "settings";
  const button = (kind) => {
    const [label, name] = OPENS[kind] ?? [];
    if (name) return html`<${Button} onClick=${() => act.openDialog({ name })}>${t(label)}<//>`;
    return !isInSettings && html`<${Button} onClick=${() => act.go("settings")}>${t("help.settings")}<//>`;
  };
  return [...known.values()].map(
    ({ kind, text }) => html`<div class="notice warn" key=${text}>
      <p>${has(`notice.${kind}`) ? t(`notice.${kind}`) : text}</p>
      ${WITH_DETAIL.includes(kind) && html`<p class="quiet" lang="en">${text}</p>`}
      ${button(kind)}
    </div>`,
  );
}

/** What could not be read: each screen says it, for each may show something of it. */
function Unread() {
  const unread = Object.entries(state.unread);
  if (unread.length === 0) return null;
  const lists = new Intl.ListFormat(currentLanguage()).format(unread.map(([name]) => t(`unread.${name}`)));
  const reasons = new Set(unread.map(([, failure]) => act.words(failure).what));
  return html`<${Failure} failure=${{ what: t("unread.what", { lists }), detail: [...reasons].join(" ") }}>
    <${Button} onClick=${act.refreshInTurn}>${t("common.again")}<//>
  <//>`;
}

/** What there is before the daemon answers, and after it has ended: a browser's page has lost its server then. */
function Waiting() {
  const start = html`<${Button} kind="main" busy=${state.busy.has("sync")} onClick=${act.start}>${t("sync.start")}<//>`;
  return html`<h1 tabindex="-1">${statusText(state)}</h1>
    ${state.link === "lost" && (isInOwnWindow ? start : html`<p>${t("lost.text")}</p><p><code>ensafer open</code></p>`)}`;
}

function Window() {
  const { name, view } = screen();
  const isReady = state.link === "open" && state.account;
  const isInside = isReady && state.account.state !== "none" && Object.hasOwn(SCREENS, name);
  // One password at a time: to log in unlocks, too.
  const isUnlockAsked = isInside && state.account.state === "locked" && !(name === "settings" && canLogInAgain());
  return html`<a class="skip" href="#main" onClick=${toMain}>${t("menu.skip")}</a>
    <header>
      <${StatusLine} />
      ${isInside && html`<${Menu} current=${OF_FOLDERS.includes(name) ? "folders" : name} />`}
    </header>
    <main id="main" tabindex="-1" class=${isInside ? "" : "narrow"}>
      ${isUnlockAsked && html`<${Unlock} /><${Recover} />`}
      ${isInside && html`<${Notices} />`}
      <${Refused} of="sync" />
      <${Unread} />
      ${isReady || ["shut", "keys"].includes(name) ? html`<${view} key=${name} />` : html`<${Waiting} />`}
      ${isInside && html`<${AccountDialog} />`}
    </main>
    <p class=${state.said ? "said" : "hidden"} role="log" aria-live="polite">${state.said}</p>`;
}

/** The skip link's target is a fragment, which is also the way through the screens: only the focus moves. */
function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

let shown = null;
// What had the keyboard when a dialog opened.
let opener = null;

function draw() {
  const focused = document.activeElement;
  if (state.dialog) opener ??= focused;
  render(html`<${Window} />`, document.getElementById("window"));
  const { name } = screen();
  const isNew = shown !== null && shown !== name;
  if (state.link === "open") shown = name;
  const heading = document.querySelector("main h1");
  document.title = t("window.title", { screen: heading?.textContent ?? statusText(state) });
  // Who comes to another screen hears its name; whatever took the keyboard away gives it back.
  const back = !state.dialog && opener;
  if (back) opener = null;
  if (isNew) toTop();
  else if (back) (back.isConnected ? back : heading)?.focus();
  else if (!focused.isConnected) heading?.focus();
}

drawWith(draw);
draw();
addEventListener("hashchange", act.takeRoute);
addEventListener("ensafer-saved", act.fileIsSaved);
await act.takeRoute();
await act.run();
