// A dialog that asks before something is done, and for what that needs.

import * as act from "/ui/actions.js";
import { html } from "/ui/html.js";
import { Button, Dialog } from "/ui/parts.js";
import { Refused } from "/ui/refused.js";
import { state } from "/ui/store.js";
import { t } from "/ui/text.js";

/** `work` gets the fields of the form, by name, and the form; `action` is the name of what it performs. */
export function AskingDialog({ title, action, button, kind = "main", work, children }) {
  const [asked] = action.split(" ");
  const submit = (event) => {
    event.preventDefault();
    work(event.currentTarget.elements, event.currentTarget);
  };
  return html`<${Dialog} title=${title} onClose=${act.closeDialog}>
    <form onSubmit=${submit}>
      ${children}
      <${Refused} of=${asked} />
      <div class="actions">
        <${Button} onClick=${act.closeDialog}>${t("common.cancel")}<//>
        <${Button} kind=${kind} type="submit" busy=${state.busy.has(action)}>${button}<//>
      </div>
    </form>
  <//>`;
}
