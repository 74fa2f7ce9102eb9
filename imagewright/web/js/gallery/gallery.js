// The gallery: every picture as a thumbnail, one of them large, or two beside each other.
import { html } from "../../vendor/preact-htm.js";
import { Browse } from "./browse.js";
import { Compare } from "./compare.js";
import { Detail } from "./detail.js";
import { readFilters } from "./query.js";

export function Gallery({ rest, query }) {
  const [what, first, second] = rest;
  const filters = readFilters(query);
  if (what === "compare" && second) return html`<${Compare} left=${first} right=${second} filters=${filters} />`;
  if (what && what !== "compare") return html`<${Detail} run=${what} filters=${filters} />`;
  return html`<${Browse} filters=${filters} />`;
}
