// The views in the order of the bar: a name for the address, a word for people, and the component. `hidden`: not in the bar.
import { Boxes } from "./editor/view.js";
import { Flows } from "./flows/flows.js";
import { Health } from "./health/health.js";
import { Gallery } from "./gallery/gallery.js";
import { Talk } from "./talk/talk.js";

export const VIEWS = [
  { name: "talk", title: "Talk", View: Talk },
  { name: "boxes", title: "Layout", View: Boxes, hidden: true },
  { name: "gallery", title: "Gallery", View: Gallery },
  { name: "flows", title: "Flows", View: Flows },
  { name: "health", title: "Health", View: Health },
];
