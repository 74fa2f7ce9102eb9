// "Why?", answered in place: all of it, or one of its parts.
import { html, useState } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

const ABOUT = { "": "All", flow: "Flow", layout: "Layout", prompt: "Prompt", seed: "Seed", verdict: "Verdict", cost: "Cost" };

export function Why({ run }) {
  const [about, setAbout] = useState("");
  const [told, error, again] = useLoaded(withQuery(`/v1/runs/${run}/why`, { about }));
  return html`<div class="reasons card">
    <div class="row" role="group" aria-label="About">
      ${Object.entries(ABOUT).map(([name, word]) => html`<button key=${name} class="bare small" aria-pressed=${about === name} onClick=${() => setAbout(name)}>${word}</button>`)}
    </div>
    ${error ? html`<${Fault} error=${error} onRetry=${again} />` : html`<p class="any-text" role="status">${told?.text ?? "…"}</p>`}
  </div>`;
}
