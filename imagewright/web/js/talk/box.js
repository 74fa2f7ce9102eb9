// The box for what is said next: it grows with the text; Enter sends, Shift and Enter is a new line.
import { html, useLayoutEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { Fault } from "../ui/notice.js";
import { Attached, firstFile } from "./attached.js";
import { Icon } from "./icons.js";
import { Knobs, knobsOf, NO_WISHES } from "./knobs.js";

export function Box({ text, setText, onSend, onStop, asks, attachment }) {
  const [wishes, setWishes] = useState(NO_WISHES);
  const [sending, setSending] = useState(false);
  const [fault, setFault] = useState(null);
  const [attached, take, drop, change] = attachment;
  const ready = text.trim() && !sending && !attached?.busy && !attached?.asks;
  async function send(event) {
    event.preventDefault();
    if (!ready) return;
    setSending(true);
    setFault(null);
    const start = attached?.image ? { image: attached.image, strength: attached.strength } : {};
    try {
      await onSend({ text: text.trim(), ...knobsOf(wishes), ...start });
      setText("");
      drop();
    } catch (refused) {
      setFault(refused); // what was typed stays
    }
    setSending(false);
  }
  return html`<form class="say" onSubmit=${send}>
    ${fault && html`<${Fault} error=${fault} />`}
    ${attached && html`<${Attached} attached=${attached} onChange=${change} onDrop=${drop} onPrompt=${setText} />`}
    <div class="say-row">
      <${PickFile} onFile=${take} />
      <label class="seen-by-readers" for="say">What to draw or change</label>
      <${Growing} text=${text} setText=${setText} onEnter=${send} onFile=${take}
        placeholder=${asks ? "your answer" : "two red circles above a blue square"} />
      ${onStop && html`<button type="button" onClick=${onStop}>Stop</button>`}
      <button class="primary" disabled=${!ready}>${asks ? "Answer" : "Draw"}</button>
    </div>
    <${Knobs} wishes=${wishes} onChange=${setWishes} />
  </form>`;
}

function Growing({ text, setText, onEnter, onFile, placeholder }) {
  const area = useRef(null);
  useLayoutEffect(() => {
    area.current.style.height = "auto";
    area.current.style.height = `${area.current.scrollHeight + 2}px`;
  }, [text]);
  function pasted(event) {
    const file = firstFile(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    onFile(file);
  }
  return html`<textarea id="say" ref=${area} rows="1" dir="auto" maxlength="20000" placeholder=${placeholder} value=${text} onPaste=${pasted}
    onInput=${(e) => setText(e.target.value)}
    onKeyDown=${(e) => { if (e.key === "Enter" && !e.shiftKey && !e.isComposing) onEnter(e); }}></textarea>`;
}

function PickFile({ onFile }) {
  const input = useRef(null);
  return html`<button type="button" class="bare" aria-label="Add a picture or a workflow" title="Add a picture or a workflow" onClick=${() => input.current.click()}>
      <${Icon} name="clip" /></button>
    <input ref=${input} type="file" hidden aria-label="A picture or a workflow" accept="image/png,image/jpeg,image/webp,application/json,.json"
      onChange=${(e) => { const file = e.target.files[0]; if (file) onFile(file); e.target.value = ""; }} />`;
}
