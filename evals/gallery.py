"""Draws the README's picture: whole runs of imagewright, as they came, with the seed of each.

Run it with ``python -m imagewright.evals.gallery --out docs/run.png``. Nothing is picked: every prompt is drawn once,
with seeds 1, 2, 3… in order.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw

from imagewright.container import Imagewright
from imagewright.schemas import RunResult

PROMPTS = (
    "two red circles above a blue square on a white background",
    "a green mushroom left of a red car",
    "three yellow stars on a dotted blue background",
    "line art of a purple boat below an orange moon",
    "a pair of white cups, a pink heart and a yellow fish on a striped blue background",
    "a soft drawing of a black tree",
)
_CELL, _TEXT = 232, 66


def card(result: RunResult) -> Image.Image:
    """One picture with its prompt, flow, rounds and seed."""
    sheet = Image.new("RGB", (_CELL, _CELL + _TEXT), "white")
    with Image.open(result.path) as picture:
        sheet.paste(picture.convert("RGB").resize((_CELL - 16, _CELL - 16), Image.Resampling.NEAREST), (8, 8))
    brush = ImageDraw.Draw(sheet)
    brush.rectangle((7, 7, _CELL - 8, _CELL - 8), outline="#bbbbbb")
    lines = textwrap.wrap(result.prompt, 38)
    lines.append(f"{result.flow} · {result.images} drawn")
    for i, line in enumerate(lines):
        brush.text((8, _CELL + 16 * i), line, fill="#222222" if i + 1 < len(lines) else "#777777", font_size=12)
    return sheet


def main() -> None:
    """Draw the gallery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/run.png"))
    args = parser.parse_args()
    engine = Imagewright()
    with tempfile.TemporaryDirectory() as folder:
        cards = [
            card(engine.draw(prompt, seed=number, out=f"{folder}/{number}.png"))
            for number, prompt in enumerate(PROMPTS, 1)
        ]
    across = 3
    rows = -(-len(cards) // across)
    sheet = Image.new("RGB", (across * _CELL, rows * (_CELL + _TEXT)), "white")
    for i, made in enumerate(cards):
        sheet.paste(made, ((i % across) * _CELL, (i // across) * (_CELL + _TEXT)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
