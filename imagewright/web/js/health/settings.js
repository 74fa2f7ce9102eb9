// The page's theme, the version, and every setting with where it comes from; of keys only whether one is set.
import { html } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { ThemeChoice } from "./theme_choice.js";

export function Settings({ owner }) {
  const [health] = useLoaded("/health");
  return html`<section class="stack" aria-labelledby="settings">
    <h2 id="settings">Settings</h2>
    <${ThemeChoice} />
    <p class="quiet small line">imagewright ${health?.version ?? ""}</p>
    ${owner && html`<${Home} />`}
  </section>`;
}

function Home() {
  const [settings, error, again] = useLoaded("/v1/settings");
  if (error) return html`<${Fault} error=${error} onRetry=${again} />`;
  return html`<dl class="settings small">${settings?.data.map(({ name, value, origin }) => html`<div key=${name}>
    <dt>${name.replaceAll("_", " ")}</dt><dd class="any-text">${value || "—"}</dd><dd class="quiet any-text">${origin}</dd>
  </div>`)}</dl>`;
}
