// Why the last action failed, where it was asked for, with a button that helps where one does.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Failure } from "/ui/parts.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

const otherLink = ["help.other-link", toOtherLink];

/** What helps against a class of refusals, by the name of its text; first for what was asked for. */
const HELP = {
  "invitation-bad-request": ["help.link", () => focus("link")],
  "invitation-mistyped": ["help.one-time-password", () => focus("one_time_password")],
  "invitation-wrong-password": ["help.one-time-password", () => focus("one_time_password")],
  "invitation-already": otherLink,
  "invitation-taken": otherLink,
  "invitation-forged": otherLink,
  "invitation-invitation-over": otherLink,
  "invitation-other-server": otherLink,
  // The server is known, and stands below.
  "invitation-not-on-server": [],
  "invitation-retry-later": ["common.again", again],
  "invitation-server-unreachable": ["common.again", again],
  "invitation-keys-changed": ["help.compare", (failure) => act.compareInviter(failure)],
  // What helps is in the place of *Accept* by then.
  "invitation-not-on-server": [],
  "account-address-taken": ["help.log-in", () => act.go("folders")],
  locked: ["help.unlock", toPassword],
  "not-logged-in": ["help.settings", () => act.go("settings")],
  "not-on-server": ["settings.publish", () => act.openDialog({ name: "publish" })],
  "not-set-up": ["help.account", () => act.go("folders")],
  "keys-changed": ["help.compare", ({ about }) => act.compareWith(about, true)],
  "no-such-brake": ["help.folders", () => act.go("folders")],
};

/** The failure of the actions whose name is `of`, or begins with it. */
export function Refused({ of }) {
  const { failure } = state;
  if (!failure || !(failure.name === of || failure.name.startsWith(`${of} `))) return null;
  const [asked] = failure.name.split(" ");
  const [text, work] = HELP[`${asked}-${failure.class}`] ?? HELP[failure.class] ?? [];
  return html`<${Failure} failure=${act.words(failure)}>
    ${text && html`<${Button} onClick=${() => work(failure)}>${t(text)}<//>`}
  <//>`;
}

/** The keys are opened above every screen, and below a dialog. */
async function toPassword() {
  if (state.dialog) {
    act.closeDialog();
    // What had the keyboard before the dialog has it back by then.
    await Promise.resolve();
  }
  focus(document.getElementById("unlock") ? "unlock" : "login-password");
}

function focus(id) {
  document.getElementById(id)?.focus();
}

async function toOtherLink() {
  act.forgetInvitation();
  // What is drawn by then has the field.
  await Promise.resolve();
  document.getElementById("link")?.select();
}

/** Asks for the same once more: the form that was refused is the first one of the screen. */
function again() {
  document.querySelector("main form.invitation")?.requestSubmit();
}
