// The flows a page at a time, by name or by what they should be good at, with filters that the address keeps.
import { html, useEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { go } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { FlowItem } from "./item.js";

const PAGE = 24;
const KINDS = ["text-to-image", "image-to-image", "inpaint", "upscale", "video", "audio", "3d", "api", "other"];

export function FlowList({ owner, query }) {
  const offset = Number(query.offset) || 0;
  const { search, near, model, kind, runnable } = query;
  const path = withQuery("/v1/flows", { search, text: near, model, kind, runnable, limit: PAGE, offset: offset || "" });
  const [page, error, again, loaded] = useLoaded(path);
  const current = loaded === path; // until then the last answer stays, so that nothing jumps
  const set = (changed) => go("flows", [], { ...query, offset: "", ...changed });
  const move = (to) => go("flows", [], { ...query, offset: to || "" });
  return html`<h1 class="seen-by-readers">Flows</h1>
    <${Filters} query=${query} onChange=${set} />
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <p class="quiet small" role="status">${current ? countWords(page, offset, near) : error ? "" : "Looking…"}</p>
    <ul class="plain stack" aria-busy=${!current && !error}>
      ${page?.data.map((flow) => html`<${FlowItem} key=${flow.id} flow=${flow} owner=${owner} onChange=${again} />`)}
    </ul>
    ${page && (offset > 0 || page.next !== null) && html`<nav class="row" aria-label="Pages">
      <button disabled=${!current || offset === 0} onClick=${() => move(Math.max(0, offset - PAGE))}>Before</button>
      <button disabled=${!current || page.next === null} onClick=${() => move(page.next)}>More</button>
    </nav>`}`;
}

function countWords({ data, total }, offset, near) {
  if (!data.length) return total ? "No more flows." : "No flow fits.";
  return `${offset + 1} to ${offset + data.length} of ${total.toLocaleString()}${near ? ", the nearest first" : ""}`;
}

function Filters({ query, onChange }) {
  return html`<form class="row filters" role="search" onSubmit=${(e) => e.preventDefault()}>
    <${Typed} label="Words of its name" name="search" query=${query} onChange=${onChange} />
    <${Typed} label="Good at" name="near" query=${query} onChange=${onChange} />
    <${Typed} label="Model" name="model" query=${query} onChange=${onChange} />
    <label>Kind <select value=${query.kind ?? ""} onChange=${(e) => onChange({ kind: e.target.value })}>
      <option value="">any</option>${KINDS.map((kind) => html`<option key=${kind}>${kind}</option>`)}
    </select></label>
    <label>Here <select value=${query.runnable ?? ""} onChange=${(e) => onChange({ runnable: e.target.value })}>
      <option value="">any</option><option value="true">runs here</option><option value="false">lacks something</option>
    </select></label>
  </form>`;
}

// Asks a moment after the last key, so that a word is one question.
function Typed({ label, name, query, onChange }) {
  const [text, setText] = useState(query[name] ?? "");
  const timer = useRef(0);
  useEffect(() => setText(query[name] ?? ""), [query[name]]);
  useEffect(() => () => clearTimeout(timer.current), []);
  function type(event) {
    const value = event.target.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange({ [name]: value }), 250);
  }
  return html`<label>${label}<input type="search" value=${text} maxlength="200" onInput=${type} /></label>`;
}
