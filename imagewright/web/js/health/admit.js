// Lets one more person use the server: a name, limits, and a token that is shown once.
import { html, useState } from "../../vendor/preact-htm.js";
import { post } from "../api.js";
import { Dialog } from "../ui/dialog.js";
import { Fault } from "../ui/notice.js";
import { say } from "../ui/toasts.js";

const LIMITS = { images_a_day: ["Pictures a day", 1], money_a_day: ["Dollars a day", 0.01], requests_a_minute: ["Requests a minute", 1] };

export function Admit({ onAdmitted }) {
  const [words, setWords] = useState({});
  const [error, setError] = useState(null);
  const [made, setMade] = useState(null);
  const set = (name) => (event) => setWords({ ...words, [name]: event.target.value });
  async function admit(event) {
    event.preventDefault();
    const limits = Object.keys(LIMITS).filter((name) => words[name]).map((name) => [name, Number(words[name])]);
    try {
      setMade(await post("/v1/clients", { name: words.name, ...Object.fromEntries(limits) }));
      setWords({});
      setError(null);
      onAdmitted();
    } catch (fault) {
      setError(fault);
    }
  }
  return html`<details><summary>Let one more in</summary>
    <form class="row filters admit" onSubmit=${admit}>
      <label>Name <input required pattern="[a-z0-9][a-z0-9\\-]*" maxlength="40" title="small letters, digits and -" value=${words.name ?? ""} onInput=${set("name")} /></label>
      ${Object.entries(LIMITS).map(([name, [title, step]]) => html`<label key=${name}>${title}
        <input type="number" min=${step} step=${step} placeholder="as many as wanted" value=${words[name] ?? ""} onInput=${set(name)} /></label>`)}
      <button class="primary">Make a token</button>
    </form>
    ${error && html`<${Fault} error=${error} />`}
    ${made && html`<${Shown} made=${made} onClose=${() => setMade(null)} />`}
  </details>`;
}

function Shown({ made, onClose }) {
  const copy = () => navigator.clipboard.writeText(made.token).then(() => say("Copied."), () => say("Mark it and copy it by hand."));
  return html`<${Dialog} title=${`The token of ${made.client.name}`} onClose=${onClose}>
    <p>It is shown this once: hand it over now. It is an address's fragment too: <code>#token=…</code></p>
    <p><code class="any-text token">${made.token}</code></p>
    <div class="row"><button class="primary" onClick=${copy}>Copy</button><button onClick=${onClose}>Done</button></div>
  <//>`;
}
