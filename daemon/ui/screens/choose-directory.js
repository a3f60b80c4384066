// A dialog to choose a directory of this computer. A page cannot look for itself: the daemon lists them.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Dialog, Field, Path } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

/** A field for a directory's path, which may be typed or chosen. */
export function DirectoryField({ name, label, ...rest }) {
  const choose = () => act.chooseDirectory(name, document.getElementById(name).value.trim());
  return html`<div class="choose">
    <${Field} name=${name} label=${label} autocomplete="off" ...${rest} />
    <${Button} busy=${state.busy.has("directories")} aria-label=${t("choose.button-for", { label })} onClick=${choose}>${t("choose.button")}<//>
  </div>`;
}

export function ChooseDirectory() {
  const { dialog } = state;
  if (dialog?.name !== "choose-directory") return null;
  const { listing } = dialog;
  const submit = (event) => {
    event.preventDefault();
    act.takeDirectory(event.currentTarget.elements.path.value.trim());
  };
  return html`<${Dialog} title=${t("choose.title")} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      <${Field} name="path" label=${t("choose.path")} hint=${t("choose.path-hint")} defaultValue=${dialog.start} autocomplete="off" required />
      <${Refused} of="directories" />
      ${listing && html`<${Listing} listing=${listing} isHiddenShown=${dialog.isHiddenShown} />`}
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind="main" type="submit">${t("choose.take")}<//>
      </div>
    </form>
  <//>`;
}

/** What lies in the directory that is looked at. What is selected is written into the field, and Enter goes into it. */
function Listing({ listing, isHiddenShown }) {
  const shown = listing.directories.filter((one) => isHiddenShown || !one.is_hidden);
  const select = ({ currentTarget: list }) => act.typeDirectory(act.joined(listing.path, list.value));
  const enter = () => act.listDirectory(document.getElementById("path").value.trim());
  const keydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    enter();
  };
  const isBusy = state.busy.has("directories");
  return html`<div class="field">
      <label for="directories">${t("choose.in")} <${Path} path=${listing.path} /></label>
      <p class="quiet" id="directories-hint">${t("choose.list-hint")}</p>
      <select id="directories" size="8" aria-describedby="directories-hint" onChange=${select} onKeyDown=${keydown} onDblClick=${enter}>
        ${shown.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
      <p class="quiet" role="status">${t("choose.count", { count: shown.length })} ${listing.is_cut && t("choose.cut")}</p>
    </div>
    <div class="actions">
      <${Button} busy=${isBusy} onClick=${() => listing.parent && act.listDirectory(listing.parent)}>${t("choose.up")}<//>
      <${Button} busy=${isBusy} onClick=${enter}>${t("choose.enter")}<//>
      <${Button} busy=${isBusy} onClick=${() => act.listDirectory("")}>${t("choose.home")}<//>
    </div>
    <label class="choice"><input type="checkbox" checked=${isHiddenShown} onChange=${act.toggleHidden} />${t("choose.hidden")}</label>`;
}
