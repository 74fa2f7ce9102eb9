// The model files that flows need: where each is, or where it belongs and where it comes from.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { linkTo } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

const PAGE = 8;

export function Models() {
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState("");
  const [offset, setOffset] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => { setSearch(typed.trim()); setOffset(0); }, 250);
    return () => clearTimeout(timer);
  }, [typed]);
  const path = withQuery("/v1/model-files", { search, limit: PAGE, offset });
  const [page, error, again, loaded] = useLoaded(path);
  const current = loaded === path;
  const more = current && offset + page.data.length < page.total;
  return html`<section class="stack" aria-labelledby="models">
    <div class="row spread"><h2 id="models">Model files</h2>
      <label class="inline">Search <input type="search" maxlength="200" value=${typed} onInput=${(e) => setTyped(e.target.value)} /></label></div>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <p class="quiet small line" role="status">${current && (page.total ? `${offset + 1} to ${offset + page.data.length} of ${page.total.toLocaleString()}` : "No such file is needed.")}</p>
    <ul class="plain stack">${page?.data.map((one) => html`<li key=${`${one.folder}/${one.name}`} class="card model">
      <span class="any-text"><strong>${one.name}</strong> <span class="quiet small">${one.folder}</span></span>
      <span class=${`badge ${one.here ? "good" : "warn"}`}>${one.here ? "here" : "missing"}</span>
      <span class="small quiet any-text">${one.here ? one.place : `It belongs at ${one.place}`}</span>
      ${!one.here && one.url && html`<a class="small any-text" href=${one.url} rel="noreferrer" target="_blank">${one.url}</a>`}
      <span class="small">for ${one.flows.map((id, n) => html`${n > 0 && ", "}<a class="any-text" href=${linkTo("flows", [id])}>${id}</a>`)}${
        one.users > one.flows.length && ` and ${one.users - one.flows.length} more`}</span>
    </li>`)}</ul>
    ${page && (offset > 0 || page.data.length < page.total) && html`<nav class="row" aria-label="Pages of model files">
      <button disabled=${!current || !offset} onClick=${() => setOffset(Math.max(0, offset - PAGE))}>Before</button>
      <button disabled=${!more} onClick=${() => setOffset(offset + PAGE)}>More</button></nav>`}
  </section>`;
}
