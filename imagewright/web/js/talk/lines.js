// The turns of a conversation as a tree: which are on the present line, and how the pictures hang together.
export function presentLine(thread) {
  const parents = new Map(thread.data.map((turn) => [turn.run, turn.parent]));
  const line = new Set();
  for (let run = thread.present; run && !line.has(run); run = parents.get(run)) line.add(run);
  const known = new Set([...parents.values(), thread.present]);
  // What never got into the history (refused at once) is told where it was said.
  thread.data.filter((turn) => !turn.picture && !turn.parent && !known.has(turn.run)).forEach((turn) => line.add(turn.run));
  return line;
}

// The pictures, oldest first, each with the picture that it comes from and the lane that it is drawn in.
export function pictureTree(thread) {
  const turns = new Map(thread.data.map((turn) => [turn.run, turn]));
  const origin = (run) => {
    for (let at = run, steps = 0; at && steps <= turns.size; at = turns.get(at)?.parent, steps += 1) if (turns.get(at)?.picture) return at;
    return null;
  };
  const rows = [], at = new Map(), continued = new Set();
  let lanes = 0;
  for (const turn of thread.data.filter((one) => one.picture)) {
    const from = at.get(origin(turn.parent));
    const lane = from && !continued.has(from) ? from.lane : lanes++;
    if (from) continued.add(from);
    const row = { turn, lane, from, number: rows.length };
    at.set(turn.run, row);
    rows.push(row);
  }
  return { rows, lanes, present: origin(thread.present) };
}
