// Whether the token is the owner's: the owner alone changes flows and sees how the home is.
import { useLoaded } from "./ui/load.js";

// null until it is known
export function useOwner() {
  const [clients] = useLoaded("/v1/clients");
  return clients ? clients.data.some((client) => client.owner) : null;
}
