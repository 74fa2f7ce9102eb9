// One picture large, with its facts and what can be done with it. Arrows lead to the next one, Escape back.
import { html, useEffect, useRef } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { go, linkTo } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { Actions } from "./actions.js";
import { Facts } from "./facts.js";
import { toWishes } from "./query.js";

export function Detail({ run, filters }) {
  const [facts, error, again] = useLoaded(withQuery(`/v1/runs/${encodeURIComponent(run)}/details`, toWishes(filters)));
  const current = facts?.run === run ? facts : null;
  useEffect(() => scrollTo(0, 0), [run]);
  useKeys({
    ArrowLeft: current?.newer && (() => go("gallery", [current.newer], filters)),
    ArrowRight: current?.older && (() => go("gallery", [current.older], filters)),
    Escape: () => go("gallery", [], filters),
  });
  return html`<article class="detail" aria-busy=${!current && !error}>
    <nav class="row" aria-label="Pictures">
      <a class="button" href=${linkTo("gallery", [], filters)}>All pictures</a>
      <${Step} to=${current?.newer} filters=${filters} text="Newer" keys="ArrowLeft" />
      <${Step} to=${current?.older} filters=${filters} text="Older" keys="ArrowRight" />
    </nav>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    ${facts && !error && html`<${Large} key=${facts.run} facts=${facts} />
      <aside class="stack">
        <${Actions} key=${facts.run} facts=${facts} filters=${filters} onChange=${again} />
        <${Facts} facts=${facts} />
      </aside>`}
  </article>`;
}

function Large({ facts: { url, width, height, prompt } }) {
  const style = { "--ratio": width / height, "--most": `${Math.max(width, 4 * Math.min(width, 256))}px` };
  return html`<figure class="large" style=${style}>
    <img src=${url} width=${width} height=${height} alt=${prompt} />
  </figure>`;
}

function Step({ to, filters, text, keys }) {
  if (!to) return html`<button disabled>${text}</button>`;
  return html`<a class="button" href=${linkTo("gallery", [to], filters)} aria-keyshortcuts=${keys}>${text}</a>`;
}

// Keys that hold for the whole view, unless something is typed or asked.
function useKeys(table) {
  const kept = useRef(table);
  kept.current = table;
  useEffect(() => {
    function press(event) {
      const busy = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented;
      if (busy || event.target.closest?.("input, textarea, select, dialog") || document.querySelector("dialog[open]")) return;
      const act = kept.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    }
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
