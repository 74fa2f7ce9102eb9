// Where prompt, seed, size and the rest enter a graph; each place can be corrected before the flow is stored.
import { html } from "../../vendor/preact-htm.js";

const NAMES = ["positive", "negative", "seed", "width", "height", "steps", "guidance", "batch", "input_image", "mask", "denoise"];
const keyOf = (place) => `${place.node} ${place.input}`;

export function Slots({ slots, places, onChange }) {
  const all = [...slots, ...places];
  const change = (n, slot) => onChange(slots.map((one, m) => (m === n ? slot : one)));
  const add = (key) => {
    const place = places.find((one) => keyOf(one) === key);
    if (place) onChange([...slots, { ...place, slot: NAMES.find((name) => !slots.some((one) => one.slot === name)) ?? "seed" }]);
  };
  return html`<details><summary>Where a request enters: ${slots.length}</summary>
    <ul class="plain stack slots small">
      ${slots.map((one, n) => html`<li key=${n} class="row">
        <select aria-label=${`Slot of ${keyOf(one)}`} value=${one.slot} onChange=${(e) => change(n, { ...one, slot: e.target.value })}>
          ${NAMES.map((name) => html`<option key=${name}>${name}</option>`)}</select>
        <select aria-label=${`Place of ${one.slot}`} value=${keyOf(one)}
          onChange=${(e) => change(n, { ...all.find((place) => keyOf(place) === e.target.value), slot: one.slot })}>
          ${all.map((place) => html`<option key=${keyOf(place)} value=${keyOf(place)}>${describe(place)}</option>`)}</select>
        <button type="button" class="bare" aria-label=${`Take ${one.slot} out`} onClick=${() => onChange(slots.filter((_, m) => m !== n))}>✕</button>
      </li>`)}
    </ul>
    ${places.length > 0 && html`<label>One more
      <select value="" onChange=${(e) => { add(e.target.value); e.target.value = ""; }}><option value="">choose an input</option>
        ${places.map((place) => html`<option key=${keyOf(place)} value=${keyOf(place)}>${describe(place)}</option>`)}</select></label>`}
  </details>`;
}

const describe = (place) => `${place.class_type} ${place.node}: ${place.input} = ${place.value.slice(0, 40)}`;

// [{slot, node, input}] as the card has them: by slot
export function toSlots(slots) {
  const found = {};
  for (const { slot, node, input } of slots) (found[slot] ??= []).push({ node, input });
  return found;
}
