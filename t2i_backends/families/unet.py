"""What the families of UNets share: noise or velocity predicted over the 1000 training steps, ControlNets, LoRAs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imagewright.t2i_backends.families.base import (
    ControlPicture,
    Family,
    Hint,
    Inputs,
    Net,
    Shapes,
    merge_residuals,
    side,
)
from imagewright.t2i_backends.values.noise_levels import Distilled, Table, betas_of, boundary

if TYPE_CHECKING:
    import torch

    from imagewright.t2i_backends.values.handles import Control, Sampling, Shape

PLAIN = (4, 9)
"""Channels that UNets see for text to image and for inpainting."""
_HINTS = ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight")
_SIZES = ("label_emb.0.0.weight", "add_embedding.linear_1.weight")
_CONTEXT = tuple(
    f"{block}.transformer_blocks.0.attn2.to_k.weight"
    for block in ("input_blocks.1.1", "input_blocks.4.1", "down_blocks.0.attentions.0", "down_blocks.1.attentions.0")
)


@dataclass(frozen=True)
class UNetMarks:
    """What the tensors of a UNet tell, in either layout."""

    stem: int
    """Channels that it sees."""
    context: int
    """The width of the text that it reads."""
    labels: int
    """The width of the numbers that it takes beside the text; 0 for none."""


def read_unet(shapes: Shapes) -> UNetMarks | None:
    """The marks of a UNet that reads text; None for any other model."""
    stem = side(shapes, "input_blocks.0.0.weight", 1) or side(shapes, "conv_in.weight", 1)
    context = next((width for name in _CONTEXT if (width := side(shapes, name, 1))), 0)
    labels = next((width for name in _SIZES if (width := side(shapes, name, 1))), 0)
    return UNetMarks(stem, context, labels) if stem and context else None


def is_unet_control(shapes: Shapes, sized: bool) -> bool:
    """Whether this is the ControlNet of a UNet: one that takes sizes beside its text, or one that does not."""
    if not any(name in shapes or f"control_model.{name}" in shapes for name in _HINTS):
        return False
    return any(name.endswith(_SIZES) for name in shapes) == sized


class UNet(Family):
    """A family whose diffusion model is a UNet."""

    net_class = "UNet2DConditionModel"
    net_folder = "unet"
    control_class = "ControlNetModel"
    ends = (("input_blocks.0.0.weight", "out.2.weight"), ("conv_in.weight", "conv_out.weight"))
    inpaints = True
    lora_alphas = True

    def control_weights(self, file: Path, config: Path) -> dict[str, torch.Tensor] | None:
        """Under the names of the first releases or under diffusers'."""
        from imagewright.t2i_backends.models.control_files import control_state

        return control_state(file, config)

    def read_lora(self, folder: Any, model: Any, **options: Any) -> tuple[dict[str, Any], Any, Any]:
        """The reader finds a file's layers by the UNet's config."""
        more = {} if model is None else {"unet_config": model.config}
        return super().read_lora(folder, model, **options, **more)

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """The sigmas of the training steps; a ModelSamplingDiscrete node counts before the marks of the file."""
        found = betas_of(net.scheduler)
        marked = not sampling.prediction and bool(net.extra.get("zero_terminal_snr"))
        found = replace(found, zero_terminal_snr=True) if sampling.zero_terminal_snr or marked else found
        return Distilled(found) if sampling.prediction == "lcm" else found

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * noise`` for a model that predicts noise, ``x / (s^2 + 1) - s v / sqrt(s^2 + 1)`` for velocity
        (Salimans and Ho 2022, arXiv 2202.00512)."""
        import torch

        time = float(table.time(np.array(sigma)))
        seen = (x / math.sqrt(sigma**2 + 1)).to(net.dtype)
        added = merge_residuals([hint.residuals(net, seen, sigma, time, inputs) for hint in hints])
        whole = seen if inputs.fill is None else torch.cat([seen, inputs.fill], dim=1)
        found = net.model(
            sample=whole, timestep=time, encoder_hidden_states=inputs.embeds,
            added_cond_kwargs=self.beside_text(inputs),
            **added, return_dict=False,
        )[0].float()  # fmt: skip
        return self._estimate(net, x, sigma, time, found)

    def _estimate(self, net: Net, x: torch.Tensor, sigma: float, time: float, found: torch.Tensor) -> torch.Tensor:
        predicted = self.prediction(net)
        if predicted == "v_prediction":
            return x / (sigma**2 + 1) - found * sigma / math.sqrt(sigma**2 + 1)
        if predicted == "sample":
            return found
        x0 = x - sigma * found
        if predicted == "lcm":
            kept, counted = boundary(time)
            return kept * x + counted * x0
        return x0

    def beside_text(self, inputs: Inputs) -> dict[str, torch.Tensor] | None:
        """What the UNet takes beside the text."""
        return None

    def prediction(self, net: Net) -> str:
        """``epsilon``, ``v_prediction``, ``sample``, or ``lcm``: noise, under the boundary condition of such models."""
        return str(net.extra.get("prediction") or net.scheduler.get("prediction_type", "epsilon"))

    def hint(self, model: Any, control: Control, seen: ControlPicture) -> Hint:
        """The picture as pixels."""
        return UNetHint(model, seen.pixels(0, 1), control.strength)


@dataclass(frozen=True)
class UNetHint:
    """A UNet's ControlNet with its picture, pixels in [0, 1]."""

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
