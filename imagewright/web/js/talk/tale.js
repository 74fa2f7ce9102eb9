// What a run's events add up to: the lines of its story, what is seen of it now, and how far it has come.
export const NOTHING_YET = { lines: [], layout: null, progress: null, phase: "" };

const PHASES = {
  recall: "Remembering", interpret: "Reading", categorize: "Sorting", select_flow: "Choosing a flow",
  plan_layout: "Placing things", generate: "Drawing", critique: "Looking at it", refine: "Mending it",
  deliver: "Delivering", ask: "Asking", answer: "Answering",
};
const LABELS = {
  categories: "Kind", flow: "Flow", layout: "Layout", image: "Picture", repair: "Repair", note: "Note",
  fallback: "Note", answer: "Answer", error: "Fault",
};

export function addEvent(tale, kind, event) {
  if (kind === "again") return NOTHING_YET; // the server was started anew and tells what it does from here on
  if (kind === "node") return { ...tale, phase: PHASES[event.text] ?? tale.phase, progress: null };
  if (kind === "step") return { ...tale, progress: { step: event.step, total: event.total } };
  if (kind === "verdict") return { ...tale, lines: judge(tale.lines, event) };
  if (!LABELS[kind]) return tale;
  const line = { kind, label: LABELS[kind], text: event.text, url: event.url, layout: event.layout };
  const lines = [...tale.lines, line];
  if (kind === "image") return { ...tale, progress: null, lines: lay(lines, tale.layout) };
  if (kind === "layout" || kind === "repair") return { ...tale, lines, layout: event.layout ?? (kind === "layout" ? null : tale.layout) };
  return { ...tale, lines };
}

// A picture keeps the layout that it was drawn with.
const lay = (lines, layout) => [...lines.slice(0, -1), { ...lines.at(-1), layout }];

function judge(lines, event) {
  const at = lines.findLastIndex((line) => line.kind === "image");
  if (at < 0) return lines;
  const verdict = { text: event.text, accepted: event.accepted };
  return lines.map((line, number) => (number === at ? { ...line, verdicts: [...(line.verdicts ?? []), verdict] } : line));
}

export const wholeTale = (events) => events.reduce((tale, event) => addEvent(tale, event.kind, event), NOTHING_YET);
