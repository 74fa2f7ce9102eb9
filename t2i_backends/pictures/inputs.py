"""Pictures from outside, read with care: known formats only, bounded in size, whole or not at all."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from imagewright.errors import BadInput
from imagewright.t2i_backends.pictures.pixels import Mask

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 25_000_000


def read_picture(path: Path) -> Image.Image:
    """The picture at ``path``, turned upright, as RGB or RGBA.

    Raises:
        BadInput: it is no PNG, JPEG or WebP, is cut off, or has more than ``MOST_PIXELS`` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path, formats=FORMATS) as found:
                if found.width * found.height > MOST_PIXELS:
                    raise BadInput(f"{path.name!r} has more than {MOST_PIXELS:,} pixels", "make it smaller")
                whole = ImageOps.exif_transpose(found)
                return whole.convert("RGBA" if "A" in whole.getbands() or "transparency" in whole.info else "RGB")
    except UnidentifiedImageError:
        raise BadInput(f"{path.name!r} is no picture, or cut off", "use a whole PNG, JPEG or WebP") from None
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        detail = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BadInput(f"{path.name!r} cannot be read as a picture: {detail}", "use a PNG, JPEG or WebP") from None


def channel(image: Image.Image, name: str) -> Mask:
    """One channel as a mask ``(1, height, width)`` in [0, 1]; ``alpha`` gives 1 where the picture is transparent, 0
    where it has none."""
    if name == "alpha" and "A" not in image.getbands():
        return np.zeros((1, image.height, image.width), dtype=np.float32)
    values: Mask = np.asarray(image.getchannel(name[0].upper()), dtype=np.float32)[None] / np.float32(255)
    return np.float32(1) - values if name == "alpha" else values
