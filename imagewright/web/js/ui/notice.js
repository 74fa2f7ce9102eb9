// A fault or a remark, in place: title, message, what to do, and perhaps a way to try again.
import { html } from "../../vendor/preact-htm.js";
import { describeFault } from "../faults.js";

export function Fault({ error, onRetry }) {
  const told = describeFault(error);
  return html`<div class="notice bad" role="alert">
    <p><strong>${told.title}.</strong> <span class="any-text">${told.message}</span></p>
    ${told.remedy && html`<p class="small any-text">${told.remedy}</p>`}
    ${onRetry && html`<p><button onClick=${onRetry}>Try again</button></p>`}
  </div>`;
}
