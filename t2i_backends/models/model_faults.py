"""What keeps a model that is here from being used, by header and configs alone: one line each, with what would help.

Checks, scans and loaders ask here, so that what a check calls ready is what loads. Loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.models.folders import find_pointer, find_weights
from imagewright.t2i_backends.models.header_file import find_fault
from imagewright.t2i_backends.models.model_files import (
    ModelPart,
    ModelPath,
    component,
    family_of,
    foreign_parts,
    look_at,
)
from imagewright.t2i_backends.models.wholeness import find_missing

FOLDER_PARTS: Mapping[str, tuple[ModelPart, ...]] = {
    "checkpoints": ("net", "vae", "text"),
    "diffusion_models": ("net",),
    "text_encoders": ("text",),
    "vae": ("vae",),
}
"""The parts that a loader takes of a model of each kind."""
_WANTED = {
    "diffusion_models": "diffusion model",
    "text_encoders": "text encoder",
    "vae": "VAE",
    "upscale_models": "upscaling network",
}
_HELD = {
    "checkpoint": "checkpoint", "net": "diffusion model", "vae": "VAE", "text": "text encoder", "lora": "LoRA",
    "control": "ControlNet", "upscaler": "upscaling network",
}  # fmt: skip


def find_faults(kind: str, model: ModelPath) -> Iterator[tuple[str, str]]:
    """``(part, what)`` for all that keeps a model from being loaded as one of ``kind``.

    ``part`` is empty for the whole model; ``what`` is the rest of a line that begins with the model's name.
    """
    if model.path.is_file():
        fault = find_fault(model.path) or _misfit(kind, model)
        if fault:
            yield "", fault
        else:
            yield from find_missing(kind, model, FOLDER_PARTS.get(kind, ()))
        return
    for name in foreign_parts(model):
        yield name, f"brings code of its own for {name}, which is never run: use another model"
    folders = list_folders(kind, model)
    if model.config is not None and (fault := find_pointer(model.config, folders)):
        yield "", fault
        return
    broken = [(folder.name, fault) for folder in folders if (fault := find_weights(folder).fault)]
    yield from broken or find_missing(kind, model, FOLDER_PARTS.get(kind, ()))


def list_folders(kind: str, model: ModelPath) -> tuple[Path, ...]:
    """The component folders that a loader of ``kind`` reads."""
    if kind == "controlnet":
        return (model.config,) if model.config is not None else ()
    return tuple(dict.fromkeys(folder for part in FOLDER_PARTS.get(kind, ()) for folder in component(model, part)))


def _misfit(kind: str, model: ModelPath) -> str:
    """What a whole file holds instead of what a loader of ``kind`` takes from it; empty where nothing tells."""
    held = look_at(model)
    if held.refused:
        return held.refused
    if kind == "loras":
        return "" if held.kind == "lora" else "holds no plain LoRA weights: use a LoRA"
    if kind == "checkpoints" and held.kind == "checkpoint":
        return _lacking(model)
    fits = {
        "checkpoints": held.kind == "net",
        "diffusion_models": held.kind in ("net", "checkpoint"),
        "text_encoders": bool(held.roles),
        "vae": held.has_vae,
        "upscale_models": held.kind in ("upscaler", "unknown"),
    }.get(kind, True)
    if fits or (held.kind == "unknown" and model.config is None):
        return ""
    wanted = _WANTED.get(kind, "checkpoint")
    if held.kind == "unknown":
        return f"holds no {wanted} that is known here: use another"
    return f"is a {_HELD[held.kind]}, no {wanted}: load it with the node for it"


def _lacking(model: ModelPath) -> str:
    """The parts that a whole checkpoint lacks."""
    held, family = look_at(model), table.find_family(family_of(model))
    if family is None:
        return ""
    named = {folder.name for folder in component(model, "text")}
    needed = [
        r for r in family.encoders if r not in family.spare or (r in family.insisted and family.encoders[r] in named)
    ]
    missing = [role for role in needed if role not in held.roles]
    missing += [] if held.has_vae else ["VAE"]
    remedy = "load it with UNETLoader, and text encoders and VAE beside it"
    return f"lacks {', '.join(missing)}: {remedy}" if missing else ""
