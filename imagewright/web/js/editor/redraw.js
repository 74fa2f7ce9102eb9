// A turn with changed boxes, from the order to the picture: what is sent, how far it is, what it asks.
import { html, useRef, useState } from "../../vendor/preact-htm.js";
import { follow, post } from "../api.js";
import { isSeen, useShown } from "../ui/shown.js";

const QUIET = new Set(["node", "run", "preview", "delivered", "categories"]);

export const newThread = () => `boxes-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}`;

// `work` is null, or {line, share, asked, id}; `making` the address of what it shows so far, or empty; `onEnd` hears the
// run's facts when a picture came of it.
export function useRedraw(onEnd) {
  const [work, setWork] = useState(null);
  const [error, setError] = useState(null);
  const [making, showMaking] = useShown();
  const stop = useRef(null);

  async function watch(started) {
    stop.current = new AbortController();
    setWork({ id: started.id, line: "waiting for its turn", share: 0 });
    let end = null;
    await follow(`/v1/runs/${started.id}/events?previews=true`, (kind, event) => {
      if (isSeen(kind, event)) showMaking(event);
      if (kind === "end") end = event;
      else if (!QUIET.has(kind)) setWork((old) => old && { ...old, line: event.text, share: event.total ? event.step / event.total : old.share });
    }, { signal: stop.current.signal });
    if (stop.current.signal.aborted || !end) return;
    if (end.asked) return setWork({ id: end.id, asked: end });
    setWork(null);
    if (end.image) return onEnd(end);
    showMaking(null);
    setError(end.error ?? { code: end.status, message: end.text || "No picture was made." });
  }

  async function attempt(send) {
    setError(null);
    setWork({ line: "sending", share: 0 });
    try {
      await watch(await send());
    } catch (fault) {
      showMaking(null);
      setWork(null);
      setError(fault);
    }
  }

  return {
    work, error, making,
    start: (thread, body) => attempt(() => post(`/v1/threads/${encodeURIComponent(thread)}/turns`, body)),
    answer: (reply) => attempt(() => post(`/v1/runs/${work.id}/resume`, { reply })),
    cancel: () => work?.id && post(`/v1/runs/${work.id}/cancel`).catch(setError),
    leave: () => stop.current?.abort(),
  };
}

export function Progress({ redraw }) {
  const { work } = redraw;
  if (!work) return null;
  if (work.asked) {
    return html`<div class="notice" role="alert"><p class="any-text">${work.asked.text}</p>
      <div class="row"><button onClick=${() => redraw.answer("yes")}>Go on</button>
        <button onClick=${() => redraw.answer("no")}>Take the best so far</button></div></div>`;
  }
  return html`<div class="progress">
    <progress max="1" value=${work.share || undefined} aria-label="Redrawing"></progress>
    <p class="small any-text" role="status">${work.line}</p>
    <button onClick=${redraw.cancel} disabled=${!work.id}>Stop</button>
  </div>`;
}
