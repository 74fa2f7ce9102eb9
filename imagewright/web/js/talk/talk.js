// The conversation: what was said, what came of it, and the box for what is said next.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { follow, post } from "../api.js";
import { go } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { sayFault } from "../ui/toasts.js";

const newName = () => `talk-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}`;

export function Talk({ rest }) {
  const [name] = rest;
  const [thread, error, again] = useLoaded(name && `/v1/threads/${encodeURIComponent(name)}`);
  const [running, setRunning] = useState(null);
  async function send(text) {
    const to = name ?? newName();
    try {
      const run = await post(`/v1/threads/${encodeURIComponent(to)}/turns`, { text });
      setRunning({ id: run.id, text, line: "waiting" });
      if (!name) go("talk", [to]);
    } catch (fault) {
      sayFault(fault);
    }
  }
  return html`<div class="talk">
    <ol class="turns">
      ${thread?.data.map((turn) => html`<${Turn} key=${turn.run} turn=${turn} />`)}
      ${running && html`<${Running} key=${running.id} run=${running} onEnd=${() => { setRunning(null); again(); }} />`}
    </ol>
    ${error && error.status !== 404 && html`<${Fault} error=${error} onRetry=${again} />`}
    <${Box} onSend=${send} busy=${running !== null} />
  </div>`;
}

function Turn({ turn }) {
  return html`<li>
    <p class="said any-text">${turn.said}</p>
    ${turn.url && html`<img src=${turn.url} alt=${turn.said} />`}
    ${turn.reply && html`<p class="any-text">${turn.reply}</p>`}
  </li>`;
}

function Running({ run, onEnd }) {
  const [line, setLine] = useState("waiting");
  useEffect(() => {
    const stop = new AbortController();
    follow(`/v1/runs/${run.id}/events`, (kind, event) => (kind === "end" ? onEnd(event) : setLine(event.text)), stop).catch(sayFault);
    return () => stop.abort();
  }, [run.id]);
  return html`<li aria-busy="true"><p class="said any-text">${run.text}</p><p class="quiet any-text" role="status">${line}</p></li>`;
}

function Box({ onSend, busy }) {
  const [text, setText] = useState("");
  function send(event) {
    event.preventDefault();
    if (!text.trim() || busy) return;
    onSend(text.trim());
    setText("");
  }
  return html`<form class="say" onSubmit=${send}>
    <label class="seen-by-readers" for="say">What to draw or change</label>
    <textarea id="say" rows="2" placeholder="two red circles above a blue square" value=${text}
      onInput=${(e) => setText(e.target.value)}
      onKeyDown=${(e) => { if (e.key === "Enter" && !e.shiftKey && !e.isComposing) send(e); }}></textarea>
    <button class="primary" disabled=${busy || !text.trim()}>Draw</button>
  </form>`;
}
