"""Draws the README's picture: whole runs of imagewright, as they came, with the seed of each.

Run it with ``python -m imagewright.evals.gallery --out docs/run.png``. Nothing is picked: every prompt is drawn once,
with seeds 1, 2, 3… in order.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from pathlib import Path

from PIL import Image

from imagewright.api import Imagewright
from imagewright.evals.sheets import SheetPicture, grid
from imagewright.schemas import RunResult

_PROMPTS = (
    "two red circles above a blue square on a white background",
    "a green mushroom left of a red car",
    "three yellow stars on a dotted blue background",
    "line art of a purple boat below an orange moon",
    "a pair of white cups, a pink heart and a yellow fish on a striped blue background",
    "a soft drawing of a black tree",
)


def card(result: RunResult) -> SheetPicture:
    """One picture with its prompt, flow and rounds."""
    lines = [(line, "#222222") for line in textwrap.wrap(result.prompt, 38)]
    with Image.open(result.path) as picture:
        return SheetPicture(picture.convert("RGB"), [*lines, (f"{result.flow} · {result.images} drawn", "#777777")])


def main() -> None:
    """Draw the gallery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/run.png"))
    args = parser.parse_args()
    engine = Imagewright()
    with tempfile.TemporaryDirectory() as folder:
        cards = [
            card(engine.draw(prompt, seed=number, out=f"{folder}/{number}.png"))
            for number, prompt in enumerate(_PROMPTS, 1)
        ]
    sheet = grid(cards, across=3, cell=232, side=216, font=12)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
