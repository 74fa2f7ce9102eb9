// A picture of the conversation with its facts, and what can be done with it.
import { html, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { Judged, Thumb } from "../gallery/facts.js";
import { linkTo } from "../router.js";
import { sayFault } from "../ui/toasts.js";
import { shownSize } from "./outline.js";
import { PastStory } from "./story.js";
import { Why } from "./why.js";

export function Picture({ turn, thread, isPresent, onUndo, onBranch }) {
  const made = turn.picture;
  const [open, setOpen] = useState("");
  const flip = (name) => setOpen(open === name ? "" : name);
  return html`
    <a class="shown" href=${made.url} target="_blank" rel="noopener" style=${shownSize(made)}>
      <img src=${made.url} alt=${turn.said} width=${made.width} height=${made.height} /></a>
    <${Facts} made=${made} />
    <div class="row actions">
      <${Thumbs} turn=${turn} />
      <button class="bare" aria-expanded=${open === "why"} onClick=${() => flip("why")}>Why?</button>
      <button class="bare" aria-expanded=${open === "story"} onClick=${() => flip("story")}>How it came about</button>
      ${isPresent
        ? html`<button class="bare" onClick=${onUndo}>Undo</button>`
        : html`<button class="bare" onClick=${() => onBranch(turn.run)}>Go on from here</button>`}
      <a class="button" href=${linkTo("boxes", [turn.run], { thread })}>Edit boxes</a>
      ${made.file && html`<a class="button" href=${made.file} download=${`imagewright-${turn.run}.png`}>PNG</a>`}
    </div>
    ${open === "why" && html`<${Why} run=${turn.run} />`}
    ${open === "story" && html`<${PastStory} run=${turn.run} size=${made} />`}`;
}

function Facts({ made }) {
  return html`<p class="picture-facts small quiet">
      <span>picture ${made.number}</span><${Judged} facts=${made} />
      <span class="any-text">${made.flow}</span><span>seed ${made.seed}</span><span>${made.width} × ${made.height}</span>
      <span>${made.seconds.toFixed(1)} s</span><span>${made.images} ${made.images === 1 ? "image" : "images"} made</span></p>
    ${made.faults.length > 0 && html`<ul class="faults small any-text">${made.faults.map((fault) => html`<li key=${fault}>${fault}</li>`)}</ul>`}
    ${made.notes.length > 0 && html`<details class="small quiet"><summary>${made.notes.length} ${made.notes.length === 1 ? "note" : "notes"}</summary>
      <ul class="any-text">${made.notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul></details>`}`;
}

function Thumbs({ turn }) {
  const [thumb, setThumb] = useState(turn.picture.thumb);
  async function give(way) {
    const before = thumb;
    setThumb(way);
    try {
      await post(`/v1/runs/${turn.run}/thumb`, { thumb: way });
    } catch (fault) {
      setThumb(before);
      sayFault(fault);
    }
  }
  return html`<${Thumb} which="up" now=${thumb} onRate=${give} /><${Thumb} which="down" now=${thumb} onRate=${give} />`;
}
