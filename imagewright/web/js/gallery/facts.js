// What is known of a picture: how it was made, what the critic checked, and the notes of its run.
import { html } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";

export function Facts({ facts }) {
  return html`<section class="about-picture stack" aria-label="Facts">
    <h1 class="any-text">${facts.prompt}</h1>
    ${facts.said !== facts.prompt && html`<p class="quiet any-text">Said: ${facts.said}</p>`}
    <p class="row"><${Judged} facts=${facts} /> ${facts.thumb && html`<span class="badge">Thumb ${facts.thumb}</span>`}</p>
    <dl>
      <dt>Flow</dt><dd class="any-text">${facts.flow}</dd>
      <dt>Seed</dt><dd>${facts.seed_text}</dd>
      <dt>Size</dt><dd>${facts.width} × ${facts.height}</dd>
      <dt>Asked for</dt><dd><time datetime=${facts.created}>${tellTime(facts.created)}</time></dd>
      <dt>Took</dt><dd>${tellWork(facts)}</dd>
      ${facts.thread && html`<dt>Conversation</dt><dd class="any-text"><a href=${linkTo("talk", [facts.thread])}>${facts.thread}</a></dd>`}
      ${facts.categories.length > 0 && html`<dt>Kinds</dt><dd class="any-text">${facts.categories.join(", ")}</dd>`}
    </dl>
    ${facts.checks.length > 0 && html`<div><h2>Checks</h2><ul class="checks">
      ${facts.checks.map((check, n) => html`<${Check} key=${n} check=${check} />`)}</ul></div>`}
    ${facts.notes.length > 0 && html`<div><h2>Notes</h2><ul class="notes">
      ${facts.notes.map((note, n) => html`<li key=${n} class="any-text">${note}</li>`)}</ul></div>`}
  </section>`;
}

function Check({ check: { name, passed, detail, counts } }) {
  const sign = !counts ? "·" : passed ? "✓" : "✗";
  const words = !counts ? "does not count" : passed ? "passed" : "failed";
  return html`<li class=${counts && !passed ? "failed" : ""}><span aria-hidden="true">${sign}</span>
    <span class="any-text"><span class="seen-by-readers">${words}: </span><strong>${name}</strong> ${detail}</span></li>`;
}

export const tellWork = ({ seconds, images }) => `${seconds.toFixed(1)} s${images > 1 ? `, ${images} pictures` : ""}`;

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
