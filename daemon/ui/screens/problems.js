// What is not in order: what it is, since when, and what to do.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { problemWords } from "/ui/screens/folders.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

/** Who is in the folder has to do with it, or can help. */
const OF_PEOPLE = ["not-a-recipient", "unknown-signer", "former-member", "disputed", "read-only", "not-yet-a-member"];
/** It ends when the folder is taken off the list. */
const OF_FOLDERS = ["not-a-member"];

export function Problems() {
  return html`<h1 tabindex="-1">${t("menu.problems")}</h1>
    ${state.problems.length === 0 && !state.unread.problems && html`<p>${t("problems.none")}</p>`}
    <${Refused} of="open" />
    <ul class="sheets">${state.problems.map((problem) => html`<${Problem} key=${keyOf(problem)} problem=${problem} />`)}</ul>`;
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
