// The flows: what there is, what would be chosen, how they score; a workflow may be dropped anywhere on the view.
import { html, useState } from "../../vendor/preact-htm.js";
import { useOwner } from "../me.js";
import { linkTo } from "../router.js";
import { Detail } from "./detail.js";
import { DropArea } from "./drop.js";
import { Heat } from "./heat.js";
import { FlowList } from "./list.js";
import { Plan } from "./plan.js";
import { Preview } from "./preview.js";

const TABS = [
  { tab: "", title: "All", Part: FlowList },
  { tab: "plan", title: "What would you choose?", Part: Plan },
  { tab: "scores", title: "Scores", Part: Heat },
];

export function Flows({ rest, query }) {
  const [name] = rest;
  const owner = useOwner();
  const [dropped, setDropped] = useState(null);
  const { Part, tab } = TABS.find((one) => one.tab === (query.tab ?? "")) ?? TABS[0];
  return html`<${DropArea} onFile=${setDropped}>
    ${(choose) => html`<div class="flows stack">
      <div class="row spread">
        <nav class="row tabs" aria-label="Parts of the flows">
          ${TABS.map((one) => html`<a key=${one.tab} class="button" href=${linkTo("flows", [], { tab: one.tab })}
            aria-current=${!name && one.tab === tab ? "page" : null}>${one.title}</a>`)}
        </nav>
        <button onClick=${choose}>Look at a workflow…</button>
      </div>
      ${owner !== null && (name ? html`<${Detail} key=${name} name=${name} owner=${owner} />` : html`<${Part} owner=${owner} query=${query} />`)}
      ${dropped && html`<${Preview} key=${dropped.number} sent=${dropped} owner=${owner} onClose=${() => setDropped(null)} />`}
    </div>`}
  <//>`;
}
