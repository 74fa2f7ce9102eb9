"""Whether a model file or folder that looks whole holds every weight that loading it will ask for. Loads nothing.

What there must be follows from the config (``expected``), in diffusers' names or in those of the first releases
(``first_names``). A model with a part that is not known there is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.families.base import NET_PREFIX, Family, Shapes
from imagewright.t2i_backends.models.expected import find_config_fault, find_gap, list_weights
from imagewright.t2i_backends.models.first_names import join_first
from imagewright.t2i_backends.models.folders import find_weights
from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.headers import plain_names
from imagewright.t2i_backends.models.model_files import (
    ModelPart,
    ModelPath,
    component,
    family_of,
    look_at,
    read_config,
    role_of,
)
from imagewright.t2i_backends.models.weight_lists import Weights

_OLD_ATTENTION = (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"))
_VAE_PREFIXES = ("first_stage_model.", "vae.", "")
_CONTROL_MARKS = (
    "input_blocks.0.0.weight", "conv_in.weight", "controlnet_x_embedder.weight", "pos_embed_input.proj.weight",
)  # fmt: skip
_TEXT_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "clip_l": (
        "cond_stage_model.transformer.", "conditioner.embedders.0.transformer.", "text_encoders.clip_l.transformer.",
        "",
    ),
    "clip_g": (
        "conditioner.embedders.1.model.", "conditioner.embedders.0.model.", "text_encoders.clip_g.transformer.", "",
    ),
    "t5": ("text_encoders.t5xxl.transformer.", ""),
}  # fmt: skip
"""What may stand before the names of each text encoder's weights in a lone file."""
GROUPS = (_VAE_PREFIXES, *_TEXT_PREFIXES.values())
"""What may stand before the names of one part's weights in a lone file, for each part but the diffusion model."""


def find_missing(kind: str, model: ModelPath, parts: Sequence[ModelPart]) -> Iterator[tuple[str, str]]:
    """``(part, what)`` for the first weight that each part lacks; ``part`` is empty for a lone file."""
    if kind == "controlnet":
        yield from _find_control(model)
        return
    for part in parts:
        for folder in component(model, part):
            if model.path.is_file():
                if fault := _of_file(model, part, folder):
                    yield "", fault
                    return
            elif fault := _of_folder(model, part, folder):
                yield folder.name, fault


def list_layers(model: ModelPath) -> tuple[Shapes, Shapes]:
    """The weights of a diffusion model by its config in diffusers' names, and what its first release calls them; both
    empty where they are not known."""
    folders = component(model, "net")
    if not folders:
        return {}, {}
    config = read_config(folders[0] / "config.json")
    wanted = list_weights(config)
    if wanted is None:
        return {}, {}
    return wanted, join_first(wanted, str(config.get("_class_name")), config)


def list_text_layers(model: ModelPath, family: Family) -> dict[str, Shapes]:
    """The weights of the CLIPs of a model by role, by their configs; empty for one whose config tells nothing."""
    found: dict[str, Shapes] = {}
    for folder in component(model, "text"):
        role = (_role_of_part(folder, family) if model.is_pipeline else "") or role_of(folder)
        if role and role != "t5":
            kind = _text_class(folder, family, role)
            found[role] = list_weights(read_config(folder / "config.json"), kind) or {}
    return found


def list_read(model: ModelPath, kind: str) -> frozenset[str] | None:
    """The names of all weights that may be read of a model, in every layout and without prefixes; None where a part of
    it is not known."""
    parts: tuple[ModelPart, ...] = ("net", "vae", "text")
    folders = [(part, folder) for part in parts for folder in component(model, part)]
    if kind == "controlnet":
        folders = [("net", model.config)] if model.config is not None else []
    family, found = table.find_family(family_of(model)), set[str]()
    for part, folder in folders:
        config = read_config(folder / "config.json")
        text = _text_class(folder, family) if part == "text" else ""
        wanted = list_weights(config, text)
        if wanted is None:
            return None
        plain = _plain_text(wanted) if text else {}
        found |= {*wanted, *plain, *join_first(wanted, text or str(config.get("_class_name")), config)}
    return frozenset(found)


def _find_control(model: ModelPath) -> Iterator[tuple[str, str]]:
    if model.config is None:
        return
    config = read_config(model.config / "config.json")
    wanted = list_weights(config)
    if wanted is None:
        if fault := find_config_fault(config):
            yield "", fault
        return
    if model.path.is_file():
        held = _strip(_file_shapes(model.path), ("control_model.", ""), *_CONTROL_MARKS)
        fault = _compare(held, wanted, str(config.get("_class_name")), config)
    else:
        fault = find_gap(_folder_shapes(model.config), wanted)
    if fault:
        yield "", fault


def _of_folder(model: ModelPath, part: ModelPart, folder: Path) -> str:
    config, family = read_config(folder / "config.json"), table.find_family(family_of(model))
    kind = _text_class(folder, family) if part == "text" else ""
    wanted = list_weights(config, kind)
    if wanted is None:
        return find_config_fault(config, kind)
    held = _folder_shapes(folder)
    if part == "text":
        return _text_gap(held, wanted)
    return find_gap(_renew(held) if part == "vae" else held, wanted)


