// Whether a flow runs here, and what it lacks: each thing with what to do.
import { html } from "../../vendor/preact-htm.js";

export function State({ flow }) {
  if (flow.disabled) return html`<span class="badge warn">switched off</span>`;
  return flow.runnable ? html`<span class="badge good">runs here</span>` : html`<span class="badge bad">lacks something</span>`;
}

export function Missing({ problems }) {
  return html`<ul class="missing small">
    ${problems.map((one, n) => html`<li key=${n}><span class="badge">${one.kind}</span> <span class="any-text">${one.remedy || one.name}</span></li>`)}
  </ul>`;
}

// Of each server that is named; nothing where none is.
export function ByServer({ servers }) {
  const names = Object.keys(servers ?? {});
  if (!names.length) return null;
  return html`<h3>On each server</h3><ul class="plain stack">
    ${names.map((name) => html`<li key=${name}><strong class="any-text">${name}</strong>
      ${servers[name].length ? html`<${Missing} problems=${servers[name]} />` : html` <span class="badge good">runs there</span>`}</li>`)}
  </ul>`;
}
