// One conversation as the server has it: loaded, said to, and brought up to date when something may have changed.
import { useEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { connection, post } from "../api.js";
import { useLoaded } from "../ui/load.js";
import { sayFault } from "../ui/toasts.js";
import { listChanged } from "./threads.js";

export const threadPath = (name, tail = "") => `/v1/threads/${encodeURIComponent(name)}${tail}`;
const EMPTY = { title: "", present: null, choices: [], running: [], data: [] };

const begun = new Map(); // what was said last in each conversation: it is shown before the server tells of it

export function useThread(name) {
  const [value, error, again] = useLoaded(name && threadPath(name));
  const [mine, setMine] = useState(begun.get(name) ?? []);
  const [faults, setFaults] = useState({});
  const thread = value ?? EMPTY;
  useEffect(() => { if (value) { setMine([]); begun.delete(name); } }, [value]);
  useUpToDate(again, thread.data.some((turn) => turn.status === "running") && !thread.running.length);
  const known = new Set(thread.running.map((run) => run.id));
  const running = [...thread.running, ...mine.filter((run) => !known.has(run.id))];
  return {
    thread, running, faults, again, error: error?.status === 404 && mine.length ? null : error, loaded: value !== null,
    began: (run, to) => { begun.set(to, [run]); setMine((old) => [...old, run]); again(); },
    ended: (run, end) => {
      if (end?.error) tellFault(run, end.error, setFaults);
      again();
      listChanged();
    },
  };
}

// Of a run that the history does not keep the fault is told at the edge, of others in their place.
function tellFault(run, error, setFaults) {
  setFaults((old) => ({ ...old, [run.id]: error }));
  if (error.code !== "cancelled") sayFault(error);
}

// What others do in the same conversation is seen when one comes back to the page, and while something runs elsewhere.
function useUpToDate(again, polls) {
  const was = useRef(connection.get());
  useEffect(() => connection.watch((now) => {
    if (was.current === "gone" && now === "here") again();
    was.current = now;
  }), [again]);
  useEffect(() => {
    addEventListener("focus", again);
    return () => removeEventListener("focus", again);
  }, [again]);
  useEffect(() => {
    if (!polls) return undefined;
    const timer = setInterval(again, 3000);
    return () => clearInterval(timer);
  }, [again, polls]);
}

// Hex digits; also where the page is not of a secure origin, which has no randomUUID.
export const byChance = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Says something under a key, so that what was lost on the way and is sent again is done once.
let last = { body: "", key: "" };

export async function sayTo(name, wishes) {
  const body = JSON.stringify([name, wishes]);
  if (last.body !== body) last = { body, key: byChance(12) };
  const run = await post(threadPath(name, "/turns"), wishes, { headers: { "idempotency-key": last.key } });
  last = { body: "", key: "" };
  return run;
}
