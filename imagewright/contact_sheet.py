"""Contact sheets: pictures small and numbered on one page, each with what is said of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

_THUMB = 128
"""The side of a picture on the sheet, in pixels."""
_COLUMNS = 6
_INK = {"accepted": "darkgreen", "not": "firebrick"}
"""The colour of what is said of a picture, by its first word."""


def paint_sheet(pictures: Sequence[tuple[str, str, Path]]) -> bytes:
    """A PNG of ``pictures``, of each its number, what is said of it, and its file; six in a row."""
    from PIL import Image, ImageDraw

    columns = min(_COLUMNS, len(pictures))
    lines = -(-len(pictures) // columns)
    paper = Image.new("RGB", (columns * _THUMB, lines * (_THUMB + 14)), "white")
    pen = ImageDraw.Draw(paper)
    for place, (number, judged, path) in enumerate(pictures):
        x, y = place % columns * _THUMB, place // columns * (_THUMB + 14)
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            small = image.convert("RGB")
            small.thumbnail((_THUMB - 4, _THUMB - 4))
            paper.paste(small, (x + 2, y + 2))
        pen.text((x + 2, y + _THUMB), f"{number} {judged}", fill=_INK.get(judged.split(" ")[0], "black"))
    buffer = io.BytesIO()
    paper.save(buffer, "PNG")
    return buffer.getvalue()
