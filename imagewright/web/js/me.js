// Whether the token is the owner's: the owner alone changes flows and sees how the home is.
import { useLoaded } from "./ui/load.js";

// null until it is known; false where it cannot be found out
export function useOwner() {
  const [clients, error] = useLoaded("/v1/clients");
  if (!clients && error) return false;
  return clients ? clients.data.some((client) => client.owner) : null;
}
