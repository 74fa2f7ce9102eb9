"""The weights of one component folder: which files loading it reads, of which variant, and what is wrong with them.

The names are those that diffusers and transformers look for. Loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.t2i_backends.models.header_file import find_fault, is_pointer, read_header

_FIRST_VARIANTS = ("fp16", "bf16")
"""Where a folder holds no plain weights, these are taken before others."""
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "spiece.model", "tokenizer_config.json")


@dataclass(frozen=True)
class FolderWeights:
    """What loading a component folder reads."""

    files: tuple[Path, ...] = ()
    variant: str | None = None
    """``fp16`` and the like where the plain weights are absent."""
    fault: str = ""
    """Why it cannot be loaded, with what would help; empty when it can."""


def find_weights(folder: Path) -> FolderWeights:
    """The plain weights in ``folder``, else those of one variant; whole, or in shards with their index."""
    config = _read_object(folder / "config.json")
    if "quantization_config" in config:
        return FolderWeights(fault=f"is quantised in {folder}, which is not read here: use its fp16 or bf16 version")
    stem = "diffusion_pytorch_model" if "_class_name" in config else "model"
    for variant in (None, *_variants(folder, stem)):
        found = _of_variant(folder, stem, variant)
        if found is not None:
            return found
    if (folder / f"{stem}.safetensors").is_symlink():
        return FolderWeights(fault=f"holds a broken link in {folder}: download {stem}.safetensors again")
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    if not others:
        return FolderWeights(fault=f"holds no safetensors weights in {folder}: download them there")
    if any(re.search(r"-\d+-of-\d+", name) for name in others):
        return FolderWeights(fault=f"lacks {stem}.safetensors.index.json in {folder}: download it there")
    return FolderWeights(fault=f"holds {others[0]} in {folder}, where {stem}.safetensors is looked for: rename it")


def find_pointer(config: Path, folders: tuple[Path, ...]) -> str:
    """What is wrong with the small files of a model folder, read with the component ``folders``; empty for nothing."""
    names = [config / "model_index.json", config / "scheduler" / "scheduler_config.json"]
    for folder in folders:
        beside = folder.with_name(folder.name.replace("text_encoder", "tokenizer"))
        names += [folder / "config.json", *(place / name for place in (folder, beside) for name in _TOKENIZER_FILES)]
    pointer = next((file for file in names if file.is_file() and is_pointer(file)), None)
    return "" if pointer is None else f"holds a Git LFS pointer, {pointer}: run git lfs pull in its folder"


def _variants(folder: Path, stem: str) -> list[str]:
    """The variants in ``folder``, the usual ones first."""
    single = re.compile(rf"{stem}\.([\w-]+)\.safetensors")
    index = re.compile(rf"{stem}\.safetensors\.index\.([\w-]+)\.json")
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    found = {match[1] for name in names if (match := single.fullmatch(name) or index.fullmatch(name))}
    return [*(name for name in _FIRST_VARIANTS if name in found), *sorted(found - set(_FIRST_VARIANTS))]


def _of_variant(folder: Path, stem: str, variant: str | None) -> FolderWeights | None:
    """The weights of one variant; None where there are none. The index counts first for diffusers, last else."""
    part = f".{variant}" if variant else ""
    single = folder / f"{stem}{part}.safetensors"
    index = folder / f"{stem}.safetensors.index{part}.json"
    sharded = index.is_file() and (stem != "model" or not single.is_file())
    if not sharded and not single.is_file():
        return None
    try:
        files = tuple(_shards(index)) if sharded else (single,)
    except BadInput as error:
        return FolderWeights((), variant, str(error) + f": {error.remedy}")
    faults = (f"holds {file} which {fault}" for file in files if (fault := _shard_fault(file)))
    return FolderWeights(files, variant, next(faults, ""))


def _shard_fault(file: Path) -> str:
    if not file.is_file():
        return "is missing: download it there"
    if fault := find_fault(file):
        return fault
    header = read_header(file)
    scaled = header is not None and any(name.endswith((".scale_weight", ".weight_scale")) for name in header.shapes)
    return "holds scaled weights, which are read in lone files only: use the lone file" if scaled else ""


def _shards(index: Path) -> Iterator[Path]:
    """The files that an index of shards names, each once.

    Raises:
        BadInput: it cannot be read, or names a file elsewhere.
    """
    if is_pointer(index):
        raise BadInput(f"holds a Git LFS pointer, {index}", "run git lfs pull in its folder")
    places = untrusted.load_object(index, untrusted.HEADER).get("weight_map")
    named = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not named or any(Path(name).name != name for name in named):
        raise BadInput(f"holds an index that names no shards beside it, {index}", "download it again")
    yield from (index.parent / name for name in named)


def _read_object(file: Path) -> dict[str, object]:
    try:
        return untrusted.load_object(file)
    except BadInput:
        return {}
