// Takes a workflow's file, dropped anywhere inside or chosen: JSON, or a picture that ComfyUI saved.
import { html, useRef, useState } from "../../vendor/preact-htm.js";
import { ApiError } from "../api.js";
import { sayFault } from "../ui/toasts.js";

const MOST = 28_000_000; // bytes: the server takes 40 MB of base64
let count = 0;

export function DropArea({ onFile, children }) {
  const [over, setOver] = useState(false);
  const picker = useRef(null);
  const depth = useRef(0);
  const take = (file) => file && read(file).then(onFile, sayFault);
  const hold = (event) => hasFile(event) && event.preventDefault();
  function enter(event, step) {
    if (!hasFile(event)) return;
    event.preventDefault();
    depth.current = Math.max(0, depth.current + step);
    setOver(depth.current > 0);
  }
  function drop(event) {
    if (!hasFile(event)) return;
    event.preventDefault();
    depth.current = 0;
    setOver(false);
    take(event.dataTransfer.files[0]);
  }
  return html`<div class=${`drop-area ${over ? "over" : ""}`} onDragEnter=${(e) => enter(e, 1)} onDragLeave=${(e) => enter(e, -1)}
    onDragOver=${hold} onDrop=${drop}>
    <input ref=${picker} type="file" hidden aria-label="A workflow's file" accept=".json,.png,.webp,.jpg,.jpeg"
      onChange=${(e) => { take(e.target.files[0]); e.target.value = ""; }} />
    ${children(() => picker.current.click())}
    ${over && html`<div class="drop-hint" aria-hidden="true"><p>Drop the workflow: nothing is stored before you say so.</p></div>`}
  </div>`;
}

const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

// {name, file in base64, number}
function read(file) {
  return new Promise((done, failed) => {
    if (file.size > MOST) return failed(new ApiError("too_large", `${file.name} is larger than ${MOST / 1e6} MB.`));
    const reader = new FileReader();
    reader.onload = () => done({ name: file.name.slice(-200) || "flow", file: reader.result.split(",")[1] ?? "", number: ++count });
    reader.onerror = () => failed(new ApiError("bad_input", `${file.name} cannot be read.`, "Choose another file."));
    reader.readAsDataURL(file);
    return undefined;
  });
}
