// One thing that was said and what came of it: a picture, an answer, a question, or why nothing came.
import { html } from "../../vendor/preact-htm.js";
import { Fault } from "../ui/notice.js";
import { Picture } from "./picture.js";
import { SoFar } from "./so-far.js";

const ENDED = {
  failed: "It failed", cancelled: "Stopped", refused: "Not drawn", interrupted: "It was interrupted",
  running: "It is being drawn by another process",
};

export const Said = ({ text }) => html`<p class="said any-text" dir="auto">${text}</p>`;

export function Turn({ turn, thread, isPresent, isLive, fault, size, choices, onSay, onUndo, onBranch, onAgain }) {
  if (!isLive) return html`<${Aside} turn=${turn} onBranch=${onBranch} />`;
  return html`<li class="turn" id=${`turn-${turn.run}`} tabindex="-1">
    <${Said} text=${turn.said} />
    ${turn.status === "asked" && html`<${SoFar} run=${turn.run} size=${size} />`}
    ${turn.picture
      ? html`<${Picture} turn=${turn} thread=${thread} isPresent=${isPresent} onUndo=${onUndo} onBranch=${onBranch} />`
      : html`<${Reply} turn=${turn} fault=${fault} onAgain=${onAgain} />`}
    ${choices.length > 0 && html`<div class="row" role="group" aria-label="Answers">
      ${choices.map((choice) => html`<button key=${choice} class="any-text" onClick=${() => onSay(choice)}>${choice}</button>`)}</div>`}
  </li>`;
}

function Reply({ turn, fault, onAgain }) {
  if (turn.status === "delivered") return html`<p class="quiet">Its picture was deleted.</p>`;
  if (fault && turn.status !== "cancelled") return html`<${Fault} error=${fault} /><${SayAgain} turn=${turn} onAgain=${onAgain} />`;
  if (!ENDED[turn.status]) return html`<p class="any-text reply" dir="auto">${turn.reply.replace(/ \[y\/N\]$/, "")}</p>`;
  return html`<div class="notice"><p><strong>${ENDED[turn.status]}.</strong> <span class="any-text">${turn.reply}</span></p></div>
    <${SayAgain} turn=${turn} onAgain=${onAgain} />`;
}

const SayAgain = ({ turn, onAgain }) => html`<div><button onClick=${() => onAgain(turn.said)}>Say it again</button></div>`;

// A turn that an undo or a branch left behind: one line, and the way back to it.
function Aside({ turn, onBranch }) {
  return html`<li class="aside small quiet" id=${`turn-${turn.run}`} tabindex="-1">
    ${turn.picture && html`<img src=${turn.url} alt="" width="40" height="40" />`}
    <span class="any-text" dir="auto">${turn.said}${turn.picture ? "" : ` → ${turn.reply || ENDED[turn.status] || ""}`}</span>
    ${turn.picture && html`<button class="bare small" aria-label=${`Go on from picture ${turn.picture.number}`} onClick=${() => onBranch(turn.run)}>Go on from here</button>`}
  </li>`;
}
