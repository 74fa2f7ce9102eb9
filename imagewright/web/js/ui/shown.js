// What a run shows of itself while it draws: `[address, show]`, of the newest preview or picture; `show(null)` shows none.
// A preview's pixels come with its event and are let go of after it.
import { useEffect, useRef, useState } from "../../vendor/preact-htm.js";

export function useShown() {
  const [address, setAddress] = useState("");
  const own = useRef("");
  const drop = () => { if (own.current) URL.revokeObjectURL(own.current); own.current = ""; };
  useEffect(() => drop, []);
  return [address, (event) => {
    const before = own.current;
    own.current = event?.b64 ? URL.createObjectURL(new Blob([Uint8Array.from(atob(event.b64), (c) => c.charCodeAt(0))], { type: "image/png" })) : "";
    setAddress(own.current || event?.url || "");
    if (before) setTimeout(() => URL.revokeObjectURL(before), 1000);
  }];
}

export const isSeen = (kind, event) => Boolean(event.b64 || (kind === "image" && event.url));
