// What the person said.
import { html } from "../../vendor/preact-htm.js";

export function Said({ text }) {
  return html`<p class="said any-text" dir="auto">${text}</p>`;
}
