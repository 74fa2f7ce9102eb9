// The conversation's title, and what is done with it as a whole: renamed, exported, deleted.
import { html, useState } from "../../vendor/preact-htm.js";
import { get, patch, remove } from "../api.js";
import { go } from "../router.js";
import { Confirm, Dialog } from "../ui/dialog.js";
import { say, sayFault } from "../ui/toasts.js";
import { threadPath } from "./thread.js";
import { listChanged } from "./threads.js";

export function Head({ name, title, known, onChange, children }) {
  const [open, setOpen] = useState("");
  const close = () => setOpen("");
  async function drop() {
    try {
      await remove(threadPath(name));
      listChanged();
      go("talk");
      say("The conversation is gone.");
    } catch (fault) {
      sayFault(fault);
    }
  }
  return html`<header class="talk-head row">
    ${children}
    <h1 class=${name ? "said-short" : "seen-by-readers"} dir="auto">${title || (name ? "…" : "New conversation")}</h1>
    ${known && html`<button class="bare small" onClick=${() => setOpen("rename")}>Rename</button>
      <button class="bare small" onClick=${() => exportThread(name).catch(sayFault)}>Export</button>
      <button class="bare small danger" onClick=${() => setOpen("delete")}>Delete</button>`}
    ${open === "rename" && html`<${Rename} ...${{ name, title, onChange }} onClose=${close} />`}
    ${open === "delete" && html`<${Confirm} title=${`Delete “${title}”?`} action="Delete it" onYes=${drop} onClose=${close}
      text="Its words, its pictures and its history go for good." />`}
  </header>`;
}

// The server gives it only with the token.
async function exportThread(name) {
  const href = URL.createObjectURL(await (await get(threadPath(name, "/export"), { raw: true })).blob());
  Object.assign(document.createElement("a"), { href, download: `${name}.zip` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

function Rename({ name, title, onChange, onClose }) {
  const [typed, setTyped] = useState(title);
  async function keep(event) {
    event.preventDefault();
    try {
      await patch(threadPath(name), { title: typed.trim() });
      onChange();
      listChanged();
      onClose();
    } catch (fault) {
      sayFault(fault);
    }
  }
  return html`<${Dialog} title="Rename the conversation" onClose=${onClose}>
    <form class="stack" onSubmit=${keep}>
      <label>Title<input value=${typed} maxlength="200" dir="auto" onInput=${(e) => setTyped(e.target.value)} /></label>
      <div class="row"><button class="primary">Rename</button><button type="button" onClick=${onClose}>Leave it</button></div>
    </form><//>`;
}
