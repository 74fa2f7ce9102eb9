// Files that the server gives only with the token, saved by the browser.
import { get } from "../api.js";

export async function saveFile(path, name) {
  const data = await (await get(path, { raw: true })).blob();
  const address = URL.createObjectURL(data);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
