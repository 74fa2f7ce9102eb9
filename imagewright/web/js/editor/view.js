// The editor as a view of its own, `#/boxes/RUN`: a deep link, and where a picture without a conversation is edited.
import { html } from "../../vendor/preact-htm.js";
import { go, linkTo } from "../router.js";
import { LayoutEditor } from "./editor.js";

export function Boxes({ rest, query }) {
  const [run] = rest;
  if (!run) return html`<div class="edge"><p>Boxes are of a picture: open one from a conversation or the gallery. <a href=${linkTo("talk")}>Talk</a></p></div>`;
  // The address names the new run, so that a reload shows it; the editor itself goes on.
  const renew = (facts) => history.replaceState(null, "", linkTo("boxes", [facts.id], query));
  return html`<div class="boxes-view"><h1>Layout</h1>
    <${LayoutEditor} run=${run} thread=${query.thread} onDone=${renew} onClose=${() => (history.length > 1 ? history.back() : go("talk"))} />
  </div>`;
}
