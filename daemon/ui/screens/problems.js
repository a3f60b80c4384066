// What is not in order, files and whole folders: what it is, since when, and what to do.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { FolderDialog, Obstacle, StateLine, problemWords, statusOf } from "/ui/screens/folders.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

/** Who is in the folder has to do with it, or can help. */
const OF_PEOPLE = ["not-a-recipient", "unknown-signer", "former-member", "disputed", "read-only", "not-yet-a-member"];
/** It ends when the folder is taken off the list. */
const OF_FOLDERS = ["not-a-member"];

/** States of a folder that stands as a whole, and says so by no file. */
const STANDING = ["locked", "offline", "braked"];

export function Problems() {
  const { problems, unread, dialog } = state;
  const standing = state.folders.filter((folder) => STANDING.includes(statusOf(folder).state) || statusOf(folder).brake);
  const isNone = problems.length === 0 && standing.length === 0 && !unread.problems && !unread.folders;
  return html`<h1 tabindex="-1">${t("menu.problems")}</h1>
    ${isNone && html`<p>${t(state.status.state === "up-to-date" ? "problems.none" : "problems.none-known")}</p>`}
    <${Refused} of="open" />
    ${!dialog && html`<${Refused} of="brake" />`}
    <ul class="sheets">
      ${standing.map((folder) => html`<${Standing} key=${folder.id} folder=${folder} />`)}
      ${problems.map((problem) => html`<${Problem} key=${keyOf(problem)} problem=${problem} />`)}
    </ul>
    <${FolderDialog} />`;
}

/** A folder in which nothing goes on, with what stands in the way. The keys are opened above every screen. */
function Standing({ folder }) {
  const status = statusOf(folder);
  return html`<li class="sheet">
    <h2>${folder.name}</h2>
    <${StateLine} status=${status} />
    <${Obstacle} status=${status} />
    ${status.state === "offline" && html`<div class="actions"><${Button} onClick=${() => act.go("folders")}>${t("help.folders")}<//></div>`}
  </li>`;
}

const keyOf = ({ folder, object, path, class: of }) => [folder, object, path, of].join("|");

function Problem({ problem }) {
  const folder = state.folders.find((one) => one.id === problem.folder);
  const { what, detail, remedy } = problemWords(problem);
  const side = problem.object ? "encrypted" : "work";
  const subject = problem.object ?? problem.path;
  const isThere = subject && problem.class !== "missing";
  return html`<li class="sheet">
    <h2><${Path} path=${problem.path ?? problem.object ?? folder?.name ?? problem.folder} /></h2>
    <p>${what}</p>
    ${detail && html`<p class="quiet">${detail}</p>`}
    <p><strong>${t("problems.do")}</strong> ${remedy}</p>
    <p class="quiet">${t("problems.since", { folder: folder?.name ?? problem.folder, time: time(problem.since) })}</p>
    ${folder &&
    html`<div class="actions">
      ${isThere && html`<${Button} aria-label=${t("files.show-one", { name: subject })} onClick=${() => act.openFolder(folder.id, side, subject)}>${t("files.show")}<//>`}
      ${!isThere && html`<${Button} onClick=${() => act.openFolder(folder.id, side)}>${t(`folders.open-${side}`)}<//>`}
      ${OF_PEOPLE.includes(problem.class) && html`<${Button} onClick=${() => act.go("people", folder.id)}>${t("folders.people")}<//>`}
      ${OF_FOLDERS.includes(problem.class) && html`<${Button} onClick=${() => act.go("folders")}>${t("help.folders")}<//>`}
      ${problem.class === "nested-mount" && html`<${Button} onClick=${() => act.go("add")}>${t("folders.add")}<//>`}
    </div>`}
  </li>`;
}
