// Begins the page.
import "./theme.js";
import { html, render } from "../vendor/preact-htm.js";
import { Shell } from "./shell.js";

render(html`<${Shell} />`, document.getElementById("app"));
