// How a picture was judged by the critic and by the person, and when it was asked for: the same wherever it is shown.
import { html } from "../../vendor/preact-htm.js";

export function Judged({ facts: { accepted, score } }) {
  if (accepted === null) return html`<span class="badge">Not judged</span>`;
  const text = `${accepted ? "Accepted" : "Not accepted"} ${score.toFixed(2)}`;
  return html`<span class=${`badge ${accepted ? "good" : "bad"}`}>${text}</span>`;
}

export function Thumb({ which, now, onRate }) {
  return html`<button class="thumb" aria-pressed=${now === which} aria-label=${`Thumb ${which}`} title=${`Thumb ${which}`}
    onClick=${() => onRate(which)}><span class=${`thumb-sign ${which}`}></span></button>`;
}

export const tellTime = (created) => new Date(created).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
