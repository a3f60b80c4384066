// The folders of this computer: where they are, how they are, and what can be done with them.

import * as act from "/ui/actions.js";
import { AskingDialog } from "/ui/asking.js";
import { html } from "/ui/html.js";
import { Button, Path, Progress, Sign, Standing } from "/ui/parts.js";
import { left, spoken } from "/ui/rate.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { has, size, t, time } from "/ui/text.js";

export function Folders() {
  const shared = state.status["shared-with-me"] ?? [];
  return html`<h1 tabindex="-1">${t("menu.folders")}</h1>
    ${state.folders.length === 0 && !state.unread.folders && html`<p>${t("folders.none")}</p>`}
    <ul class="sheets">${state.folders.map((folder) => html`<${Folder} key=${folder.id} folder=${folder} />`)}</ul>
    ${shared.map(
      (found) => html`<div class="notice" key=${found.encrypted}>
        <p>${t("folders.shared", { owner: found.owner, path: found.encrypted })}</p>
        <p><${Standing} of=${found.standing} /></p>
        <${Button} onClick=${() => act.addShared(found.encrypted)}>${t("folders.add-shared")}<//>
      </div>`,
    )}
    ${!state.dialog && html`<${Refused} of="open" /><${Refused} of="brake" />`}
    <div class="actions">
      <${Button} kind=${state.folders.length ? "plain" : "main"} onClick=${() => act.go("add")}>${t("folders.add")}<//>
      <${Button} onClick=${() => act.go("invited")}>${t("invited.title")}<//>
    </div>
    <${FolderDialog} />`;
}

/** The status of a listed folder: newer than the list. */
export const statusOf = (folder) => state.status.folders.find((one) => one.folder === folder.id) ?? folder.status;

/** What keeps a folder as a whole from syncing, and what to do. */
export function Obstacle({ status }) {
  return html`${status.state === "offline" && html`<p class="notice warn">${t("folders.offline")}</p>`}
    ${status.brake && html`<${Brake} brake=${status.brake} />`}`;
}

function Folder({ folder }) {
  const status = statusOf(folder);
  const open = (side) => () => act.openFolder(folder.id, side);
  return html`<li class="sheet">
    <h2>${folder.name}</h2>
    <${StateLine} status=${status} />
    ${counts(status).map(([name, text]) => html`<p class="quiet" key=${name}>${SCREEN_OF[name] ? html`<a href="#/${SCREEN_OF[name]}">${text}</a>` : text}</p>`)}
    ${status.progress && html`<${Progress} progress=${status.progress} label=${t("folders.progress")} text=${progressText(folder.id, status.progress)} />`}
    <${Obstacle} status=${status} />
    <dl>
      <dt>${t("folders.work")}</dt>
      <dd><${Path} path=${folder.work} /></dd>
      <dt>${t("folders.encrypted")}</dt>
      <dd><${Path} path=${folder.encrypted} /></dd>
      ${folder.role && html`<dt>${t("folders.role")}</dt><dd>${t(`role.${folder.role}`)}</dd>`}
      ${status["last-checked"] && html`<dt>${t("folders.last-checked")}</dt><dd>${time(status["last-checked"])}</dd>`}
    </dl>
    <div class="actions">
      <${Button} onClick=${open("work")}>${t("folders.open-work")}<//>
      <${Button} onClick=${open("encrypted")}>${t("folders.open-encrypted")}<//>
      <${Button} onClick=${() => act.go("people", folder.id)}>${t("folders.people")}<//>
      <${Button} kind="danger" onClick=${() => act.openDialog({ name: "remove", folder })}>${t("folders.remove")}<//>
    </div>
  </li>`;
}

export function StateLine({ status }) {
  return html`<div class="line"><${Sign} state=${status.state} /><p>${stateOf(status)}</p></div>`;
}

function stateOf(status) {
  if (status.shut) return t(`problem.${status.shut}`);
  const text = t(`state.${status.state}`);
  return status.why ? t("folders.why", { state: text, why: status.why }) : text;
}

/** Where what is counted is listed. */
const SCREEN_OF = { problems: "problems", "still-arriving": "problems", conflicts: "conflicts" };

function counts(status) {
  const all = [
    ["problems", status.problems],
    ["still-arriving", status["still-arriving"]],
    ["conflicts", status.conflicts],
    ["reencrypting", status.reencrypting ?? 0],
  ];
  return all.filter(([, count]) => count > 0).map(([name, count]) => [name, t(`count.${name}`, { count })]);
}

function progressText(folder, progress) {
  const done = progress["done-count"];
  const count = progress["total-count"];
  const bytes = { done: size(progress["done-bytes"]), total: size(progress["total-bytes"]) };
  const parts = [t("progress.count", { done, count }), t("progress.bytes", bytes)];
  const rest_ms = left(state.rates[folder]);
  if (rest_ms !== null) {
    const { text, count: number } = spoken(rest_ms);
    parts.push(t(text, { count: number }));
  }
  return parts.join(", ");
}

function brakeText({ kind, count, of, objects }) {
  if (kind === "root-gone" && objects.length === 0) return t("brake.other-root");
  return t(`brake.${kind}`, { count: kind === "root-gone" ? objects.length : count, of });
}

function Brake({ brake }) {
  return html`<div class="notice bad">
    <p>${brakeText(brake)}</p>
    <p>${t("brake.what-now")}</p>
    <${Button} kind="danger" onClick=${() => act.openDialog({ name: "brake", brake })}>${t("brake.go-on")}<//>
  </div>`;
}

/** Whether the brake's changes are to be carried out, and whether a folder is to be taken off the list. */
export function FolderDialog() {
  const { dialog } = state;
  if (dialog?.name === "brake") {
    return html`<${AskingDialog} title=${t("brake.title")} action="brake" button=${t("brake.go-on")} kind="danger" work=${() => act.releaseBrake(dialog.brake.token)}>
      <p>${brakeText(dialog.brake)}</p>
      <p>${t("brake.sure")}</p>
    <//>`;
  }
  if (dialog?.name === "remove") {
    const { id, name } = dialog.folder;
    return html`<${AskingDialog} title=${t("remove.title", { name })} action=${`remove ${id}`} button=${t("folders.remove")} kind="danger" work=${() => act.removeFolder(id)}>
      <p>${t("remove.what")}</p>
    <//>`;
  }
  return null;
}

/** What is wrong, and what to do: in the reader's language by the class, with the daemon's detail. */
export function problemWords(problem) {
  const what = has(`problem.${problem.class}`) ? t(`problem.${problem.class}`) : problem.what;
  const detail = /\(([^()]*)\)$/.exec(problem.what)?.[1];
  const remedy = has(`remedy.${problem.class}`) ? t(`remedy.${problem.class}`) : problem.remedy;
  return { what, detail, remedy };
}
