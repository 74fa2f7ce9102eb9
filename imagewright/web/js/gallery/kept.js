// What the gallery keeps while one looks elsewhere: its pictures, where it was scrolled to, and what is selected.
import { createStore } from "../store.js";
import { createSource } from "./source.js";

let kept = { key: null, source: null, scroll: 0, active: 0 };

// The source of a query: the same one as before, where the query is.
export function openSource(filters) {
  const key = JSON.stringify(filters);
  if (kept.key === key) kept.source.check().catch(() => {}); // the shell tells when the server is gone
  else kept = { key, source: createSource(filters), scroll: 0, active: 0 };
  return kept.source;
}

export const place = () => kept;
export const renew = (filters, scroll = 0) => {
  kept = { key: null, source: null, scroll: 0, active: 0 };
  const source = openSource(filters);
  kept.scroll = scroll;
  return source;
};

// Up to two runs that are to be compared; a third takes the place of the first.
export const selected = createStore([]);

export const toggle = (run) =>
  selected.set((runs) => (runs.includes(run) ? runs.filter((one) => one !== run) : [...runs, run].slice(-2)));

// After a picture is gone.
export function forget(run) {
  selected.set((runs) => runs.filter((one) => one !== run));
  kept = { ...kept, key: null };
}
