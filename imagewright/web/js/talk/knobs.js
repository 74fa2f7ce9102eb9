// What else may be wished of a picture, folded away: seed, flow, size, images at most, what must not appear.
import { html, useEffect, useId, useState } from "../../vendor/preact-htm.js";
import { get, withQuery } from "../api.js";

export const NO_WISHES = { seed: "", flow: "", size: "", max_images: "", negative_prompt: "" };
const SIZES = ["512x512", "768x512", "512x768", "1024x1024", "1344x768", "768x1344"];

export function Knobs({ wishes, onChange }) {
  const [open, setOpen] = useState(false);
  const count = Object.values(wishes).filter(Boolean).length;
  const field = (name, more) => ({ value: wishes[name], onInput: (e) => onChange({ ...wishes, [name]: e.target.value }), ...more });
  return html`<details class="knobs small" onToggle=${(e) => setOpen(e.target.open)}>
    <summary>More${count ? ` (${count} set)` : ""}</summary>
    ${open && html`<div class="row">
      <label>Seed<input ...${field("seed", { inputmode: "numeric", pattern: "\\d+", placeholder: "by chance" })} /></label>
      <${FlowField} field=${field} typed=${wishes.flow} />
      <label>Size<input ...${field("size", { list: "sizes", pattern: "\\d+x\\d+", placeholder: "the flow's own" })} />
        <datalist id="sizes">${SIZES.map((size) => html`<option key=${size} value=${size} />`)}</datalist></label>
      <label>Images at most<input ...${field("max_images", { type: "number", min: 1, max: 50, placeholder: "4" })} /></label>
      <label class="wide">Not in the picture<input ...${field("negative_prompt", { placeholder: "text, blur" })} /></label>
      ${count > 0 && html`<button type="button" onClick=${() => onChange(NO_WISHES)}>Clear</button>`}
    </div>`}
  </details>`;
}

function FlowField({ field, typed }) {
  const [flows, setFlows] = useState([]);
  const list = useId();
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => get(withQuery("/v1/flows", { text: typed, runnable: true, limit: 20 }), stop)
      .then((found) => setFlows(found.data), () => setFlows([])), typed ? 400 : 0);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [typed]);
  return html`<label>Flow<input ...${field("flow", { list, placeholder: "the best one" })} />
    <datalist id=${list}>${flows.map((flow) => html`<option key=${flow.id} value=${flow.id}>${flow.title}</option>`)}</datalist></label>`;
}

// As the routes take them, numbers too: a seed may be larger than a number of JavaScript.
export function knobsOf(wishes) {
  return Object.fromEntries(Object.entries(wishes).filter(([, value]) => value.trim?.() !== "")
    .map(([name, value]) => [name, value.trim()]));
}
