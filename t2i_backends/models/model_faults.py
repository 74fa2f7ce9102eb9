"""What keeps a model that is here from being used, by header and configs alone: one line each, with what would help.

Checks, scans and loaders ask here, so that what a check calls ready is what loads. Loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.models.folders import find_pointer, find_tokenizer_fault, find_weights
from imagewright.t2i_backends.models.header_file import find_fault
from imagewright.t2i_backends.models.model_files import (
    ModelPart,
    ModelPath,
    component,
    family_of,
    foreign_parts,
    look_at,
    read_config,
    role_of,
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
    pointer = "" if model.config is None else find_pointer(model.config, folders)
    if fault := pointer or _incomplete(kind, model):
        yield "", fault
        return
    broken = [(folder.name, fault) for folder in folders if (fault := find_weights(folder).fault)]
    broken = broken or list(_find_tokenizer_faults(kind, model))
    yield from broken or find_missing(kind, model, FOLDER_PARTS.get(kind, ()))


def _incomplete(kind: str, model: ModelPath) -> str:
    """What the index of a pipeline folder lacks."""
    if kind != "checkpoints" or not model.is_pipeline or model.config is None:
        return ""
    family = table.find_family(family_of(model))
    if not read_config(model.config / "model_index.json"):
        return "holds a model_index.json that cannot be read: download it again"
    named = {folder.name for folder in component(model, "text")}
    roles = family.encoders if family is not None else {}
    missing = [name for role, name in roles.items() if family and role not in family.spare and name not in named]
    if missing:
        return f"lacks {', '.join(missing)} (its model_index.json names none): download the whole model"
    return _odd_width(model)


def _odd_width(model: ModelPath) -> str:
    """That a UNet reads text of another width than the text encoders beside it give; empty where it does not."""
    nets, texts = component(model, "net"), component(model, "text")
    wanted = read_config(nets[0] / "config.json").get("cross_attention_dim") if nets else None
    widths = [read_config(folder / "config.json").get("hidden_size") for folder in texts]
    given = sum(width for width in widths if isinstance(width, int))
    if not isinstance(wanted, int) or not all(isinstance(width, int) for width in widths) or given == wanted:
        return ""
    return f"reads text {wanted} numbers wide, and its text encoders give {given}: download the whole model"


_USUAL_WORDS = {"clip_l": 49408, "clip_g": 49408, "t5": 32100}
"""What the tokenizers know that ship with us."""


def _find_tokenizer_faults(kind: str, model: ModelPath) -> Iterator[tuple[str, str]]:
    if "text" not in FOLDER_PARTS.get(kind, ()):
        return
    for folder in component(model, "text"):
        beside = folder.with_name(folder.name.replace("text_encoder", "tokenizer")) if model.is_pipeline else folder
        words, role = read_config(folder / "config.json").get("vocab_size"), role_of(folder)
        words = words if isinstance(words, int) else 0
        if role and (fault := find_tokenizer_fault(beside, words, _USUAL_WORDS[role])):
            yield folder.name, fault


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
