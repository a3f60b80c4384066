// What Ensafer deleted or replaced on this computer, and the way back.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Field, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { size, t, time } from "/ui/text.js";

export function Trash() {
  const { form, trash } = state;
  const sought = (form.text ?? "").trim().toLocaleLowerCase();
  const found = (trash ?? []).filter((item) => item.path.toLocaleLowerCase().includes(sought));
  const shown = form.shown ?? act.PAGE_COUNT;
  const filter = (event) => act.changeForm({ text: event.currentTarget.value });
  return html`<h1 tabindex="-1">${t("menu.trash")}</h1>
    <p>${t("trash.why", { count: act.trashDays() })}</p>
    <${Refused} of="trash" />
    <${Refused} of="settings" />
    <${Refused} of="open" />
    <${Restored} />
    ${trash?.length > 0 && html`<${Field} name="text" type="search" label=${t("trash.text")} autocomplete="off" onInput=${filter} />`}
    ${trash && found.length === 0 && html`<p role="status">${t("trash.none")}</p>`}
    ${found.length > 0 && html`<ul class="sheet rows">${found.slice(0, shown).map((item) => html`<${Item} key=${`${item.folder} ${item.item}`} item=${item} />`)}</ul>`}
    ${found.length > shown && html`<${Button} onClick=${() => act.changeForm({ shown: shown + act.PAGE_COUNT })}>${t("activity.more")}<//>`}`;
}

/** What has come back last, and where it lies now: maybe beside what took its place. */
function Restored() {
  const { restored } = state.form;
  if (!restored) return null;
  const name = act.below(restored.folder, restored.path);
  return html`<div class="notice">
    <p>${t("trash.restored")} <${Path} path=${name} /></p>
    <${Button} busy=${state.busy.has("open")} onClick=${() => act.showFile(restored.folder, name)}>${t("files.show")}<//>
  </div>`;
}

function Item({ item }) {
  const name = `restore ${item.folder} ${item.item}`;
  return html`<li>
    <p><${Path} path=${item.path} /></p>
    <p class="quiet">
      ${t("trash.moved")} <time datetime=${item.moved}>${time(item.moved)}</time>${item.kind === "file" && html` · ${size(item.size_bytes)}`}${state.folders.length > 1 && html` · ${act.nameOf(item.folder)}`}
    </p>
    <${Refused} of=${name} />
    <${Button} busy=${state.busy.has(name)} aria-label=${t("trash.restore-one", { name: item.path })} onClick=${() => act.restore(item)}>${t("trash.restore")}<//>
  </li>`;
}
