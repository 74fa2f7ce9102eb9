"""Model files by the names that flows give them: found inside the model roots only, described, never loaded.

The folders are ComfyUI's. A model is a diffusers pipeline folder (``model_index.json``), a component folder
(``config.json``), or one ``.safetensors`` file beside a folder of the same stem that holds its config.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from imagewright.errors import BadInput

Part = Literal["transformer", "vae", "text"]

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "diffusion_models": ("diffusion_models", "unet"),
    "text_encoders": ("text_encoders", "clip"),
    "vae": ("vae",),
    "loras": ("loras",),
}
"""What a loader asks for, and the folders under a model root where it may lie."""
PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
BUILT_IN: Mapping[str, Path] = {"mini": Path(__file__).resolve().parent / "mini" / "weights" / "pipeline"}
"""Models that ship with the package, found when no model root has the name."""
SUBFOLDERS: Mapping[Part, tuple[str, ...]] = {
    "transformer": ("transformer",),
    "vae": ("vae",),
    "text": ("text_encoder", "text_encoder_2"),
}
_EDGE = 64 * 1024
"""Bytes hashed at each end of a weights file."""


@dataclass(frozen=True)
class ModelPath:
    """A model that was found: where it lies, and the diffusers config folder that describes it."""

    path: Path
    """A folder, or one ``.safetensors`` file."""
    config: Path | None
    """The folder with ``model_index.json`` or ``config.json``; None where a lone file has none beside it."""

    @property
    def is_pipeline(self) -> bool:
        """Whether it is a whole diffusers pipeline."""
        return self.config is not None and (self.config / "model_index.json").is_file()

    @cached_property
    def stamp(self) -> str:
        """Path, sizes and modification times of configs and weights, hashed when first asked for."""
        files = (*weight_files(self.path), *(self.config.rglob("*.json") if self.config else ()))
        parts = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(set(files))]
        return hashlib.sha256(repr((str(self.path), parts)).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 over names, sizes and both ends (64 KiB) of every weights file: cheap, and the same everywhere."""
        return _digest(self.path, self.stamp)


class ModelFiles:
    """The model roots, searched in order; the package's own models last."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(Path(root) for root in roots)

    def find(self, kind: str, name: str) -> ModelPath | None:
        """The model called ``name`` among the folders of ``kind``; None when it is not there.

        Raises:
            BadInput: the name leaves the model roots, or names a pickle.
        """
        clean = _clean(name)
        for root in self.roots:
            for folder in FOLDERS[kind]:
                base = root / folder
                if (base / clean).exists():
                    return _describe(_inside(base, clean, name), base)
        built_in = BUILT_IN.get(name) if kind != "loras" else None
        if built_in is not None and (built_in / "model_index.json").is_file():
            return ModelPath(built_in, built_in)
        return None

    def place(self, kind: str, name: str) -> str:
        """Where a missing model belongs: a path below the first model root; for a model of ours, its own folder."""
        if kind == "checkpoints" and name in BUILT_IN:
            return f"{BUILT_IN[name]}/ (it ships with imagewright: reinstall it)"
        root = self.roots[0] if self.roots else Path("models")
        tail = "" if PurePosixPath(name).suffix == ".safetensors" else "/"
        return f"{root / FOLDERS[kind][0] / name}{tail}"


def _clean(name: str) -> str:
    """``name`` with forward slashes, as a path below a folder."""
    clean = name.replace("\\", "/")
    parts = PurePosixPath(clean).parts
    windows = PureWindowsPath(name)
    if not parts or "\0" in name or ".." in parts or clean.startswith("/") or windows.drive or windows.root:
        raise BadInput(f"model name {name[:80]!r} leaves the models folder", "name a file below the models folder")
    if PurePosixPath(clean).suffix.lower() in PICKLES:
        raise BadInput(f"model {name[:80]!r} is a pickle, which can run code", "use its .safetensors version")
    return str(PurePosixPath(clean))


def _inside(base: Path, clean: str, name: str) -> Path:
    path = (base / clean).resolve()
    if not path.is_relative_to(base.resolve()):
        raise BadInput(f"model {name[:80]!r} links out of the models folder", f"put the file itself into {base}")
    if path.suffix.lower() in PICKLES:
        raise BadInput(f"model {name[:80]!r} is a pickle, which can run code", "use its .safetensors version")
    if path.is_file() and path.suffix.lower() != ".safetensors":
        raise BadInput(
            f"model {name[:80]!r} is no safetensors file", "use its .safetensors version or a diffusers folder"
        )
    return path


def _describe(path: Path, base: Path) -> ModelPath:
    """``path`` with its config: itself for a folder, the folder of the same stem for a file."""
    holder = path if path.is_dir() else path.with_suffix("")
    known = holder.resolve().is_relative_to(base.resolve()) and any(
        (holder / name).is_file() for name in ("model_index.json", "config.json")
    )
    return ModelPath(path, holder if known else None)


def weight_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a model, sorted; a sharded or plain set, whatever the folder holds."""
    return (path,) if path.is_file() else tuple(sorted(path.rglob("*.safetensors")))


