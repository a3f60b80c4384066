// Markup in template strings: html`<p class="quiet">${text}</p>`.

import htm from "/ui/vendor/htm.mjs";
import { h, render } from "/ui/vendor/preact.mjs";

export const html = htm.bind(h);
export { render };
