// The editor's buttons: add, back and forth, redraw, discard, close.
import { html, useState } from "../../vendor/preact-htm.js";
import { Confirm } from "../ui/dialog.js";

export function Tools({ state, dispatch, changes, busy, blocked, onAdd, onSend, onClose, before, past, setPast, reset }) {
  const [asking, setAsking] = useState(null);
  const lose = (then) => (changes && !busy ? setAsking(() => then) : then()); // what is being drawn is not lost
  const count = `${changes} change${changes === 1 ? "" : "s"}`;
  return html`<div class="stack">
    <div class="row">
      <button class="primary" disabled=${busy || blocked || !changes} onClick=${onSend}>Redraw what changed</button>
      <span class="quiet small" role="status">${changes ? count : `${before ? "Redrawn. " : ""}Nothing is changed`}</span>
    </div>
    <div class="row">
      <button id="editor-add" disabled=${busy} onClick=${onAdd}>Add a box</button>
      <button disabled=${busy || !state.past.length} onClick=${() => dispatch({ type: "undo" })}>Undo</button>
      <button disabled=${busy || !state.future.length} onClick=${() => dispatch({ type: "redo" })}>Redo</button>
      ${before && html`<button aria-pressed=${past} onClick=${() => setPast(!past)}>Picture before</button>`}
      <button class="bare" disabled=${busy || !changes} onClick=${() => lose(reset)}>Discard</button>
      ${onClose && html`<button class="bare" onClick=${() => lose(onClose)}>Close</button>`}
    </div>
    ${asking && html`<${Confirm} title="Discard the changes?" text=${`${count} would be lost.`} action="Discard"
      onYes=${asking} onClose=${() => setAsking(null)} />`}
  </div>`;
}
