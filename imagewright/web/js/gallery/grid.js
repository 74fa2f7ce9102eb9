// The thumbnails: only those in sight are in the page. Arrows move, Enter opens, Space selects.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { Cell } from "./cell.js";
import { place, selected, toggle } from "./kept.js";
import { inSight, shape, spot, step, tall } from "./shape.js";

const NOT_YET = { form: { columns: 1, side: 0, stride: 1 }, first: 0, last: -1 };

export function Grid({ source, filters }) {
  const { total, items } = useStore(source.store);
  const runs = useStore(selected);
  const box = useRef(null);
  const goal = useRef(null); // the cell that gets the focus as soon as it is there
  const [active, setActive] = useState(place().active);
  const [sight, setSight] = useState(NOT_YET);
  const { form, first, last } = sight;

  function look() {
    const { top, width } = box.current.getBoundingClientRect();
    const form = shape(width, innerHeight);
    const [first, last] = inSight(form, Math.max(0, -top), innerHeight - Math.max(0, top), total);
    setSight((old) => (old.first === first && old.last === last && old.form.side === form.side ? old : { form, first, last }));
    place().scroll = scrollY;
  }
  useLayoutEffect(() => {
    box.current.style.height = `${tall(shape(box.current.clientWidth, innerHeight), total)}px`;
    if (place().scroll) scrollTo(0, place().scroll);
    look();
  }, [total]);
  useEffect(() => {
    const watcher = new ResizeObserver(look);
    watcher.observe(box.current);
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      watcher.disconnect();
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [source, total]);
  useEffect(() => {
    if (last < first) return undefined;
    const timer = setTimeout(() => source.want(first, last), place().scroll === 0 ? 0 : 60); // not while it flies by
    return () => clearTimeout(timer);
  }, [source, first, last]);
  useEffect(() => {
    if (goal.current === null) return;
    const link = box.current.querySelector(`[data-index="${goal.current}"] a`);
    if (!link) return;
    goal.current = null;
    link.focus({ preventScroll: true });
  });

  function move(index) {
    goal.current = index;
    place().active = index;
    setActive(index);
    const top = box.current.getBoundingClientRect().top + spot(form, index).y;
    const bar = document.querySelector(".bar")?.offsetHeight ?? 0;
    if (top < bar + 8) scrollBy(0, top - bar - 8);
    else if (top + form.side > innerHeight - 8) scrollBy(0, top + form.side - innerHeight + 8);
    look();
  }
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const run = items[active]?.run;
    const next = step(event.key, form, active, total, innerHeight);
    if (event.key === " " && run) toggle(run);
    else if (next !== null) move(next);
    else return;
    event.preventDefault();
  }

  const stop = active >= first && active <= last ? active : first;
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
  return html`<p id="grid-keys" class="seen-by-readers">Arrow keys move, Enter opens, Space selects for comparing.</p>
  <ul ref=${box} class="grid" aria-label="Pictures" aria-describedby="grid-keys" onKeyDown=${press}
    style=${{ height: `${tall(form, total)}px` }}>
    ${shown.map((index) => html`<${Cell} key=${index} index=${index} total=${total} item=${items[index]} side=${form.side}
      at=${spot(form, index)} tab=${index === stop} filters=${filters} picked=${runs.includes(items[index]?.run)}
      onFocus=${() => { place().active = index; setActive(index); }} />`)}
  </ul>`;
}
