// The pieces that every screen is made of.

import { html } from "/ui/html.js";
import { done, total } from "/ui/rate.js";
import { t } from "/ui/text.js";

// A shape for each state, not colour alone, as the tray has them (tray/icons). Drawn in a box of 24 by 24.
const SHAPES = {
  "up-to-date": "m5 13 4 4L19 7",
  working: "M12 4a8 8 0 0 1 8 8M12 20a8 8 0 0 1-8-8m13 0h6m-22 0h6",
  checking: "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12m4.5 10.5L20 20",
  "waiting-for-cloud": "M7 18a4 4 0 0 1 0-8 5 5 0 0 1 10 0 4 4 0 0 1 0 8z",
  paused: "M9 5v14m6-14v14",
  stopped: "M6 6h12v12H6z",
  offline: "M3 5h6l3 3h9v12H3zm6.5 6.5 5 5m0-5-5 5",
  attention: "M12 3 22 21H2zm0 7v4.5m0 3.2v.1",
  braked: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM8 12h8",
  locked: "M6 11h12v9H6zm2 0V8a4 4 0 0 1 8 0v3",
  "not-running": "M8 4.9a8.5 8.5 0 1 0 8 0M12 2v9",
};

/** The sign of a state, or of a daemon that is gone; its words stand beside it. */
export function Sign({ state }) {
  return html`<svg class="sign ${state}" viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[state] ?? SHAPES.checking} /></svg>`;
}

/** A button; while it is `busy` it says so, and what it does is not done twice (`perform` in actions.js). */
export function Button({ kind = "plain", busy = false, type = "button", children, ...rest }) {
  const isBusy = busy ? "true" : undefined;
  return html`<button class=${kind} type=${type} aria-disabled=${isBusy} aria-busy=${isBusy} ...${rest}>
    ${children}${busy && html`<span class="working">${t("common.working")}</span>`}
  </button>`;
}

/** A labelled field; `hint` says what to enter. `id` is its own where another form of the screen has a field of the name. */
export function Field({ name, id = name, label, hint, ...rest }) {
  const hintId = hint ? `${id}-hint` : undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${hint && html`<p class="quiet" id=${hintId}>${hint}</p>`}
    <input id=${id} name=${name} aria-describedby=${hintId} spellcheck="false" ...${rest} />
  </div>`;
}

/** What went wrong, in the words of whoever knows, and what to do. */
export function Failure({ failure, children }) {
  if (!failure) return null;
  return html`<div class="notice bad" role="alert">
    <p>${failure.what}</p>
    ${failure.detail && html`<p class="quiet">${failure.detail}</p>`}
    ${failure.remedy && html`<p class="quiet">${t("common.remedy", { remedy: failure.remedy })}</p>`}
    ${children}
  </div>`;
}

/** A dialog of the browser's own kind: it keeps the keyboard inside, and Escape closes it. */
export function Dialog({ title, onClose, children }) {
  const show = (element) => {
    if (element && !element.open) element.showModal();
  };
  return html`<dialog ref=${show} aria-labelledby="dialog-title" onClose=${onClose} onCancel=${onClose}>
    <h2 id="dialog-title" tabindex="-1">${title}</h2>
    ${children}
  </dialog>`;
}

/** How much is done: a bar, and counts and bytes as text. */
export function Progress({ progress, label, text }) {
  return html`<div class="progress">
    <progress aria-label=${label} max=${Math.max(total(progress), 1)} value=${done(progress)}></progress>
    <span class="quiet">${text}</span>
  </div>`;
}

/** What the account knows of somebody's keys. */
export function Standing({ of }) {
  return html`<span class=${of === "changed" ? "changed" : "quiet"}>${t(`standing.${of}`)}</span>`;
}

/** Begins a screen at its top, with the keyboard at its heading: what is above that is seen as well. */
export function toTop() {
  scrollTo(0, 0);
  document.querySelector("main h1")?.focus({ preventScroll: true });
}

/** Brings what came below into sight, as a whole where it fits, with the keyboard at its heading, whose `id` this is. */
export function bringUp(id) {
  const heading = document.getElementById(id);
  heading?.focus({ preventScroll: true });
  heading?.parentElement.scrollIntoView({ block: "nearest" });
}

/** A path, in its own direction of writing. */
export function Path({ path }) {
  return html`<span dir="auto">${path}</span>`;
}
