"""ControlNets of SD1.5 and SDXL in one file, under the names of their first releases or under diffusers'."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

from imagewright.t2i_backends.models.model_files import read_config
from imagewright.t2i_backends.models.tensors import read_all

_PREFIX = "control_model."
_SIZES = {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
"""The layers that read SDXL's sizes, which diffusers' own conversion of ControlNets leaves out."""


def control_state(file: Path, config: Path) -> dict[str, torch.Tensor]:
    """The weights of ``file`` under diffusers' names, for a ControlNet with the config in that folder."""
    found = {name.removeprefix(_PREFIX): value for name, value in read_all(file, torch.float32).items()}
    if "time_embed.0.weight" not in found:
        return found
    sizes = {f"{new}.{kind}": found[f"{old}.{kind}"] for old, new in _SIZES.items() for kind in ("weight", "bias")
             if f"{old}.{kind}" in found}  # fmt: skip
    settings = read_config(config / "config.json")
    return {**convert_controlnet_checkpoint(found, settings), **sizes}
