// The branches of a conversation: a dot for each picture, a line to the one that it was changed from; a click goes there.
import { html } from "../../vendor/preact-htm.js";
import { pictureTree } from "./lines.js";

const ROW = 44, LANE = 16;

export function Tree({ thread, onBranch }) {
  const { rows, lanes, present } = pictureTree(thread);
  const left = (lane) => 10 + LANE * Math.min(lane, 8);
  const middle = (number) => ROW * number + ROW / 2;
  return html`<nav class="tree" aria-label="Pictures and branches">
    <svg width=${left(lanes - 1) + 8} height=${ROW * rows.length} aria-hidden="true">
      ${rows.filter((row) => row.from).map(({ turn, lane, from, number }) => html`<path key=${turn.run}
        d=${`M${left(from.lane)} ${middle(from.number)}V${middle(number) - 14}L${left(lane)} ${middle(number)}`} />`)}
      ${rows.map(({ turn, lane, number }) => html`<circle key=${turn.run} class=${turn.run === present ? "here" : ""}
        cx=${left(lane)} cy=${middle(number)} r=${turn.run === present ? 6 : 4} />`)}
    </svg>
    <ol style=${{ paddingInlineStart: `${left(lanes - 1) + 10}px` }}>${rows.map(({ turn }) => html`<li key=${turn.run}>
      <button class="bare" aria-current=${turn.run === present ? "true" : null} title=${turn.said} onClick=${() => onBranch(turn.run)}>
        <span class="quiet">${turn.picture.number}</span><span class="said-short">${turn.said}</span></button></li>`)}</ol>
  </nav>`;
}
