// A modal window: the browser's own <dialog> keeps the focus inside and closes on Escape.
import { html, useEffect, useId, useRef } from "../../vendor/preact-htm.js";

export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  const name = useId();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-labelledby=${name} onClose=${onClose}>
    <h2 id=${name} class="any-text">${title}</h2>
    ${children}
  </dialog>`;
}

// Asks before something is lost for good.
export function Confirm({ title, text, action, onYes, onClose }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p class="any-text">${text}</p>
    <div class="row">
      <button class="danger" onClick=${() => { onYes(); onClose(); }}>${action}</button>
      <button onClick=${onClose}>Keep it</button>
    </div>
  <//>`;
}
