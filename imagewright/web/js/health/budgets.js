// Who may use how much in a day, and what is used of it.
import { html } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

export function Budgets() {
  const [clients, error, again] = useLoaded("/v1/clients");
  return html`<section class="stack" aria-labelledby="budgets">
    <div class="row spread"><h2 id="budgets">Budgets of the last 24 hours</h2><button onClick=${again}>Count again</button></div>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <ul class="plain sections">${clients?.data.map((one) => html`<li key=${one.name} class="card stack">
      <h3 class="any-text">${one.name}</h3>
      <${Use} name="Pictures" used=${one.images_used} most=${one.images_a_day} show=${(n) => n.toLocaleString()} />
      <${Use} name="Money" used=${one.money_used} most=${one.money_a_day} show=${(n) => `$${n.toFixed(2)}`} />
      <p class="small quiet">${one.requests_a_minute === null ? "Requests: as many as wanted" : `${one.requests_a_minute} requests a minute`}</p>
    </li>`)}</ul>
  </section>`;
}

function Use({ name, used, most, show }) {
  if (most === null) return html`<p class="small">${name}: ${show(used)} <span class="quiet">of as much as wanted</span></p>`;
  return html`<label class="use"><span class="small">${name}: ${show(used)} of ${show(most)}</span>
    <meter min="0" max=${most || 1} low=${most * 0.7} high=${most * 0.9} optimum="0" value=${Math.min(most ? used : 1, most || 1)}>${show(used)}</meter></label>`;
}
