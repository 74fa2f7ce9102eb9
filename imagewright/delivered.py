"""The file that a run has delivered, opened again for programs and notebooks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from imagewright.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "WEBP")


def open_picture(path: str) -> Image:
    """The delivered picture at ``path`` as an RGB image of Pillow.

    Raises:
        BadInput: the file is gone, or is no picture any more.
    """
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=_FORMATS) as found:
            return found.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        raise BadInput(f"the picture is not at {path}", "it was moved or changed") from None


def show_picture(path: str) -> bytes | None:
    """The delivered picture at ``path`` as a PNG, for a notebook; None where the file is gone."""
    try:
        found = open_picture(path)
    except BadInput:
        return None
    buffer = io.BytesIO()
    found.save(buffer, "PNG")
    return buffer.getvalue()
