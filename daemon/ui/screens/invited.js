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
    <p class="actions"><${ToLogIn} /></p>`;
}

/**
 * An account that is on this computer only can accept nothing. Which server it goes onto is said by whoever made the invitation:
 * that is asked for once the invitation has opened, and never for a link alone.
 */
function Publish({ server }) {
  return html`<form class="sheet" onSubmit=${submitTo(act.publishForInvitation)}>
    <p>${t("invited.publish-why", { server })}</p>
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
    <${Next} invitation=${invitation} />
    <p class="actions"><${ToLogIn} /><${Button} kind="link" onClick=${act.forgetInvitation}>${t("invited.other")}<//></p>`;
}

/** What is to be done before it is accepted. */
function Next({ invitation }) {
  if (state.account.state === "none") return html`<${NewAccount} invitation=${invitation} />`;
  return state.account.server ? html`<${Accept} />` : html`<${Publish} server=${invitation.server} />`;
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
      <${Folder} id=${invitation.folder} isOver=${!from} />
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
    <${Refused} of="find-person" />
    <${SafetyNumber} />`;
}

/** What a folder says whose account is no member of it, or not yet. */
const NO_MEMBER = ["not-a-recipient", "not-a-member", "not-yet-a-member"];

/** How far the folder is on this computer. It is told in one place, whatever there is to do then. */
function Folder({ id, isOver }) {
  const [told, work] = howFar(id, isOver);
  return html`<p role="status">${told}</p>
    <div class="actions">${work}</div>`;
}

function howFar(id, isOver) {
  const synced = state.folders.find((folder) => folder.id === id);
  const found = state.clouds?.folders.find(({ folder }) => folder === id);
  const isLooking = state.busy.has("clouds");
  if (synced) {
    const isOut = isOver && state.problems.some((problem) => problem.folder === id && NO_MEMBER.includes(problem.class));
    const toFolders = html`<${Button} kind="main" onClick=${() => act.go("folders")}>${t("help.folders")}<//>`;
    return [t(isOut ? "invited.synced-by-no-member" : "invited.synced", { name: synced.name }), toFolders];
  }
  if (found) {
    const add = html`<${Button} kind="main" onClick=${() => act.addShared(found.encrypted, id)}>${t("folders.add-shared")}<//>`;
    return [t("invited.arrived", { path: found.encrypted }), add];
  }
  if (!state.clouds && isLooking) return [t("add.looking"), null];
  const look = html`<${Button} kind="main" busy=${isLooking} onClick=${act.lookForFolder}>${t("invited.look-again")}<//>
    <${Button} onClick=${() => act.addShared(null, id)}>${t("invited.choose")}<//>`;
  return [t(isOver ? "invited.over-not-found" : "invited.not-arrived"), look];
}
