"""Sheets to look at: pictures in rows, each framed and with lines of text under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

_EDGE = 6
"""Pixels between a cell's edge and its picture."""


@dataclass(frozen=True)
class SheetPicture:
    """One picture of a sheet."""

    picture: Image.Image
    lines: Sequence[tuple[str, str]]
    """The text under it: each line with its colour."""
    frame: str = "#bbbbbb"


def grid(cards: Sequence[SheetPicture], across: int, cell: int, side: int, font: int) -> Image.Image:
    """``cards`` in rows of ``across``; a row is as high as its longest text needs.

    Args:
        cards: at least one.
        across: cells in a row; a sheet of fewer cards is as wide.
        cell: a cell's width, in pixels.
        side: the side that pictures are drawn at; small ones show their pixels.
        font: the letters' size.
    """
    rows = [cards[start : start + across] for start in range(0, len(cards), across)]
    line = font + 3
    heights = [side + 3 * _EDGE + line * max(len(card.lines) for card in row) for row in rows]
    sheet = Image.new("RGB", (across * cell, sum(heights)), "white")
    brush, top = ImageDraw.Draw(sheet), _EDGE
    for row, height in zip(rows, heights, strict=True):
        for column, card in enumerate(row):
            left = column * cell + _EDGE
            sheet.paste(card.picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST), (left, top))
            brush.rectangle((left - 2, top - 2, left + side + 1, top + side + 1), outline=card.frame, width=2)
            for number, (text, colour) in enumerate(card.lines):
                brush.text((left, top + side + _EDGE + number * line), text, fill=colour, font_size=font)
        top += height
    return sheet


def stack(parts: Sequence[Image.Image]) -> Image.Image:
    """``parts`` of equal width one below the other."""
    sheet = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def title(text: str, width: int) -> Image.Image:
    """A line that stands over a part of a sheet."""
    made = Image.new("RGB", (width, 34), "white")
    ImageDraw.Draw(made).text((_EDGE, 8), text, fill="black", font_size=17)
    return made
