// Why the last action failed, where it was asked for, with a button that helps where one does.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Failure } from "/ui/parts.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

/** What helps against a class of refusals, by the name of its text. */
const HELP = {
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
  const [text, work] = HELP[failure.class] ?? [];
  return html`<${Failure} failure=${act.words(failure)}>
    ${text && html`<${Button} onClick=${() => work(failure)}>${t(text)}<//>`}
  <//>`;
}

/** The keys are opened above every screen. */
function toPassword() {
  (document.getElementById("unlock") ?? document.getElementById("login-password"))?.focus();
}
