// Files that were kept twice: both contents side by side, and which of them stays.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { size, t, time } from "/ui/text.js";

const CHOICES = ["both", "original", "copy"];

export function Conflicts() {
  const { conflicts, unread } = state;
  return html`<h1 tabindex="-1">${t("menu.conflicts")}</h1>
    ${(conflicts.length > 0 || !unread.conflicts) && html`<p>${conflicts.length === 0 ? t("conflicts.none") : t("conflicts.why")}</p>`}
    <${Refused} of="open" />
    <${Refused} of="settings" />
    <ul class="sheets">${conflicts.map((conflict) => html`<${Conflict} key=${conflict.conflict} conflict=${conflict} />`)}</ul>
    ${conflicts.length === 0 && html`<${Refused} of="resolve" />`}`;
}

function Conflict({ conflict }) {
  const { folder, conflict: id, original, copy } = conflict;
  const kept = state.form[id] ?? "both";
  const choose = (event) => act.changeForm({ [id]: event.currentTarget.value });
  const submit = (event) => {
    event.preventDefault();
    act.resolve(conflict, kept);
  };
  // A content whose file is gone is in no place that the other could take.
  const choices = original ? CHOICES : ["both"];
  return html`<li class="sheet">
    <h2><${Path} path=${act.below(folder, (original ?? copy).path)} /></h2>
    <p class="quiet">${t("conflicts.in", { folder: act.nameOf(folder) })}</p>
    <div class="pair">
      ${original
        ? html`<${Content} folder=${folder} file=${original} author=${conflict.author} title=${t("conflicts.original")} />`
        : html`<section><h3>${t("conflicts.original")}</h3><p>${t("conflicts.gone")}</p></section>`}
      <${Content} folder=${folder} file=${copy} author=${conflict.copy_author} title=${t("conflicts.copy")} />
    </div>
    <form onSubmit=${submit}>
      <fieldset>
        <legend>${t("keep.legend")}</legend>
        ${choices.map(
          (choice) => html`<label class="choice" key=${choice}>
            <input type="radio" name="keep" value=${choice} checked=${choice === kept} onChange=${choose} />
            <span>${t(`keep.${choice}`)}</span>
          </label>`,
        )}
        <p class="quiet">${t(`keep.what-${kept}`, { count: act.trashDays() })}</p>
      </fieldset>
      <${Refused} of=${`resolve ${id}`} />
      <${Button} kind="main" type="submit" busy=${state.busy.has(`resolve ${id}`)}>${t("keep.button")}<//>
    </form>
  </li>`;
}

/** One of the two contents. */
function Content({ folder, file, author, title }) {
  const name = act.below(folder, file.path);
  return html`<section>
    <h3>${title}</h3>
    <p><${Path} path=${name} /></p>
    <dl>
      <dt>${t("conflicts.written")}</dt>
      <dd>${t(file.here ? "conflicts.here" : "conflicts.elsewhere")}${author && html`<br />${author}`}</dd>
      <dt>${t("conflicts.changed")}</dt>
      <dd>${time(file.modified)}</dd>
      <dt>${t("conflicts.size")}</dt>
      <dd>${size(file.size_bytes)}</dd>
    </dl>
    <${Button} busy=${state.busy.has("open")} aria-label=${t("files.show-one", { name })} onClick=${() => act.showFile(folder, name)}>${t("files.show")}<//>
  </section>`;
}
