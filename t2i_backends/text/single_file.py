"""The weights of one text encoder out of a safetensors file: a whole checkpoint, or the encoder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

from imagewright.errors import BadInput
from imagewright.t2i_backends.models.tensors import open_tensors

_TRANSFORMERS: Mapping[str, tuple[str, ...]] = {
    "clip_l": (
        "cond_stage_model.transformer.",
        "conditioner.embedders.0.transformer.",
        "text_encoders.clip_l.transformer.",
        "",
    ),
    "clip_g": ("text_encoders.clip_g.transformer.", ""),
    "t5": ("text_encoders.t5xxl.transformer.", ""),
}
"""What stands before the names of each role's weights where they are named as transformers names them."""
_OPEN_CLIP = ("conditioner.embedders.1.model.", "conditioner.embedders.0.model.", "")
"""The same where they are named as open_clip names them."""


def text_state(file: Path, role: str, like: Any) -> dict[str, torch.Tensor]:
    """The weights of ``role`` named as the transformers model ``like`` names them.

    Raises:
        BadInput: the file holds no such text encoder.
    """
    with open_tensors(file) as stream:
        names = set(stream.keys())
        for prefix in _OPEN_CLIP if role == "clip_g" else ():
            if prefix + "transformer.resblocks.0.attn.in_proj_weight" in names:
                mine = {name: stream.get_tensor(name) for name in names if name.startswith(prefix)}
                return _fitting(convert_open_clip_checkpoint(like, mine, prefix=prefix), like)
        for prefix in _TRANSFORMERS[role]:
            starts = tuple(prefix + part for part in ("text_model.", "embeddings.", "shared.", "encoder."))
            if any(name.startswith(starts) for name in names):
                found = {n.removeprefix(prefix): stream.get_tensor(n) for n in names if n.startswith(prefix)}
                return _fitting(found, like)
    raise BadInput(f"{file.name!r} holds no text encoder {role}", "load the text encoders from files of their own")


def _fitting(found: dict[str, torch.Tensor], like: Any) -> dict[str, torch.Tensor]:
    """``found`` without what does not belong, under the names of ``like``: newer transformers drop ``text_model.``."""
    wrapped = hasattr(like, "text_model")
    state = {}
    for name, value in found.items():
        bare = name.removeprefix("text_model.")
        state[f"text_model.{bare}" if wrapped and not name.startswith("text_projection") else bare] = value
    if hasattr(like, "text_projection") and "text_projection.weight" not in state:
        width = like.text_projection.weight.shape
        state["text_projection.weight"] = torch.eye(*width)
    if "shared.weight" in state and "encoder.embed_tokens.weight" not in state:
        state["encoder.embed_tokens.weight"] = state["shared.weight"]
    return {name: value for name, value in state.items() if name not in ("logit_scale", "text_model.logit_scale")}
