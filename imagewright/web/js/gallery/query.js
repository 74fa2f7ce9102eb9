// The filters of the gallery: as the address has them, and as the server is asked.
import { linkTo } from "../router.js";

export const FILTERS = ["text", "flow", "accepted", "thumb", "since", "until", "thread"];

// Only what is a filter, so that two addresses with one meaning are one.
export function readFilters(query) {
  return Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
}

// Days are the person's own: from the first moment of one to the last of the other.
export function toWishes({ since, until, ...rest }) {
  return { ...rest, since: startOf(since, 0), until: startOf(until, 1) };
}

function startOf(day, later) {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day ?? "");
  if (!found) return "";
  const [, year, month, date] = found.map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

// Another step in the address, without one more in the browser's history.
export const replaceQuery = (rest, query) => location.replace(linkTo("gallery", rest, query));
