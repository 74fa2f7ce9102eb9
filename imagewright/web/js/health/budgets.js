// Who may use how much in a day, and what is used of it; the owner lets more people in, and takes tokens back.
import { html, useState } from "../../vendor/preact-htm.js";
import { remove } from "../api.js";
import { Confirm } from "../ui/dialog.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { say, sayFault } from "../ui/toasts.js";
import { Admit } from "./admit.js";

export function Budgets({ owner }) {
  const [clients, error, again] = useLoaded("/v1/clients");
  const [asked, setAsked] = useState(null);
  async function drop(name) {
    try {
      await remove(`/v1/clients/${encodeURIComponent(name)}`);
      say(`${name}'s token opens nothing any more.`);
      again();
    } catch (fault) {
      sayFault(fault);
    }
  }
  return html`<section class="stack" aria-labelledby="budgets">
    <div class="row spread"><h2 id="budgets">Budgets of the last 24 hours</h2><button onClick=${again}>Count again</button></div>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <ul class="plain sections">${clients?.data.map((one) => html`<li key=${one.name} class="card stack">
      <div class="row spread"><h3 class="any-text">${one.name}</h3>
        ${one.removable && html`<button class="danger" onClick=${() => setAsked(one.name)}>Remove<span class="seen-by-readers"> ${one.name}</span></button>`}</div>
      <${Use} name="Pictures" used=${one.images_used} most=${one.images_a_day} show=${(n) => n.toLocaleString()} />
      <${Use} name="Money" used=${one.money_used} most=${one.money_a_day} show=${(n) => `$${n.toFixed(2)}`} />
      <p class="small quiet">${one.requests_a_minute === null ? "Requests: as many as wanted" : `${one.requests_a_minute} requests a minute`}</p>
    </li>`)}</ul>
    ${owner && clients && html`<${Admit} onAdmitted=${again} />`}
    ${asked && html`<${Confirm} title=${`Remove ${asked}?`} action="Remove it" onYes=${() => drop(asked)} onClose=${() => setAsked(null)}
      text="The token opens nothing any more, at once. What was drawn and said with it stays." />`}
  </section>`;
}

function Use({ name, used, most, show }) {
  if (most === null) return html`<p class="small">${name}: ${show(used)} <span class="quiet">of as much as wanted</span></p>`;
  return html`<label class="use"><span class="small">${name}: ${show(used)} of ${show(most)}</span>
    <meter min="0" max=${most || 1} low=${most * 0.7} high=${most * 0.9} optimum="0" value=${Math.min(most ? used : 1, most || 1)}>${show(used)}</meter></label>`;
}
