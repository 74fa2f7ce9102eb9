// The conversation: what was said, what came of it, the box for what is said next; beside it the others and the branches.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { go } from "../router.js";
import { Dialog } from "../ui/dialog.js";
import { Fault } from "../ui/notice.js";
import { sayFault } from "../ui/toasts.js";
import { firstFile, useAttached } from "./attached.js";
import { Box } from "./box.js";
import { useDraft } from "./draft.js";
import { Head } from "./head.js";
import { Icon } from "./icons.js";
import { pictureTree, presentLine } from "./lines.js";
import { Running, stopRun } from "./running.js";
import { byChance, sayTo, threadPath, useThread } from "./thread.js";
import { listChanged, Threads } from "./threads.js";
import { Tree } from "./tree.js";
import { Turn } from "./turn.js";

const EXAMPLES = ["two red circles above a blue square", "a yellow star on a blue background", "three green triangles in a row"];
const newName = () => `talk-${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}-${byChance(2)}`;

export function Talk({ rest }) {
  const [name] = rest;
  return html`<div class="talk"><aside class="side"><${Threads} name=${name} /></aside><${Conversation} key=${name ?? ""} name=${name} /></div>`;
}

function Conversation({ name }) {
  const { thread, running, faults, error, loaded, again, began, ended } = useThread(name);
  const [text, setText] = useDraft(name);
  const [drawer, setDrawer] = useState("");
  const [fresh] = useState(newName);
  const attachment = useAttached();
  const tree = pictureTree(thread), line = presentLine(thread);
  const close = () => setDrawer("");
  async function send(wishes) {
    const to = name ?? fresh;
    const run = await sayTo(to, wishes);
    began(run, to);
    listChanged();
    if (!name) go("talk", [to]);
  }
  const answer = (choice) => send({ text: choice }).catch(sayFault);
  const undo = () => post(threadPath(name, "/undo")).then(again, sayFault);
  async function branch(run) {
    try {
      if (run !== tree.present) await post(threadPath(name, "/branch"), { run });
      close();
      again();
      document.getElementById(`turn-${run}`)?.focus();
    } catch (fault) {
      sayFault(fault);
    }
  }
  useEndInSight(running.length, thread.data.length);
  const current = new Set(running.map((run) => run.id));
  const turns = thread.data.filter((turn) => !current.has(turn.run) && !(turn.status === "running" && running.length));
  const asked = !running.length && thread.data.at(-1)?.status === "asked" ? thread.data.at(-1) : null;
  return html`<div class="conversation" onDragOver=${(e) => e.preventDefault()}
      onDrop=${(e) => { e.preventDefault(); const file = firstFile(e.dataTransfer); if (file) attachment[1](file); }}>
    <${Head} name=${name} title=${thread.title || thread.data[0]?.said || running[0]?.prompt} known=${thread.data.length > 0} onChange=${again}>
      <button class="bare narrow" aria-label="Conversations" onClick=${() => setDrawer("threads")}><${Icon} name="menu" /></button>
      ${tree.lanes > 1 && html`<button class="bare small not-wide" onClick=${() => setDrawer("tree")}>Branches</button>`}
    <//>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    ${!error && !turns.length && !running.length && (!name || loaded) && html`<${Welcome} onPick=${setText} />`}
    ${name && !loaded && !error && !running.length && html`<p class="quiet" role="status">Reading…</p>`}
    <ol class="turns" aria-label="What was said">
      ${turns.map((turn) => html`<${Turn} key=${turn.run} turn=${turn} thread=${name} fault=${faults[turn.run]} isPresent=${turn.run === tree.present}
        isLive=${line.has(turn.run)} size=${sizeOf(thread, tree)} choices=${turn === asked ? thread.choices : []}
        onSay=${answer} onUndo=${undo} onBranch=${branch} onAgain=${setText} />`)}
      ${running.map((run, number) => html`<${Running} key=${run.id} run=${run} waits=${number > 0} size=${sizeOf(thread, tree)} onEnd=${(end) => ended(run, end)} />`)}
    </ol>
    <${Box} text=${text} setText=${setText} onSend=${send} asks=${asked !== null} attachment=${attachment}
      onStop=${running.length > 0 && (() => stopRun(running[0]))} />
    ${drawer === "threads" && html`<${Dialog} title="Conversations" onClose=${close}><${Threads} name=${name} onGo=${close} /><//>`}
    ${drawer === "tree" && html`<${Dialog} title="Branches" onClose=${close}><${Tree} thread=${thread} onBranch=${branch} /><//>`}
  </div>
  <aside class="branches">${tree.rows.length > 0 && html`<h2>Pictures</h2><${Tree} thread=${thread} onBranch=${branch} />`}</aside>`;
}

// The place of a picture in the making is as large as the picture before it.
function sizeOf(thread, tree) {
  return thread.data.find((turn) => turn.run === tree.present)?.picture ?? { width: 1, height: 1 };
}

// What is new at the end is scrolled to, unless the person reads further up.
function useEndInSight(running, turns) {
  useEffect(() => {
    const page = document.documentElement;
    if (running || page.scrollHeight - page.clientHeight - page.scrollTop < 600) page.scrollTop = page.scrollHeight;
  }, [running > 0, turns]);
}

function Welcome({ onPick }) {
  return html`<div class="welcome stack">
    <h2>What shall be drawn?</h2>
    <p class="quiet">Say it in words, then change it in words: “make the circle green”, “undo”, “as it was, but at night”.
      A picture or a workflow can be dropped here, too.</p>
    <div class="row">${EXAMPLES.map((text) => html`<button key=${text} onClick=${() => { onPick(text); document.getElementById("say").focus(); }}>${text}</button>`)}</div>
  </div>`;
}
