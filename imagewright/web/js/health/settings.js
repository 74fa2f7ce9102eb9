// Every setting with where it comes from; of keys only whether one is set.
import { html } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

export function Settings() {
  const [settings, error, again] = useLoaded("/v1/settings");
  return html`<section class="stack" aria-labelledby="settings">
    <h2 id="settings">Settings</h2>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <dl class="settings small">${settings?.data.map(({ name, value, origin }) => html`<div key=${name}>
      <dt>${name.replaceAll("_", " ")}</dt><dd class="any-text">${value || "—"}</dd><dd class="quiet any-text">${origin}</dd>
    </div>`)}</dl>
  </section>`;
}
