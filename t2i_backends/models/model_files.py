"""Model files by the names that flows give them: found inside the model roots only, described, never loaded.

The folders are ComfyUI's. A model is a diffusers pipeline folder (``model_index.json``), a component folder
(``config.json``), or one ``.safetensors`` file: described by a folder of the same stem beside it where there is one,
else by the configs that ship with us for what its header says it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.families.base import CONFIGS
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.models.extra_paths import extra_folders
from imagewright.t2i_backends.models.folders import find_weights
from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.headers import Held, look_into

ModelPart = Literal["net", "vae", "text"]

KIND_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints",),
    "diffusion_models": ("diffusion_models", "unet"),
    "text_encoders": ("text_encoders", "clip"),
    "vae": ("vae",),
    "loras": ("loras",),
    "controlnet": ("controlnet",),
    "upscale_models": ("upscale_models",),
    "embeddings": ("embeddings",),
    "input": ("input", "../input"),
}
"""What a loader asks for, and the folders under a model root where it may lie."""
GGUF = ".gguf"
PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})
_CONFIG_FILES = ("model_index.json", "config.json")
_WEIGHTS = frozenset({".safetensors"})
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
YAML = frozenset({".yaml", ".yml"})
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
        self.roots = tuple(Path(root) for root in roots if Path(root).suffix not in YAML)
        self._yaml = tuple(Path(root) for root in roots if Path(root).suffix in YAML)

    def bases(self, kind: str) -> tuple[Path, ...]:
        """The folders where models of ``kind`` may lie: below the roots, then those of ``extra_model_paths.yaml``."""
        own = [root / folder for root in self.roots for folder in KIND_FOLDERS[kind]]
        return tuple(dict.fromkeys([*own, *extra_folders(self.roots, self._yaml, KIND_FOLDERS[kind])]))

    def find(self, kind: str, name: str) -> ModelPath | None:
        """The model called ``name`` among the folders of ``kind``; None when it is not there.

        Raises:
            BadInput: the name leaves the model roots, or names a pickle.
        """
        clean = _clean(name)
        for base in self.bases(kind):
            if (base / clean).exists():
                return _describe(_inside(base, clean, name, PICTURES if kind == "input" else _WEIGHTS), base)
        ours = shipped.part(kind, clean)
        if ours is not None and (ours.is_file() or any((ours / config).is_file() for config in _CONFIG_FILES)):
            return ModelPath(ours, ours if ours.is_dir() else None)
        return None

    def place(self, kind: str, name: str) -> str:
        """Where a missing model belongs: a path below the first model root; for a model of ours, its own folder."""
        ours = shipped.part(kind, name)
        if ours is not None and kind in ("checkpoints", "diffusion_models"):
            return f"{ours}/ (it ships with imagewright: reinstall it)"
        root = self.roots[0] if self.roots else Path("models")
        tail = "" if PurePosixPath(name).suffix else "/"
        tail = "/" if kind == "checkpoints" and PurePosixPath(name).suffix != ".safetensors" else tail
        return f"{root / KIND_FOLDERS[kind][0] / name}{tail}"


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


def _inside(base: Path, clean: str, name: str, endings: frozenset[str]) -> Path:
    path = (base / clean).resolve()
    if not path.is_relative_to(base.resolve()):
        raise BadInput(f"model {name[:80]!r} links out of the models folder", f"put the file itself into {base}")
    if path.suffix.lower() in PICKLES:
        raise BadInput(f"model {name[:80]!r} is a pickle, which can run code", "use its .safetensors version")
    if path.is_file() and path.suffix.lower() == GGUF:
        said = f"model {name[:80]!r} is no safetensors file but a GGUF file, which is not read here"
        raise BadInput(said, "use its .safetensors version")
    if path.is_file() and path.suffix.lower() not in endings:
        if endings is PICTURES:
            raise BadInput(f"{name[:80]!r} is no picture", "use a PNG, JPEG or WebP file")
        raise BadInput(
            f"model {name[:80]!r} is no safetensors file", "use its .safetensors version or a diffusers folder"
        )
    return path


def _describe(path: Path, base: Path) -> ModelPath:
    """``path`` with its config: itself for a folder; for a file the folder of the same stem, or ours."""
    holder = path if path.is_dir() else path.with_suffix("")
    known = holder.resolve().is_relative_to(base.resolve()) and any(
        (holder / name).is_file() for name in ("model_index.json", "config.json")
    )
    if known or path.suffix.lower() not in _WEIGHTS:
        return ModelPath(path, holder if known else None)
    held = look_into(path)
    family = table.find_family(held.family)
    configs = CONFIGS if family is None else family.configs
    return ModelPath(path, configs / held.config if held.config else None)


def weight_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a model, sorted; a sharded or plain set, whatever the folder holds."""
    return (path,) if path.is_file() else tuple(sorted(path.rglob("*.safetensors")))


