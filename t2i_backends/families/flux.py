"""FLUX.1: a flow-matching transformer over packed latents, with distilled guidance and regional attention.

With the sigmas of the stock pipeline and ``euler`` the result is ``FluxPipeline``'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from diffusers import FluxPipeline

from imagewright.t2i_backends.families.base import Hint, Inputs, Net, merge_residuals
from imagewright.t2i_backends.values.handles import Conditioning, Sampling, Shape
from imagewright.t2i_backends.values.noise_levels import DYNAMIC_TABLE, Shift, Table, flux_mu, shift_of


class Flux:
    """The FLUX.1 family."""

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """Shifted times; a ModelSamplingFlux node fixes the shift at its own size."""
        if sampling.flux is not None:
            most, least, width, height = sampling.flux
            return Shift(math.exp(flux_mu(width * height / 256, least, most)), DYNAMIC_TABLE)
        if sampling.shift is not None:
            return Shift(sampling.shift)
        return shift_of(net.scheduler, shape[2] * shape[3] // 4)

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """T5's states, CLIP's vector and the guidance."""
        return Inputs(found.embeds, found.pooled, found.guidance)

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * velocity``. The mask, where there is one, reaches every block."""
        packed = pack_latents(x)
        added = merge_residuals([hint.residuals(net, packed, sigma, sigma, inputs) for hint in hints])
        kwargs = {} if inputs.mask is None else {"attention_mask": inputs.mask}
        with net.model.cache_context(context):
            found = net.model(
                **common(net, packed, sigma, inputs, x.shape[2:]), joint_attention_kwargs=kwargs, **added,
                return_dict=False,
            )[0]  # fmt: skip
        return x - sigma * unpack_latents(found.float(), x.shape[2], x.shape[3])


def common(net: Net, packed: torch.Tensor, sigma: float, inputs: Inputs, cells: Sequence[int]) -> dict[str, Any]:
    """What the transformer and its ControlNets are both given."""
    device, dtype, count = packed.device, net.dtype, [packed.shape[0]]
    guided = net.model.config.guidance_embeds
    return {
        "hidden_states": packed.to(dtype),
        "timestep": torch.full(count, sigma, device=device, dtype=dtype),
        "guidance": torch.full(count, inputs.guidance, device=device, dtype=torch.float32) if guided else None,
        "pooled_projections": inputs.pooled,
        "encoder_hidden_states": inputs.embeds,
        "txt_ids": torch.zeros(inputs.embeds.shape[1], 3, device=device, dtype=dtype),
        "img_ids": image_ids(cells[0] // 2, cells[1] // 2, device, dtype),
    }


@dataclass(frozen=True)
class FluxHint:
    """A FLUX ControlNet with its picture, encoded and packed, or as pixels for one that reads pixels itself."""

    model: Any
    image: torch.Tensor
    strength: float
    mode: int | None = None

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """The blocks' residuals. A ControlNet reads the base text alone: regions are none of its business."""
        rows = self.image.shape[2] // (net.scale if self.model.input_hint_block is not None else 1)
        given = common(net, x, sigma, inputs, (rows, x.shape[1] * 4 // rows))
        if self.mode is not None:
            given["controlnet_mode"] = torch.full([x.shape[0], 1], self.mode, device=x.device)
        guided = self.model.config.guidance_embeds
        strength = torch.full([x.shape[0]], inputs.guidance, device=x.device, dtype=torch.float32) if guided else None
        blocks, single = self.model(
            **{**given, "guidance": strength}, controlnet_cond=self._seen(), conditioning_scale=self.strength,
            joint_attention_kwargs={}, return_dict=False,
        )  # fmt: skip
        found: dict[str, Any] = {"controlnet_block_samples": blocks, "controlnet_single_block_samples": single}
        if self.model.input_hint_block is not None:
            found["controlnet_blocks_repeat"] = True
        return {name: value for name, value in found.items() if value is not None}

    def _seen(self) -> torch.Tensor:
        return self.image if self.model.input_hint_block is not None else pack_latents(self.image)


@lru_cache(maxsize=8)
def image_ids(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Position ids of ``rows * columns`` image tokens, as the pipeline makes them; made once, not once a step: they
    are built in RAM, and a copy to the GPU waits for it."""
    ids: torch.Tensor = FluxPipeline._prepare_latent_image_ids(1, rows, columns, device, dtype)
    return ids


def pack_latents(latents: torch.Tensor) -> torch.Tensor:
    """``(batch, C, h, w)`` to ``(batch, h / 2 * w / 2, 4 C)``."""
    packed: torch.Tensor = FluxPipeline._pack_latents(latents, *latents.shape)
    return packed


def unpack_latents(packed: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """``(batch, tokens, 4 C)`` to ``(batch, C, height, width)``; the sizes are latent cells."""
    latents: torch.Tensor = FluxPipeline._unpack_latents(packed, height, width, 1)
    return latents
