"""What adding flows costs as the index grows: seconds and bytes by a thousand different workflows, and whether linear.

Run it with ``python -m imagewright.evals.many_flows [--count 1000]``. The files are made here: the shipped flows with
other steps, guidance, prompts and titles. They go through ``add_flows`` into an index of their own, in equal parts; the
time of a part is told as a ratio to the first, because the machine's speed is not the question.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from imagewright.api import Imagewright
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.settings import load_settings

_WORDS = "castle river fox owl lantern harbour violin orchard comet desert kettle meadow tram whale cathedral".split()
_STYLES = ("watercolour", "ink", "anime", "photo", "pixel art", "oil painting", "isometric", "poster")


def write_flows(folder: Path, count: int, seed: int) -> list[Path]:
    """``count`` workflow files, each different in what it draws and how."""
    rng, bases, paths = random.Random(seed), load_shipped_flows(), []
    for number in range(count):
        base = bases[number % len(bases)]
        graph = json.loads(json.dumps(base.graph))
        for node in graph.values():
            if "steps" in node["inputs"]:
                node["inputs"] |= {"steps": 1 + number % 200, "cfg": 1 + number // 200 + rng.random()}
        words = [rng.choice(_STYLES), *rng.sample(_WORDS, 2)]
        card = {"title": " ".join(words), "description": f"Good at {words[1]} and {words[2]} in the style {words[0]}."}
        path = folder / f"flow-{number:05}.json"
        path.write_text(json.dumps({"card": card, "graph": graph}))
        paths.append(path)
    return paths


def _size_of(folder: Path) -> int:
    """The bytes of every file below ``folder``."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _measure(count: int, parts: int, seed: int) -> list[dict[str, float]]:
    """A row for each part: flows so far, seconds of the part, seconds of a search, bytes of the whole home."""
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        home, made = Path(name) / "home", Path(name) / "made"
        made.mkdir()
        paths = write_flows(made, count, seed)
        with closing(Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(home)}))) as engine:
            engine.index.search("warm up", 1)
            for part in range(parts):
                chosen: Sequence[Path] = paths[part * count // parts : (part + 1) * count // parts]
                start = time.perf_counter()
                stored = sum(1 for _ in engine.add_flows(chosen))
                added = time.perf_counter()
                engine.index.search("a castle in watercolour", 10)
                first = time.perf_counter()
                engine.index.search("a fox in ink", 10)
                rows.append(
                    {
                        "flows": len(engine.index.list()),
                        "stored": stored,
                        "seconds": added - start,
                        "first_search": first - added,
                        "search": time.perf_counter() - first,
                        "bytes": _size_of(home),
                    }
                )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.evals.many_flows", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rows = _measure(args.count, args.parts, args.seed)
    print("flows   seconds  ratio   first search   search   MB in all")
    for row in rows:
        ratio = row["seconds"] / rows[0]["seconds"]
        print(
            f"{row['flows']:5.0f} {row['seconds']:8.1f}  {ratio:5.2f}  {row['first_search']:12.2f} s "
            f"{row['search']:7.3f} s {row['bytes'] / 1e6:9.1f}"
        )


if __name__ == "__main__":
    main()
