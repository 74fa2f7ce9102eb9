"""The file that a picture is delivered in: PNG with its text chunks, JPEG, or WebP."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from imagewright.draw_request import PictureFormat
from imagewright.errors import BadInput
from imagewright.limits import PICTURE_FORMATS
from imagewright.memory.artifacts import with_text

SUFFIXES: Mapping[str, PictureFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_QUALITY = 95
"""Of JPEG and WebP, of 100: what is lost cannot be seen."""
_EXIF, _USER_COMMENT = 0x8769, 0x9286


def name_file(path: Path, wanted: PictureFormat | None) -> Path:
    """``path`` with the ending of the format that is wanted, where it has none.

    Raises:
        BadInput: it ends otherwise, or is no name of a picture.
    """
    suffix = path.suffix.lower()
    if not suffix:
        return path.with_suffix(PICTURE_FORMATS[wanted or "png"])
    if suffix not in SUFFIXES:
        listed = ", ".join(PICTURE_FORMATS)
        raise BadInput(
            f"{path.name} is not the name of a picture", f"pictures are written as {listed}: name such a file"
        )
    if wanted is not None and SUFFIXES[suffix] != wanted:
        raise BadInput(
            f"{path.name} is not the name of a {wanted.upper()}", "change its ending, or leave the format out"
        )
    return path


def pack_picture(png: bytes, path: Path, texts: Mapping[str, str]) -> bytes:
    """The bytes of the file at ``path`` for a picture that is kept as ``png``.

    A PNG has ``texts`` as chunks; JPEG and WebP, which have none, have the web UI's line as EXIF comment.
    """
    kind = SUFFIXES[path.suffix.lower()]
    if kind == "png":
        return with_text(png, texts)
    buffer = io.BytesIO()
    more = {"subsampling": 0} if kind == "jpeg" else {}
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        image.convert("RGB").save(buffer, kind.upper(), quality=_QUALITY, exif=_comment(texts), **more)
    return buffer.getvalue()


def _comment(texts: Mapping[str, str]) -> bytes:
    if "parameters" not in texts:
        return b""
    found = Image.Exif()
    found.get_ifd(_EXIF)[_USER_COMMENT] = b"UNICODE\0" + texts["parameters"].encode("utf-16-be")
    return found.tobytes()
