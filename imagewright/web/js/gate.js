// Shown while this browser has no token that the server knows.
import { html, useState } from "../vendor/preact-htm.js";
import { tryToken } from "./api.js";
import { giveToken } from "./token.js";
import { Fault } from "./ui/notice.js";

export function Gate() {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState(null);
  async function enter(event) {
    event.preventDefault();
    try {
      await tryToken(typed.trim());
      giveToken(typed);
    } catch (refused) {
      setError(refused);
    }
  }
  return html`<main class="gate stack">
    <h1>imagewright</h1>
    <p>This page needs your token. <code>imagewright serve</code> printed an address that carries it; it is also the
      <code>secret</code> in <code>server.json</code> in the home, or one that the owner gave you.</p>
    <form class="stack" onSubmit=${enter}>
      <label>Token
        <input type="password" autocomplete="current-password" required value=${typed} onInput=${(e) => setTyped(e.target.value)} />
      </label>
      <div><button class="primary">Enter</button></div>
    </form>
    ${error && html`<${Fault} error=${error} />`}
  </main>`;
}
