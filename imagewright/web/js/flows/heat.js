// How flows score by category: a table with the numbers in it, coloured between the lowest and the highest of them.
import { html } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

export function Heat() {
  const [table, error, again] = useLoaded("/v1/scores");
  return html`<h1>Scores by category</h1>
    <p class="quiet small">What each flow is expected to score on prompts of a category, from 0 to 1, with half the width of the
      90 % interval. A ~ stands where nothing of that category is measured: it is told from the flow's other scores and from flows like it.</p>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    ${table ? html`<${Table} table=${table} />` : !error && html`<p class="quiet" role="status">Looking…</p>`}`;
}

function Table({ table }) {
  if (!table.data.length) return html`<p>No flow has scores yet; a thumb in a conversation is one.</p>`;
  const means = table.data.flatMap((row) => [row.overall.mean, ...row.cells.map((cell) => cell.mean)]);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const digits = high - low < 0.2 ? 3 : 2;
  const tint = (cell) => `color-mix(in oklab, var(--heat-high) ${high > low ? Math.round(((cell.mean - low) / (high - low)) * 100) : 50}%, var(--heat-low))`;
  return html`<div class="heat" role="region" aria-label="Scores by category" tabindex="0">
      <table>
        <thead><tr><th scope="col">Flow</th><th scope="col">Overall</th>
          ${table.categories.map((name) => html`<th key=${name} scope="col" class="any-text">${name}</th>`)}</tr></thead>
        <tbody>${table.data.map((row) => html`<tr key=${row.flow}>
          <th scope="row"><a class="any-text" href=${linkTo("flows", [row.flow])}>${row.title}</a>${!row.runnable && html` <span class="badge bad">lacks something</span>`}</th>
          <${Cell} cell=${row.overall} tint=${tint} digits=${digits} />
          ${row.cells.map((cell, n) => html`<${Cell} key=${n} cell=${cell} tint=${tint} digits=${digits} />`)}
        </tr>`)}</tbody>
      </table>
    </div>
    ${table.measured > table.data.length && html`<p class="quiet small">The ${table.data.length} most measured of ${table.measured.toLocaleString()} flows.</p>`}`;
}

function Cell({ cell, tint, digits }) {
  return html`<td style=${{ background: tint(cell) }} title=${`${cell.low.toFixed(3)} to ${cell.high.toFixed(3)}, ${cell.scores.toLocaleString()} scores`}>
    ${cell.scores === 0 && "~"}${cell.mean.toFixed(digits)} <span class="small">±${((cell.high - cell.low) / 2).toFixed(digits)}</span></td>`;
}
