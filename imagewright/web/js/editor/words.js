// The editor's words: what the critic found, and a box as a screen reader tells it.
const FOUND = {
  present: "not there",
  count: "wrong number",
  form: "half-formed",
  attribute: "wrong colour or kind",
  relation: "in the wrong place",
  absent: "should not be there",
  background: "wrong background",
  size: "wrong size",
  place: "not in its box",
};

export const nameFinding = (finding) => FOUND[finding.check] ?? finding.check;
export const percent = (share) => Math.round(share * 1000) / 10;

export function describeBox(box, findings) {
  const place = `${percent(box.x)} % from the left, ${percent(box.y)} % from the top, ${percent(box.width)} by ${percent(box.height)} %`;
  const faults = findings.map((finding) => `The critic: ${nameFinding(finding)}.`).join(" ");
  return `${box.caption || "new box"}, ${place}. ${faults}`.trim();
}
