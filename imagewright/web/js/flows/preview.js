// What a workflow would become, before anything is stored; its words and slots can be corrected and it is added from here.
import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { go, linkTo } from "../router.js";
import { Dialog } from "../ui/dialog.js";
import { Fault } from "../ui/notice.js";
import { say } from "../ui/toasts.js";
import { Facts } from "./detail.js";
import { ByServer, Missing, State } from "./missing.js";
import { Slots, toSlots } from "./slots.js";

export function Preview({ sent, owner, onClose }) {
  const [told, setTold] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    post("/v1/flows/preview", { name: sent.name, file: sent.file }).then(setTold, setError);
  }, [sent]);
  return html`<${Dialog} title=${sent.name} onClose=${onClose}>
    <div class="stack preview">
      ${error && html`<${Fault} error=${error} />`}
      ${!told && !error && html`<p role="status">Reading it…</p>`}
      ${told?.refused && html`<${Refused} refused=${told.refused} />`}
      ${told?.flow && html`<${Becomes} told=${told} sent=${sent} owner=${owner} onClose=${onClose} />`}
      <div class="row"><button onClick=${onClose}>Close</button></div>
    </div>
  <//>`;
}

function Refused({ refused }) {
  return html`<div class="notice bad" role="alert"><p><strong>This cannot become a flow.</strong></p>
    <ul class="small">${refused.reasons.map((reason, n) => html`<li key=${n} class="any-text">${reason}</li>`)}</ul>
    <p class="small any-text">${refused.remedy}</p></div>`;
}

function Becomes({ told, sent, owner, onClose }) {
  const { flow, known, twin } = told;
  const link = (id) => html`<a class="any-text" href=${linkTo("flows", [id])} onClick=${onClose}>${id}</a>`;
  return html`
    <div class="row spread"><h3 class="any-text">${flow.title}</h3><${State} flow=${flow} /></div>
    ${known && html`<p class="notice">It is in the index already: ${link(known)}.</p>`}
    ${!known && twin && html`<p class="notice">It draws the same pictures as ${link(twin)}, and will share its scores.</p>`}
    ${flow.problems.length > 0 && html`<div><h3>What it lacks here</h3><${Missing} problems=${flow.problems} /></div>`}
    <${ByServer} servers=${told.servers} />
    <${Lines} title="Left out" lines=${told.skipped} /><${Lines} title="To know" lines=${told.notes} />
    <details><summary>Its card</summary><${Facts} flow=${flow} /></details>
    ${owner && !known && html`<${AddForm} told=${told} sent=${sent} onClose=${onClose} />`}
    ${owner === false && html`<p class="quiet small">The owner of this server adds flows.</p>`}`;
}

const Lines = ({ title, lines }) => lines.length > 0 && html`<details><summary>${title}: ${lines.length}</summary>
  <ul class="small">${lines.map((line, n) => html`<li key=${n} class="any-text">${line}</li>`)}</ul></details>`;

function AddForm({ told, sent, onClose }) {
  const { flow, slots: places } = told;
  const [words, setWords] = useState({ title: flow.title, description: flow.description, tags: flow.tags.join(", ") });
  const [slots, setSlots] = useState(places);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (event) => setWords({ ...words, [name]: event.target.value });
  async function add(event) {
    event.preventDefault();
    setBusy(true);
    const tags = words.tags.split(",").map((tag) => tag.trim()).filter(Boolean);
    const card = { title: words.title.trim() || flow.title, description: words.description, tags };
    if (slots !== places) card.slots = toSlots(slots);
    try {
      const added = await post("/v1/flows", { name: sent.name, file: sent.file, card });
      say(`${added.id} is added: the next prompt can be drawn with it.`);
      onClose();
      go("flows", [added.id]);
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  }
  return html`<form class="stack" onSubmit=${add}>
    <label>Title <input value=${words.title} maxlength="200" onInput=${set("title")} /></label>
    <label>What it is good at <textarea rows="2" maxlength="2000" value=${words.description} onInput=${set("description")}></textarea></label>
    <label>Tags, with commas <input value=${words.tags} onInput=${set("tags")} /></label>
    <${Slots} slots=${slots} places=${told.places} onChange=${setSlots} />
    ${error && html`<${Fault} error=${error} />`}
    <div><button class="primary" disabled=${busy}>Add it as ${flow.id}</button></div>
  </form>`;
}
