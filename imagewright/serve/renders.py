"""Pictures as files of the formats that clients ask for, without metadata; and pictures that clients send."""

from __future__ import annotations

import base64
import io
import warnings
from contextlib import AbstractContextManager
from typing import Literal

from PIL import Image

from imagewright.serve.faults import Denied

OutputFormat = Literal["png", "webp", "jpeg"]
MEDIA_TYPES: dict[str, str] = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
UPLOAD_PIXELS = 25_000_000
"""Pixels of a picture that a client may send."""
UPLOAD_BYTES = 20_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


def render_as(png: bytes, kind: OutputFormat, quality: int | None = None, side: int | None = None) -> bytes:
    """A PNG of ours as ``kind``; with ``side``, made so small that no side is longer. ``quality`` is 0 to 100."""
    if kind == "png" and side is None:
        return png
    with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
        image = opened.convert("RGB")
    if side is not None:
        image.thumbnail((side, side))
    buffer = io.BytesIO()
    options = {} if kind == "png" else {"quality": 90 if quality is None else max(1, quality)}
    image.save(buffer, kind.upper(), **options)
    return buffer.getvalue()


def to_base64(data: bytes) -> str:
    """As JSON carries it."""
    return base64.b64encode(data).decode()


def read_upload(data: bytes, param: str) -> Image.Image:
    """The picture that a client sent, by its content: its name and type are not looked at.

    Size and pixels are checked before anything is decoded.

    Raises:
        Denied: it is no PNG, JPEG or WebP, is too large, is animated, or is broken.
    """
    if len(data) > UPLOAD_BYTES:
        raise Denied("too_large", f"{param} is larger than {UPLOAD_BYTES // 1_000_000} MB", "send less", param=param)
    if not data.startswith(_HEADS):
        raise Denied("bad_input", f"{param} is no picture", "send a PNG, JPEG or WebP", param=param)
    try:
        with _no_bombs(), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_head(image, param)
            image.load()
            return image.copy()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Denied("too_large", f"{param} has far too many pixels", "send a smaller one", param=param) from None
    except (OSError, ValueError, SyntaxError):
        raise Denied("bad_input", f"{param} cannot be read", "send a whole picture", param=param) from None


def _no_bombs() -> AbstractContextManager[object]:
    """Pillow only warns of what would take gigabytes; here that is an error."""
    return warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning)


def _check_head(image: Image.Image, param: str) -> None:
    if image.width * image.height > UPLOAD_PIXELS:
        words = (
            f"{param} has {image.width} x {image.height} pixels; at most {UPLOAD_PIXELS // 1_000_000} million are read"
        )
        raise Denied("too_large", words, "send a smaller one", param=param)
    if getattr(image, "n_frames", 1) != 1:
        raise Denied("bad_input", f"{param} is animated", "send one picture", param=param)


def read_data_url(url: str, param: str) -> bytes:
    """What a ``data:`` address of a picture holds, not yet looked at. No other address is fetched.

    Raises:
        Denied: it is another address, or no base64.
    """
    head, comma, text = url.partition(",")
    if not head.lower().startswith("data:image/") or not head.lower().endswith(";base64") or not comma:
        raise Denied(
            "unsupported", "no address is fetched for a client", "send the picture as a data: URL", param=param
        )
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Denied("bad_input", f"{param} is no base64", "send a whole picture", param=param) from None


def put_on_white(image: Image.Image) -> Image.Image:
    """A picture without transparency."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def to_paint(mask: Image.Image) -> Image.Image:
    """A mask, white where is to be drawn: OpenAI's masks say so by what is transparent."""
    if "A" in mask.getbands():
        alpha = mask.getchannel("A")
        if alpha.getextrema()[0] < 255:  # type: ignore[operator]
            return alpha.point(lambda value: 255 - value)
    return mask.convert("L")
