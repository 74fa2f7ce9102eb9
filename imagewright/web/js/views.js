// The views in the order of the bar: a name for the address, a word for people, and the component.
import { Talk } from "./talk/talk.js";

export const VIEWS = [
  { name: "talk", title: "Talk", View: Talk },
];