def _folder_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    headers = [read_header(file) for file in find_weights(folder).files]
    return {name: shape for header in headers if header is not None for name, shape in header.shapes.items()}


def _of_file(model: ModelPath, part: ModelPart, folder: Path) -> str:
    path, stat = model.path, model.path.stat()
    family = table.find_family(family_of(model))
    role = role_of(folder) if part == "text" else ""
    if part == "text":
        held = look_at(model)
        role = _role_of_part(folder, family) or role
        if role not in held.roles:
            return ""
    kind = _text_class(folder, family, role) if part == "text" else ""
    return _judge(path, part, role, folder, kind, look_at(model).channels[0] if part == "net" else 0, stat.st_mtime_ns)


def _role_of_part(folder: Path, family: Family | None) -> str:
    """The role of a pipeline's component folder."""
    return next((role for role, name in family.encoders.items() if name == folder.name), "") if family else ""


@lru_cache(maxsize=64)
def _judge(path: Path, part: ModelPart, role: str, folder: Path, kind: str, channels: int, stamp: int) -> str:
    config = read_config(folder / "config.json")
    if channels and config.get("_class_name") == "UNet2DConditionModel":
        config = {**config, "in_channels": channels}
    wanted = list_weights(config, kind)
    if wanted is None:
        return find_config_fault(config, kind)
    shapes = _file_shapes(path)
    if part == "net":
        held = {name.removeprefix(NET_PREFIX): shape for name, shape in shapes.items() if name.startswith(NET_PREFIX)}
        return _compare(held or shapes, wanted, str(config.get("_class_name")), config)
    if part == "vae":
        held = _renew(_strip(shapes, _VAE_PREFIXES, "decoder.conv_in.weight"))
        return _compare(held, wanted, "AutoencoderKL", config)
    projection = wanted.pop("text_projection.weight", None)
    marks = ("embeddings.token_embedding.weight", "text_model.embeddings.token_embedding.weight", "shared.weight",
             "token_embedding.weight", "encoder.block.0.layer.0.SelfAttention.q.weight")  # fmt: skip
    held = _strip(shapes, _TEXT_PREFIXES[role], *marks)
    if projection and "text_projection.weight" in held:
        wanted["text_projection.weight"] = projection
    if "token_embedding.weight" in held:
        held["text_projection"] = held.get("text_projection", projection or ())
        if sorted(held["text_projection"]) != sorted(projection or ()):
            return f"holds text_projection as {held['text_projection']}, not {projection}: use the config of the model"
        return _compare(held, wanted, "CLIPTextModelWithProjection", config)
    return _text_gap(held, wanted)


def _file_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    header = read_header(path)
    return {} if header is None else {name: header.shapes[kept] for name, kept in plain_names(header.shapes).items()}


def _strip(shapes: Shapes, prefixes: Sequence[str], *marks: str) -> dict[str, tuple[int, ...]]:
    """The weights below the first prefix that has one of ``marks``, without it."""
    for prefix in prefixes:
        if any(prefix + mark in shapes for mark in marks):
            return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
    return {}


def _compare(held: Shapes, wanted: Weights, kind: str, config: Mapping[str, Any]) -> str:
    """What ``held`` lacks in whichever layout more of it is in."""
    first = join_first(wanted, kind, config)
    if sum(name in held for name in wanted) >= sum(name in held for name in first):
        return find_gap(held, wanted)
    fitted = {name: _as_linear(shape, first.get(name, ())) for name, shape in held.items()}
    return find_gap(fitted, first)


def _as_linear(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """A convolution over single cells is a linear layer, and is read as one."""
    return shape[:2] if len(wanted) == 2 and shape[2:] == (1, 1) else shape


def _renew(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Weights whose attention has diffusers' old names, under its new ones."""
    return {rename_old(name): shape for name, shape in shapes.items()}


def rename_old(name: str) -> str:
    """A weight's name with diffusers' newer words for attention."""
    if ".attentions." in name:
        for old, new in _OLD_ATTENTION:
            name = re.sub(rf"\.{old}\.(weight|bias)$", rf".{new}.\1", name)
    return name


def _plain_text(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """A text encoder's weights without what newer transformers leave out of their names."""
    found = {name.removeprefix("text_model."): shape for name, shape in shapes.items()}
    if "encoder.embed_tokens.weight" in found:
        found.setdefault("shared.weight", found["encoder.embed_tokens.weight"])
    return found


def _text_gap(held: Shapes, wanted: Weights) -> str:
    """What a text encoder's weights lack; T5's token table may be there twice."""
    plain, wants = _plain_text(held), _plain_text(wanted)
    if "encoder.embed_tokens.weight" in plain and "shared.weight" in wants:
        wants["encoder.embed_tokens.weight"] = wants["shared.weight"]
    return find_gap(plain, wants)


def _text_class(folder: Path, family: Family | None, role: str = "") -> str:
    role = role or _role_of_part(folder, family) or role_of(folder)
    if role == "t5":
        return "T5EncoderModel"
    return "CLIPTextModelWithProjection" if family is not None and role in family.projected else "CLIPTextModel"
