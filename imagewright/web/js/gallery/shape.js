// How a grid of square cells lies in a window: few enough cells that thousands of pictures cost no more than fifty.
const GAP = 8;
const MOST = 46;

// Columns and the cells' side for a grid of that width in a window of that height.
export function shape(width, height) {
  const least = width < 600 ? 104 : 160;
  for (let columns = Math.max(2, Math.floor((width + GAP) / (least + GAP))); ; columns -= 1) {
    const side = (width - GAP * (columns - 1)) / columns;
    const rows = Math.ceil(height / (side + GAP)) + 2;
    if (columns * rows <= MOST || columns === 1) return { columns, side, stride: side + GAP };
  }
}

// The first and last picture that may be seen, where the grid begins `above` pixels over the window's top.
export function inSight({ columns, stride }, above, height, total) {
  const first = Math.floor(above / stride);
  const last = Math.floor((above + height) / stride) + 1; // and a row that is about to come
  return [Math.min(first * columns, Math.max(0, total - 1)), Math.min((last + 1) * columns, total) - 1];
}

// Where cell number `index` lies, in pixels.
export const spot = ({ columns, stride }, index) => ({ x: (index % columns) * stride, y: Math.floor(index / columns) * stride });

export const tall = ({ columns, stride }, total) => Math.ceil(total / columns) * stride - GAP;

// The picture that a key leads to from `index`; null for other keys.
export function step(key, { columns, stride }, index, total, height) {
  const page = Math.max(1, Math.floor(height / stride) - 1) * columns;
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page }[key];
  if (key === "Home") return 0;
  if (key === "End") return total - 1;
  if (by === undefined) return null;
  const next = index + by;
  if (Math.abs(by) === columns && (next < 0 || next >= total)) return index;
  return Math.min(total - 1, Math.max(0, next));
}
