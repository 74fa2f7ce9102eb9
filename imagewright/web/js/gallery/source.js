// The pictures of one query: a page is fetched when it comes into view. New pictures do not push the old ones around.
import { get, withQuery } from "../api.js";
import { createStore } from "../store.js";
import { toWishes } from "./query.js";

const PAGE = 60;

export function createSource(filters) {
  const store = createStore({ total: null, items: [], error: null, fresh: false });
  const asked = new Map();
  let anchor = ""; // the newest picture when the list was opened: pages are counted from it

  function ask(page) {
    if (!asked.has(page)) asked.set(page, load(page).catch((error) => fail(page, error)));
    return asked.get(page);
  }

  async function load(page) {
    if (page > 0) await ask(0);
    const at = page > 0 ? { before: anchor, offset: page * PAGE - 1 } : {};
    const { data, total } = await get(withQuery("/v1/pictures", { ...toWishes(filters), limit: PAGE, ...at }));
    if (page === 0) anchor = data[0]?.run ?? "";
    store.set((old) => {
      const items = old.items.slice();
      data.forEach((one, place) => { items[page * PAGE + place] = one; });
      return { ...old, items, error: null, total: page === 0 ? total : old.total };
    });
  }

  function fail(page, error) {
    asked.delete(page);
    store.set((old) => ({ ...old, error }));
  }

  return {
    store,
    // The pictures from `first` to `last`, as they come.
    want(first, last) {
      for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) ask(page);
    },
    change(run, changes) {
      store.set((old) => ({ ...old, items: old.items.map((one) => (one.run === run ? { ...one, ...changes } : one)) }));
    },
    // Whether the server has other pictures by now: the person is told, and nothing moves by itself.
    async check() {
      const { data, total } = await get(withQuery("/v1/pictures", { ...toWishes(filters), limit: 1 }));
      store.set((old) => ({ ...old, fresh: old.total !== null && (total !== old.total || (data[0]?.run ?? "") !== anchor) }));
    },
  };
}
