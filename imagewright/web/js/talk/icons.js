// Small pictures for buttons; each button has words, too, for those who do not see them.
import { html } from "../../vendor/preact-htm.js";

const PATHS = {
  up: "M7 10v10H4V10zm2 10h8a2 2 0 0 0 2-1.6l1.3-6A2 2 0 0 0 18.3 10H14V5a2 2 0 0 0-2-2l-3 7z",
  down: "M7 14V4H4v10zm2-10h8a2 2 0 0 1 2 1.6l1.3 6A2 2 0 0 1 18.3 14H14v5a2 2 0 0 1-2 2l-3-7z",
  back: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  branch: "M6 4v16M6 14c0-5 12-2 12-8m0 0-3 3m3-3 3 3",
  save: "M12 4v11m0 0-5-5m5 5 5-5M5 20h14",
  clip: "m8 13 6-6a3 3 0 0 1 4.2 4.2l-8 8a5 5 0 0 1-7-7L11 4.5",
  menu: "M4 6h16M4 12h16M4 18h16",
  tree: "M7 5v14M7 11h6a4 4 0 0 1 4 4v4",
  boxes: "M4 4h8v7H4zM12 13h8v7h-8z",
  stop: "M7 7h10v10H7z",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
