// The picture with its boxes: what the pointer does, and the keys on a box.
import { html, useLayoutEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { Box, Namer } from "./box.js";
import { drawnFrom, isMoved, moved, newBox, replaced, resized, snap } from "./model.js";

const STEP = 0.01;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let gestures = 0;

export function Canvas({ layout, picture, state, dispatch, naming, setNaming, findingsOf, onDelete, busy, making }) {
  const stage = useRef(null);
  const [drag, setDrag] = useState(null);
  const renamed = useRef(null); // the box whose field a key closed: it takes the focus back as the field goes
  useLayoutEffect(() => {
    if (naming === null && renamed.current !== null) find(renamed.current)?.focus();
    renamed.current = null;
  }, [naming]);
  const shown = state.boxes.filter((box) => !box.gone);

  const find = (key) => stage.current.querySelector(`[data-key="${key}"]`);
  const at = (event) => {
    const area = stage.current.getBoundingClientRect();
    return { x: (event.clientX - area.left) / area.width, y: (event.clientY - area.top) / area.height };
  };
  const clamp = ({ x, y }) => ({ x: Math.min(Math.max(x, 0), 1), y: Math.min(Math.max(y, 0), 1) });

  // On the boxes any pointer drags; on the empty place a finger scrolls, and only a mouse or a pen draws a box.
  function press(event) {
    if (busy || event.button !== 0 || event.target.closest("input")) return;
    stage.current.querySelector(".namer")?.blur();
    const key = event.target.closest("[data-key]")?.dataset.key ?? null;
    const box = shown.find((one) => one.key === key);
    if (!box && event.pointerType === "touch") return dispatch({ type: "select", key: null });
    gestures += 1;
    stage.current.setPointerCapture(event.pointerId);
    setDrag({ box, grip: event.target.dataset.grip ?? "", from: clamp(at(event)), to: null, mark: `drag ${gestures}` });
    dispatch({ type: "select", key });
    return undefined;
  }

  function pull(event) {
    if (!drag) return;
    const to = at(event);
    const free = event.altKey ? (value) => value : snap;
    if (!drag.box) return setDrag({ ...drag, to: clamp({ x: free(to.x), y: free(to.y) }) });
    const [across, down] = [to.x - drag.from.x, to.y - drag.from.y];
    if (!drag.pulled && Math.hypot(across, down) < 0.005) return undefined;
    if (!drag.pulled) setDrag({ ...drag, pulled: true });
    const { x, y, width, height } = drag.grip
      ? resized(drag.box, drag.grip, across, down, free)
      : moved(drag.box, free(drag.box.x + across), free(drag.box.y + down));
    return dispatch({ type: "put", change: replaced(drag.box.key, (box) => ({ ...box, x, y, width, height })), mark: drag.mark });
  }

  function release(event) {
    if (!drag) return;
    setDrag(null);
    dispatch({ type: "settle" });
    if (drag.box) return find(drag.box.key)?.focus();
    const place = drag.to && drawnFrom(drag.from, drag.to);
    if (!place || place.width < 0.03 || place.height < 0.03 || event.type === "pointercancel") return;
    const fresh = newBox(place);
    dispatch({ type: "put", change: (boxes) => [...boxes, fresh], select: fresh.key, mark: `new ${fresh.key}` });
    setNaming(fresh.key);
  }

  function type(event, box) {
    const way = ARROWS[event.key];
    if (busy) return;
    if (way) {
      const [across, down] = way.map((sense) => sense * STEP);
      const put = event.shiftKey
        ? (one) => resized(one, "se", across, down)
        : (one) => moved(one, one.x + across, one.y + down);
      dispatch({ type: "put", change: replaced(box.key, put), mark: `key ${box.key} ${event.shiftKey}` });
    } else if (event.key === "Enter" || event.key === "F2") setNaming(box.key);
    else if (event.key === "Delete" || event.key === "Backspace") onDelete(box);
    else return;
    event.preventDefault();
  }

  const sketch = drag && !drag.box && drag.to && drawnFrom(drag.from, drag.to);
  const named = shown.find((box) => box.key === naming);
  return html`<div class=${`stage${drag ? " dragging" : ""}`} ref=${stage} style=${{ "--ratio": layout.width / layout.height }}
    onPointerDown=${press} onPointerMove=${pull} onPointerUp=${release} onPointerCancel=${release}
    onDblClick=${() => busy || !state.selected || setNaming(state.selected)}>
    <img src=${picture} width=${layout.width} height=${layout.height} alt=${layout.prompt} draggable=${false} />
    ${making && html`<img class="making" src=${making} alt="" draggable=${false} />`}
    <div class="boxes" role="group" aria-label="Boxes on the picture">
      ${state.boxes.filter((box) => box.was && (box.gone || isMoved(box))).map((box) => html`<i key=${box.key} class="ghost" style=${sidesOf(box.was)}></i>`)}
      ${shown.map((box) => html`<${Box} key=${box.key} box=${box} selected=${box.key === state.selected} findings=${findingsOf(box)}
        hidden=${box.key === naming && box.caption === ""} busy=${busy}
        onFocus=${() => dispatch({ type: "select", key: box.key })} onKeyDown=${(event) => type(event, box)} />`)}
      ${sketch && html`<i class="ghost sketch" style=${sidesOf(sketch)}></i>`}
    </div>
    ${named && html`<${Namer} key=${named.key} box=${named} dispatch=${dispatch} onEnd=${(typed) => {
      renamed.current = typed ? named.key : null;
      setNaming(null);
    }} />`}
  </div>`;
}

export const sidesOf = (box) => ({
  left: `${box.x * 100}%`, top: `${box.y * 100}%`, width: `${box.width * 100}%`, height: `${box.height * 100}%`,
});
