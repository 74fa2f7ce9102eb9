"""A picture to start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def input_picture(family_root: Path) -> str:
    """A picture of noise in the input folder."""
    folder = family_root / "input"
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(values).save(folder / "noise.png")
    return "noise.png"
