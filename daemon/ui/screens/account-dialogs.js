// The dialogs of Settings that change the account: each asks for what the change needs.

import * as act from "/ui/actions.js";
import { AskingDialog } from "/ui/asking.js";
import { html } from "/ui/html.js";
import { Field } from "/ui/parts.js";
import { RegistrationCode, Server } from "/ui/screens/welcome.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

const DIALOGS = {
  password: PasswordDialog,
  email: EmailDialog,
  publish: PublishDialog,
  profile: NameDialog,
  revoke: RevokeDialog,
  "log-out": LogOutDialog,
  "recovery-key": RecoveryKeyDialog,
  "new-recovery-key": NewRecoveryKeyDialog,
};

/** The one that is open, if any. */
export function AccountDialog() {
  const { dialog } = state;
  const view = dialog && Object.hasOwn(DIALOGS, dialog.name) ? DIALOGS[dialog.name] : null;
  return view && html`<${view} dialog=${dialog} />`;
}

function RevokeDialog({ dialog: { device } }) {
  return html`<${AskingDialog} title=${t("settings.revoke-title", { name: device.name })} action="revoke-device"
    button=${t("settings.revoke")} kind="danger" work=${() => act.revokeDevice(device)}>
    <p>${t("settings.revoke-what")}</p>
  <//>`;
}

function LogOutDialog() {
  return html`<${AskingDialog} title=${t("settings.log-out")} action="log-out" button=${t("settings.log-out")} kind="danger" work=${act.logOut}>
    <p>${t("settings.log-out-what")}</p>
  <//>`;
}

const KeyPassword = () => html`<${Field} name="password" id="key-password" type="password" label=${t("field.password")} autocomplete="current-password" required />`;

/** Asks for the password; the key is shown on a screen of its own. */
function RecoveryKeyDialog() {
  return html`<${AskingDialog} title=${t("settings.recovery-key")} action="recovery-key"
    button=${t("settings.recovery-key-show")} work=${({ password }) => act.showRecoveryKey(password.value)}>
    <${KeyPassword} />
  <//>`;
}

function NewRecoveryKeyDialog() {
  return html`<${AskingDialog} title=${t("settings.new-recovery-key")} action="recovery-key new"
    button=${t("settings.new-recovery-key-button")} work=${({ password }) => act.makeRecoveryKey(password.value)}>
    <p>${t("settings.new-recovery-key-what")}</p>
    <${KeyPassword} />
  <//>`;
}

function PasswordDialog() {
  const set = ({ old, fresh, again }, form) => {
    again.setCustomValidity(again.value === fresh.value ? "" : t("field.differs"));
    if (form.reportValidity()) act.changePassword({ old: old.value, new: fresh.value });
  };
  const forget = (event) => event.currentTarget.setCustomValidity("");
  return html`<${AskingDialog} title=${t("settings.password")} action="password" button=${t("settings.password-button")} work=${set}>
    <${Field} name="old" type="password" label=${t("settings.old-password")} autocomplete="current-password" required />
    <${Field} name="fresh" type="password" label=${t("field.new-password")} hint=${t("field.new-password-hint")} autocomplete="new-password" required />
    <${Field} name="again" type="password" label=${t("field.again")} autocomplete="new-password" onInput=${forget} required />
  <//>`;
}

/** People find the account by its address: the server sends a code to the new one. */
function EmailDialog({ dialog: { wantsCode } }) {
  const change = ({ email, secret, code }) => {
    const fields = { email: email.value.trim(), password: secret.value };
    act.changeEmail(code ? { ...fields, code: code.value.trim() } : fields);
  };
  return html`<${AskingDialog} title=${t("settings.change-email")} action="email" button=${t("settings.email-button")} work=${change}>
    <${Field} name="email" type="email" label=${t("settings.new-email")} autocomplete="off" required />
    <${Field} name="secret" type="password" label=${t("field.password")} autocomplete="current-password" required />
    ${wantsCode && html`<p role="status">${t("settings.code-sent")}</p><${Field} name="code" label=${t("code.code")} inputmode="numeric" autocomplete="one-time-code" required />`}
  <//>`;
}

/** An account that is on this computer only comes to a key server; it asks for a code where the server takes no strangers. */
function PublishDialog() {
  const put = ({ server, secret, code }) => {
    const fields = { server: server.value.trim(), password: secret.value };
    act.publishHere(code ? { ...fields, code: code.value.trim() } : fields);
  };
  return html`<${AskingDialog} title=${t("settings.publish")} action="account" button=${t("settings.publish-button")} work=${put}>
    <p>${t("settings.publish-what", { email: state.account.email })}</p>
    <${Server} required />
    <${Field} name="secret" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <${RegistrationCode} />
  <//>`;
}

function NameDialog() {
  return html`<${AskingDialog} title=${t("settings.change-name")} action="profile" button=${t("settings.save")} work=${({ name }) => act.changeName(name.value.trim())}>
    <${Field} name="name" label=${t("settings.name")} hint=${t("settings.name-hint")} defaultValue=${state.profile?.answer?.name ?? ""} maxlength="128" autocomplete="name" />
  <//>`;
}
