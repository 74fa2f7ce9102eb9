"""The sheet of failures: each wrong picture with its whole prompt and what is wrong, under the stage that spoilt it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from imagewright.evals.sheets import SheetPicture, grid, stack, title

ACROSS = 5
_CELL = 216
_LETTERS = 34
"""Letters in a line under a picture."""


@dataclass(frozen=True)
class Entry:
    """One picture of the sheet."""

    picture: Image.Image
    prompt: str
    wrong: tuple[str, ...]

    def lines(self) -> list[tuple[str, str]]:
        """The lines under the picture with their colours."""
        asked = textwrap.wrap(self.prompt, _LETTERS)
        seen = [line for each in self.wrong for line in textwrap.wrap(each, _LETTERS, subsequent_indent="  ")]
        return [*((line, "black") for line in asked), *((line, "#b00020") for line in seen)]


def failure_sheet(groups: Mapping[str, Sequence[Entry]]) -> Image.Image:
    """The pictures of every group under its title, five in a row; groups without pictures are left out.

    Raises:
        ValueError: there is no picture at all.
    """
    parts: list[Image.Image] = []
    for text, entries in groups.items():
        if entries:
            cards = [SheetPicture(entry.picture, entry.lines()) for entry in entries]
            parts += [title(text, ACROSS * _CELL), grid(cards, ACROSS, _CELL, side=128, font=11)]
    if not parts:
        raise ValueError("a sheet needs a picture")
    return stack(parts)
