// The server's routes, asked as any other client asks them. Every fault is an ApiError with a code, a message and a remedy.
import { createStore } from "./store.js";
import { giveToken, token } from "./token.js";

export class ApiError extends Error {
  constructor(code, message, remedy = "", status = 0) {
    super(message);
    Object.assign(this, { code, remedy, status });
  }
}

// "here" while the server answers, "gone" while it does not: the shell says so and tries again.
export const connection = createStore("here");

export async function ask(method, path, body = undefined, options = {}) {
  const answer = await send(method, path, body, options);
  if (answer.status === 204) return null;
  return options.raw ? answer : answer.json();
}

export const get = (path, options) => ask("GET", path, undefined, options);
export const post = (path, body = {}, options = {}) => ask("POST", path, body, options);
export const patch = (path, body, options) => ask("PATCH", path, body, options);
export const remove = (path, options) => ask("DELETE", path, undefined, options);

// Whether the server knows a token; what it refuses is thrown.
export const tryToken = (text) => get("/v1/threads?limit=1", { headers: { authorization: `Bearer ${text}` } });

// `/v1/threads` with {text: "a b", limit: 5} → `/v1/threads?text=a+b&limit=5`; what is empty is left out.
export function withQuery(path, values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return kept.length ? `${path}?${new URLSearchParams(kept)}` : path;
}

async function send(method, path, body, { signal, headers = {} } = {}) {
  const form = body instanceof FormData;
  const sent = { authorization: `Bearer ${token.get()}`, ...headers };
  if (body !== undefined && !form) sent["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path.replace(/^\//, ""), {
      method, signal, headers: sent, body: body === undefined || form ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.set("gone");
    throw new ApiError("unreachable", "The server does not answer.", "It may have been stopped. The page goes on when it is back.");
  }
  connection.set("here");
  if (answer.ok) return answer;
  throw await toError(answer);
}

async function toError(answer) {
  let told = {};
  try {
    told = (await answer.json()).error ?? {};
  } catch {
    // no JSON: a proxy's page
  }
  if (answer.status === 401) giveToken(""); // the gate asks for another
  return new ApiError(told.code ?? "server_error", told.message ?? `The server answered ${answer.status}.`, told.remedy ?? "", answer.status);
}

// Server-sent events with our token. A connection that breaks is taken up again after the last event; ends with `end`.
// `again` comes before events of a server that was started anew: it tells from where it went on.
export async function follow(path, onEvent, { signal } = {}) {
  let last = 0;
  for (let wait = 250; ; wait = Math.min(wait * 2, 5000)) {
    try {
      const answer = await send("GET", path, undefined, { signal, headers: { "last-event-id": String(last) } });
      wait = 250;
      for await (const event of eventsOf(answer.body)) {
        if (event.id && Number(event.id) <= last) onEvent("again", {});
        if (event.id) last = Number(event.id);
        onEvent(event.kind, JSON.parse(event.data));
        if (event.kind === "end") return;
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof ApiError && error.code !== "unreachable") throw error;
    }
    await pause(wait, signal);
    if (signal?.aborted) return;
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value.replace(/\r\n?/g, "\n")).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = readEvent(block);
      if (event) yield event;
    }
  }
}

function readEvent(block) {
  const event = { kind: "message", data: "", id: "" };
  for (const line of block.split("\n")) {
    const [name, value] = line.split(/: ?(.*)/s);
    if (name === "event") event.kind = value;
    if (name === "data") event.data += value;
    if (name === "id") event.id = value;
  }
  return event.data ? event : null;
}

export function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}
