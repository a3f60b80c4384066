// The account of this computer, the language, and the daemon's settings.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Dialog, Failure, Field, Path } from "/ui/parts.js";
import { state, update } from "/ui/store.js";
import { chooseLanguage, currentLanguage, languages, t } from "/ui/text.js";

export function Settings() {
  return html`<h1 tabindex="-1">${t("menu.settings")}</h1>
    <${Account} />
    <${Language} />
    ${state.failure && !state.dialog && html`<${Failure} failure=${act.words(state.failure)} />`}
    ${state.settings && html`<${Daemon} report=${state.settings} />`}
    <${AccountDialog} />`;
}

function Account() {
  const { account } = state;
  const isLoggedIn = account.server && account.session === "logged-in";
  return html`<section class="sheet" aria-labelledby="account">
    <h2 id="account">${t("settings.account")}</h2>
    <dl>
      <dt>${t("settings.email")}</dt>
      <dd>${account.email}</dd>
      <dt>${t("settings.server")}</dt>
      <dd>${account.server ?? t("settings.no-server")}</dd>
      ${account.session && html`<dt>${t("settings.session")}</dt><dd>${t(`session.${account.session}`)}</dd>`}
      <dt>${t("settings.device")}</dt>
      <dd>${account.device}</dd>
    </dl>
    ${account.server && !isLoggedIn && html`<${LogInAgain} />`}
    <div class="actions">
      <${Button} onClick=${() => act.openDialog({ name: "recovery-key" })}>${t("settings.recovery-key")}<//>
      <${Button} busy=${state.busy === "save-account"} onClick=${act.saveAccount}>${t("settings.save-account")}<//>
      ${account.state === "open" && html`<${Button} busy=${state.busy === "lock"} onClick=${act.lock}>${t("settings.lock")}<//>`}
      ${isLoggedIn && html`<${Button} kind="danger" onClick=${() => act.openDialog({ name: "log-out" })}>${t("settings.log-out")}<//>`}
    </div>
  </section>`;
}

/** This computer's session has ended; the account is still here. */
function LogInAgain() {
  const submit = (event) => {
    event.preventDefault();
    act.logIn({ password: event.currentTarget.elements.password.value });
  };
  return html`<form onSubmit=${submit}>
    <${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <${Button} kind="main" type="submit" busy=${state.busy === "account"}>${t("welcome.login-button")}<//>
  </form>`;
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

function Daemon({ report }) {
  return html`<section aria-labelledby="daemon">
    <h2 id="daemon">${t("settings.syncing")}</h2>
    <p class="quiet">${t("settings.file")} <${Path} path=${report.file} /></p>
    ${report.needs_restart && html`<p class="notice warn">${t("settings.needs-restart")}</p>`}
    ${report.settings.map((setting) => html`<${Setting} key=${setting.key} setting=${setting} />`)}
  </section>`;
}

function Setting({ setting }) {
  const { key, about, value, fixed_by: fixedBy } = setting;
  const submit = (event) => {
    event.preventDefault();
    act.set(key, event.currentTarget.elements[key].value);
  };
  return html`<form class="sheet" onSubmit=${submit}>
    <div class="field">
      <label for=${key}>${key}</label>
      <p class="quiet" id="${key}-hint" lang="en">${about}</p>
      <${Value} setting=${setting} />
    </div>
    ${fixedBy
      ? html`<p class="quiet">${t("settings.fixed-by", { by: fixedBy })}</p>`
      : html`<${Button} type="submit" busy=${state.busy === `set-${key}`} aria-label=${t("settings.save-one", { key })}>${t("settings.save")}<//>`}
    ${value !== setting.default && html`<p class="quiet">${t("settings.default", { value: setting.default })}</p>`}
  </form>`;
}

function Value({ setting }) {
  const { key, value, kind } = setting;
  const common = { id: key, name: key, "aria-describedby": `${key}-hint`, disabled: Boolean(setting.fixed_by) };
  if (kind === "choice") {
    return html`<select ...${common}>
      ${setting.choices.map((choice) => html`<option key=${choice} value=${choice} selected=${choice === value}>${choice}</option>`)}
    </select>`;
  }
  if (kind === "number") return html`<input type="number" min=${setting.least} max=${setting.most} defaultValue=${value} ...${common} />`;
  return html`<input type="text" defaultValue=${value} spellcheck="false" ...${common} />`;
}

function AccountDialog() {
  const { dialog, failure, busy } = state;
  if (dialog?.name === "log-out") {
    return html`<${Dialog} title=${t("settings.log-out")} onClose=${act.closeDialog}>
      <p>${t("settings.log-out-what")}</p>
      ${failure && html`<${Failure} failure=${act.words(failure)} />`}
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="danger" busy=${busy === "log-out"} onClick=${act.logOut}>${t("settings.log-out")}<//>
      </div>
    <//>`;
  }
  if (dialog?.name === "recovery-key") {
    const submit = (event) => {
      event.preventDefault();
      act.showRecoveryKey(event.currentTarget.elements.password.value);
    };
    return html`<${Dialog} title=${t("settings.recovery-key")} onClose=${act.closeDialog}>
      <form onSubmit=${submit}>
        <${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />
        ${failure && html`<${Failure} failure=${act.words(failure)} />`}
        <div class="actions">
          <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
          <${Button} kind="main" type="submit" busy=${busy === "recovery-key"}>${t("settings.recovery-key-show")}<//>
        </div>
      </form>
    <//>`;
  }
  return null;
}
