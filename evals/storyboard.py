"""Draws the README's conversation: one sitting, its sayings as they stand here, nothing picked.

Run it with ``python -m imagewright.evals.storyboard --out docs/talk.png``. Under each picture stand the saying that led
to it, what the critic made of it, and how many pictures it took.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
from pathlib import Path

from PIL import Image

from imagewright.api import Imagewright
from imagewright.evals.sheets import SheetPicture, grid
from imagewright.graph.budget import best
from imagewright.run_work import Reply
from imagewright.schemas import RunResult

_SAYINGS = (
    "a red house left of a green tree on a white background",
    "make the house blue",
    "add a yellow moon",
    "make the tree orange",
)


def _show(said: str, result: RunResult) -> SheetPicture:
    """One turn: its picture, the saying, the verdict."""
    verdict = best(result.rounds).verdict
    judged = "not checked" if verdict is None else "accepted" if verdict.accepted else f"best: {verdict.score:.2f}"
    lines = [(line, "#222222") for line in textwrap.wrap(f"“{said}”", 38)]
    with Image.open(result.path) as picture:
        return SheetPicture(picture.convert("RGB"), [*lines, (f"{judged} · {result.images} drawn", "#777777")])


def main() -> None:
    """Talk, and lay the pictures side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/talk.png"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chat = Imagewright().chat("storyboard", seed=7, out=folder, max_images=6)
        pictures = []
        for said in _SAYINGS:
            reply: Reply = chat.say(said)
            reply = chat.say("no") if reply.question else reply
            if reply.result is None:
                raise SystemExit(f"{said!r}: {reply.text}")
            pictures.append(_show(said, reply.result))
    sheet = grid(pictures, across=4, cell=232, side=216, font=12)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
