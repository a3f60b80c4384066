// What is not in order: what it is, since when, and what to do.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Failure, Path } from "/ui/parts.js";
import { problemWords } from "/ui/screens/folders.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

export function Problems() {
  return html`<h1 tabindex="-1">${t("menu.problems")}</h1>
    ${state.problems.length === 0 && html`<p>${t("problems.none")}</p>`}
    ${state.failure?.name === "open" && html`<${Failure} failure=${act.words(state.failure)} />`}
    <ul class="sheets">${state.problems.map((problem) => html`<${Problem} key=${keyOf(problem)} problem=${problem} />`)}</ul>`;
}

const keyOf = ({ folder, object, path, class: of }) => [folder, object, path, of].join("|");

function Problem({ problem }) {
  const folder = state.folders.find((one) => one.id === problem.folder);
  const { what, detail, remedy } = problemWords(problem);
  const side = problem.object ? "encrypted" : "work";
  return html`<li class="sheet">
    <h2><${Path} path=${problem.path ?? problem.object ?? folder?.name ?? problem.folder} /></h2>
    <p>${what}</p>
    ${detail && html`<p class="quiet">${detail}</p>`}
    <p><strong>${t("problems.do")}</strong> ${remedy}</p>
    <p class="quiet">${t("problems.since", { folder: folder?.name ?? problem.folder, time: time(problem.since) })}</p>
    ${folder && html`<${Button} onClick=${() => act.openFolder(folder.id, side)}>${t(`folders.open-${side}`)}<//>`}
  </li>`;
}
