"""Small pictures of a drawing in progress."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from PIL import Image

from imagewright.t2i_backends.pictures.pixels import Vae, decode

CELLS = 32
"""The longer side of a preview in latent cells: 256 pixels for the usual VAEs, cheap to decode."""


@dataclass
class Previews:
    """Decides when a preview is due and draws it: the x0 estimate, averaged down to ``CELLS``, through the VAE."""

    every: float = 0.5
    """Seconds from one preview to the next; at least ten times what the last one cost."""
    _next: float = 0.0

    def due(self) -> bool:
        """Whether enough time has passed."""
        if not self._next:
            self._next = time.monotonic() + self.every
        return time.monotonic() >= self._next

    def draw(self, vae: Vae, latents: torch.Tensor) -> Image.Image:
        """The picture of ``latents``, shape ``(batch, C, h, w)``; of a batch the first."""
        start = time.monotonic()
        factor = max(1, max(latents.shape[2:]) // CELLS)
        first = latents[:1]
        small = torch.nn.functional.avg_pool2d(first, factor) if factor > 1 else first
        picture = decode(vae, small)
        end = time.monotonic()
        self._next = end + max(self.every, 10 * (end - start))
        return picture
