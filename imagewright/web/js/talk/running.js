// Something that was said and is not done yet: what happens is told as it happens.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { follow, post } from "../api.js";
import { isSeen, useShown } from "../ui/shown.js";
import { sayFault } from "../ui/toasts.js";
import { Outline, shownSize } from "./outline.js";
import { Story } from "./story.js";
import { addEvent, NOTHING_YET } from "./tale.js";
import { listChanged } from "./threads.js";
import { Said } from "./turn.js";

export function Running({ run, size, waits, onEnd }) {
  const [tale, setTale] = useState(NOTHING_YET);
  const [over, setOver] = useState(false);
  const [shown, showPreview] = useShown();
  useEffect(() => {
    const stop = new AbortController();
    const hear = (kind, event) => {
      if (kind === "end") { setOver(true); return onEnd(event); }
      if (kind === "node" && event.text === "interpret") listChanged(); // from here on it is in the list
      if (isSeen(kind, event)) showPreview(event);
      return setTale((old) => addEvent(old, kind, event));
    };
    follow(`/v1/runs/${run.id}/events?previews=true`, hear, stop).catch((fault) => { sayFault(fault); onEnd(null); });
    return () => stop.abort();
  }, [run.id]);
  const phase = tale.phase || (run.status === "queued" ? "Waiting for its turn" : "Going on");
  return html`<li class="turn" aria-busy=${!over}>
    <${Said} text=${run.prompt} />
    <div class="shown making" style=${shownSize(size)}>
      ${shown && html`<img src=${shown} alt=${run.prompt} />`}
      <${Outline} layout=${tale.layout} />
    </div>
    <div class="row steps">
      <span role="status">${over ? "Done" : phase}${tale.progress && !over ? ` ${tale.progress.step}/${tale.progress.total}` : "…"}</span>
      <progress aria-label="Steps" value=${tale.progress?.step ?? 0} max=${tale.progress?.total ?? 1}></progress>
      ${waits && html`<button onClick=${() => stopRun(run)}>Stop</button>`}
    </div>
    <${Story} lines=${tale.lines} size=${size} newestAbove />
  </li>`;
}

export const stopRun = (run) => post(`/v1/runs/${run.id}/cancel`).catch(sayFault);
