// How the home is: what works, what is missing and how to get it, models, servers, budgets, settings, theme, version.
import { html } from "../../vendor/preact-htm.js";
import { useOwner } from "../me.js";
import { useLoaded } from "../ui/load.js";
import { Budgets } from "./budgets.js";
import { Doctor } from "./doctor.js";
import { Models } from "./models.js";
import { Servers } from "./servers.js";
import { Settings } from "./settings.js";
import { ThemeChoice } from "./theme_choice.js";

export function Health() {
  const owner = useOwner();
  const [health] = useLoaded("/health");
  return html`<div class="health stack">
    <h1 class="seen-by-readers">Settings and health</h1>
    ${owner && html`<${Doctor} /><${Servers} /><${Models} />`}
    ${owner === false && html`<p class="notice">What the home is like, its models and its settings are the owner's to see.</p>`}
    <${Budgets} owner=${owner} />
    ${owner && html`<${Settings} />`}
    <${ThemeChoice} />
    <p class="quiet small">imagewright ${health?.version ?? ""}</p>
  </div>`;
}
