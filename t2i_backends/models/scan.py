"""What lies in the model folders, and one sensible flow for each base model in them. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import BadInput
from imagewright.flow_format import Graph
from imagewright.t2i_backends.families.table import find_family, known_families
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.models.model_faults import find_faults
from imagewright.t2i_backends.models.model_files import (
    GGUF,
    PICKLES,
    ModelFiles,
    ModelPath,
    control_family,
    family_of,
    fills,
    is_special,
    look_at,
    weight_files,
)

_KINDS = ("checkpoints", "diffusion_models", "text_encoders", "vae", "loras", "controlnet", "upscale_models")
_MOST = 10_000
"""Files and folders that are looked at in one folder."""
DEEPEST = 4


@dataclass(frozen=True)
class ScannedModel:
    """One model in a folder of its kind."""

    kind: str
    name: str
    """As a loader node names it: the path below the folder."""
    family: str = ""
    holds: str = ""
    """What the header says of a lone file; ``pipeline`` or ``component`` for a folder; ``inpainting model``."""
    bytes: int = 0
    problem: str = ""
    """Why it cannot be used; empty when it can."""


def scan(files: ModelFiles) -> list[ScannedModel]:
    """Every model in the folders of each kind, by kind and name; pickles and broken files with their problem."""
    found: dict[tuple[str, str], ScannedModel] = {}
    for kind in _KINDS:
        for base in files.bases(kind):
            for path in _entries(base, 0):
                name = path.relative_to(base).as_posix()
                found.setdefault((kind, name), _see(files, kind, name, path))
    return sorted(found.values(), key=lambda seen: (_KINDS.index(seen.kind), seen.name.lower()))


def _entries(folder: Path, depth: int) -> Iterator[Path]:
    """Model files and diffusers folders below ``folder``; the config folder beside a lone file is not one."""
    if depth > DEEPEST or not folder.is_dir():
        return
    for path in sorted(folder.iterdir())[:_MOST]:
        if path.is_file() and path.suffix.lower() in {".safetensors", GGUF, *PICKLES}:
            yield path
        elif path.is_dir() and not path.name.startswith("."):
            if not any((path / name).is_file() for name in ("model_index.json", "config.json")):
                yield from _entries(path, depth + 1)
            elif not path.with_name(path.name + ".safetensors").is_file():
                yield path


def _see(files: ModelFiles, kind: str, name: str, path: Path) -> ScannedModel:
    size = sum(file.stat().st_size for file in weight_files(path)) if path.exists() else 0
    try:
        found = files.find(kind, name)
    except BadInput as error:
        return ScannedModel(kind, name, bytes=size, problem=f"{error}: {error.remedy}")
    if found is None:
        return ScannedModel(kind, name, bytes=size, problem="it cannot be read")
    what = look_at(found)
    holds: str = what.kind if found.path.is_file() else "pipeline" if found.is_pipeline else "component"
    holds = "inpainting model" if kind in ("checkpoints", "diffusion_models") and fills(found) else holds
    family = (control_family(found) or what.family) if kind in ("controlnet", "loras") else family_of(found)
    return ScannedModel(kind, name, family, holds, size, _problem(kind, found))


def _problem(kind: str, found: ModelPath) -> str:
    for part, fault in find_faults(kind, found):
        return f"{part or 'it'} {fault}"
    if kind == "controlnet" and found.config is None:
        return f"no config lies beside it: put its diffusers config folder at {found.path.with_suffix('').name}/"
    if kind not in ("checkpoints", "diffusion_models"):
        return ""
    if find_family(family_of(found)) is None:
        family = family_of(found) or look_at(found).family
        return f"{family} is not drawn here" if family else "its architecture is not known"
    said = is_special(found)
    return f"{said[0]}: {said[1]}" if said else ""


# --- one flow for each base model -----------------------------------------------------------


def default_graph(checkpoint: str, family: str) -> Graph:
    """Text to image on one whole checkpoint, with the usual settings of its family.

    Raises:
        KeyError: no family is called so.
    """
    return known_families()[family].default_graph(checkpoint)


def default_flows(seen: Sequence[ScannedModel], used: Sequence[str]) -> list[tuple[str, str, Graph]]:
    """``(name, family, graph)`` for each whole checkpoint that no flow uses yet (``used`` names those that are)."""
    found = []
    for model in seen:
        whole = model.holds in ("pipeline", "checkpoint") and model.family in known_families() and not model.problem
        if model.kind != "checkpoints" or not whole or model.name in {*used, *shipped.NAMES} or _refines(model.name):
            continue
        stem = Path(model.name).name.removesuffix(".safetensors")
        found.append((stem, model.family, default_graph(model.name, model.family)))
    return found


def _refines(name: str) -> bool:
    return "refiner" in name.lower()
