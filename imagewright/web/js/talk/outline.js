// Where things are planned to go: boxes drawn over a picture in the making.
import { html } from "../../vendor/preact-htm.js";

const share = (part) => `${100 * part}%`;

export function Outline({ layout, quiet }) {
  if (!layout?.boxes?.length) return null;
  return html`<div class="outline" aria-hidden="true">
    ${layout.boxes.map((box, number) => html`<div key=${number} title=${box.caption}
      style=${{ left: share(box.x), top: share(box.y), width: share(box.width), height: share(box.height) }}>
      ${!quiet && html`<span>${box.caption}</span>`}</div>`)}
  </div>`;
}

// As wide as a picture is shown: small ones are enlarged, large ones fit into the column and the window.
export function shownSize({ width, height }) {
  return { aspectRatio: `${width} / ${height}`, width: `min(100%, ${Math.max(width, 360)}px, ${Math.round((65 * width) / height)}vh)` };
}
