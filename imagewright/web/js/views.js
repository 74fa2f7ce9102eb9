// The views in the order of the bar: a name for the address, a word for people, and what loads the component when it is
// first shown. `hidden`: not in the bar.
export const VIEWS = [
  { name: "talk", title: "Talk", load: async () => (await import("./talk/talk.js")).Talk },
  { name: "boxes", title: "Layout", load: async () => (await import("./editor/view.js")).Boxes, hidden: true },
  { name: "gallery", title: "Gallery", load: async () => (await import("./gallery/gallery.js")).Gallery },
  { name: "flows", title: "Flows", load: async () => (await import("./flows/flows.js")).Flows },
  { name: "health", title: "Health", load: async () => (await import("./health/health.js")).Health },
];
