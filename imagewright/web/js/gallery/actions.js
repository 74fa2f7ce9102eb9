// What can be done with a picture: judge it, find it again, take it along, draw it again, delete it.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { follow, post, remove } from "../api.js";
import { go, linkTo } from "../router.js";
import { Confirm } from "../ui/dialog.js";
import { say, sayFault } from "../ui/toasts.js";
import { Thumb } from "./facts.js";
import { forget, note } from "./kept.js";

export function Actions({ facts, filters, onChange }) {
  const [asking, setAsking] = useState(false);
  const [again, setAgain] = useState(null);
  async function rate(thumb) {
    try {
      await post(`/v1/runs/${facts.run}/thumb`, { thumb });
      note(facts.run, { thumb });
      onChange();
    } catch (error) {
      sayFault(error);
    }
  }
  async function drop() {
    try {
      await remove(facts.thread ? `/v1/threads/${encodeURIComponent(facts.thread)}` : `/v1/runs/${facts.run}`);
      forget(facts.run);
      say(facts.thread ? "The conversation is deleted." : "The picture is deleted.");
      const next = facts.thread ? "" : facts.older || facts.newer;
      go("gallery", next ? [next] : [], filters);
    } catch (error) {
      sayFault(error);
    }
  }
  async function replay() {
    try {
      setAgain((await post(`/v1/runs/${facts.run}/replay`)).id);
    } catch (error) {
      sayFault(error);
    }
  }
  return html`<div class="row actions" role="group" aria-label="What to do with it">
    <${Thumb} which="up" now=${facts.thumb} onRate=${rate} /><${Thumb} which="down" now=${facts.thumb} onRate=${rate} />
    ${facts.thread && html`<a class="button" href=${linkTo("talk", [facts.thread])}>Conversation</a>`}
    <a class="button" href=${linkTo("boxes", [facts.run], { thread: facts.thread })}>Boxes</a>
    ${facts.file && html`<a class="button" href=${facts.file} download>Download with workflow</a>`}
    <button onClick=${() => copy(facts.prompt, "prompt")}>Copy prompt</button>
    <button onClick=${() => copy(facts.seed_text, "seed")}>Copy seed</button>
    <button disabled=${again} onClick=${replay}>Draw again</button>
    <button class="danger" onClick=${() => setAsking(true)}>Delete…</button>
    ${again && html`<${Redrawing} run=${again} onEnd=${() => setAgain(null)} />`}
    ${asking && html`<${Confirm} ...${question(facts)} onYes=${drop} onClose=${() => setAsking(false)} />`}
  </div>`;
}

function question({ thread }) {
  if (!thread) return { title: "Delete this picture?", text: "Its file, its trace and its seed are gone for good.", action: "Delete it" };
  return {
    title: "Delete the whole conversation?", action: "Delete the conversation",
    text: `This picture is a turn of “${thread}”. It goes only with the conversation and all its pictures.`,
  };
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`The ${what} is copied.`);
  } catch {
    say(`This browser lets no page copy here; mark the ${what} below instead.`);
  }
}

// The picture in the making once more: it ends with a line that says whether it is the same.
function Redrawing({ run, onEnd }) {
  const [line, setLine] = useState("waiting");
  useEffect(() => {
    const stop = new AbortController();
    const hear = (kind, event) => (kind === "end" ? end(event) : setLine(event.text));
    follow(`/v1/runs/${run}/events`, hear, stop).catch((error) => { sayFault(error); onEnd(); });
    return () => stop.abort();
  }, [run]);
  function end({ status, same, text, error }) {
    if (error && status !== "cancelled") sayFault(error);
    else if (status === "done") say(same ? "Drawn again: every pixel is the same." : `Drawn again, and it differs: ${text}`);
    onEnd();
  }
  return html`<p class="row redrawing" role="status"><span class="any-text">Drawing again: ${line}</span>
    <button onClick=${() => post(`/v1/runs/${run}/cancel`).catch(sayFault)}>Stop</button></p>`;
}
