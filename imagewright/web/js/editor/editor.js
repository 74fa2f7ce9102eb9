// The layout editor: a picture with its boxes, the list beside it, and the order that redraws what changed.
import { html, useEffect, useReducer, useRef, useState } from "../../vendor/preact-htm.js";
import { get } from "../api.js";
import { Fault } from "../ui/notice.js";
import { Canvas } from "./canvas.js";
import { BoxList } from "./list.js";
import { begin, changesOf, freePlace, newBox, reduce, replaced, toBoxes } from "./model.js";
import { newThread, Progress, useRedraw } from "./redraw.js";
import { Tools } from "./tools.js";
import { nameFinding } from "./words.js";

// `thread` is where the turn goes: that of the run where none is given, else a new one. `onDone` hears the new run.
export function LayoutEditor({ run, thread, onDone, onClose }) {
  const [shown, setShown] = useState({ layout: null, error: null, before: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    getLayout(run, stop.signal).then(
      (layout) => setShown({ layout, error: null, before: null }),
      (error) => error.name === "AbortError" || setShown({ layout: null, error, before: null }),
    );
    return () => stop.abort();
  }, [run, turn]);
  async function renew(facts) {
    const before = { url: shown.layout.url, thread: facts.thread };
    try {
      setShown({ layout: await getLayout(facts.id), error: null, before });
    } catch (error) {
      setShown({ layout: null, error, before });
    }
    onDone?.(facts);
  }
  if (shown.error) return html`<div class="editor"><${Fault} error=${shown.error} onRetry=${() => setTurn(turn + 1)} /></div>`;
  if (!shown.layout) return html`<div class="editor" aria-busy="true"><div class="stage"></div><p class="quiet" role="status">Loading the boxes …</p></div>`;
  return html`<${Bench} key=${shown.layout.run} layout=${shown.layout} before=${shown.before} thread=${thread} onDrawn=${renew} onClose=${onClose} />`;
}

const getLayout = (run, signal) => get(`/v1/runs/${encodeURIComponent(run)}/layout`, { signal });

function Bench({ layout, before, thread, onDrawn, onClose }) {
  const [state, dispatch] = useReducer(reduce, begin(toBoxes(layout)));
  const [naming, setNaming] = useState(null);
  const [past, setPast] = useState(false);
  const to = thread ?? layout.thread ?? before?.thread;
  const redraw = useRedraw(onDrawn);
  const changes = changesOf(state.boxes);
  const busy = redraw.work !== null;
  const unnamed = state.boxes.some((box) => !box.gone && box.caption === "");
  const section = useRef(null);
  useEffect(() => redraw.leave, []);
  useEffect(() => { if (before) section.current.focus(); }, []); // the button that was pressed is gone with the picture before
  useWarning(changes.length > 0);

  const findingsOf = (box) => (box.box === null ? [] : layout.findings.filter((one) => one.boxes.includes(box.box)));
  const general = layout.findings.filter((one) => one.boxes.length === 0);

  function add() {
    const fresh = newBox(freePlace(state.boxes));
    dispatch({ type: "put", change: (boxes) => [...boxes, fresh], select: fresh.key, mark: `new ${fresh.key}` });
    setNaming(fresh.key);
  }
  function drop(box) {
    const change = box.was ? replaced(box.key, (one) => ({ ...one, gone: true })) : (boxes) => boxes.filter((one) => one.key !== box.key);
    dispatch({ type: "put", change, select: null });
    document.getElementById("editor-add")?.focus();
  }
  function type(event) {
    if (busy || !(event.ctrlKey || event.metaKey) || event.target.tagName === "INPUT") return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    dispatch({ type: key === "y" || event.shiftKey ? "redo" : "undo" });
  }
  const send = () => redraw.start(to ?? newThread(), { boxes: changes, go_on_from: layout.run });

  return html`<section class="editor" ref=${section} tabindex="-1" aria-label="Layout editor" onKeyDown=${type}>
    <p id="editor-keys" class="seen-by-readers">Arrow keys move the box by one percent, Shift with arrows resizes it, Enter renames it, Delete deletes it.</p>
    <div class="picture">
      <${Canvas} layout=${layout} picture=${past && before ? before.url : layout.url} state=${state} dispatch=${dispatch} naming=${naming}
        setNaming=${setNaming} findingsOf=${findingsOf} onDelete=${drop} busy=${busy || past} making=${past ? "" : redraw.making} />
      <${Progress} redraw=${redraw} />
      ${redraw.error && html`<${Fault} error=${redraw.error} onRetry=${changes.length ? send : null} />`}
    </div>
    <div class="side">
      <${Tools} state=${state} dispatch=${dispatch} changes=${changes.length} busy=${busy} blocked=${unnamed} onAdd=${add} onSend=${send}
        onClose=${onClose} before=${before} past=${past} setPast=${setPast} reset=${() => dispatch({ type: "begin", boxes: toBoxes(layout) })} />
      ${!layout.redraws && html`<p class="notice small">These boxes are a plan: the flow placed things by itself. A change draws the whole picture anew.</p>`}
      ${general.map((one) => html`<p class="finding small" key=${one.detail}><span aria-hidden="true">⚠</span><strong> ${nameFinding(one)}</strong> <span class="any-text">${one.detail}</span></p>`)}
      <${BoxList} state=${state} dispatch=${dispatch} findingsOf=${findingsOf} onDelete=${drop} busy=${busy} />
      <p class="quiet small">Drag a box or its handles; Alt leaves the grid. Double-click renames. Keys: arrows move, Shift resizes, Enter renames, Delete deletes.</p>
    </div>
  </section>`;
}

// The browser asks before a tab with changes is closed.
function useWarning(unsaved) {
  useEffect(() => {
    if (!unsaved) return undefined;
    const warn = (event) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [unsaved]);
}
