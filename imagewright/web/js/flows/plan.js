// What would be chosen for a prompt, and why: the candidates with their intervals, and what each that cannot run lacks.
import { html, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { linkTo } from "../router.js";
import { Fault } from "../ui/notice.js";
import { Intervals } from "./intervals.js";

export function Plan() {
  const [prompt, setPrompt] = useState("");
  const [state, setState] = useState({});
  async function ask(event) {
    event.preventDefault();
    if (!prompt.trim() || state.busy) return;
    setState({ busy: true });
    try {
      setState({ plan: await post("/v1/plan", { prompt, candidates: 12 }) });
    } catch (error) {
      setState({ error });
    }
  }
  return html`<h1>What would you choose for…</h1>
    <form class="say-plan" onSubmit=${ask}>
      <label class="seen-by-readers" for="plan">A prompt</label>
      <input id="plan" value=${prompt} maxlength="20000" placeholder="two red circles above a blue square" onInput=${(e) => setPrompt(e.target.value)} />
      <button class="primary" disabled=${state.busy || !prompt.trim()}>Choose</button>
    </form>
    <div role="status">${state.busy && html`<p class="quiet">Weighing the flows…</p>`}</div>
    ${state.error && html`<${Fault} error=${state.error} />`}
    ${state.plan && html`<${Answer} plan=${state.plan} />`}`;
}

function Answer({ plan }) {
  const all = plan.candidates.map((one) => toRow(one, plan.flow));
  const [able, unable] = [all.filter((row) => !row.dim), all.filter((row) => row.dim)];
  const title = plan.candidates.find((one) => one.flow === plan.flow)?.title ?? plan.flow;
  return html`<section class="card stack" aria-label="The answer">
    <div>
      ${plan.flow
        ? html`<h2 class="any-text">It would be <a href=${linkTo("flows", [plan.flow])}>${title}</a></h2>`
        : html`<h2>Nothing here can draw it</h2>`}
      ${plan.reason && html`<p class="any-text">${plan.reason}</p>`}
      ${plan.categories.length > 0 && html`<p class="row">${plan.categories.map((name) => html`<span key=${name} class="badge">${name}</span>`)}</p>`}
      ${plan.notes.map((note, n) => html`<p key=${n} class="small quiet any-text">${note}</p>`)}
    </div>
    ${able.length > 0 && html`<div><h3>Can run here</h3><${Intervals} rows=${able} among=${all} /></div>`}
    ${unable.length > 0 && html`<div><h3>Cannot run here</h3><${Intervals} rows=${unable} among=${all} /></div>`}
  </section>`;
}

const toRow = (one, chosen) => ({
  key: one.flow, title: one.title, href: linkTo("flows", [one.flow]), mean: one.estimate, low: one.low, high: one.high,
  count: one.evidence, chosen: one.flow === chosen, dim: !one.runnable, why: one.why_not,
});
