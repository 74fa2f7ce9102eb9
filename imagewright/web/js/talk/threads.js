// The conversations, newest first: searched, begun, gone to.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { tellTime } from "../gallery/facts.js";
import { linkTo } from "../router.js";
import { createStore, useStore } from "../store.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

const changes = createStore(0);
const PAGE = 50;

// The list is asked for again.
export const listChanged = () => changes.set((count) => count + 1);

export function Threads({ name, onGo }) {
  const [typed, setTyped] = useState("");
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [list, error, again] = useLoaded(withQuery("/v1/threads", { text, limit }));
  const changed = useStore(changes);
  useEffect(() => { if (changed) again(); }, [changed]);
  useEffect(() => {
    const timer = setTimeout(() => setText(typed.trim()), 300);
    return () => clearTimeout(timer);
  }, [typed]);
  return html`<nav class="threads stack" aria-label="Conversations">
    <a class="button" href=${linkTo("talk")} onClick=${onGo}>New conversation</a>
    <label class="seen-by-readers" for="find-thread">Search conversations</label>
    <input id="find-thread" type="search" maxlength="200" placeholder="Search" value=${typed} onInput=${(e) => setTyped(e.target.value)} />
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    <ul>${list?.data.map((row) => html`<li key=${row.name}>
      <a href=${linkTo("talk", [row.name])} aria-current=${row.name === name ? "page" : null} onClick=${onGo}>
        <span class="said-short" dir="auto">${row.title || row.first}</span>
        <span class="small quiet">${row.pictures} ${row.pictures === 1 ? "picture" : "pictures"} · ${tellTime(row.changed)}</span></a></li>`)}</ul>
    ${list?.data.length === 0 && html`<p class="small quiet">${text ? "Nothing says that." : "No conversations yet."}</p>`}
    ${list && list.total > list.data.length && limit < 100 && html`<button onClick=${() => setLimit(100)}>More</button>`}
  </nav>`;
}
