// The dialogs of Settings that change the account: each asks for what the change needs.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Dialog, Failure, Field } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

/** The one that is open, if any. */
export function AccountDialog() {
  const { dialog, failure, busy } = state;
  if (dialog?.name === "password") return html`<${PasswordDialog} />`;
  if (dialog?.name === "email") return html`<${EmailDialog} wantsCode=${dialog.wantsCode} />`;
  if (dialog?.name === "publish") return html`<${PublishDialog} />`;
  if (dialog?.name === "profile") return html`<${NameDialog} />`;
  if (dialog?.name === "revoke") {
    return html`<${Dialog} title=${t("settings.revoke-title", { name: dialog.device.name })} onClose=${act.closeDialog}>
      <p>${t("settings.revoke-what")}</p>
      <${Refused} of="revoke-device" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="danger" busy=${busy.has("revoke-device")} onClick=${() => act.revokeDevice(dialog.device)}>${t("settings.revoke")}<//>
      </div>
    <//>`;
  }
  if (dialog?.name === "log-out") {
    return html`<${Dialog} title=${t("settings.log-out")} onClose=${act.closeDialog}>
      <p>${t("settings.log-out-what")}</p>
      ${failure && html`<${Failure} failure=${act.words(failure)} />`}
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="danger" busy=${busy.has("log-out")} onClick=${act.logOut}>${t("settings.log-out")}<//>
      </div>
    <//>`;
  }
  if (dialog?.name === "recovery-key") {
    return html`<${RecoveryKeyDialog} title=${t("settings.recovery-key")} button=${t("settings.recovery-key-show")} work=${act.showRecoveryKey} busy="recovery-key" />`;
  }
  if (dialog?.name === "new-recovery-key") {
    return html`<${RecoveryKeyDialog} title=${t("settings.new-recovery-key")} text=${t("settings.new-recovery-key-what")}
      button=${t("settings.new-recovery-key-button")} work=${act.makeRecoveryKey} busy="recovery-key new" />`;
  }
  return null;
}

/** Asks for the password; the key is shown on a screen of its own. */
function RecoveryKeyDialog({ title, text, button, work, busy }) {
  const submit = (event) => {
    event.preventDefault();
    work(event.currentTarget.elements.password.value);
  };
  return html`<${Dialog} title=${title} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      ${text && html`<p>${text}</p>`}
      <${Field} name="password" id="key-password" type="password" label=${t("field.password")} autocomplete="current-password" required />
      <${Refused} of="recovery-key" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit" busy=${state.busy.has(busy)}>${button}<//>
      </div>
    </form>
  <//>`;
}

function PasswordDialog() {
  const submit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { old, fresh, again } = form.elements;
    again.setCustomValidity(again.value === fresh.value ? "" : t("field.differs"));
    if (form.reportValidity()) act.changePassword({ old: old.value, new: fresh.value });
  };
  const forget = (event) => event.currentTarget.setCustomValidity("");
  return html`<${Dialog} title=${t("settings.password")} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      <${Field} name="old" type="password" label=${t("settings.old-password")} autocomplete="current-password" required />
      <${Field} name="fresh" type="password" label=${t("field.new-password")} hint=${t("field.new-password-hint")} autocomplete="new-password" required />
      <${Field} name="again" type="password" label=${t("field.again")} autocomplete="new-password" onInput=${forget} required />
      <${Refused} of="password" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit" busy=${state.busy.has("password")}>${t("settings.password-button")}<//>
      </div>
    </form>
  <//>`;
}

/** People find the account by its address: the server sends a code to the new one. */
function EmailDialog({ wantsCode }) {
  const submit = (event) => {
    event.preventDefault();
    const { email, secret, code } = event.currentTarget.elements;
    const fields = { email: email.value.trim(), password: secret.value };
    act.changeEmail(code ? { ...fields, code: code.value.trim() } : fields);
  };
  return html`<${Dialog} title=${t("settings.change-email")} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      <${Field} name="email" type="email" label=${t("settings.new-email")} autocomplete="off" required />
      <${Field} name="secret" type="password" label=${t("field.password")} autocomplete="current-password" required />
      ${wantsCode && html`<p role="status">${t("settings.code-sent")}</p><${Field} name="code" label=${t("code.code")} inputmode="numeric" autocomplete="one-time-code" required />`}
      <${Refused} of="email" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit" busy=${state.busy.has("email")}>${t("settings.email-button")}<//>
      </div>
    </form>
  <//>`;
}

/** An account that is on this computer only comes to a key server; it asks for a code where the server takes no strangers. */
function PublishDialog() {
  const submit = (event) => {
    event.preventDefault();
    const { server, secret, code } = event.currentTarget.elements;
    const fields = { server: server.value.trim(), password: secret.value };
    act.publishHere(code ? { ...fields, code: code.value.trim() } : fields);
  };
  return html`<${Dialog} title=${t("settings.publish")} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      <p>${t("settings.publish-what", { email: state.account.email })}</p>
      <${Field} name="server" type="text" inputmode="url" label=${t("field.server")} placeholder="https://keys.example.com" autocomplete="url" required />
      <${Field} name="secret" type="password" label=${t("field.password")} autocomplete="current-password" required />
      ${state.form.wantsCode && html`<${Field} name="code" label=${t("field.registration-code")} hint=${t("field.registration-code-hint")} autocomplete="off" />`}
      <${Refused} of="account" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("settings.publish-button")}<//>
      </div>
    </form>
  <//>`;
}

function NameDialog() {
  const submit = (event) => {
    event.preventDefault();
    act.changeName(event.currentTarget.elements.name.value.trim());
  };
  return html`<${Dialog} title=${t("settings.change-name")} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      <${Field} name="name" label=${t("settings.name")} hint=${t("settings.name-hint")} defaultValue=${state.profile?.answer?.name ?? ""} maxlength="128" autocomplete="name" />
      <${Refused} of="profile" />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit" busy=${state.busy.has("profile")}>${t("settings.save")}<//>
      </div>
    </form>
  <//>`;
}
