// Two pictures on each other with a slider between them, and how their facts differ.
import { html, useRef, useState } from "../../vendor/preact-htm.js";
import { linkTo } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { tellTime, tellWork } from "./facts.js";

export function Compare({ left, right, filters }) {
  const [first, error, again] = useLoaded(`/v1/runs/${encodeURIComponent(left)}/details`);
  const [second, other, too] = useLoaded(`/v1/runs/${encodeURIComponent(right)}/details`);
  const fault = error ?? other;
  return html`<article class="compare stack">
    <nav class="row" aria-label="Pictures">
      <a class="button" href=${linkTo("gallery", [], filters)}>All pictures</a>
      <a class="button" href=${linkTo("gallery", ["compare", right, left], filters)}>Swap sides</a>
    </nav>
    <h1>Two pictures compared</h1>
    ${fault && html`<${Fault} error=${fault} onRetry=${() => { again(); too(); }} />`}
    ${first && second && !fault && html`<${Slider} first=${first} second=${second} /><${Differences} first=${first} second=${second} filters=${filters} />`}
  </article>`;
}

function Slider({ first, second }) {
  const [at, setAt] = useState(50);
  const box = useRef(null);
  function drag(event) {
    if (event.type === "pointerdown") box.current.setPointerCapture(event.pointerId);
    if (!event.buttons) return;
    const { left, width } = box.current.getBoundingClientRect();
    setAt(Math.round(Math.min(100, Math.max(0, (100 * (event.clientX - left)) / width))));
  }
  const most = Math.max(first.width, 4 * Math.min(first.width, 256));
  return html`<figure class="slider" style=${{ "--ratio": first.width / first.height, "--most": `${most}px`, "--at": `${at}%` }}>
    <div class="layers" ref=${box} onPointerDown=${drag} onPointerMove=${drag}>
      <img src=${first.url} width=${first.width} height=${first.height} alt=${`Left: ${first.prompt}`} draggable=${false} />
      <img class="over" src=${second.url} width=${second.width} height=${second.height} alt=${`Right: ${second.prompt}`} draggable=${false} />
      <span class="edge-line"></span>
    </div>
    <label>How much of the left picture is seen
      <input type="range" min="0" max="100" value=${at} aria-valuetext=${`${at} %`} onInput=${(e) => setAt(Number(e.target.value))} />
    </label>
  </figure>`;
}

const ROWS = {
  Prompt: (one) => one.prompt,
  Flow: (one) => one.flow,
  Seed: (one) => one.seed_text,
  Size: (one) => `${one.width} × ${one.height}`,
  Critic: (one) => (one.accepted === null ? "not judged" : `${one.accepted ? "accepted" : "not accepted"} ${one.score.toFixed(2)}`),
  Failed: (one) => one.checks.filter((check) => check.counts && !check.passed).map((check) => check.detail).join("; ") || "nothing",
  Thumb: (one) => one.thumb || "none",
  Took: tellWork,
  "Asked for": (one) => tellTime(one.created),
  Conversation: (one) => one.thread ?? "none",
};

function Differences({ first, second, filters }) {
  const told = Object.entries(ROWS).map(([name, tell]) => [name, tell(first), tell(second)]);
  const same = told.filter(([, a, b]) => a === b).map(([name]) => name.toLowerCase());
  const open = (one) => html`<a href=${linkTo("gallery", [one.run], filters)}>Open</a>`;
  return html`<section class="differences" aria-label="Differences">
    <table>
      <thead><tr><td></td><th scope="col">Left ${open(first)}</th><th scope="col">Right ${open(second)}</th></tr></thead>
      <tbody>${told.filter(([, a, b]) => a !== b).map(([name, a, b]) => html`<tr key=${name}>
        <th scope="row">${name}</th><td class="any-text">${a}</td><td class="any-text">${b}</td></tr>`)}</tbody>
    </table>
    ${same.length > 0 && html`<p class="quiet small">The same in both: ${same.join(", ")}.</p>`}
  </section>`;
}
