// What doctor finds, by what it belongs to: faults and what is missing first, what is fine folded away.
import { html, useState } from "../../vendor/preact-htm.js";
import { get } from "../api.js";
import { useLoaded } from "../ui/load.js";
import { Fault } from "../ui/notice.js";
import { Servers } from "./servers.js";

const BADGES = { ok: ["good", "fine"], missing: ["warn", "something is missing"], broken: ["bad", "broken"] };

const SHOWN = 5;

export function Doctor() {
  const [loaded, error, again] = useLoaded("/v1/doctor");
  const [newer, setNewer] = useState({});
  const health = newer.value ?? loaded;
  async function look() {
    setNewer({ value: health, busy: true });
    try {
      setNewer({ value: await get("/v1/doctor") });
    } catch (fault) {
      setNewer({ value: health, error: fault });
    }
  }
  const fault = newer.error ?? (health ? null : error);
  return html`<section class="stack" aria-labelledby="doctor">
    <div class="row spread"><h2 id="doctor">What works here</h2>
      <button disabled=${newer.busy || (!health && !error)} onClick=${look}>Look again</button></div>
    <div role="status" class="quiet line">${(newer.busy || (!health && !error)) && "Looking, which takes some seconds…"}</div>
    ${fault && html`<${Fault} error=${fault} onRetry=${health ? look : again} />`}
    <div class="columns">${health?.sections.map((section) => html`<${Section} key=${section.name} section=${section} />`)}</div>
    ${health && html`<${Servers} />`}
  </section>`;
}

function Section({ section }) {
  const bad = section.findings.filter((one) => one.state !== "ok");
  const fine = section.findings.filter((one) => one.state === "ok");
  const [look, word] = BADGES[section.state];
  return html`<section class="card finding-section">
    <div class="row spread"><h3>${section.name[0].toUpperCase() + section.name.slice(1)}</h3><span class=${`badge ${look}`}>${word}</span></div>
    ${bad.length > 0 && html`<${Findings} findings=${bad.slice(0, SHOWN)} />`}
    ${bad.length > SHOWN && html`<details><summary>${bad.length - SHOWN} more</summary><${Findings} findings=${bad.slice(SHOWN)} /></details>`}
    ${fine.length > 0 && html`<details><summary>${fine.length} fine</summary><${Findings} findings=${fine} /></details>`}
  </section>`;
}

const Findings = ({ findings }) => html`<ul class="plain findings small">
  ${findings.map((one, n) => html`<li key=${n}>
    <span><strong class="any-text">${one.what}</strong>${one.state === "broken" && html` <span class="badge bad">broken</span>`}</span>
    <span class="any-text quiet">${one.detail}</span>
    ${one.remedy && html`<span class="any-text remedy">${one.remedy}</span>`}
  </li>`)}
</ul>`;
