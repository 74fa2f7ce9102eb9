"""The sheet of failures: each wrong picture with its whole prompt and what is wrong, under the stage that spoilt it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

ACROSS = 5
_CELL = 216
_PICTURE = 128
_LINE = 14
_HEAD = 34
_EDGE = 8
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
    rows: list[str | Sequence[Entry]] = []
    for title, entries in groups.items():
        if entries:
            rows += [title, *(entries[start : start + ACROSS] for start in range(0, len(entries), ACROSS))]
    if not rows:
        raise ValueError("a sheet needs a picture")
    heights = [_HEAD if isinstance(row, str) else _height(row) for row in rows]
    sheet = Image.new("RGB", (ACROSS * _CELL + 2 * _EDGE, sum(heights) + 2 * _EDGE), "white")
    brush, y = ImageDraw.Draw(sheet), _EDGE
    for row, height in zip(rows, heights, strict=True):
        if isinstance(row, str):
            brush.text((_EDGE, y + 8), row, fill="black", font_size=17)
        else:
            for column, entry in enumerate(row):
                _draw(sheet, brush, entry, _EDGE + column * _CELL, y)
        y += height
    return sheet


def _height(row: Sequence[Entry]) -> int:
    return _PICTURE + 16 + _LINE * max(len(entry.lines()) for entry in row)


def _draw(sheet: Image.Image, brush: ImageDraw.ImageDraw, entry: Entry, x: int, y: int) -> None:
    sheet.paste(entry.picture.convert("RGB").resize((_PICTURE, _PICTURE), Image.Resampling.LANCZOS), (x, y))
    brush.rectangle((x - 1, y - 1, x + _PICTURE, y + _PICTURE), outline="#999")
    for number, (line, colour) in enumerate(entry.lines()):
        brush.text((x, y + _PICTURE + 4 + number * _LINE), line, fill=colour, font_size=11)
