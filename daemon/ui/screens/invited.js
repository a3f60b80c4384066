// An invitation that somebody else made: what it says, who accepts it, and the folder that it leads to.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Field } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { NumberToCompare, SafetyNumber } from "/ui/screens/people.js";
import { Email, NewPassword, RegistrationCode, submitTo, submitWithPassword } from "/ui/screens/welcome.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

export function Invited() {
  const { invitation } = state;
  if (invitation?.isAccepted) return html`<${Accepted} invitation=${invitation} />`;
  return html`<h1 tabindex="-1">${t("invited.title")}</h1>
    ${invitation ? html`<${Shown} invitation=${invitation} />` : html`<${Ask} />`}
    <${Refused} of="find-person" />
    <${SafetyNumber} />`;
}

/** Somebody who has an account after all logs in, and comes back. */
const ToLogIn = () => state.account.state === "none" && html`<${Button} kind="link" onClick=${() => act.go("folders")}>${t("welcome.to-login")}<//>`;

function Ask() {
  const submit = submitTo(({ link, one_time_password: password }) => act.lookAtInvitation({ link, password }));
  return html`<p>${t("invited.why")}</p>
    ${state.account.state === "none" && html`<p>${t("invited.no-account")}</p>`}
    <form class="invitation" onSubmit=${submit}>
      <${Field} name="link" inputmode="url" label=${t("invited.link")} placeholder="https://keys.example.com/invite/…#…" autocomplete="off" required />
      <${Field} name="one_time_password" label=${t("invited.password")} hint=${t("invited.password-hint")} autocomplete="off" autocapitalize="characters" required />
      <${Refused} of="invitation" />
      <${Button} kind="main" type="submit" busy=${state.busy.has("invitation")}>${t("invited.look")}<//>
    </form>
    ${state.form.publishOn && html`<${Publish} server=${state.form.publishOn} />`}
    <p class="actions"><${ToLogIn} /></p>`;
}

/** An account that is on this computer only can accept nothing. */
function Publish({ server }) {
  return html`<form class="sheet" onSubmit=${submitTo(act.publishForInvitation)}>
    <${Field} name="password" type="password" label=${t("field.password")} autocomplete="current-password" required />
    <${RegistrationCode} />
    <${Refused} of="account" />
    <${Button} type="submit" busy=${state.busy.has("account")}>${t("invited.publish", { server })}<//>
  </form>`;
}

function Shown({ invitation }) {
  const { role, from, name, expires } = invitation;
  return html`<p>${t(`invited.says-${role}`, { from, name })}</p>
    <p class="quiet">${t("guest.expires", { time: time(expires) })}</p>
    ${state.account.state === "none" ? html`<${NewAccount} invitation=${invitation} />` : html`<${Accept} />`}
    <p class="actions"><${ToLogIn} /><${Button} kind="link" onClick=${act.forgetInvitation}>${t("invited.other")}<//></p>`;
}

function NewAccount({ invitation: { server, invited } }) {
  return html`<p>${t("invited.new-account", { server })}</p>
    <form class="invitation" onSubmit=${submitWithPassword(act.registerAndAccept)}>
      <${Email} defaultValue=${invited} />
      <${NewPassword} />
      <${RegistrationCode} />
      <${Refused} of="account" />
      <${Button} kind="main" type="submit" busy=${state.busy.has("account")}>${t("invited.register")}<//>
    </form>`;
}

function Accept() {
  return html`<form class="invitation" onSubmit=${submitTo(act.acceptInvitation)}>
    <${Refused} of="invitation" />
    <${Button} kind="main" type="submit" busy=${state.busy.has("invitation")}>${t("invited.accept")}<//>
  </form>`;
}

function Accepted({ invitation }) {
  const { from, name, inviter } = invitation;
  return html`<h1 tabindex="-1">${t("invited.accepted")}</h1>
    <p>${from ? t("invited.reads", { from, name }) : t("invited.over")}</p>
    <section class="sheet" aria-labelledby="folder">
      <h2 id="folder">${t("invited.folder")}</h2>
      <${Folder} id=${invitation.folder} />
      <${Refused} of="clouds" />
    </section>
    ${inviter &&
    html`<section class="sheet" aria-labelledby="number">
      <h2 id="number">${t("number.title", { email: inviter.login })}</h2>
      <${NumberToCompare} person=${inviter} />
      <${Refused} of="verify-person" />
      ${inviter.verified
        ? html`<p>${t("standing.verified")}</p>`
        : html`<${Button} busy=${state.busy.has("verify-person")} onClick=${() => act.numbersMatch({ person: inviter })}>${t("number.match")}<//>`}
    </section>`}
    <${SafetyNumber} />`;
}

/** How far the folder is on this computer. */
function Folder({ id }) {
  const synced = state.folders.find((folder) => folder.id === id);
  const found = state.clouds?.folders.find(({ folder }) => folder === id);
  const isLooking = state.busy.has("clouds");
  if (synced) {
    return html`<p>${t("invited.synced", { name: synced.name })}</p>
      <${Button} kind="main" onClick=${() => act.go("folders")}>${t("help.folders")}<//>`;
  }
  if (found) {
    return html`<p>${t("invited.arrived", { path: found.encrypted })}</p>
      <${Button} kind="main" onClick=${() => act.addShared(found.encrypted, id)}>${t("folders.add-shared")}<//>`;
  }
  if (!state.clouds && isLooking) return html`<p role="status">${t("add.looking")}</p>`;
  return html`<p>${t("invited.not-arrived")}</p>
    <div class="actions">
      <${Button} kind="main" busy=${isLooking} onClick=${act.lookForFolder}>${t("invited.look-again")}<//>
      <${Button} onClick=${() => act.addShared(null, id)}>${t("invited.choose")}<//>
    </div>`;
}
