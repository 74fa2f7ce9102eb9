// The filter bar. What is set stands in the address, so that a link opens the same pictures.
import { html, useEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { replaceQuery } from "./query.js";

const ACCEPTED = { "": "Any", yes: "Accepted", no: "Not accepted", unjudged: "Not judged" };
const THUMBS = { "": "Any", up: "Thumbs up", down: "Thumbs down", none: "None" };

export function FilterBar({ filters }) {
  const [open, setOpen] = useState(false);
  const [flows] = useLoaded("/v1/pictures/flows");
  const [threads] = useLoaded("/v1/threads?limit=100");
  const set = (name) => (value) => replaceQuery([], { ...filters, [name]: value });
  const rest = Object.keys(filters).filter((name) => name !== "text").length;
  return html`<form class="gallery-filters" role="search" aria-label="Pictures" data-open=${open} onSubmit=${(e) => e.preventDefault()}>
    <${Words} value=${filters.text ?? ""} onChange=${set("text")} />
    <button type="button" class="more" aria-expanded=${open} onClick=${() => setOpen(!open)}>Filters${rest ? ` (${rest})` : ""}</button>
    <${Choice} label="Flow" value=${filters.flow} options=${nameFlows(flows)} onChange=${set("flow")} />
    <${Choice} label="Critic" value=${filters.accepted} options=${ACCEPTED} onChange=${set("accepted")} />
    <${Choice} label="Thumb" value=${filters.thumb} options=${THUMBS} onChange=${set("thumb")} />
    <${Day} label="From" value=${filters.since} most=${filters.until} onChange=${set("since")} />
    <${Day} label="To" value=${filters.until} least=${filters.since} onChange=${set("until")} />
    <${Choice} label="Conversation" value=${filters.thread} options=${nameThreads(threads)} onChange=${set("thread")} />
    <button type="button" class="clear" disabled=${!Object.keys(filters).length} onClick=${() => replaceQuery([], {})}>Clear</button>
  </form>`;
}

const nameFlows = (flows) =>
  Object.fromEntries([["", "Any"], ...(flows?.data ?? []).map(({ flow, pictures }) => [flow, `${flow} (${pictures})`])]);

const nameThreads = (threads) =>
  Object.fromEntries([["", "Any"], ...(threads?.data ?? []).map(({ name, title, first }) => [name, cut(title || first || name)])]);

const cut = (text) => (text.length > 48 ? `${text.slice(0, 47)}…` : text);

function Words({ value, onChange }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef(0);
  const told = useRef(value);
  useEffect(() => {
    if (value !== told.current) setTyped(value); // the address was changed by something else
    told.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  function type(event) {
    const text = event.target.value;
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => { told.current = text.trim(); onChange(text.trim()); }, 250);
  }
  return html`<label class="words">Words
    <input type="search" maxlength="200" placeholder="in what was asked for" value=${typed} onInput=${type} />
  </label>`;
}

function Choice({ label, value = "", options, onChange }) {
  const all = value in options ? options : { ...options, [value]: value };
  return html`<label>${label}
    <select value=${value} onChange=${(e) => onChange(e.target.value)}>
      ${Object.entries(all).map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}
    </select>
  </label>`;
}

function Day({ label, value = "", least, most, onChange }) {
  return html`<label>${label}
    <input type="date" value=${value} min=${least} max=${most} onChange=${(e) => onChange(e.target.value)} />
  </label>`;
}
