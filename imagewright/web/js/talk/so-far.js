// What a run has made that waits for an answer, as long as the server remembers what it told.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { follow } from "../api.js";
import { shownSize } from "./outline.js";
import { Story } from "./story.js";
import { addEvent, NOTHING_YET } from "./tale.js";

export function SoFar({ run, size }) {
  const [tale, setTale] = useState(NOTHING_YET);
  useEffect(() => {
    const stop = new AbortController();
    follow(`/v1/runs/${run}/events`, (kind, event) => setTale((old) => addEvent(old, kind, event)), stop)
      .catch(() => {}); // it is no longer remembered: the question stands by itself
    return () => stop.abort();
  }, [run]);
  const last = tale.lines.findLast((line) => line.url);
  if (!last) return null;
  return html`<div class="shown" style=${shownSize(size)}><img src=${last.url} alt=${last.text} /></div>
    <details class="small"><summary class="quiet">How it came about so far</summary><${Story} lines=${tale.lines} size=${size} newestAbove /></details>`;
}
