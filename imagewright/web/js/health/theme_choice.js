// Light, dark, or as the system has it.
import { html } from "../../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { chooseTheme, theme } from "../theme.js";

const CHOICES = { system: "As the system has it", light: "Light", dark: "Dark" };

export function ThemeChoice() {
  const chosen = useStore(theme);
  return html`<fieldset class="row themes"><legend>Theme</legend>
    ${Object.entries(CHOICES).map(([name, title]) => html`<label key=${name} class="inline">
      <input type="radio" name="theme" checked=${chosen === name} onChange=${() => chooseTheme(name)} /> ${title}</label>`)}
  </fieldset>`;
}
