// One box on the picture: its caption, its handles, the critic's mark; and the field in which it is renamed.
import { html, useLayoutEffect, useRef } from "../../vendor/preact-htm.js";
import { sidesOf } from "./canvas.js";
import { isMoved, isRenamed, replaced } from "./model.js";
import { describeBox, nameFinding } from "./words.js";

const GRIPS = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const FEW = ["nw", "se"]; // on a small box more would leave nothing to drag it by
const SMALL = 0.12;

export function Box({ box, selected, findings, hidden, busy, onFocus, onKeyDown }) {
  const changed = box.was === null || isMoved(box) || isRenamed(box);
  const kind = `${selected ? " selected" : ""}${changed ? " changed" : ""}${findings.length ? " faulty" : ""}`;
  return html`<div class=${`box${kind}`} data-key=${box.key} style=${sidesOf(box)} role="button" tabindex="0" hidden=${hidden}
    aria-label=${describeBox(box, findings)} aria-describedby="editor-keys" aria-pressed=${selected} aria-disabled=${busy}
    onFocus=${onFocus} onKeyDown=${onKeyDown}>
    <span class=${`tag${box.y < 0.08 ? " inside" : ""}`} aria-hidden="true"><bdi>${box.caption}</bdi></span>
    ${findings.length > 0 && html`<span class="fault" aria-hidden="true">⚠ ${nameFinding(findings[0])}${findings.length > 1 ? ` +${findings.length - 1}` : ""}</span>`}
    ${selected && !busy && (Math.min(box.width, box.height) < SMALL ? FEW : GRIPS).map((grip) => html`<i key=${grip} class=${`grip ${grip}`} data-grip=${grip}></i>`)}
  </div>`;
}

// Enter keeps the name, Escape leaves it as it was; a new box that gets none is not kept.
export function Namer({ box, dispatch, onEnd }) {
  const field = useRef(null);
  const over = useRef(false);
  useLayoutEffect(() => {
    field.current.focus();
    field.current.select();
  }, []);
  function end(kept, typed) {
    if (over.current) return;
    over.current = true;
    const caption = field.current.value.trim().replace(/\s+/g, " ");
    if (box.caption === "" && !(kept && caption)) dispatch({ type: "abandon", key: box.key });
    else if (kept && caption && caption !== box.caption) {
      dispatch({ type: "put", change: replaced(box.key, (one) => ({ ...one, caption })), mark: box.caption ? "" : `new ${box.key}` });
    }
    onEnd(typed);
  }
  function type(event) {
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    event.stopPropagation();
    end(event.key === "Enter", true);
  }
  return html`<input class="namer" ref=${field} maxlength="200" style=${{ left: `${box.x * 100}%`, top: `${box.y * 100}%` }}
    aria-label="What is in the box" placeholder="a blue cup" value=${box.caption} onKeyDown=${type} onBlur=${() => end(true, false)} />`;
}
