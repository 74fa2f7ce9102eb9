// How the home is: what works and what is missing, models, budgets; settings, theme and version.
import { html } from "../../vendor/preact-htm.js";
import { useOwner } from "../me.js";
import { linkTo } from "../router.js";
import { Budgets } from "./budgets.js";
import { Doctor } from "./doctor.js";
import { Models } from "./models.js";
import { Settings } from "./settings.js";

const PARTS = [
  { tab: "works", title: "What works", Part: Doctor, owners: true },
  { tab: "models", title: "Models", Part: Models, owners: true },
  { tab: "budgets", title: "Budgets", Part: Budgets },
  { tab: "settings", title: "Settings", Part: Settings },
];

export function Health({ query }) {
  const owner = useOwner();
  if (owner === null) return html`<div class="health"><p class="quiet" role="status">Looking…</p></div>`;
  const parts = PARTS.filter((part) => owner || !part.owners);
  const { Part, tab } = parts.find((part) => part.tab === query.tab) ?? parts[0];
  return html`<div class="health stack">
    <h1 class="seen-by-readers">Settings and health</h1>
    <nav class="row tabs" aria-label="Parts of the health">
      ${parts.map((part) => html`<a key=${part.tab} class="button" href=${linkTo("health", [], { tab: part.tab })}
        aria-current=${part.tab === tab ? "page" : null}>${part.title}</a>`)}
    </nav>
    ${!owner && html`<p class="notice">What the home is like, its models and its settings are the owner's to see.</p>`}
    <${Part} owner=${owner} />
  </div>`;
}
