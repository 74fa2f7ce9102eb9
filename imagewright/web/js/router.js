// The address's fragment names the view and what it shows: `#/talk/my%20thread`.
import { createStore } from "./store.js";

export const route = createStore(read());

addEventListener("hashchange", () => route.set(read()));

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map(decodePart);
  return { view: view || "talk", rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decodePart(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function linkTo(view, rest = [], query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const tail = kept.length ? `?${new URLSearchParams(kept)}` : "";
  return `#/${[view, ...rest].map(encodeURIComponent).join("/")}${tail}`;
}

export function go(view, rest = [], query = {}) {
  location.hash = linkTo(view, rest, query);
}