def component(model: ModelPath, part: ModelPart) -> tuple[Path, ...]:
    """The config folders of one part of a model: subfolders of a pipeline, else the component folder itself."""
    if model.config is None:
        return ()
    if not model.is_pipeline:
        return (model.config,)
    family = table.find_family(family_of(model))
    if family is None:
        return ()
    folders = {"net": (family.net_folder,), "vae": ("vae",), "text": tuple(family.encoders.values())}[part]
    return tuple(model.config / name for name in folders if part != "text" or _listed(model, name))


def _listed(model: ModelPath, name: str) -> bool:
    """Whether a pipeline's index names this part and does not leave it out."""
    index = read_config(model.config / "model_index.json") if model.config else {}
    entry = index.get(name)
    return isinstance(entry, list) and len(entry) == 2 and entry[1] is not None


def family_of(model: ModelPath) -> str:
    """The family of a pipeline or diffusion model, by its config or its header; empty when nothing tells."""
    if model.config is not None:
        name = architecture(model)
        config = read_config(model.config / "config.json")
        found = table.find_by_pipeline(name) or table.find_by_net(name, config)
        if found or not model.path.is_file():
            return found.name if found else ""
    return look_at(model).family


def control_family(model: ModelPath) -> str:
    """The family of a ControlNet; empty for anything else."""
    if model.path.is_file():
        return look_at(model).family if look_at(model).kind == "control" else ""
    config = read_config(model.config / "config.json") if model.config else {}
    found = table.find_by_control(architecture(model), config)
    return found.name if found else ""


def look_at(model: ModelPath) -> Held:
    """What the header of a lone file says; ``unknown`` for folders."""
    return look_into(model.path) if model.path.is_file() else Held("unknown")


def role_of(folder: Path) -> str:
    """Which text encoder the config in ``folder`` describes: ``clip_l``, ``clip_g``, ``t5``; empty for another."""
    config = read_config(folder / "config.json")
    kind = str(config.get("model_type", ""))
    if kind in ("t5", "mt5"):
        return "t5"
    width = config.get("hidden_size", 0)
    return "" if "clip" not in kind else "clip_g" if isinstance(width, int) and width >= 1280 else "clip_l"


def part_weights(model: ModelPath, part: ModelPart) -> tuple[Path, ...]:
    """The weights files that loading ``part`` of ``model`` reads."""
    if model.path.is_file():
        return (model.path,)
    return tuple(file for folder in component(model, part) for file in main_weights(folder))


def special(name: str, title: str, channels: int) -> tuple[str, str]:
    """What is wrong with a model that sees more than its latents, and what to do."""
    said = f"{name!r} ({title}) has {channels} input channels: it is a model for filling, editing or control"
    return said, "use one for text to image, or ComfyUI"


def is_special(model: ModelPath) -> tuple[str, str] | None:
    """What ``special`` says of a diffusion model of ours, by its header or config; None for one that is drawn."""
    family, (into, out) = table.find_family(family_of(model)), channels_of(model)
    if family is None or not into or family.draws(into, out):
        return None
    return special(model.path.name, family.title, into)


def fills(model: ModelPath) -> bool:
    """Whether it is an inpainting model: a UNet that sees a mask and a masked picture beside its latents."""
    family, (into, out) = table.find_family(family_of(model)), channels_of(model)
    return family is not None and bool(into) and family.fills(into, out)


def channels_of(model: ModelPath) -> tuple[int, int]:
    """Channels that a diffusion model sees and gives, by its header or its config; zeros when nothing tells."""
    if model.path.is_file():
        return look_at(model).channels
    folders = component(model, "net")
    config = read_config(folders[0] / "config.json") if folders else {}
    into, out = config.get("in_channels"), config.get("out_channels")
    into = into if isinstance(into, int) else 0
    return into, out if isinstance(out, int) else into


def main_weights(folder: Path) -> list[Path]:
    """The weights files of a component folder that loading it reads, without its other variants."""
    return list(find_weights(folder).files)


def read_config(file: Path) -> dict[str, object]:
    """A JSON object of a model folder; empty when it is absent, broken or beyond the bounds."""
    try:
        stat = file.stat()
        return dict(_read_config(file, stat.st_mtime_ns, stat.st_size))
    except (OSError, BadInput):
        return {}


@lru_cache(maxsize=256)
def _read_config(file: Path, changed: int, size: int) -> dict[str, object]:
    return untrusted.load_object(file)


def architecture(model: ModelPath, part: ModelPart | None = None) -> str:
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
    """Pixels per latent cell, from the VAE's config beside a pipeline; 8, as in all our families, where there is none.

    ``2 ** (number of blocks - 1)``, as the stock pipelines compute it.
    """
    folders = component(model, "vae") if model.is_pipeline else ()
    return scale_of(read_config(folders[0] / "config.json")) if folders else 8


def scale_of(config: Mapping[str, object]) -> int:
    """Pixels per latent cell of a VAE with this config."""
    blocks = config.get("block_out_channels")
    return int(2 ** (len(blocks) - 1)) if isinstance(blocks, list) and blocks else 8


def parameter_count(file: Path) -> int:
    """How many numbers a safetensors file holds, read from its header; 0 when the header is broken."""
    header = read_header(file)
    return 0 if header is None else header.numbers


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
