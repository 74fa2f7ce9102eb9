// The boxes while they are edited: plain values, their geometry in shares of the picture, what changed, and the way back.
export const LEAST = 0.03;
export const GRID = 0.025;
const SIDES = ["x", "y", "width", "height"];
const NEW_SIDE = 0.25;

const round = (value) => Math.round(value * 1e4) / 1e4;
const within = (value, low, high) => Math.min(Math.max(value, low), high);
export const snap = (value) => Math.round(value / GRID) * GRID;
const near = (a, b) => Math.abs(a - b) <= 0.001;

// The boxes of `/v1/runs/RUN/layout`, each with what it was; `gone` marks those that are to be deleted.
export function toBoxes(layout) {
  return layout.boxes.map((box) => ({ ...box, key: `box-${box.box}`, gone: false, was: box }));
}

let made = 0;
export function newBox(place) {
  made += 1;
  return { key: `new-${made}`, box: null, caption: "", gone: false, was: null, ...place };
}

export function moved(box, x, y) {
  return { ...box, x: round(within(x, 0, 1 - box.width)), y: round(within(y, 0, 1 - box.height)) };
}

// `grip` names the sides that move: "n", "se", …; x and y are how far.
export function resized(box, grip, across, down, snapped = (value) => value) {
  let [left, top, right, bottom] = [box.x, box.y, box.x + box.width, box.y + box.height];
  if (grip.includes("w")) left = within(snapped(left + across), 0, right - LEAST);
  if (grip.includes("e")) right = within(snapped(right + across), left + LEAST, 1);
  if (grip.includes("n")) top = within(snapped(top + down), 0, bottom - LEAST);
  if (grip.includes("s")) bottom = within(snapped(bottom + down), top + LEAST, 1);
  return { ...box, x: round(left), y: round(top), width: round(right - left), height: round(bottom - top) };
}

// One side set to a number from 0 to 1, as far as the picture goes.
export function withSide(box, side, value) {
  if (side === "x") return moved(box, value, box.y);
  if (side === "y") return moved(box, box.x, value);
  const room = side === "width" ? 1 - box.x : 1 - box.y;
  return { ...box, [side]: round(within(value, LEAST, room)) };
}

export function drawnFrom(a, b) {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const size = { width: Math.abs(a.x - b.x), height: Math.abs(a.y - b.y) };
  return { x: round(x), y: round(y), width: round(size.width), height: round(size.height) };
}

const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

// Where a new box has room; the middle where there is none.
export function freePlace(boxes) {
  const steps = [0.5, 0, 1, 0.25, 0.75].map((share) => round(0.03 + share * (1 - 0.06 - NEW_SIDE)));
  for (const y of steps) {
    for (const x of steps) {
      const place = { x, y, width: NEW_SIDE, height: NEW_SIDE };
      if (!boxes.some((box) => !box.gone && overlap(box, place))) return place;
    }
  }
  return { x: steps[0], y: steps[0], width: NEW_SIDE, height: NEW_SIDE };
}

export const isMoved = (box) => box.was !== null && SIDES.some((side) => !near(box[side], box.was[side]));
export const isRenamed = (box) => box.was !== null && box.caption !== box.was.caption;

// What the server is told: nothing of a box that is as it was.
export function changesOf(boxes) {
  return boxes.flatMap((box) => {
    const place = Object.fromEntries(SIDES.map((side) => [side, box[side]]));
    if (box.box === null) return box.gone ? [] : [{ caption: box.caption, ...place }];
    if (box.gone) return [{ box: box.box, delete: true }];
    const change = { ...(isRenamed(box) && { caption: box.caption }), ...(isMoved(box) && place) };
    return Object.keys(change).length ? [{ box: box.box, ...change }] : [];
  });
}

// --- the way back -----------------------------------------------------------------------------

export const begin = (boxes) => ({ boxes, past: [], future: [], mark: "", selected: null });

const isSame = (a, b) => a.length === b.length && a.every((box, at) => box === b[at]);

// Steps with the same `mark` are one step of undo: a drag, a held key.
export function reduce(state, action) {
  const { boxes, past, future } = state;
  switch (action.type) {
    case "begin":
      return begin(action.boxes);
    case "select":
      return { ...state, selected: action.key };
    case "put": {
      const next = action.change(boxes);
      const goesOn = action.mark && action.mark === state.mark;
      const selected = action.select === undefined ? state.selected : action.select;
      return { boxes: next, past: goesOn ? past : [...past, boxes], future: [], mark: action.mark ?? "", selected };
    }
    case "settle":
      return { ...state, mark: "" };
    case "abandon": { // a box that got no name was never there, whatever was done meanwhile
      const kept = [...past, boxes].map((step) => step.filter((box) => box.key !== action.key));
      const steps = kept.filter((step, at) => at === kept.length - 1 || !isSame(step, kept[at + 1]));
      return { ...state, boxes: steps.at(-1), past: steps.slice(0, -1), mark: "", selected: state.selected === action.key ? null : state.selected };
    }
    case "undo":
      return past.length ? { ...state, boxes: past.at(-1), past: past.slice(0, -1), future: [boxes, ...future], mark: "" } : state;
    case "redo":
      return future.length ? { ...state, boxes: future[0], past: [...past, boxes], future: future.slice(1), mark: "" } : state;
    default:
      return state;
  }
}

export const replaced = (key, change) => (boxes) => boxes.map((box) => (box.key === key ? change(box) : box));
