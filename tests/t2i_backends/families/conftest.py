"""Pictures to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))


@pytest.fixture
def input_picture(family_root: Path, picture: Image.Image) -> str:
    """``picture`` and a mask of its right half, in the input folder."""
    folder = family_root / "input"
    folder.mkdir(exist_ok=True)
    picture.save(folder / "noise.png")
    mask = np.zeros((16, 16, 3), dtype=np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return "noise.png"
