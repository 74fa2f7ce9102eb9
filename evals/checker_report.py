"""How well the judge itself reads: the exact checker on fresh renders, where the truth is known.

``python -m imagewright.evals.checker_report --world 2`` prints the share of pictures that it reads right in everything
and, with ``--show``, writes those that it misreads.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from imagewright.evals.exact_checker import judge
from imagewright.evals.mini_report import LOOKS, wilson_interval
from imagewright.t2i_backends.mini.editions import EDITIONS, Edition
from imagewright.t2i_backends.mini.shipped import EDITION


def misread(edition: Edition, count: int, seed: int, show: Path | None = None) -> list[str]:
    """A line for every one of ``count`` fresh renders that the checker finds fault with; pictures go to ``show``."""
    rng, lines = random.Random(f"checker/{edition.version}/{seed}"), []
    for number in range(count):
        scene = edition.sample_any(rng)
        picture = edition.draw(scene, rng)
        wrong = judge(LOOKS[edition.version](picture), scene.groups, scene.relation, scene.background)
        if wrong:
            lines.append(f"{number}: {scene.style} on {scene.pattern} {scene.background}: {'; '.join(wrong)}")
            if show is not None:
                show.mkdir(parents=True, exist_ok=True)
                picture.save(show / f"{number}.png")
        if (number + 1) % 250 == 0:
            print(f"{number + 1}/{count}", file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Parse the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", type=int, choices=sorted(EDITIONS), default=EDITION)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=Path, help="a folder for the pictures that it misreads")
    args = parser.parse_args()
    lines = misread(EDITIONS[args.world], args.count, args.seed, args.show)
    print("\n".join(lines))
    right = args.count - len(lines)
    low, high = wilson_interval(right, args.count)
    print(f"{right} of {args.count} fresh renders read right: {right / args.count:.2%} [{low:.2%} – {high:.2%}]")


if __name__ == "__main__":
    main()
