// Keys that are shown once, and have to be written down.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Failure, Field } from "/ui/parts.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

export function Keys() {
  const { recoveryKey, accountKey, unpublished, unchecked, isNew, unsettled } = state.once;
  const submit = (event) => {
    event.preventDefault();
    act.keysAreWrittenDown();
  };
  return html`<h1 tabindex="-1">${t("keys.title")}</h1>
    <p>${t("keys.why")}</p>
    ${!state.account?.server && html`<p class="notice warn">${t("keys.file")}</p>`}
    <h2>${t("keys.recovery")}</h2>
    <p class="key">${recoveryKey}</p>
    ${isNew && !unsettled && html`<p>${t("keys.new")}</p>`}
    ${unsettled && html`<p class="notice warn">${t("keys.unsettled", { why: unsettled })}</p>`}
    ${accountKey && html`<h2>${t("keys.account")}</h2><p>${t("keys.account-why")}</p><p class="key">${accountKey}</p>`}
    ${unchecked && html`<p class="notice warn">${t("keys.unchecked", { why: unchecked })}</p>`}
    ${unpublished && html`<${Unpublished} refusal=${unpublished} />`}
    <form onSubmit=${submit}>
      <label class="choice"><input type="checkbox" required name="written" />${t("keys.written")}</label>
      <div class="actions">
        <${Button} kind="main" type="submit" busy=${state.busy.has("written")}>${t("keys.continue")}<//>
        <${Button} onClick=${() => print()}>${t("keys.print")}<//>
      </div>
    </form>`;
}

/** The account is made, but its server did not take it: it can be tried again, now or later. */
function Unpublished({ refusal }) {
  const { failure, form } = state;
  const again = (event) => {
    event.preventDefault();
    const code = event.currentTarget.elements.code?.value.trim();
    act.publish({ server: form.server, password: form.password, ...(code && { code }) });
  };
  return html`<form class="notice warn" onSubmit=${again}>
    <p>${t("keys.unpublished", { why: refusal.what })}</p>
    ${form.wantsCode && html`<${Field} name="code" label=${t("field.registration-code")} hint=${t("field.registration-code-hint")} autocomplete="off" />`}
    ${form.server && html`<${Button} type="submit" busy=${state.busy.has("account")}>${t("common.again")}<//>`}
    ${failure?.name === "account" && html`<${Failure} failure=${act.words(failure)} />`}
  </form>`;
}
