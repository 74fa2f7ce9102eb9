// How a picture came about, line by line: while it is drawn, and once more afterwards.
import { html } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { Outline } from "./outline.js";
import { wholeTale } from "./tale.js";

// `newestAbove`: the newest picture is shown large already.
export function Story({ lines, size, newestAbove }) {
  const large = newestAbove ? lines.findLast((line) => line.kind === "image") : null;
  return html`<ol class="story">
    ${lines.map((line, number) => html`<li key=${number} class=${line.kind}>
      <span class="label">${line.label}</span>
      ${line.kind === "image" ? html`<${Round} line=${line} size=${size} plain=${line === large} />` : html`<span class="any-text">${line.text}</span>`}
    </li>`)}
  </ol>`;
}

function Round({ line, size, plain }) {
  const ratio = size ? `${size.width} / ${size.height}` : "1 / 1";
  return html`<div class="round">
    ${line.url && !plain && html`<div class="small-picture" style=${{ aspectRatio: ratio }}>
      <img src=${line.url} alt=${line.text} /><${Outline} layout=${line.layout} quiet /></div>`}
    <div><p class="any-text">${line.text}</p>
      ${line.verdicts?.map((verdict, number) => html`<${Verdict} key=${number} ...${verdict} />`)}</div>
  </div>`;
}

// "not yet, score 0.62: two circles, one wanted": the head as a badge.
function Verdict({ text, accepted }) {
  const [head, rest] = text.split(/: (.*)/s);
  const colour = accepted === undefined ? "" : accepted ? "good" : "bad";
  return html`<p class="any-text"><span class=${`badge ${colour}`}>${head}</span> ${rest}</p>`;
}

// The story of a run that is over, as the server tells it again.
export function PastStory({ run, size }) {
  const [told, error, again] = useLoaded(`/v1/runs/${run}/story`);
  if (error) return html`<${Fault} error=${error} onRetry=${again} />`;
  if (!told) return html`<p class="quiet small" role="status">reading…</p>`;
  return html`<${Story} lines=${wholeTale(told.data).lines} size=${size} />`;
}
