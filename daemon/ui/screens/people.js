// Who is in a folder: roles, safety numbers, invitations.

import * as act from "/ui/actions.js";
import { AskingDialog } from "/ui/asking.js";
import { html } from "/ui/html.js";
import { Button, Dialog, Failure, Field, Standing } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

const ROLES = ["reader", "writer", "admin"];

export function People() {
  const folder = act.chosenFolder();
  const { people, failure, dialog } = state;
  return html`<h1 tabindex="-1">${t("menu.people")}</h1>
    ${!folder && html`<p>${t(state.route.folder ? "people.folder-gone" : "people.no-folder")}</p>`}
    ${folder && html`<${ChooseFolder} folder=${folder} />`}
    ${failure && !dialog && html`<${Refused} of=${failure.name} />`}
    ${folder && people?.folder === folder.id && html`<${Members} key=${folder.id} folder=${folder} people=${people} />`}
    <${SafetyNumber} />
    ${dialog?.name === "invitation" && html`<${Invitation} sent=${dialog.sent} />`}
    ${dialog?.name === "remove-person" && html`<${RemovePerson} dialog=${dialog} />`}
    ${dialog?.name === "leave" && html`<${Leave} folder=${dialog.folder} />`}`;
}

function ChooseFolder({ folder }) {
  if (state.folders.length === 1) return html`<p>${t("people.in", { name: folder.name })}</p>`;
  return html`<div class="field">
    <label for="folder">${t("people.folder")}</label>
    <select id="folder" onChange=${(event) => act.go("people", event.currentTarget.value)}>
      ${state.folders.map((one) => html`<option key=${one.id} value=${one.id} selected=${one.id === folder.id}>${one.name}</option>`)}
    </select>
  </div>`;
}

function Members({ folder, people }) {
  const mine = people.role && people.role !== "owner";
  return html`${people.is_disputed && html`<p class="notice bad">${t("problem.disputed")} ${t("remedy.disputed")}</p>`}
    ${state.form.stillByGroups?.length > 0 && html`<p class="notice warn">${t("people.still-by-groups", { groups: state.form.stillByGroups.join(", ") })}</p>`}
    <h2>${t("people.members")}</h2>
    <ul class="sheets">
      ${people.members.map((member) => html`<${Member} key=${member.identity} folder=${folder} member=${member} may=${people.may_administer} />`)}
      ${people.groups.map((group) => html`<${Group} key=${group.group} group=${group} />`)}
    </ul>
    ${people.may_administer && html`<${AddPerson} folder=${folder} />`}
    <${Invitations} guests=${people.guests} />
    ${mine && html`<${Button} kind="danger" onClick=${() => act.openDialog({ name: "leave", folder })}>${t("people.leave")}<//>`}`;
}

