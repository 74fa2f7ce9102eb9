"""A family as another package brings it: everything that it takes to draw with one more kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagewright.t2i_backends.families.base import Family, Hint, Inputs, Net, Shapes, read_weights, side
from imagewright.t2i_backends.values.noise_levels import Table, shift_of


class MadeUp(Family):
    """A flow-matching transformer that reads T5 alone."""

    name = "made-up"
    title = "Made-up"
    pipeline = "AuraFlowPipeline"
    pipelines = frozenset({"AuraFlowPipeline"})
    net_class = "AuraFlowTransformer2DModel"
    net_folder = "transformer"
    configs = Path(__file__).with_name("configs")
    encoders = {"t5": "text_encoder"}  # noqa: RUF012
    clip_types = frozenset({"made_up"})
    clip_loaders = frozenset({"CLIPLoader"})
    unit = 2
    vae_scaling = 0.13025
    usual = {"steps": 3, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "side": 16}  # noqa: RUF012
    model_names = ((r"made.?up", "Made-up 1"),)
    node_names = "MadeUp"

    def recognise(self, shapes: Shapes) -> str | None:
        return "made-up-one" if side(shapes, "register_tokens", 1) else None

    def net_weights(self, file: Path) -> dict[str, Any]:
        return read_weights(file)

    def describe_noise(self, model: Any) -> Mapping[str, Any]:
        return {"shift": 1.73}

    def encode(self, encoders: Any, texts: Mapping[str, str], stop: int) -> Any:
        states, cut = encoders.read_t5(texts["t5"], 12)
        return states, None, (cut,)

    def table(self, net: Net, sampling: Any, shape: Sequence[int]) -> Table:
        return shift_of(net.scheduler, 0)

    def inputs(self, net: Net, found: Any, shape: Sequence[int], negative: bool) -> Inputs:
        return Inputs(found.embeds)

    def x0(
        self, net: Net, table: Table, x: Any, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> Any:
        time = x.new_full((x.shape[0],), sigma).to(net.dtype)
        seen = x.to(net.dtype)
        found = net.model(hidden_states=seen, encoder_hidden_states=inputs.embeds, timestep=time, return_dict=False)[0]
        return x - sigma * found.float()
