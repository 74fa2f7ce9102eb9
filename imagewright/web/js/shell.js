// The frame around every view: the bar, the theme, the line that says that the server is gone.
import { html, useEffect, useErrorBoundary, useState } from "../vendor/preact-htm.js";
import { ApiError, connection, pause } from "./api.js";
import { Gate } from "./gate.js";
import { linkTo, route } from "./router.js";
import { useStore } from "./store.js";
import { chooseTheme, theme } from "./theme.js";
import { token } from "./token.js";
import { Fault } from "./ui/notice.js";
import { Toasts } from "./ui/toasts.js";
import { VIEWS } from "./views.js";

const NOT_LOADED = new ApiError("unreachable", "This part of the page could not be loaded.", "Is the server still there?");
const NEXT_THEME = { system: "light", light: "dark", dark: "system" };

export function Shell() {
  const known = useStore(token);
  if (!known) return html`<${Gate} />`;
  return html`<${Bar} /><${Edge} /><main class="view" id="main" tabindex="-1"><${Shown} /></main><${Toasts} />`;
}

function Bar() {
  const at = useStore(route);
  const chosen = useStore(theme);
  return html`<header class="bar">
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <a class="name" href=${linkTo("talk")} aria-label="imagewright"><img src="web/icon.svg" width="24" height="24" alt="" /><span>imagewright</span></a>
    <nav aria-label="Views">
      ${VIEWS.filter(({ hidden }) => !hidden).map(({ name, title }) => html`<a key=${name} href=${linkTo(name)} aria-current=${at.view === name ? "page" : null}>${title}</a>`)}
    </nav>
    <button class="bare" aria-label=${`Theme: ${chosen}`} title=${`Theme: ${chosen}`} onClick=${() => chooseTheme(NEXT_THEME[chosen])}>◐</button>
  </header>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Edge() {
  const state = useStore(connection);
  useEffect(() => {
    if (state !== "gone") return undefined;
    const stop = new AbortController();
    waitForServer(stop.signal);
    return () => stop.abort();
  }, [state]);
  return html`<div class="edge" role="status">
    ${state === "gone" && html`<div class="notice bad"><p><strong>The server does not answer.</strong>
      Start it again with <code>imagewright serve</code>; the page goes on by itself.</p></div>`}
  </div>`;
}

async function waitForServer(signal) {
  while (!signal.aborted) {
    await pause(1000, signal);
    try {
      if ((await fetch("health", { signal })).ok) return connection.set("here");
    } catch {
      // still gone
    }
  }
}

function Shown() {
  const at = useStore(route);
  const [error, reset] = useErrorBoundary();
  const found = VIEWS.find(({ name }) => name === at.view);
  const [View, fault] = useView(found);
  useEffect(() => {
    document.title = found ? `${found.title} · imagewright` : "imagewright";
  }, [found]);
  if (error) return html`<div class="edge"><${Fault} error=${error} onRetry=${reset} /></div>`;
  if (fault) return html`<div class="edge"><${Fault} error=${fault} onRetry=${() => location.reload()} /></div>`;
  if (!found) return html`<div class="edge"><p>There is no such view. <a href=${linkTo("talk")}>Talk</a></p></div>`;
  return View && html`<${View} key=${found.name} rest=${at.rest} query=${at.query} />`;
}

// The component of a view, loaded when it is first shown: `[View, fault]`.
function useView(found) {
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    let wanted = true;
    const show = (state) => wanted && setLoaded({ ...state, found });
    found?.load().then((View) => show({ View }), () => show({ fault: NOT_LOADED }));
    return () => { wanted = false; };
  }, [found]);
  return loaded.found === found ? [loaded.View, loaded.fault] : [null, null];
}
