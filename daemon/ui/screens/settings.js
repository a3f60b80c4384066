// The account of this computer, the language, and the daemon's settings.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Failure, Field, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state, update } from "/ui/store.js";
import { chooseLanguage, currentLanguage, has, languages, t, time } from "/ui/text.js";

/** What says itself, where it was asked for, why it failed. */
const IN_PLACE = /^(set-|autostart$|account$)/;

export function Settings() {
  const { failure } = state;
  return html`<h1 tabindex="-1">${t("menu.settings")}</h1>
    ${failure && !state.dialog && !IN_PLACE.test(failure.name) && html`<${Refused} of=${failure.name} />`}
    <${Account} />
    <${Devices} />
    <${Autostart} />
    <${Language} />
    ${state.settings && html`<${Daemon} report=${state.settings} />`}`;
}

function Account() {
  const { account, profile } = state;
  const isLoggedIn = account.server && account.session === "logged-in";
  return html`<section class="sheet" aria-labelledby="account">
    <h2 id="account">${t("settings.account")}</h2>
    <dl>
      <dt>${t("settings.email")}</dt>
      <dd>${account.email}</dd>
      <${Name} />
      <dt>${t("settings.server")}</dt>
      <dd>${account.server ?? t("settings.no-server")}</dd>
      ${account.session && html`<dt>${t("settings.session")}</dt><dd>${t(`session.${account.session}`)}</dd>`}
      <dt>${t("settings.device")}</dt>
      <dd>${account.device}</dd>
    </dl>
    ${canLogInAgain() && html`<${LogInAgain} />`}
    <div class="actions">
      ${!account.server && html`<${Button} onClick=${() => act.openDialog({ name: "publish" })}>${t("settings.publish")}<//>`}
      <${Button} onClick=${() => act.openDialog({ name: "password" })}>${t("settings.password")}<//>
      <${Button} onClick=${() => act.openDialog({ name: "email" })}>${t("settings.change-email")}<//>
      ${profile?.answer && html`<${Button} onClick=${() => act.openDialog({ name: "profile" })}>${t("settings.change-name")}<//>`}
      <${Button} onClick=${() => act.openDialog({ name: "recovery-key" })}>${t("settings.recovery-key")}<//>
      <${Button} onClick=${() => act.openDialog({ name: "new-recovery-key" })}>${t("settings.new-recovery-key")}<//>
      <${Button} busy=${state.busy.has("save-account")} onClick=${act.saveAccount}>${t("settings.save-account")}<//>
      ${account.state === "open" && html`<${Button} busy=${state.busy.has("lock")} onClick=${act.lock}>${t("settings.lock")}<//>`}
      ${isLoggedIn && html`<${Button} kind="danger" onClick=${() => act.openDialog({ name: "log-out" })}>${t("settings.log-out")}<//>`}
    </div>
  </section>`;
}

/** What others read beside the address: the server knows it. */
function Name() {
  const { profile } = state;
  if (!profile) return null;
  const { answer, failure } = profile;
  const shown = failure ? html`<span class="quiet">${act.words(failure).what}</span>` : (answer.name ?? html`<span class="quiet">${t("settings.no-name")}</span>`);
  return html`<dt>${t("settings.name")}</dt><dd dir="auto">${shown}</dd>`;
}

/** Whether this computer's session has ended, and the account is still here. */
export const canLogInAgain = () => Boolean(state.account.server) && state.account.session !== "logged-in";

/** Its password opens the keys as well. */
function LogInAgain() {
  const submit = (event) => {
    event.preventDefault();
    act.logIn({ password: event.currentTarget.elements.password.value });
  };
  return html`<form onSubmit=${submit}>
    ${state.account.state === "locked" && html`<p>${t("settings.log-in-opens")}</p>`}
    <${Field} name="password" id="login-password" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <${Refused} of="account" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("welcome.login-button")}<//>
  </form>`;
}

/** The computers that are logged in to the account. */
function Devices() {
  const { devices } = state;
  if (!devices) return null;
  return html`<section aria-labelledby="devices">
    <h2 id="devices">${t("settings.devices")}</h2>
    ${devices.failure && html`<${Failure} failure=${act.words(devices.failure)} />`}
    ${devices.answer &&
    html`<ul class="sheet rows">
      ${devices.answer.map(
        (device) => html`<li key=${device.id}>
          <p><strong dir="auto">${device.name}</strong>${device.is_this && ` · ${t("settings.this-device")}`}</p>
          <p class="quiet">${t("settings.first-login", { time: time(device.first_login) })} · ${t("settings.last-seen", { time: time(device.last_seen) })}</p>
          ${!device.is_this &&
          html`<${Button} kind="danger" aria-label=${t("settings.revoke-one", { name: device.name })} onClick=${() => act.openDialog({ name: "revoke", device })}>${t("settings.revoke")}<//>`}
        </li>`,
      )}
    </ul>`}
  </section>`;
}

function Autostart() {
  const { answer, wanted, failure } = state.autostart ?? {};
  if (!answer && !failure) return null;
  const means = answer?.autostart ?? null;
  return html`<section class="sheet" aria-labelledby="autostart">
    <h2 id="autostart">${t("autostart.title")}</h2>
    ${failure && html`<p class="quiet">${act.words(failure).what}</p>`}
    ${answer &&
    html`<label class="choice"><input type="checkbox" checked=${wanted ?? means !== null} onChange=${(event) => act.switchAutostart(event.currentTarget.checked)} />${t("autostart.on")}</label>
      <${Refused} of="autostart" />
      <p class="quiet">${t(`autostart.${means ?? "by-hand"}`)}</p>`}
  </section>`;
}

function Language() {
  const choose = (event) => {
    chooseLanguage(event.currentTarget.value);
    update({});
  };
  return html`<div class="field">
    <label for="language">${t("settings.language")}</label>
    <select id="language" onChange=${choose}>
      ${languages().map(({ code, name }) => html`<option key=${code} value=${code} lang=${code} selected=${code === currentLanguage()}>${name}</option>`)}
    </select>
  </div>`;
}

/** What people want to have their way; the rest is for whoever knows that it is there. */
const USUAL = ["pause_on_battery", "pause_on_metered", "trash_days"];

function Daemon({ report }) {
  const usual = report.settings.filter(({ key }) => USUAL.includes(key));
  const rare = report.settings.filter(({ key }) => !USUAL.includes(key));
  return html`<section class="sheet" aria-labelledby="daemon">
    <h2 id="daemon">${t("settings.syncing")}</h2>
    ${report.needs_restart && html`<p class="notice warn">${t("settings.needs-restart")}</p>`}
    ${usual.map((setting) => html`<${Setting} key=${setting.key} setting=${setting} />`)}
    <details>
      <summary>${t("settings.advanced")}</summary>
      <p class="quiet">${t("settings.file")} <${Path} path=${report.file} /></p>
      ${rare.map((setting) => html`<${Setting} key=${setting.key} setting=${setting} />`)}
    </details>
  </section>`;
}

function Setting({ setting }) {
  const { key, value, kind, choices, fixed_by: fixedBy } = setting;
  const isYesOrNo = kind === "choice" && choices.includes("true");
  const View = isYesOrNo ? YesOrNo : kind === "choice" ? Choice : Typed;
  return html`<${View} setting=${setting} common=${{ id: key, name: key, disabled: Boolean(fixedBy), "aria-describedby": `${key}-hint` }} />
    <p class="quiet" id="${key}-hint">
      ${has(`hint.${key}`) && t(`hint.${key}`)} ${fixedBy && t("settings.fixed-by", { by: fixedBy })}
      ${!isYesOrNo && value !== setting.default && t("settings.default", { value: shown(setting, setting.default) })}
    </p>
    <${Refused} of=${`set-${key}`} />`;
}

/** A value in words, where it has some. */
const shown = ({ key, kind }, value) => (kind === "choice" ? t(`choice.${key}-${value}`) : value);

/** Saved at once; what is refused is shown as it was. */
function YesOrNo({ setting: { key, value }, common }) {
  const save = async ({ currentTarget: box }) => {
    if (!(await act.set(key, String(box.checked)))) box.checked = value === "true";
  };
  return html`<label class="choice"><input type="checkbox" checked=${value === "true"} onChange=${save} ...${common} />${t(`setting.${key}`)}</label>`;
}

/** As a yes or no. */
function Choice({ setting, common }) {
  const { key, value, choices } = setting;
  const save = async ({ currentTarget: field }) => {
    if (!(await act.set(key, field.value))) field.value = value;
  };
  return html`<div class="field">
    <label for=${key}>${t(`setting.${key}`)}</label>
    <select onChange=${save} ...${common}>
      ${choices.map((choice) => html`<option key=${choice} value=${choice} selected=${choice === value}>${shown(setting, choice)}</option>`)}
    </select>
  </div>`;
}

function Typed({ setting, common }) {
  const { key, value, kind, least, most } = setting;
  const submit = (event) => {
    event.preventDefault();
    act.set(key, event.currentTarget.elements[key].value);
  };
  const name = t(`setting.${key}`);
  const bounds = kind === "number" ? { type: "number", min: least, max: most } : { type: "text", spellcheck: "false" };
  return html`<form class="typed" onSubmit=${submit}>
    <label for=${key}>${name}</label>
    <input defaultValue=${value} ...${bounds} ...${common} />
    ${!common.disabled && html`<${Button} type="submit" busy=${state.busy.has(`set-${key}`)} aria-label=${t("settings.save-one", { key: name })}>${t("settings.save")}<//>`}
  </form>`;
}