def component(model: ModelPath, part: Part) -> tuple[Path, ...]:
    """The config folders of one part of a model: subfolders of a pipeline, else the component folder itself."""
    if model.config is None:
        return ()
    if model.is_pipeline:
        return tuple(model.config / name for name in SUBFOLDERS[part])
    return (model.config,)


def part_weights(model: ModelPath, part: Part) -> tuple[Path, ...]:
    """The weights files that loading ``part`` of ``model`` reads."""
    if model.path.is_file():
        return (model.path,)
    return tuple(file for folder in component(model, part) for file in sorted(folder.glob("*.safetensors")))


def read_config(file: Path) -> dict[str, object]:
    """A JSON object of a model folder; empty when it is absent or broken."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def architecture(model: ModelPath, part: Part | None = None) -> str:
    """The class that the model says it is: of the pipeline, or of one component folder; empty when it says nothing."""
    if model.config is None:
        return ""
    name = "model_index.json" if model.is_pipeline else "config.json"
    config = read_config(model.config / name)
    listed = config.get("architectures")
    found = config.get("_class_name") or (listed[0] if isinstance(listed, list) and listed else "")
    return found if isinstance(found, str) else ""


def foreign_parts(model: ModelPath) -> tuple[str, ...]:
    """The parts of a pipeline that are not classes of diffusers or transformers: code of its own, never run here."""
    index = read_config(model.config / "model_index.json") if model.is_pipeline and model.config else {}
    pairs = {name: value for name, value in index.items() if isinstance(value, list)}
    return tuple(name for name, pair in pairs.items() if pair[:1] not in (["diffusers"], ["transformers"], [None]))


def vae_scale(model: ModelPath) -> int:
    """Pixels per latent cell, from the VAE's config beside a pipeline; FLUX's 8 where there is none.

    ``2 ** (number of blocks - 1)``, as ``FluxPipeline`` computes it.
    """
    folders = component(model, "vae") if model.is_pipeline else ()
    blocks = read_config(folders[0] / "config.json").get("block_out_channels") if folders else None
    return int(2 ** (len(blocks) - 1)) if isinstance(blocks, list) and blocks else 8


def parameter_count(file: Path) -> int:
    """How many numbers a safetensors file holds, read from its header; 0 when the header is broken."""
    stat = file.stat()
    return _parameter_count(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _parameter_count(file: Path, size: int, stamp: int) -> int:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size, 100_000_000):
            return 0
        try:
            header = json.loads(stream.read(length))
        except ValueError:
            return 0
    shapes = [entry.get("shape", []) for name, entry in header.items() if name != "__metadata__"]
    return sum(_product(shape) for shape in shapes)


def _product(shape: Sequence[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


@lru_cache(maxsize=64)
def _digest(path: Path, stamp: str) -> str:
    total = hashlib.sha256()
    for file in weight_files(path):
        size = file.stat().st_size
        name = file.name if file == path else file.relative_to(path).as_posix()
        total.update(f"{name}\0{size}\0".encode())
        with file.open("rb") as stream:
            total.update(stream.read(_EDGE))
            stream.seek(max(size - _EDGE, 0))
            total.update(stream.read(_EDGE))
    return total.hexdigest()
