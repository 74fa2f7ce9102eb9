// One flow: its card, what it lacks here, its scores by category, its graph to take along, and flows like it.
import { html, useMemo } from "../../vendor/preact-htm.js";
import { withQuery } from "../api.js";
import { go, linkTo } from "../router.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { FlowActions } from "./actions.js";
import { Intervals } from "./intervals.js";
import { ByServer, Missing, State } from "./missing.js";

export function Detail({ name, owner }) {
  const path = `/v1/flows/${encodeURIComponent(name)}`;
  const [flow, error, again] = useLoaded(path);
  const [scores, unknown] = useLoaded(flow && withQuery("/v1/scores", { flow: name }));
  const [near, none] = useLoaded(flow && withQuery("/v1/flows", { text: `${flow.title}. ${flow.description}`.slice(0, 480), limit: 7 }));
  const [check] = useLoaded(flow && `${path}/check`);
  if (error) return html`<${Fault} error=${error} onRetry=${again} />`;
  if (!flow) return html`<p class="quiet" role="status">Looking…</p>`;
  const [scored, placed] = [scores || unknown, near || none]; // what comes later stands below: nothing jumps
  return html`<article class="stack">
    <div class="row spread"><h1 class="any-text">${flow.title}</h1><${State} flow=${flow} /></div>
    ${flow.description && html`<p class="any-text">${flow.description}</p>`}
    <div class="row">
      ${owner && html`<${FlowActions} flow=${flow} onChange=${again} onGone=${() => go("flows")} />`}
      <${Download} flow=${flow} />
    </div>
    ${flow.problems.length > 0 && html`<section class="card"><h2>What it lacks here</h2><${Missing} problems=${flow.problems} /></section>`}
    <div class="two-columns">
      <section class="card"><h2>Card</h2><${Facts} flow=${flow} /></section>
      <section class="card"><h2>Expected scores</h2>${unknown ? html`<${Fault} error=${unknown} />` : html`<${Scores} scores=${scores} />`}</section>
    </div>
    ${scored && near && html`<${Similar} flow=${flow} near=${near} />`}
    ${scored && placed && check?.servers && html`<section class="card"><${ByServer} servers=${check.servers} /></section>`}
  </article>`;
}

export function Facts({ flow }) {
  const { card } = flow;
  const rows = [
    ["Name", flow.id], ["Kind", card.kind], ["Model", [card.base_model, card.family].filter(Boolean).join(" · ")],
    ["Files", card.models.map((file) => `${file.folder}/${file.name}`).join("\n")], ["LoRAs", card.loras.join(", ")],
    ["Samplers", card.samplers.join(", ")], ["Tags", flow.tags.join(", ")], ["Licence", card.licence],
    ["Slots", Object.keys(card.slots).join(", ")], ["Nodes", card.node_classes.join(", ")],
    ["Packs", [...new Set(Object.values(card.packs))].join(", ")],
    ["Seconds", card.cost === null ? "" : card.cost.toFixed(2)], ["Source", card.source], ["Same as", card.duplicate_of ?? ""],
  ].filter(([, value]) => value);
  return html`<dl class="facts small">${rows.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd class="any-text">${value}</dd>`)}</dl>`;
}

function Scores({ scores }) {
  const [row] = scores?.data ?? [];
  if (!row) return html`<div class="quiet">Looking…</div>`;
  const rows = [["overall", row.overall], ...row.cells.map((cell, n) => [scores.categories[n], cell])];
  return html`<${Intervals} rows=${rows.map(([title, { mean, low, high, scores: count }]) => ({ key: title, title, mean, low, high, count }))} />
    <p class="quiet small">On ${scores.backend}, with 90 % intervals.${row.overall.scores === 0 && " Nothing is measured yet: it is told from flows like it."}</p>`;
}

function Download({ flow }) {
  const address = useMemo(() => {
    const { id, card, graph } = flow;
    return URL.createObjectURL(new Blob([JSON.stringify({ id, card, graph }, null, 1)], { type: "application/json" }));
  }, [flow]);
  return html`<a class="button" href=${address} download=${`${flow.id}.json`}>Download the graph</a>`;
}

function Similar({ flow, near }) {
  const others = near.data.filter((one) => one.id !== flow.id).slice(0, 6);
  return html`<section class="card"><h2>Flows like it</h2>
    <ul class="plain row">${others.map((one) => html`<li key=${one.id}><a class="button any-text" href=${linkTo("flows", [one.id])}>${one.title}</a></li>`)}</ul>
  </section>`;
}
