"""SD1.5 and SDXL with its refiner: UNets that predict noise or velocity over the 1000 training steps.

With stock sigmas and ``euler`` the results are ``StableDiffusionPipeline``'s and ``StableDiffusionXLPipeline``'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from imagewright.t2i_backends.families.base import Hint, Inputs, Net, merge_residuals
from imagewright.t2i_backends.values.handles import Conditioning, Sampling, Shape
from imagewright.t2i_backends.values.noise_levels import Table, betas_of

ASCORE, ASCORE_AGAINST = 6.0, 2.5
"""The refiner's aesthetic scores where a flow states none; the values of the stock pipeline and of ComfyUI."""


class SD15:
    """The SD1.5 family."""

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """The sigmas of the training steps."""
        found = betas_of(net.scheduler)
        return replace(found, zero_terminal_snr=True) if sampling.zero_terminal_snr else found

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """CLIP's states."""
        return Inputs(found.embeds)

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * noise`` for a model that predicts noise, ``x / (s^2 + 1) - s v / sqrt(s^2 + 1)`` for velocity
        (Salimans and Ho 2022, arXiv 2202.00512)."""
        time = float(table.time(_array(sigma)))
        seen = (x / math.sqrt(sigma**2 + 1)).to(net.dtype)
        added = merge_residuals([hint.residuals(net, seen, sigma, time, inputs) for hint in hints])
        whole = seen if inputs.fill is None else torch.cat([seen, inputs.fill], dim=1)
        found = net.model(
            sample=whole, timestep=time, encoder_hidden_states=inputs.embeds,
            added_cond_kwargs=self.beside_text(inputs),
            **added, return_dict=False,
        )[0].float()  # fmt: skip
        velocity = self.prediction(net) == "v_prediction"
        x0: torch.Tensor = x - sigma * found
        return x / (sigma**2 + 1) - found * sigma / math.sqrt(sigma**2 + 1) if velocity else x0

    def beside_text(self, inputs: Inputs) -> dict[str, torch.Tensor] | None:
        """What the UNet takes beside the text."""
        return None

    def prediction(self, net: Net) -> str:
        """``epsilon`` or ``v_prediction``."""
        return str(net.extra.get("prediction") or net.scheduler.get("prediction_type", "epsilon"))


class SDXL(SD15):
    """The SDXL family, refiner included."""

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """The CLIPs' states, CLIP-G's vector, and the sizes: those of the picture where the flow states none."""
        size = {"width": shape[3] * net.scale, "height": shape[2] * net.scale}
        said = {**size, "crop_w": 0, "crop_h": 0, **found.sizes}
        said = {"target_width": size["width"], "target_height": size["height"], **said}
        numbers = [said["height"], said["width"], said["crop_h"], said["crop_w"]]
        if _size_numbers(net, found) == 5:
            numbers.append(said.get("ascore", ASCORE_AGAINST if negative else ASCORE))
        else:
            numbers += [said["target_height"], said["target_width"]]
        return Inputs(found.embeds, found.pooled, sizes=torch.tensor([numbers], dtype=torch.float32))

    def beside_text(self, inputs: Inputs) -> dict[str, torch.Tensor] | None:
        """CLIP-G's vector and the sizes."""
        assert inputs.pooled is not None
        assert inputs.sizes is not None
        return {"text_embeds": inputs.pooled, "time_ids": inputs.sizes}


def _size_numbers(net: Net, found: Conditioning) -> int:
    """How many size numbers the UNet takes: six, or five for the refiner."""
    config = net.model.config
    pooled = 0 if found.pooled is None else found.pooled.shape[-1]
    return int((config.projection_class_embeddings_input_dim - pooled) // config.addition_time_embed_dim)


def _array(value: float) -> Any:
    import numpy as np

    return np.array(value)


@dataclass(frozen=True)
class UNetHint:
    """A ControlNet of an SD1.5 or SDXL model with its picture, pixels in [0, 1]."""

    model: Any
    image: torch.Tensor
    strength: float

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """What is added to the UNet's skip connections and middle."""
        added = None if inputs.sizes is None else {"text_embeds": inputs.pooled, "time_ids": inputs.sizes}
        down, mid = self.model(
            x, time, encoder_hidden_states=inputs.embeds, controlnet_cond=self.image,
            conditioning_scale=self.strength, added_cond_kwargs=added, return_dict=False,
        )  # fmt: skip
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
