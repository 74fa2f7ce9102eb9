// The thumbnails with their filters, and what is said where there are none.
import { html, useEffect, useMemo, useState } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";
import { useStore } from "../store.js";
import { Fault } from "../ui/notice.js";
import { FilterBar } from "./filters.js";
import { Grid } from "./grid.js";
import { openSource, renew, selected } from "./kept.js";
import { replaceQuery } from "./query.js";

export function Browse({ filters }) {
  const key = JSON.stringify(filters);
  const [turn, setTurn] = useState(0);
  const source = useMemo(() => (turn ? renew(filters) : openSource(filters)), [key, turn]);
  const { total, error, fresh } = useStore(source.store);
  useEffect(() => source.want(0, 0), [source]);
  const again = () => { window.scrollTo(0, 0); setTurn((n) => n + 1); };
  return html`<div class="gallery">
    <h1 class="seen-by-readers">Gallery</h1>
    <${FilterBar} filters=${filters} />
    <div class="row count">
      <span role="status">${total === null ? "" : say(total, key !== "{}")}</span>
      ${fresh && html`<button onClick=${again}>Show what is new</button>`}
    </div>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    ${total === 0 && !error && html`<${Nothing} filtered=${key !== "{}"} />`}
    ${total > 0 && html`<${Grid} key=${`${key} ${turn}`} source=${source} filters=${filters} />`}
    <${Picked} filters=${filters} />
  </div>`;
}

function say(total, filtered) {
  const number = total.toLocaleString("en");
  return `${number} ${total === 1 ? "picture" : "pictures"}${filtered ? " found" : ""}`;
}

function Nothing({ filtered }) {
  if (filtered) return html`<div class="card nothing">
    <p><strong>No picture is like that.</strong> Use fewer words, or let a filter go.</p>
    <button onClick=${() => replaceQuery([], {})}>Clear the filters</button>
  </div>`;
  return html`<div class="card nothing">
    <p><strong>Nothing has been drawn yet.</strong> What you draw, here or in the terminal, is kept and shown here.</p>
    <a class="button primary" href=${linkTo("talk")}>Draw something</a>
  </div>`;
}

function Picked({ filters }) {
  const runs = useStore(selected);
  if (!runs.length) return null;
  return html`<div class="picked card row" role="region" aria-label="Comparing">
    <span role="status">${runs.length === 1 ? "One selected; select another to compare" : "Two selected"}</span>
    ${runs.length === 2 && html`<a class="button primary" href=${linkTo("gallery", ["compare", ...runs], filters)}>Compare</a>`}
    <button onClick=${() => selected.set([])}>Clear</button>
  </div>`;
}
