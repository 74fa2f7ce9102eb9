// Switching a flow off and on, and forgetting it, which asks first.
import { html, useState } from "../../vendor/preact-htm.js";
import { patch, remove } from "../api.js";
import { Confirm } from "../ui/dialog.js";
import { say, sayFault } from "../ui/toasts.js";

export function FlowActions({ flow, onChange, onGone }) {
  const [asking, setAsking] = useState(false);
  const path = `/v1/flows/${encodeURIComponent(flow.id)}`;
  async function act(work, told, then) {
    try {
      await work();
      say(told);
      then();
    } catch (error) {
      sayFault(error);
    }
  }
  const turn = () => act(() => patch(path, { disabled: !flow.disabled }),
    flow.disabled ? `${flow.id} is offered again.` : `${flow.id} is offered no more.`, onChange);
  return html`<div class="row">
    <button onClick=${turn}>${flow.disabled ? "Enable" : "Disable"} <span class="seen-by-readers">${flow.id}</span></button>
    <button class="danger" onClick=${() => setAsking(true)}>Remove<span class="seen-by-readers"> ${flow.id}</span></button>
    ${asking && html`<${Confirm} title=${`Remove ${flow.id}?`} action="Remove it"
      text="Its graph and card are forgotten. Its scores stay, for when it is added again."
      onYes=${() => act(() => remove(path), `${flow.id} is removed.`, onGone)} onClose=${() => setAsking(false)} />`}
  </div>`;
}
