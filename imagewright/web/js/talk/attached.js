// What was dropped, pasted or chosen: a picture to start from, or a workflow to add or to take the prompt of.
import { html, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { say, sayFault } from "../ui/toasts.js";

// `[attached, take, drop, change]`: one thing at a time.
export function useAttached() {
  const [attached, setAttached] = useState(null);
  async function take(file) {
    const form = new FormData();
    form.append("file", file);
    setAttached({ name: file.name || "picture", busy: true });
    try {
      const told = await post("/v1/uploads", form);
      setAttached({ ...told, name: file.name || "picture", strength: 0.65, asks: told.workflow !== null });
    } catch (fault) {
      setAttached(null);
      sayFault(fault);
    }
  }
  return [attached, take, () => setAttached(null), (more) => setAttached((old) => old && { ...old, ...more })];
}

export const firstFile = (data) => [...(data?.files ?? [])][0];

export function Attached({ attached, onChange, onDrop, onPrompt }) {
  if (attached.busy) return html`<p class="attached card small" role="status">Sending <span class="any-text">${attached.name}</span>…</p>`;
  if (attached.asks) return html`<${Workflow} ...${{ attached, onChange, onDrop, onPrompt }} />`;
  return html`<div class="attached card row small">
    <img src=${attached.url} alt="" width="48" height="48" />
    <span class="any-text">${attached.name}</span>
    <label class="inline">How far from it
      <input type="range" min="0.05" max="1" step="0.05" value=${attached.strength} onInput=${(e) => onChange({ strength: Number(e.target.value) })} />
      <output>${attached.strength.toFixed(2)}</output></label>
    <button type="button" class="bare" onClick=${onDrop}>Remove</button>
  </div>`;
}

function Workflow({ attached, onChange, onDrop, onPrompt }) {
  const { workflow, image, name } = attached;
  async function add() {
    try {
      const flow = await post("/v1/flows", { name: flowName(name), workflow: workflow.graph });
      say(`${flow.id} is a flow now.`);
      onDrop();
    } catch (fault) {
      sayFault(fault);
    }
  }
  return html`<div class="attached card small stack">
    <p><span class="any-text">${name}</span> holds a workflow: <strong class="any-text">${workflow.title}</strong></p>
    <div class="row">
      <button type="button" onClick=${add}>Add as a flow</button>
      ${workflow.prompt && html`<button type="button" onClick=${() => { onPrompt(workflow.prompt); onDrop(); }}>Use its prompt</button>`}
      ${image && html`<button type="button" onClick=${() => onChange({ asks: false })}>Start from its picture</button>`}
      <button type="button" class="bare" onClick=${onDrop}>Leave it</button>
    </div>
  </div>`;
}

const flowName = (file) => file.replace(/\.[a-z]+$/i, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 80) || "dropped";
