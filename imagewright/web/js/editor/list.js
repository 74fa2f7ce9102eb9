// The boxes as a list beside the picture: every box can be reached here, with exact numbers, also under another one.
import { html } from "../../vendor/preact-htm.js";
import { isMoved, isRenamed, replaced, withSide } from "./model.js";
import { nameFinding, percent } from "./words.js";

const FIELDS = [["x", "Left"], ["y", "Top"], ["width", "Width"], ["height", "Height"]];

export function BoxList({ state, dispatch, findingsOf, onDelete, busy }) {
  if (!state.boxes.length) return html`<p class="quiet">No boxes yet. Drag on the picture, or add one.</p>`;
  return html`<ol class="box-list" aria-label="Boxes">
    ${state.boxes.map((box) => box.gone
      ? html`<${Gone} key=${box.key} box=${box} dispatch=${dispatch} busy=${busy} />`
      : html`<${Row} key=${box.key} box=${box} selected=${box.key === state.selected} findings=${findingsOf(box)}
          dispatch=${dispatch} onDelete=${onDelete} busy=${busy} />`)}
  </ol>`;
}

function Gone({ box, dispatch, busy }) {
  return html`<li class="row small"><s class="any-text">${box.caption}</s> <span class="badge">deleted</span>
    <button class="bare" disabled=${busy} aria-label=${`Restore ${box.caption}`}
      onClick=${() => dispatch({ type: "put", change: replaced(box.key, (one) => ({ ...one, gone: false })), select: box.key })}>Restore</button></li>`;
}

function Row({ box, selected, findings, dispatch, onDelete, busy }) {
  const state = box.was === null ? "new" : [isMoved(box) && "moved", isRenamed(box) && "renamed"].filter(Boolean).join(", ");
  return html`<li class=${selected ? "selected" : ""}>
    <button class="bare name" aria-expanded=${selected} onClick=${() => dispatch({ type: "select", key: selected ? null : box.key })}>
      <span class="any-text">${box.caption || "new box"}</span>${state && html` <span class="badge">${state}</span>`}
    </button>
    ${findings.map((finding) => html`<p class="finding small" key=${finding.detail}><span aria-hidden="true">⚠</span>
      <strong> ${nameFinding(finding)}</strong> <span class="any-text">${finding.detail}</span></p>`)}
    ${selected && html`<${Fields} box=${box} dispatch=${dispatch} onDelete=${onDelete} busy=${busy} />`}
  </li>`;
}

function Fields({ box, dispatch, onDelete, busy }) {
  const put = (change) => dispatch({ type: "put", change: replaced(box.key, change) });
  function rename(event) {
    const caption = event.target.value.trim().replace(/\s+/g, " ");
    if (caption && caption !== box.caption) put((one) => ({ ...one, caption }));
    else event.target.value = box.caption;
  }
  function place(event, side) {
    const value = event.target.valueAsNumber / 100;
    if (Number.isFinite(value)) put((one) => withSide(one, side, value));
    event.target.value = percent(Number.isFinite(value) ? withSide(box, side, value)[side] : box[side]);
  }
  return html`<div class="fields">
    <label class="wide">What is there<input maxlength="200" disabled=${busy} value=${box.caption} onChange=${rename} /></label>
    ${FIELDS.map(([side, name]) => html`<label key=${side}>${name}, %<input type="number" min="0" max="100" step="0.5" disabled=${busy}
      value=${percent(box[side])} onChange=${(event) => place(event, side)} /></label>`)}
    <button class="danger wide" disabled=${busy} onClick=${() => onDelete(box)}>Delete</button>
  </div>`;
}
