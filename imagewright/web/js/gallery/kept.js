// What the gallery keeps while one looks elsewhere: its pictures, where it was scrolled to, and what is selected.
import { createStore } from "../store.js";
import { createSource } from "./source.js";

let kept = { key: null, source: null, scroll: 0, active: 0, stale: false };

// Where one is in the list: the grid reads and writes it.
export const place = () => kept;

// The source of a query: the same one as before where the query is, or its pictures anew where one of them is gone.
export function openSource(filters) {
  const key = JSON.stringify(filters);
  if (kept.key !== key) return renew(filters);
  if (kept.stale) kept = { ...kept, source: createSource(filters), stale: false };
  else kept.source.check().catch(() => {}); // the shell tells when the server is gone
  return kept.source;
}

// The list from its beginning, with what is new.
export function renew(filters) {
  kept = { key: JSON.stringify(filters), source: createSource(filters), scroll: 0, active: 0, stale: false };
  return kept.source;
}

// Up to two runs that are to be compared; a third takes the place of the first.
export const selected = createStore([]);

export const toggle = (run) =>
  selected.set((runs) => (runs.includes(run) ? runs.filter((one) => one !== run) : [...runs, run].slice(-2)));

// After a picture was deleted.
export function forget(run) {
  selected.set((runs) => runs.filter((one) => one !== run));
  kept.stale = true;
}

// After something about a picture has changed.
export const note = (run, changes) => kept.source?.change(run, changes);
