// Rows with a value and its interval on one scale: a mark on a bar, and the numbers as text.
import { html } from "../../vendor/preact-htm.js";

// rows: {key, title, mean, low, high, count, href?, chosen?, dim?, why?}; `among` are the rows that the scale is for.
export function Intervals({ rows, among = rows }) {
  const from = Math.floor(Math.min(...among.map((row) => row.low)) * 20) / 20;
  const to = Math.max(from + 0.05, Math.ceil(Math.max(...among.map((row) => row.high)) * 20) / 20);
  const place = (value) => `${((value - from) / (to - from)) * 100}%`;
  return html`<ul class="plain intervals">
    ${rows.map((row) => html`<li key=${row.key} class=${row.chosen ? "chosen" : row.dim ? "dim" : ""}>
      <span class="any-text">${row.href ? html`<a href=${row.href}>${row.title}</a>` : row.title}${row.chosen && html` <span class="badge good">chosen</span>`}</span>
      <span class="scale" aria-hidden="true">
        <span class="reach" style=${{ insetInlineStart: place(row.low), width: `${((row.high - row.low) / (to - from)) * 100}%` }}></span>
        <span class="mark" style=${{ insetInlineStart: place(row.mean) }}></span>
      </span>
      <span class="small numbers">${row.mean.toFixed(2)} <span class="quiet">${row.low.toFixed(2)} to ${row.high.toFixed(2)}, ${sayCount(row.count)}</span></span>
      ${row.why && html`<span class="why small quiet any-text">${row.why}</span>`}
    </li>`)}
  </ul>
  <p class="small quiet">The bars stand for ${from.toFixed(2)} to ${to.toFixed(2)}.</p>`;
}

const sayCount = (count) => (count ? `${count.toLocaleString()} score${count === 1 ? "" : "s"}` : "not measured");
