"""The weights of one component folder: which files loading it reads, of which variant, and what is wrong with them.

The names are those that diffusers and transformers look for. Loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
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
        if found is not None and not found.fault and not config:
            return FolderWeights(fault=f"lacks a config.json that can be read, in {folder}: download it there")
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


def find_tokenizer_fault(folder: Path, words: int, usual: int) -> str:
    """What is wrong with the tokenizer in ``folder`` for an encoder of so many words; empty for nothing.

    Where there is none ours is used, which knows ``usual`` words.
    """
    main = next((folder / name for name in ("tokenizer.json", "vocab.json", "spiece.model")
                 if (folder / name).is_file()), None)  # fmt: skip
    if main is None:
        small = f"holds no tokenizer in {folder}, and its text encoder reads fewer words than the usual one"
        return f"{small}: download it there" if words and words < usual else ""
    others = [folder / name for name in ("tokenizer_config.json", "special_tokens_map.json")]
    broken = next((file for file in (main, *others) if file.is_file() and not _is_closed(file)), None)
    if broken is not None:
        return f"holds {broken}, which cannot be read: download it again"
    if main.name == "vocab.json" and not (folder / "merges.txt").is_file():
        return f"lacks merges.txt in {folder}: download it there"
    known = _count_words(main, main.stat().st_mtime_ns) if words < usual else 0
    if known > words > 0:
        return f"holds a tokenizer of {known} words in {folder}, and its text encoder reads {words}: use its own"
    return ""


def _is_closed(file: Path) -> bool:
    """Whether a file is not cut: what a tokenizer's JSON begins with, it ends with. Looks at its ends alone."""
    with file.open("rb") as stream:
        start = stream.read(64).lstrip()
        stream.seek(-min(64, file.stat().st_size), 2)
        end = stream.read(64).rstrip()
    return bool(end) and (file.suffix == ".model" or (start[:1] == b"{" and end[-1:] == b"}"))


@lru_cache(maxsize=64)
def _count_words(file: Path, stamp: int) -> int:
    """How many numbers a tokenizer's file gives to words; 0 where it does not say."""
    try:
        found = untrusted.load_object(file, untrusted.HEADER) if file.suffix == ".json" else {}
    except BadInput:
        return 0
    model = found.get("model")
    words = model.get("vocab") if isinstance(model, dict) else found
    if isinstance(words, list):
        return len(words)
    return max((number for number in words.values() if type(number) is int), default=-1) + 1 if isinstance(
        words, dict) else 0  # fmt: skip


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
    fault = next(faults, "") or (_find_disagreement(index) if sharded else "")
    return FolderWeights(files, variant, fault)


def _find_disagreement(index: Path) -> str:
    """Where an index of shards and the shards differ about a weight; what only one of them names is not loaded."""
    named = _places(index)
    held = {(name, file) for file in sorted(set(named.values())) for name in _names(index.parent / file)}
    odd = sorted(held ^ set(named.items()))
    said = f"holds an index and shards that differ about {odd[0][0][-80:]}, {index}" if odd else ""
    return f"{said}: download them all again" if said else ""


def _names(file: Path) -> Iterator[str]:
    header = read_header(file)
    yield from () if header is None else header.shapes


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
    named = sorted(set(_places(index).values()))
    if not named or any(Path(name).name != name for name in named):
        raise BadInput(f"holds an index that names no shards beside it, {index}", "download it again")
    yield from (index.parent / name for name in named)


def _places(index: Path) -> dict[str, str]:
    """Weight → shard, as an index says it."""
    places = untrusted.load_object(index, untrusted.HEADER).get("weight_map")
    return {name: str(file) for name, file in places.items()} if isinstance(places, dict) else {}


def _read_object(file: Path) -> dict[str, object]:
    try:
        return untrusted.load_object(file)
    except BadInput:
        return {}
