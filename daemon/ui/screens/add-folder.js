// Another folder, or the first one: choose both directories, look at what would happen, start.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Path, Standing } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { ChooseDirectory, DirectoryField } from "/ui/screens/choose-directory.js";
import { SafetyNumber } from "/ui/screens/people.js";
import { state } from "/ui/store.js";
import { size, t } from "/ui/text.js";

const OTHER = "other";
/** What can fail here. */
const FAILING = ["clouds", "preview", "add"];

export function AddFolder() {
  const { form, busy } = state;
  return html`<h1 tabindex="-1">${t(state.folders.length ? "add.title" : "add.first-title")}</h1>
    <p>${t("add.why")}</p>
    <form onSubmit=${look}>
      <${DirectoryField} name="work" label=${t("add.work")} hint=${t("add.work-hint")} placeholder="/home/alice/Work" onInput=${() => act.forgetPreview()} required />
      <${Places} />
      ${!state.dialog && FAILING.map((of) => html`<${Refused} key=${of} of=${of} />`)}
      ${form.askedOwner && html`<${AskedOwner} />`}
      <div class="actions">
        <${Button} kind=${form.preview ? "plain" : "main"} type="submit" busy=${busy.has("preview")}>${t("add.look")}<//>
        ${busy.has("preview") && html`<${Button} onClick=${act.cancelPreview}>${t("common.cancel")}<//>`}
      </div>
    </form>
    ${form.preview && html`<${Preview} preview=${form.preview} />`}
    <${ChooseDirectory} />
    <${SafetyNumber} />`;
}

function look(event) {
  event.preventDefault();
  const { work, place, other } = event.currentTarget.elements;
  const chosen = place?.value ?? OTHER;
  const encrypted = chosen === OTHER ? other.value : chosen;
  act.preview({ work: work.value.trim(), encrypted: encrypted.trim() });
}

/** Where the cloud lives: what was found on this computer, or anything else. Somebody else's folder is never chosen by itself. */
function Places() {
  const isLooking = !state.clouds && state.failure?.name !== "clouds";
  const clouds = state.clouds ?? { folders: [], clouds: [] };
  const joins = (whose) => clouds.folders.filter((folder) => folder.whose === whose);
  const news = clouds.clouds.filter((cloud) => cloud.suggested);
  const mine = [
    ...joins("own").map((folder) => ({ path: folder.encrypted, text: t("add.own") })),
    ...news.map((cloud) => ({ path: cloud.suggested, text: t("add.new-in", { client: cloud.client }) })),
  ];
  const shared = joins("shared").map(({ encrypted, owner, standing }) => ({ path: encrypted, text: t("add.shared", { owner }), standing }));
  const places = [...mine, ...shared];
  const wanted = state.form.place;
  const chosen = [...places.map(({ path }) => path), OTHER].includes(wanted) ? wanted : (mine[0]?.path ?? OTHER);
  const choose = (event) => act.forgetPreview({ place: event.currentTarget.value });
  const choice = (value, text, standing) => html`<label class="choice" key=${value}>
    <input type="radio" name="place" value=${value} checked=${chosen === value} onChange=${choose} />
    <span>${text}${standing && html`<br /><${Standing} of=${standing} />`}</span>
  </label>`;
  return html`<fieldset>
    <legend>${t("add.encrypted")}</legend>
    ${isLooking ? html`<p role="status">${t("add.looking")}</p>` : html`<p class="quiet">${state.clouds && t(places.length > 0 ? "add.found" : "add.not-found")} ${t("add.own-first")}</p>`}
    ${places.map(({ path, text, standing }) => choice(path, html`${text} <${Path} path=${path} />`, standing))}
    ${choice(OTHER, t("add.other"))}
    ${chosen === OTHER &&
    html`<${DirectoryField} name="other" label=${t("add.other-path")} placeholder="/home/alice/Nextcloud/Encrypted" onInput=${() => act.forgetPreview({ place: OTHER })} required />`}
  </fieldset>`;
}

/** The folder says who its owner is; whether that is so, only the key server and the user can say. */
function AskedOwner() {
  const { askedOwner, pair } = state.form;
  return html`<div class="notice warn">
    <p id="owner" tabindex="-1">${t("add.owner", { owner: askedOwner })}</p>
    <${Button} onClick=${() => act.preview({ ...pair, from: askedOwner })}>${t("add.owner-yes", { owner: askedOwner })}<//>
  </div>`;
}

function Preview({ preview }) {
  // Whoever was invited joins that folder, and makes none where it has not arrived yet.
  const isOther = state.form.folder && state.form.folder !== preview.folder;
  const counted = ["encrypt", "decrypt", "delete", "same", "differ"].filter((what) => preview[what] > 0);
  const line = (what) => t(`preview.${what}`, { count: preview[what], size: size(preview[`${what}_bytes`] ?? 0) });
  const lines = counted.length > 0 ? counted.map(line) : [t("preview.empty")];
  return html`<section class="sheet" aria-labelledby="preview">
    <h2 id="preview" tabindex="-1">${t("preview.title")}</h2>
    <dl>
      <dt>${t("folders.work")}</dt>
      <dd><${Path} path=${preview.work} /></dd>
      <dt>${t("folders.encrypted")}</dt>
      <dd><${Path} path=${preview.encrypted} /></dd>
    </dl>
    <p>${preview.owner ? t("preview.joins-of", { owner: preview.owner.login }) : t(preview.is_join ? "preview.joins" : "preview.makes")}</p>
    ${preview.owner && html`<p><${Standing} of=${preview.owner.standing} /></p>`}
    <ul>${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
    ${preview.missing.map((path) => html`<p class="quiet" key=${path}>${t("preview.missing", { path })}</p>`)}
    ${preview.warnings.map((warning) => html`<p class="notice warn" key=${warning.class}>${t(`warning.${warning.class}`)}</p>`)}
    <p class="quiet">${t("preview.nothing-yet")}</p>
    ${isOther
      ? html`<p class="notice warn">${t("preview.not-invited")}</p>`
      : html`<${Button} kind="main" busy=${state.busy.has("add")} onClick=${act.addFolder}>${t("preview.start")}<//>`}
  </section>`;
}
