// What is typed and not sent yet outlives a refresh, for each conversation.
import { useState } from "../../vendor/preact-htm.js";

const key = (name) => `imagewright.draft.${name ?? ""}`;

export function useDraft(name) {
  const [text, setText] = useState(() => {
    try {
      return sessionStorage.getItem(key(name)) ?? "";
    } catch {
      return "";
    }
  });
  return [text, (next) => {
    try {
      if (next) sessionStorage.setItem(key(name), next);
      else sessionStorage.removeItem(key(name));
    } catch {
      // a browser that keeps nothing
    }
    setText(next);
  }];
}
