"""The denoising loop of the FLUX family: any sampler over a ``FluxTransformer2DModel``, with regions and true CFG.

Latents travel as the pipeline packs them, ``(1, tokens, 4 * channels)``, float32; only the transformer sees its own
number format. With the sigmas of the stock pipeline and ``euler`` the result is the stock pipeline's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FluxPipeline

from imagewright.t2i_backends.sampling import SAMPLERS, OnLatent


@dataclass(frozen=True)
class Text:
    """What one pass of the transformer attends to, on its device and in its number format."""

    embeds: torch.Tensor
    """``(1, tokens, width)``."""
    pooled: torch.Tensor
    """``(1, width)``."""
    guidance: float
    """The distilled guidance; used by models that embed it."""
    mask: torch.Tensor | None = None
    """Bool, ``(1, 1, S, S)`` over text then image tokens; None lets every token see every other."""


@dataclass(frozen=True)
class Kept:
    """What must stay of an earlier picture, in packed latents."""

    original: torch.Tensor
    noise: torch.Tensor
    redrawn: torch.Tensor
    """How much of each value is drawn anew, in [0, 1]."""

    def before(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """``x`` with the kept part set to the original at noise level ``sigma``: ``(1 - s) x0 + s noise``."""
        return x * self.redrawn + ((1 - sigma) * self.original + sigma * self.noise) * (1 - self.redrawn)

    def after(self, x0: torch.Tensor) -> torch.Tensor:
        """An x0 estimate with the kept part set to the original."""
        return x0 * self.redrawn + self.original * (1 - self.redrawn)


@dataclass(frozen=True)
class Denoiser:
    """Predicts x0 for a sampler: ``x - sigma * velocity``, guided by the negative text where ``cfg`` is not 1."""

    transformer: Any
    image_ids: torch.Tensor
    positive: Text
    """The text of the steps from ``regional_steps`` on: the base prompt alone."""
    negative: Text | None = None
    cfg: float = 1.0
    regional: Text | None = None
    """The text of the first steps: base and region prompts under their mask."""
    regional_steps: int = 0
    kept: Kept | None = None

    def __call__(self, x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        """The x0 estimate; ComfyUI's CFG, ``negative + cfg * (positive - negative)``, and no negative pass at 1."""
        if self.kept is not None:
            x = self.kept.before(x, sigma)
        text = self.regional if self.regional is not None and step < self.regional_steps else self.positive
        velocity = self._velocity(x, sigma, text, "cond")
        if self.negative is not None and self.cfg != 1:
            against = self._velocity(x, sigma, self.negative, "uncond")
            velocity = against + self.cfg * (velocity - against)
        x0 = x - sigma * velocity
        return x0 if self.kept is None else self.kept.after(x0)

    def _velocity(self, x: torch.Tensor, sigma: float, text: Text, context: str) -> torch.Tensor:
        """One pass of the transformer, float32. The mask, where there is one, reaches every block."""
        dtype, device = self.transformer.dtype, x.device
        guided = self.transformer.config.guidance_embeds
        kwargs = {} if text.mask is None else {"attention_mask": text.mask}
        with self.transformer.cache_context(context):
            found = self.transformer(
                hidden_states=x.to(dtype),
                timestep=torch.full([1], sigma, device=device, dtype=dtype),
                guidance=torch.full([1], text.guidance, device=device, dtype=torch.float32) if guided else None,
                pooled_projections=text.pooled,
                encoder_hidden_states=text.embeds,
                txt_ids=torch.zeros(text.embeds.shape[1], 3, device=device, dtype=dtype),
                img_ids=self.image_ids,
                joint_attention_kwargs=kwargs,
                return_dict=False,
            )[0]
        velocity: torch.Tensor = found.float()
        return velocity


def image_ids(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Position ids of ``rows * columns`` image tokens, as the pipeline makes them."""
    ids: torch.Tensor = FluxPipeline._prepare_latent_image_ids(1, rows, columns, device, dtype)
    return ids


def pack(latents: torch.Tensor) -> torch.Tensor:
    """``(1, C, h, w)`` to ``(1, h / 2 * w / 2, 4 C)``."""
    packed: torch.Tensor = FluxPipeline._pack_latents(latents, *latents.shape)
    return packed


def unpack(packed: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """``(1, tokens, 4 C)`` to ``(1, C, height, width)``; the sizes are latent cells."""
    latents: torch.Tensor = FluxPipeline._unpack_latents(packed, height, width, 1)
    return latents


def draw_noise(seed: int, shape: Sequence[int]) -> torch.Tensor:
    """Standard normal float32 of an unpacked latent's ``shape``, drawn on the CPU, as ComfyUI draws it."""
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)


@torch.inference_mode()
def run_loop(
    denoise: Denoiser, sampler: str, sigmas: Sequence[float], start: torch.Tensor, on_latent: OnLatent
) -> torch.Tensor:
    """Sample from ``start`` (packed, at noise level ``sigmas[0]``) down to ``sigmas[-1]``; packed latents, float32."""
    if len(sigmas) < 2:
        return start
    found = SAMPLERS[sampler](denoise, start, sigmas, on_latent)
    return found if denoise.kept is None else denoise.kept.after(found)
