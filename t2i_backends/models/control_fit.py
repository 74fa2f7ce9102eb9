"""Whether a ControlNet goes with a diffusion model, by their configs. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.models.model_files import ModelPath, component, control_family, family_of, read_config

_SAME = (
    "block_out_channels", "cross_attention_dim", "addition_embed_type", "projection_class_embeddings_input_dim",
    "joint_attention_dim", "pooled_projection_dim", "num_attention_heads", "attention_head_dim",
)  # fmt: skip
"""What a ControlNet's config must say as its model's does, where both say it."""
_REMEDY = "use one of the same base model"


def describe_control_misfit(control: ModelPath, base: ModelPath) -> str:
    """Why a ControlNet cannot steer ``base``; empty when it can. The rest of a line that begins with its name."""
    mine, its = table.find_family(control_family(control)), table.find_family(family_of(base))
    if mine is None or its is None:
        return ""
    if mine.name != its.name:
        return f"is a ControlNet of {mine.title}, and {base.path.name} is {its.title}: {_REMEDY}"
    folders = component(base, "net")
    if control.config is None or not folders:
        return ""
    return describe_odd_config(read_config(control.config / "config.json"), read_config(folders[0] / "config.json"))


def describe_odd_config(mine: Mapping[str, Any], its: Mapping[str, Any]) -> str:
    """What in the config of a ControlNet is another than in its model's; empty where nothing is."""
    for name in _SAME:
        here, there = mine.get(name), its.get(name)
        if here is None or there is None or isinstance(there, bool):
            continue
        if _plain(here) != _plain(there):
            return f"is made for another model ({name} is {_plain(here)} there, {_plain(there)} here): {_REMEDY}"
    return ""


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
