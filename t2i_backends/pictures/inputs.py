"""Pictures from outside, read with care: known formats only, bounded in size, whole or not at all.

Only the pixels count, and which way up they are: texts, profiles and camera data that are broken or large do no harm.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagewright.errors import BadInput
from imagewright.t2i_backends.pictures.pixels import Mask

_BROKEN = (OSError, ValueError, SyntaxError, TypeError, EOFError, ArithmeticError, LookupError, struct.error,
           zlib.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow raises at files that are damaged."""
FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 25_000_000
MOST_BYTES = 256_000_000
"""The largest file that is read, in bytes."""
_REMEDY = "use a PNG, JPEG or WebP"
_PNG = b"\x89PNG\r\n\x1a\n"
_NOT_PIXELS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"caBX", b"tIME"})
"""Chunks of a PNG that say nothing of its pixels; colours are read as they stand, with a profile or without."""
_OTHERS = {
    b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF or a raw picture", b"MM\0*": "a TIFF or a raw picture",
    b"%PDF": "a PDF", b"8BPS": "a Photoshop file", b"\xff\x0a": "a JPEG XL", b"\0\0\0\x0cJXL ": "a JPEG XL",
    b"\0\0\0\x0cjP  ": "a JPEG 2000", b"v/1\x01": "an OpenEXR", b"<svg": "an SVG", b"<?xml": "an SVG or other XML",
    b"<!DOCTYPE": "a web page", b"<html": "a web page", b"version https://git-lfs": "a Git LFS pointer",
}  # fmt: skip
"""What files that are none of ``FORMATS`` begin with."""


def read_picture(path: Path) -> Image.Image:
    """The picture at ``path``, turned upright, as RGB or RGBA in 8 bits a channel; of several frames the first.

    Raises:
        BadInput: it is no PNG, JPEG or WebP, is cut off, or has more than ``MOST_PIXELS`` pixels.
    """
    return decode_picture(_bytes_of(path), path.name)


def decode_picture(data: bytes, name: str) -> Image.Image:
    """The picture in ``data``, which errors call ``name``, as ``read_picture`` gives it. Its size is looked at first.

    Raises:
        BadInput: as ``read_picture``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(_pixels_only(data)), formats=FORMATS) as found:
                if found.width * found.height > MOST_PIXELS:
                    raise BadInput(f"{name!r} has more than {MOST_PIXELS:,} pixels", "make it smaller")
                found.load()
                return _plain(_upright(found))
    except UnidentifiedImageError:
        raise _refusal(name, data) from None
    except _BROKEN as error:
        raise _damage(name, data, error) from None


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{path.name!r} cannot be read as a picture: {reason}"
        raise BadInput(message, "name a file that exists and is readable") from None
    if len(data) > MOST_BYTES:
        raise BadInput(f"{path.name!r} is larger than {MOST_BYTES // 1_000_000} MB", "make it smaller")
    return data


def _pixels_only(data: bytes) -> bytes:
    """A PNG without the chunks that say nothing of its pixels, which may be broken or too large; others as they are."""
    if not data.startswith(_PNG):
        return data
    kept, place = [_PNG], len(_PNG)
    while place + 8 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] not in _NOT_PIXELS:
            kept.append(data[place:end])
        place = end
    return b"".join(kept)


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its camera says to hold it; as it is where what the camera wrote is broken."""
    try:
        return ImageOps.exif_transpose(image)
    except _BROKEN:
        return image


def _plain(image: Image.Image) -> Image.Image:
    """Any mode as RGB, or as RGBA where it has transparency. Grey of more than 8 bits is scaled, not cut."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    return image.convert("RGBA" if image.mode in ("LA", "La", "PA", "RGBa") or image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey in 16 bits as 8 bits, with the one transparent grey that a PNG may name as alpha."""
    values: Any = np.asarray(image).astype(np.float64)
    grey = Image.fromarray(np.clip((values / 257).round(), 0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))))


def _is_cut(data: bytes) -> bool:
    """Whether a file of a known format lacks its end."""
    if data.startswith(_PNG):
        return b"IEND" not in data
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in data
    return data.startswith(b"RIFF") and len(data) < 8 + int.from_bytes(data[4:8], "little")


def _cut(name: str) -> BadInput:
    return BadInput(f"{name!r} is cut off: the picture is not whole", "copy or download it again")


def _refusal(name: str, data: bytes) -> BadInput:
    """Why a file is no picture that is read, by what it begins with."""
    if not data:
        return BadInput(f"{name!r} is empty", "copy or download it again")
    if _is_cut(data):
        return _cut(name)
    if data[4:8] == b"ftyp":
        kind = "an AVIF" if data[8:12] in (b"avif", b"avis") else "a HEIC or a video"
        return BadInput(f"{name!r} is {kind}, which is not read", f"export it as PNG or JPEG: {_REMEDY}")
    told = next((what for start, what in _OTHERS.items() if data.lstrip().startswith(start)), None)
    if told:
        return BadInput(f"{name!r} is {told}, which is not read", f"export it as PNG or JPEG: {_REMEDY}")
    return BadInput(f"{name!r} is no picture, or cut off", "use a whole PNG, JPEG or WebP")


def _damage(name: str, data: bytes, error: Exception) -> BadInput:
    detail = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    if "truncated" in detail or isinstance(error, EOFError) or _is_cut(data):
        return _cut(name)
    return BadInput(f"{name!r} cannot be read as a picture: {detail}", "open and save it anew as a PNG or JPEG")


def channel(image: Image.Image, name: str) -> Mask:
    """One channel as a mask ``(1, height, width)`` in [0, 1]; ``alpha`` gives 1 where the picture is transparent, 0
    where it has none."""
    if name == "alpha" and "A" not in image.getbands():
        return np.zeros((1, image.height, image.width), dtype=np.float32)
    values: Mask = np.asarray(image.getchannel(name[0].upper()), dtype=np.float32)[None] / np.float32(255)
    return np.float32(1) - values if name == "alpha" else values