function Member({ folder, member, may }) {
  const isOwn = member.standing === "self";
  const mayChange = may && !isOwn && member.role !== "owner";
  const id = `role-${member.identity.slice(0, 16)}`;
  const setRole = async ({ currentTarget: field }) => {
    if (!(await act.setRole(folder.id, member, field.value))) field.value = member.role;
  };
  return html`<li class="sheet">
    <h3>${member.login}</h3>
    <p><${Standing} of=${member.standing} /></p>
    ${mayChange
      ? html`<p><label for=${id}>${t("people.role")}</label> <select id=${id} onChange=${setRole}>${ROLES.map((role) => html`<option key=${role} value=${role} selected=${role === member.role}>${t(`role.${role}`)}</option>`)}</select></p>`
      : html`<p>${t(`role.${member.role}`)}</p>`}
    <div class="actions">
      ${!isOwn && html`<${Button} busy=${state.busy.has(`find-person ${member.login}`)} onClick=${() => act.compareWith(member.login)}>${t("people.safety-number")}<//>`}
      ${mayChange && html`<${Button} kind="danger" onClick=${() => act.openDialog({ name: "remove-person", folder, member })}>${t("people.remove")}<//>`}
    </div>
  </li>`;
}

function Group({ group }) {
  return html`<li class="sheet">
    <h3>${t("people.group", { name: group.name })}</h3>
    <p>${t(`role.${group.role}`)}</p>
    <p class="quiet">${group.members.map((member) => member.login).join(", ")}</p>
  </li>`;
}

const RoleField = ({ name }) => html`<div class="field">
  <label for=${name}>${t("people.role")}</label>
  <select id=${name} name="role">${ROLES.map((role) => html`<option key=${role} value=${role} selected=${role === "writer"}>${t(`role.${role}`)}</option>`)}</select>
</div>`;

function AddPerson({ folder }) {
  const { unknown } = state.form;
  const submit = async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    act.changeForm({ unknown: null });
    // The role stays: several people often get the same.
    if (await act.addPerson(folder.id, form.elements.email.value.trim(), form.elements.role.value)) form.elements.email.value = "";
  };
  return html`<section class="sheet" aria-labelledby="add-person">
    <h2 id="add-person">${t("people.add")}</h2>
    <form onSubmit=${submit}>
      <${Field} name="email" type="email" label=${t("field.email")} autocomplete="off" required />
      <${RoleField} name="new-role" />
      <p class="quiet">${t("people.add-hint")}</p>
      <${Button} kind="main" type="submit" busy=${state.busy.has("add-person")}>${t("people.add-button")}<//>
    </form>
    ${unknown?.folder === folder.id &&
    html`<div class="notice">
      <p>${t("people.invite-why", { email: unknown.email })}</p>
      <div class="actions">
        <${Button} busy=${state.busy.has("invite")} onClick=${() => act.invite(unknown.folder, unknown.email, unknown.role, false)}>${t("people.invite-link")}<//>
        <${Button} busy=${state.busy.has("invite")} onClick=${() => act.invite(unknown.folder, unknown.email, unknown.role, true)}>${t("people.invite-mail")}<//>
      </div>
    </div>`}
  </section>`;
}

function Invitations({ guests }) {
  const own = guests.filter((guest) => guest.id);
  const others = guests.length - own.length;
  if (guests.length === 0) return null;
  return html`<h2>${t("people.invitations")}</h2>
    <ul class="sheets">
      ${own.map(
        (guest) => html`<li class="sheet" key=${guest.id}>
          <h3>${guest.invited}</h3>
          <p>${t(`guest.${guest.standing}`)} · ${t(`role.${guest.role}`)}</p>
          ${guest.accepted_by && html`<p class="quiet">${t("guest.accepted-by", { email: guest.accepted_by.login })}</p>`}
          <p class="quiet">${t("guest.expires", { time: time(guest.expires) })}</p>
          <div class="actions">
            <${Button} busy=${state.busy.has("resend")} onClick=${() => act.resend(guest.id)}>${t("guest.resend")}<//>
            <${Button} kind="danger" busy=${state.busy.has("revoke")} onClick=${() => act.revoke(guest.id)}>${t("guest.revoke")}<//>
          </div>
        </li>`,
      )}
    </ul>
    ${others > 0 && html`<p class="quiet">${t("guest.of-others", { count: others })}</p>`}`;
}

/** Two people read each other the number, or hold the picture beside the other's screen. */
export function NumberToCompare({ person: { safety_number: number, qr } }) {
  const box = `0 0 ${qr.size} ${qr.size}`;
  return html`<p>${t("number.how")}</p>
    <p class="key">${number}</p>
    <svg class="qr" viewBox=${box} role="img" aria-label=${t("number.qr")}><path class="paper" d="M0 0h${qr.size}v${qr.size}h-${qr.size}z" /><path d=${qr.path} /></svg>`;
}

export function SafetyNumber() {
  if (state.dialog?.name !== "safety-number") return null;
  const { person, isNew, changed } = state.dialog;
  return html`<${Dialog} title=${t("number.title", { email: person.login })} onClose=${act.closeDialog}>
    ${isNew && html`<p>${t("number.new")}</p>`}
    ${person.has_changed && html`<p class="notice bad">${t("number.changed")}</p>`}
    <${NumberToCompare} person=${person} />
    ${person.verified && !changed && html`<p>${t("standing.verified")}</p>`}
    ${state.failure && html`<${Failure} failure=${act.words(state.failure)} />`}
    <div class="actions">
      <${Button} onClick=${act.closeDialog}>${t("number.later")}<//>
      ${(!person.verified || changed) && html`<${Button} kind="main" busy=${state.busy.has("verify-person")} onClick=${() => act.numbersMatch({ person, changed })}>${t("number.match")}<//>`}
    </div>
  <//>`;
}

/** The link and the password go two ways: whoever has both comes in. */
function Invitation({ sent }) {
  return html`<${Dialog} title=${t("invitation.title", { email: sent.invited })} onClose=${act.closeDialog}>
    ${sent.unmailed && html`<p class="notice warn">${t("invitation.unmailed", { why: sent.unmailed })}</p>`}
    ${sent.link ? html`<p>${t("invitation.link")}</p><p class="key">${sent.link}</p>` : html`<p>${t("invitation.mailed")}</p>`}
    <p>${t("invitation.password")}</p>
    <p class="key">${sent.password}</p>
    <p class="quiet">${t("guest.expires", { time: time(sent.expires) })}</p>
    <${Button} kind="main" onClick=${act.closeDialog}>${t("invitation.done")}<//>
  <//>`;
}

function RemovePerson({ dialog: { member, folder } }) {
  return html`<${AskingDialog} title=${t("people.remove-title", { email: member.login, folder: folder.name })} action="remove-person"
    button=${t("people.remove")} kind="danger" work=${() => act.removePerson(folder.id, member)}>
    <p>${t("people.remove-what")}</p>
  <//>`;
}

function Leave({ folder }) {
  return html`<${AskingDialog} title=${t("people.leave-title", { name: folder.name })} action="leave"
    button=${t("people.leave")} kind="danger" work=${() => act.leaveFolder(folder.id)}>
    <p>${t("people.leave-what")}</p>
  <//>`;
}
