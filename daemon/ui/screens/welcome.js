// An account: log in, make one, or get back in by the recovery key.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Field, toTop } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

const FORMS = { login: LogIn, register: Register, recover: Recover, import: Import };

export function Welcome() {
  const name = Object.hasOwn(FORMS, state.form.name ?? "") ? state.form.name : "login";
  return html`<h1 tabindex="-1">${t(`welcome.${name}`)}</h1>
    <p>${t(`welcome.${name}-why`)}</p>
    <${FORMS[name]} key=${name} />
    <p class="actions">
      ${Object.keys(FORMS)
        .filter((other) => other !== name)
        .map((other) => html`<${Button} kind="link" key=${other} onClick=${() => change(other)}>${t(`welcome.to-${other}`)}<//>`)}
      <${Button} kind="link" onClick=${() => act.go("invited")}>${t("invited.title")}<//>
    </p>`;
}

function change(name) {
  act.resetForm({ name });
  // The heading has changed under the keyboard.
  queueMicrotask(toTop);
}

/** The fields of a form as a document: what is left empty is left out. */
function documentOf(form) {
  const isAsItIs = (name, value) => name.includes("password") || value instanceof File;
  const entries = [...new FormData(form)].map(([name, value]) => [name, isAsItIs(name, value) ? value : value.trim()]);
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

/** Hands the fields of a form that is submitted to `work`, as a document. */
export function submitTo(work) {
  return (event) => {
    event.preventDefault();
    work(documentOf(event.currentTarget), event.currentTarget);
  };
}

/** As submitTo, for a form with a new password, which is typed twice. */
export function submitWithPassword(work) {
  return submitTo(({ again, ...fields }, form) => {
    form.elements.again.setCustomValidity(again === fields.password ? "" : t("field.differs"));
    if (form.reportValidity()) work(fields);
  });
}

export const Email = (props) => html`<${Field} name="email" type="email" label=${t("field.email")} autocomplete="username" required ...${props} />`;
export const Server = (props) =>
  html`<${Field} name="server" type="text" inputmode="url" label=${t("field.server")} placeholder="https://keys.example.com" autocomplete="url" ...${props} />`;

export function NewPassword() {
  const forget = (event) => event.currentTarget.setCustomValidity("");
  return html`<${Field} name="password" type="password" label=${t("field.new-password")} hint=${t("field.new-password-hint")} autocomplete="new-password" required />
    <${Field} name="again" type="password" label=${t("field.again")} autocomplete="new-password" onInput=${forget} required />`;
}

/** Asked for once the server has said that it wants it. */
export const RegistrationCode = ({ name = "code" }) =>
  state.form.wantsCode && html`<${Field} name=${name} label=${t("field.registration-code")} hint=${t("field.registration-code-hint")} autocomplete="off" />`;

function LogIn() {
  return html`<form onSubmit=${submitTo(act.logIn)}>
    <${Email} />
    <${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <${Server} required />
    <details>
      <summary>${t("welcome.more")}</summary>
      <${Field} name="account_key" type="text" label=${t("field.account-key")} hint=${t("field.account-key-hint")} autocomplete="off" />
    </details>
    <${Refused} of="account" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("account by-address")}>${t("welcome.login-button")}<//>
  </form>`;
}

function Register() {
  const submit = submitWithPassword(({ with_account_key: withKey, ...fields }) => act.register({ ...fields, account_key: Boolean(withKey) }));
  return html`<form onSubmit=${submit}>
    <${Email} />
    <${NewPassword} />
    <${Server} hint=${t("field.server-hint")} />
    <${RegistrationCode} />
    <details>
      <summary>${t("welcome.more")}</summary>
      <label class="choice"><input type="checkbox" name="with_account_key" />${t("field.with-account-key")}</label>
    </details>
    <${Refused} of="account" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("welcome.register-button")}<//>
  </form>`;
}

function Recover() {
  return html`<form onSubmit=${submitTo(act.recover)}>
    <${Email} />
    <${Server} required />
    <${Field} name="recovery_key" label=${t("field.recovery-key")} autocomplete="off" required />
    <${Field} name="password" type="password" label=${t("field.new-password")} hint=${t("field.new-password-hint")} autocomplete="new-password" required />
    <${Refused} of="account" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("welcome.recover-button")}<//>
  </form>`;
}

/** For a new computer, where the account is on no key server. */
function Import() {
  const submit = submitTo(({ file, ...fields }) => act.importAccount(file, fields));
  return html`<form onSubmit=${submit}>
    <${Field} name="file" type="file" label=${t("field.account-file")} hint=${t("field.account-file-hint")} required />
    <${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <details>
      <summary>${t("welcome.more")}</summary>
      <${Field} name="account_key" type="text" label=${t("field.account-key")} hint=${t("field.account-key-hint")} autocomplete="off" />
      <${Field} name="recovery_key" type="text" label=${t("field.recovery-key")} hint=${t("field.recovery-key-instead")} autocomplete="off" />
    </details>
    <${Refused} of="account" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("welcome.import-button")}<//>
  </form>`;
}

/** The server has mailed a code, and takes it together with the password. */
export function MailCode() {
  const submit = submitTo(({ code, password }) => act.confirm(code, password));
  const again = ({ currentTarget: { form } }) => {
    if (form.elements.password?.reportValidity() === false) return;
    const { password = state.form.password, registration_code: code } = documentOf(form);
    act.sendAnotherCode(code ? { password, code } : { password });
  };
  const isBusy = state.busy.has("account");
  return html`<h1 tabindex="-1">${t("code.title")}</h1>
    <p>${t("code.why", { email: state.account.email ?? "" })}</p>
    <form onSubmit=${submit}>
      <${Field} name="code" label=${t("code.code")} inputmode="numeric" autocomplete="one-time-code" required />
      ${!state.form.password && html`<${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />`}
      <${RegistrationCode} name="registration_code" />
      <${Refused} of="account" />
      <div class="actions">
        <${Button} kind="main" type="submit" busy=${isBusy}>${t("code.button")}<//>
        <${Button} busy=${isBusy} onClick=${again}>${t("code.again")}<//>
      </div>
    </form>
    <p class="actions"><${Button} kind="link" onClick=${() => act.go("settings")}>${t("help.settings")}<//></p>`;
}
