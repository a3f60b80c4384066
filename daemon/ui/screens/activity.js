// What was done in the folders of this computer, the latest first.

import * as act from "/ui/actions.js";
import { filtered } from "/ui/deeds.js";
import { html } from "/ui/html.js";
import { Button, Field, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t, time } from "/ui/text.js";

const DEEDS = ["added", "changed", "moved", "removed"];

export function Activity() {
  const { form, activity } = state;
  const shown = form.shown ?? act.PAGE_COUNT;
  const deeds = filtered(activity ?? [], form);
  // Nothing was found only where all was looked at.
  const isTold = activity && (deeds.length > 0 || state.isActivityWhole);
  return html`<h1 tabindex="-1">${t("menu.activity")}</h1>
    <${Filter} />
    <${Refused} of="activity" />
    ${isTold && html`<p class="quiet" role="status">${deeds.length === 0 ? t("activity.none") : t("activity.count", { count: Math.min(shown, deeds.length) })}</p>`}
    ${deeds.length > 0 && html`<ul class="sheet rows">${deeds.slice(0, shown).map((deed, at) => html`<${Deed} key=${at} deed=${deed} />`)}</ul>`}
    <div class="actions">
      ${(deeds.length > shown || !state.isActivityWhole) && html`<${Button} busy=${state.busy.has("activity")} onClick=${() => act.showMoreActivity(shown)}>${t("activity.more")}<//>`}
      ${["csv", "json"].map((kind) => html`<${Button} key=${kind} busy=${state.busy.has("activity")} onClick=${() => act.exportActivity(kind)}>${t(`activity.${kind}`)}<//>`)}
    </div>`;
}

function Filter() {
  const filter = (event) => act.filterActivity({ [event.currentTarget.name]: event.currentTarget.value });
  const option = (value, text, chosen) => html`<option key=${value} value=${value} selected=${value === (chosen ?? "")}>${text}</option>`;
  const { form, folders } = state;
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <${Field} name="text" type="search" label=${t("activity.text")} autocomplete="off" onInput=${filter} />
    ${folders.length > 1 &&
    html`<div class="field">
      <label for="in-folder">${t("activity.folder")}</label>
      <select id="in-folder" name="folder" onChange=${filter}>
        ${[option("", t("activity.all"), form.folder), ...folders.map(({ id, name }) => option(id, name, form.folder))]}
      </select>
    </div>`}
    <div class="field">
      <label for="deed">${t("activity.deed")}</label>
      <select id="deed" name="deed" onChange=${filter}>
        ${[option("", t("activity.all"), form.deed), ...DEEDS.map((deed) => option(deed, t(`deed.${deed}`), form.deed))]}
      </select>
    </div>
  </form>`;
}

function Deed({ deed }) {
  const { at, folder, path, from, here, author } = deed;
  return html`<li>
    <p><strong>${t(`deed.${deed.deed}`)}</strong> <${Path} path=${path} /></p>
    ${from && html`<p class="quiet">${t("activity.from")} <${Path} path=${from} /></p>`}
    <p class="quiet">
      <time datetime=${at}>${time(at)}</time>${state.folders.length > 1 && html` · ${act.nameOf(folder)}`} · ${here ? t("activity.here") : author}
    </p>
  </li>`;
}
