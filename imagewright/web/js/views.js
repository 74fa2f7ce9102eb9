// The views in the order of the bar: a name for the address, a word for people, and the component.
import { Gallery } from "./gallery/gallery.js";
import { Talk } from "./talk/talk.js";

export const VIEWS = [
  { name: "talk", title: "Talk", View: Talk },
  { name: "gallery", title: "Gallery", View: Gallery },
];
