"""SD3 and SD3.5: a flow-matching transformer over latents. With stock sigmas and ``euler`` it is
``StableDiffusion3Pipeline``'s result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from imagewright.t2i_backends.families.base import Hint, Inputs, Net, merge_residuals
from imagewright.t2i_backends.values.handles import Conditioning, Sampling, Shape
from imagewright.t2i_backends.values.noise_levels import Shift, Table, shift_of


class SD3:
    """The SD3 family."""

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """Shifted times; a ModelSamplingSD3 node states another shift."""
        if sampling.shift is not None:
            return Shift(sampling.shift)
        return shift_of(net.scheduler, shape[2] * shape[3] // 4)

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """The three encoders' states and both CLIPs' vectors."""
        return Inputs(found.embeds, found.pooled)

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * velocity``."""
        seen = x.to(net.dtype)
        time = torch.full([x.shape[0]], sigma * 1000, device=x.device, dtype=torch.float32)
        added = merge_residuals([hint.residuals(net, seen, sigma, sigma * 1000, inputs) for hint in hints])
        found = net.model(
            hidden_states=seen, timestep=time, encoder_hidden_states=inputs.embeds, pooled_projections=inputs.pooled,
            **added, return_dict=False,
        )[0]  # fmt: skip
        x0: torch.Tensor = x - sigma * found.float()
        return x0


@dataclass(frozen=True)
class SD3Hint:
    """An SD3 ControlNet with its picture in latents."""

    model: Any
    image: torch.Tensor
    strength: float

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """The blocks' residuals; which text the ControlNet reads is in its config, as in the stock pipeline."""
        config = self.model.config
        pooled = inputs.pooled
        if config.force_zeros_for_pooled_projection and pooled is not None:
            pooled = torch.zeros_like(pooled)
        seen = x if self.model.pos_embed is not None else net.model.pos_embed(x)
        found = self.model(
            hidden_states=seen, timestep=torch.full([x.shape[0]], time, device=x.device, dtype=torch.float32),
            encoder_hidden_states=None if config.joint_attention_dim is None else inputs.embeds,
            pooled_projections=pooled, controlnet_cond=self.image, conditioning_scale=self.strength, return_dict=False,
        )[0]  # fmt: skip
        return {"block_controlnet_hidden_states": found}
