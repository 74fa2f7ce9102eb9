"""Every family by name, as it denoises."""

from __future__ import annotations

from collections.abc import Mapping

from imagewright.t2i_backends.families.base import Family
from imagewright.t2i_backends.families.flux import Flux
from imagewright.t2i_backends.families.sd3 import SD3
from imagewright.t2i_backends.families.unet import SD15, SDXL

LOOPS: Mapping[str, Family] = {"flux": Flux(), "sd3": SD3(), "sdxl": SDXL(), "sd15": SD15()}
