// The ComfyUI servers of the settings: whether each answers, and how long its queue is.
import { html } from "../../vendor/preact-htm.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";

export function Servers() {
  const [servers, error, again] = useLoaded("/v1/servers");
  return html`<section class="stack" aria-labelledby="servers">
    <div class="row spread"><h2 id="servers">ComfyUI servers</h2><button onClick=${again}>Ask again</button></div>
    ${error && html`<${Fault} error=${error} onRetry=${again} />`}
    ${servers?.data.length === 0 && html`<p class="quiet">None is named. <code>IMAGEWRIGHT_COMFYUI</code> or <code>[comfyui.NAME]</code> in the settings file names one.</p>`}
    <ul class="plain sections">${servers?.data.map((one) => html`<li key=${one.name} class="card">
      <div class="row spread"><h3 class="any-text">${one.name}</h3>
        <span class=${`badge ${one.fault ? "bad" : "good"}`}>${one.fault ? "does not answer" : "answers"}</span></div>
      <p class="small quiet any-text">${one.url}</p>
      ${one.version && html`<p class="small">ComfyUI ${one.version}, ${one.node_classes.toLocaleString()} node classes</p>`}
      ${one.waiting !== null && html`<p class="small">${one.waiting ? `${one.waiting} in its queue` : "Nothing in its queue"}</p>`}
      ${one.fault && html`<p class="small any-text">${one.fault}</p><p class="small any-text">${one.remedy}</p>`}
    </li>`)}</ul>
  </section>`;
}
