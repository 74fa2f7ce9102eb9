// Who asks: the token comes in the address's fragment, which no server ever sees, or is typed; this browser keeps it.
import { createStore } from "./store.js";

const KEY = "imagewright.token";

export const token = createStore(read());

function read() {
  const found = /^#token=([^&]+)$/.exec(location.hash);
  if (found) {
    history.replaceState(null, "", location.pathname + location.search);
    return keep(decodeURIComponent(found[1]));
  }
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function keep(text) {
  try {
    if (text) localStorage.setItem(KEY, text);
    else localStorage.removeItem(KEY);
  } catch {
    // a browser that keeps nothing: the token is good for this tab
  }
  return text;
}

export function giveToken(text) {
  token.set(keep(text.trim()));
}
