"""How well the judge itself reads: the exact checker on fresh renders, where the truth is known.

``python -m imagewright.evals.checker_report`` prints the share of pictures that it reads right in everything
and, with ``--show``, writes those that it misreads.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from imagewright.evals.exact_checker import judge, look
from imagewright.evals.mini_report import wilson_interval
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import sample_scene


def misread(count: int, seed: int, show: Path | None = None) -> list[str]:
    """A line for every one of ``count`` fresh renders that the checker finds fault with; pictures go to ``show``."""
    rng, lines = random.Random(f"checker/2/{seed}"), []  # the 2 keeps the pictures of earlier reports
    for number in range(count):
        scene = sample_scene(rng)
        picture = draw_scene(scene, rng)
        wrong = judge(look(picture), scene.groups, scene.relation, scene.background)
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
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=Path, help="a folder for the pictures that it misreads")
    args = parser.parse_args()
    lines = misread(args.count, args.seed, args.show)
    print("\n".join(lines))
    right = args.count - len(lines)
    low, high = wilson_interval(right, args.count)
    print(f"{right} of {args.count} fresh renders read right: {right / args.count:.2%} [{low:.2%} – {high:.2%}]")


if __name__ == "__main__":
    main()
