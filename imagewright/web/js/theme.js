// Light or dark: as the system has it, or as the person chose.
import { createStore } from "./store.js";

const KEY = "imagewright.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = createStore(kept());

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system";
  }
}

function show() {
  const chosen = theme.get();
  document.documentElement.dataset.theme = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
}

export function chooseTheme(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // kept for this tab only
  }
  theme.set(name);
}

theme.watch(show);
system.addEventListener("change", show);
show();
