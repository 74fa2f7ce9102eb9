// One thumbnail of the grid: a link to the picture, and a button that selects it for comparing.
import { html } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";
import { toggle } from "./kept.js";

export function Cell({ index, total, item, side, at, tab, filters, picked, onFocus }) {
  const style = { width: `${side}px`, height: `${side}px`, transform: `translate(${at.x}px, ${at.y}px)` };
  return html`<li class="cell" style=${style} data-index=${index} aria-setsize=${total} aria-posinset=${index + 1}
    data-accepted=${item?.accepted ?? ""} data-thumb=${item?.thumb} data-picked=${picked}>
    ${item && html`<a href=${linkTo("gallery", [item.run], filters)} tabindex=${tab ? 0 : -1} aria-label=${describe(item)}
        title=${item.prompt} onFocus=${onFocus}>
        <img src=${item.thumbnail} width="320" height="320" alt="" decoding="async" /></a>
      <button class="pick" tabindex="-1" aria-pressed=${picked} aria-label=${`Select for comparing: ${item.prompt}`}
        onClick=${() => toggle(item.run)}></button>`}
  </li>`;
}

const JUDGED = { true: "accepted", false: "not accepted" };

function describe({ prompt, accepted, thumb }) {
  return [prompt, JUDGED[accepted], thumb && `thumb ${thumb}`].filter(Boolean).join("; ");
}
