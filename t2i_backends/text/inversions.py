"""Textual inversions (Gal et al. 2022, arXiv 2208.01618): learned vectors that stand in a prompt for words.

A flow names one as ``embedding:NAME``; it lies in ``embeddings/`` of a model root. One that is not there, or does not
fit, is left out with a word in the trace, as ComfyUI leaves it out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.t2i_backends.models.header_file import find_fault, read_header
from imagewright.t2i_backends.models.model_files import PICKLES, ModelFiles, ModelPath

if TYPE_CHECKING:
    import torch

KIND = "embeddings"
_KEYS = {"clip_l": "clip_l", "clip_g": "clip_g", "t5": "t5xxl"}
"""What a file with vectors for several encoders calls those of each role."""
_ENDING = ".safetensors"
_MOST_FOLDERS = 2000
_LEFT_OUT = "its word was left out"


@dataclass(frozen=True)
class Inversion:
    """A textual inversion that a prompt names, here or not."""

    typed: str
    """As the prompt names it, with commas that cling to it."""
    file: ModelPath | None = None
    after: str = ""
    """What of ``typed`` is no part of the name."""
    problem: str = ""
    """Why it is left out, in words; empty for one that is used."""

    def read(self, role: str, width: int) -> tuple[torch.Tensor | None, str]:
        """Its vectors for an encoder, ``(tokens, width)``, or None with what is wrong in words."""
        if self.file is None:
            return None, self.problem
        vectors = _read(self.file.path, role)
        if vectors is None or vectors.shape[-1] != width:
            has = "none" if vectors is None else f"{vectors.shape[-1]} numbers a token"
            said = f"the embedding {self.name!r} is of another model ({role} reads {width}, it has {has})"
            return None, f"{said}: {_LEFT_OUT}"
        if not vectors.float().isfinite().all():
            return None, f"the embedding {self.name!r} holds numbers that are none: {_LEFT_OUT}"
        return vectors.reshape(-1, width), ""

    @property
    def name(self) -> str:
        """Its name without what clings to it."""
        return self.typed.removesuffix(self.after) if self.after else self.typed


Inversions = Mapping[str, Inversion]
"""What a prompt types → what it means."""


def find_inversion(files: ModelFiles, typed: str) -> Inversion:
    """The textual inversion that a prompt types, by its name or its name and ending, in any folder of its kind."""
    bare = typed.strip(",")
    after = typed[len(bare) :] if typed.startswith(bare) else ""
    said = ""
    for name, rest in dict.fromkeys(((typed, ""), (bare, after))):
        try:
            found = _find(files, name) if name else None
        except BadInput as error:
            said = f"{error}: {error.remedy}"
            continue
        if found is not None and (fault := _fault(found.path)):
            return Inversion(typed, None, rest, f"the embedding {name!r} {fault}; {_LEFT_OUT}")
        if found is not None:
            return Inversion(typed, found, rest)
    where = files.place(KIND, f"{PurePosixPath(bare or typed).name}{_ENDING}")
    missing = f"the embedding {bare or typed!r} is not here (put it at {where})"
    return Inversion(typed, None, after, f"{said or missing}; {_LEFT_OUT}")


def _find(files: ModelFiles, name: str) -> ModelPath | None:
    wanted = (name, f"{name}{_ENDING}") if not name.endswith(_ENDING) else (name,)
    for each in reversed(wanted):
        if each.endswith((_ENDING, *PICKLES)) and (found := files.find(KIND, each)) is not None:
            return found
    for ending in sorted(PICKLES):
        if any((base / f"{name}{ending}").is_file() for base in files.bases(KIND)):
            raise BadInput(f"the embedding {name!r} is a pickle, which can run code", "use its .safetensors version")
    return _find_below(files, f"{name.removesuffix(_ENDING)}{_ENDING}")


def _find_below(files: ModelFiles, name: str) -> ModelPath | None:
    """In a folder below those of its kind."""
    for base in files.bases(KIND):
        for at, (folder, _, inside) in enumerate(os.walk(base)):
            if name in inside:
                return files.find(KIND, (Path(folder) / name).relative_to(base).as_posix())
            if at > _MOST_FOLDERS:
                break
    return None


def _fault(file: Path) -> str:
    if fault := find_fault(file):
        return fault
    header = read_header(file)
    shapes = {} if header is None else header.shapes
    plain = any(1 <= len(shape) <= 2 and all(shape) for shape in shapes.values())
    return "" if plain else "holds no vectors: use a textual inversion"


def _read(file: Path, role: str) -> torch.Tensor | None:
    from safetensors import safe_open

    key = _KEYS[role]
    with safe_open(file, framework="pt") as stream:
        names = list(stream.keys())
        several = [name for name in names if name in _KEYS.values()]
        if several and key not in names:
            return None
        found: torch.Tensor = stream.get_tensor(key if key in names else names[0])
    return found if found.dim() in (1, 2) else None
