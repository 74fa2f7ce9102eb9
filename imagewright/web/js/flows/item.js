// One flow of the list: what it is, whether it runs here, what it lacks, and what can be done with it.
import { html } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";
import { FlowActions } from "./actions.js";
import { Missing, State } from "./missing.js";

export function FlowItem({ flow, owner, onChange }) {
  return html`<li class="card flow-item">
    <div class="row spread">
      <h2 class="any-text"><a href=${linkTo("flows", [flow.id])}>${flow.title}</a></h2>
      <div class="row"><${State} flow=${flow} />
        ${owner && html`<${FlowActions} flow=${flow} onChange=${onChange} onGone=${onChange} />`}</div>
    </div>
    <p class="quiet small any-text">${[flow.id, flow.base_model, flow.kind !== "text-to-image" && flow.kind, flow.licence].filter(Boolean).join(" · ")}</p>
    ${flow.description && html`<p class="any-text two-lines">${flow.description}</p>`}
    ${flow.problems.length > 0 && html`<details><summary>What it lacks here: ${flow.problems.length}</summary><${Missing} problems=${flow.problems} /></details>`}
  </li>`;
}
