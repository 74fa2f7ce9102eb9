// What else may be wished of a picture, folded away: seed, flow, size, images at most, what must not appear.
import { html, useState } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";

export const NO_WISHES = { seed: "", flow: "", size: "", max_images: "", negative_prompt: "" };

export function Knobs({ wishes, onChange }) {
  const [open, setOpen] = useState(false);
  const count = Object.values(wishes).filter(Boolean).length;
  const field = (name, more) => ({ value: wishes[name], onInput: (e) => onChange({ ...wishes, [name]: e.target.value }), ...more });
  return html`<details class="knobs small" onToggle=${(e) => setOpen(e.target.open)}>
    <summary>More${count ? ` (${count} set)` : ""}</summary>
    ${open && html`<div class="row">
      <label>Seed<input ...${field("seed", { inputmode: "numeric", pattern: "\\d+", placeholder: "by chance" })} /></label>
      <${FlowField} field=${field} />
      <label>Size<input ...${field("size", { pattern: "\\d+x\\d+", placeholder: "such as 512x512" })} /></label>
      <label>Images at most<input ...${field("max_images", { type: "number", min: 1, max: 50, placeholder: "4" })} /></label>
      <label class="wide">Not in the picture<input ...${field("negative_prompt", { placeholder: "text, blur" })} /></label>
      ${count > 0 && html`<button type="button" onClick=${() => onChange(NO_WISHES)}>Clear</button>`}
    </div>`}
  </details>`;
}

function FlowField({ field }) {
  const [flows] = useLoaded("/v1/flows?runnable=true&limit=100");
  return html`<label>Flow<input ...${field("flow", { list: "flows", placeholder: "the best one" })} />
    <datalist id="flows">${flows?.data.map((flow) => html`<option key=${flow.id} value=${flow.id}>${flow.title}</option>`)}</datalist></label>`;
}

// As the routes take them, numbers too: a seed may be larger than a number of JavaScript.
export function knobsOf(wishes) {
  return Object.fromEntries(Object.entries(wishes).filter(([, value]) => value.trim?.() !== "")
    .map(([name, value]) => [name, value.trim()]));
}
