// What a view asks the server for when it opens: `[value, error, again, path it is of]`. A later answer never beats a newer one.
import { useCallback, useEffect, useState } from "../../vendor/preact-htm.js";
import { get } from "../api.js";

export function useLoaded(path) {
  const [state, setState] = useState({ value: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    get(path, { signal: stop.signal }).then(
      (value) => setState({ value, error: null, path }),
      (error) => error.name === "AbortError" || setState((old) => ({ ...old, error })),
    );
    return () => stop.abort();
  }, [path, turn]);
  return [state.value, state.error, useCallback(() => setTurn((n) => n + 1), []), state.path];
}
