// Short lines at the edge, for what has no place of its own; read out by screen readers, gone after some seconds.
import { html } from "../../vendor/preact-htm.js";
import { createStore, useStore } from "../store.js";
import { Fault } from "./notice.js";

const shown = createStore([]);
let count = 0;

function add(toast, seconds) {
  const id = ++count;
  shown.set((all) => [...all, { ...toast, id }]);
  setTimeout(() => close(id), seconds * 1000);
}

const close = (id) => shown.set((all) => all.filter((one) => one.id !== id));

export const say = (text) => add({ text }, 4);
export const sayFault = (error) => add({ error }, 9);

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${useStore(shown).map(({ id, text, error }) => error
      ? html`<div key=${id}><${Fault} error=${error} /></div>`
      : html`<div key=${id} class="card any-text">${text}</div>`)}
  </div>`;
}
