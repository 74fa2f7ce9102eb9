// Small pictures for buttons; each button has words, too, for those who do not see them.
import { html } from "../../vendor/preact-htm.js";

const PATHS = {
  clip: "m8 13 6-6a3 3 0 0 1 4.2 4.2l-8 8a5 5 0 0 1-7-7L11 4.5",
  menu: "M4 6h16M4 12h16M4 18h16",
};

export const Icon = ({ name }) => html`<svg class="icon" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
