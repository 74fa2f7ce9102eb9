"""Loaded models: each part of a FLUX pipeline is loaded from local safetensors once and kept in a small LRU.

Nothing is ever downloaded and no pickle is ever read.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, FluxPipeline, FluxTransformer2DModel
from diffusers.utils import logging as diffusers_logging
from transformers import AutoTokenizer, CLIPTextModel, T5EncoderModel
from transformers.utils import logging as transformers_logging

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends.handles import ClipHandle, ModelHandle, VaeHandle
from imagewright.t2i_backends.model_files import (
    ModelPath,
    architecture,
    component,
    foreign_parts,
    read_config,
    vae_scale,
)

_VAES: Mapping[str, Any] = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
_LOCAL: Mapping[str, Any] = {"local_files_only": True}
_DEV = {"use_dynamic_shifting": True}
_SCHNELL = {"use_dynamic_shifting": False, "shift": 1.0}


@dataclass(frozen=True)
class Transformer:
    """A loaded FLUX transformer and what belongs to it."""

    model: Any
    scheduler: Mapping[str, Any]
    """The config of the pipeline's scheduler: it says how the model's sigmas are shifted."""
    scale: int
    """Pixels per latent cell of the VAE it was trained with."""

    @property
    def channels(self) -> int:
        """Latent channels; the transformer sees them in packs of 2 x 2 cells."""
        return int(self.model.config.in_channels) // 4


class ModelStore:
    """An LRU of loaded parts, at most ``limit`` transformers, ``limit`` text encoders and ``limit`` VAEs."""

    def __init__(self, device: torch.device, dtype: torch.dtype, limit: int) -> None:
        self.device, self.dtype, self.limit = device, dtype, limit
        self._parts: dict[str, OrderedDict[str, Any]] = {part: OrderedDict() for part in ("transformer", "text", "vae")}
        self.loads = 0
        """How many parts were loaded from disk so far."""
        self.seconds = 0.0
        """How long that took."""

    def transformer(self, handle: ModelHandle) -> Transformer:
        """The transformer of ``handle``, without its LoRAs."""
        source = handle.source
        return self._get("transformer", source.stamp, lambda: self._load_transformer(source), source.path)  # type: ignore[no-any-return]

    def text(self, handle: ClipHandle) -> Any:
        """A ``FluxPipeline`` that holds only text encoders and tokenizers."""
        stamp = "|".join(source.stamp for source in handle.sources)
        return self._get("text", stamp, lambda: self._load_text(handle.sources), handle.sources[0].path)

    def vae(self, handle: VaeHandle) -> Any:
        """A ``FluxPipeline`` that holds only the VAE, with its image processor."""
        source = handle.source
        return self._get("vae", source.stamp, lambda: self._load_vae(source), source.path)

    def loaded(self, part: str) -> int:
        """How many of ``part`` (transformer, text, vae) are in memory."""
        return len(self._parts[part])

    def _get(self, part: str, stamp: str, load: Callable[[], Any], path: Path) -> Any:
        """The part of that stamp from the LRU, loaded if need be; the least lately used goes first."""
        kept = self._parts[part]
        if stamp not in kept:
            while len(kept) >= self.limit:
                kept.popitem(last=False)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            start = time.perf_counter()
            with _loading(path):
                kept[stamp] = self._with_room(load)
            self.loads += 1
            self.seconds += time.perf_counter() - start
        kept.move_to_end(stamp)
        return kept[stamp]

    def _with_room(self, load: Callable[[], Any]) -> Any:
        """What ``load`` gives; where memory runs short, everything else is let go and it is tried once more."""
        with contextlib.suppress(torch.OutOfMemoryError):
            return load()
        for kept in self._parts.values():
            kept.clear()
        torch.cuda.empty_cache()
        return load()

    @property
    def loaded_bytes(self) -> int:
        """The memory that the loaded parts take."""
        return sum(_bytes(found) for kept in list(self._parts.values()) for found in list(kept.values()))

    def _load_transformer(self, source: ModelPath) -> Transformer:
        folder = _one(source, "transformer")
        model = self._place(_diffusers_model(FluxTransformer2DModel, source, folder, self.dtype))
        if model.out_channels != model.config.in_channels:
            raise BadInput(f"{source.path.name!r} is a FLUX model for editing or control", "use one for text to image")
        fallback = _DEV if model.config.guidance_embeds else _SCHNELL
        config = read_config(folder.parent / "scheduler" / "scheduler_config.json") if source.is_pipeline else {}
        return Transformer(model, config or fallback, vae_scale(source))

    def _load_vae(self, source: ModelPath) -> Any:
        folder = _one(source, "vae")
        kind = read_config(folder / "config.json").get("_class_name", "")
        if kind not in _VAES:
            raise BadInput(
                f"the VAE {source.path.name!r} is a {kind or 'model of unknown class'}", "use an AutoencoderKL"
            )
        return _pipeline(vae=self._place(_diffusers_model(_VAES[str(kind)], source, folder, self.dtype)))

    def _load_text(self, sources: tuple[ModelPath, ...]) -> Any:
        first = sources[0]
        if foreign := [name for source in sources for name in foreign_parts(source)]:
            raise BadInput(f"the model {first.path.name!r} brings code of its own: {', '.join(foreign)}", "use another")
        if len(set(sources)) == 1 and first.is_pipeline:
            skip = {"transformer": None, "vae": None, "dtype": self.dtype, **_LOCAL}
            if first.path.is_file():
                return FluxPipeline.from_single_file(str(first.path), config=str(first.config), **skip).to(self.device)
            return FluxPipeline.from_pretrained(str(first.path), use_safetensors=True, **skip).to(self.device)
        return self._load_encoders(sources)

    def _load_encoders(self, sources: tuple[ModelPath, ...]) -> Any:
        """CLIP and T5 from component folders, in whichever order a flow names them."""
        found = {_encoder_class(folder): (source, folder) for source in sources for folder in component(source, "text")}
        if not {"CLIPTextModel", "T5EncoderModel"} <= found.keys():
            names = ", ".join(source.path.name for source in sources)
            raise BadInput(f"{names} are not FLUX's two text encoders", "FLUX needs one CLIP-L and one T5 encoder")
        clip, clip_tokenizer = self._load_encoder(CLIPTextModel, *found["CLIPTextModel"])
        t5, t5_tokenizer = self._load_encoder(T5EncoderModel, *found["T5EncoderModel"])
        return _pipeline(text_encoder=clip, tokenizer=clip_tokenizer, text_encoder_2=t5, tokenizer_2=t5_tokenizer)

    def _load_encoder(self, kind: Any, source: ModelPath, folder: Path) -> tuple[Any, Any]:
        tokens = folder.with_name(folder.name.replace("text_encoder", "tokenizer")) if source.is_pipeline else folder
        options = {"dtype": self.dtype, **_LOCAL}
        if source.path.is_file():
            from safetensors.torch import load_file

            config = kind.config_class.from_pretrained(str(folder), **_LOCAL)
            model = kind.from_pretrained(None, config=config, state_dict=load_file(source.path), dtype=self.dtype)
        else:
            model = kind.from_pretrained(str(folder), use_safetensors=True, **options)
        return self._place(model), AutoTokenizer.from_pretrained(str(tokens), trust_remote_code=False, **_LOCAL)

    def _place(self, model: Any) -> Any:
        return model.to(self.device).eval().requires_grad_(False)


def _bytes(found: Any) -> int:
    """Bytes of the weights of a loaded part."""
    modules = [found.model] if isinstance(found, Transformer) else [found.vae, found.text_encoder, found.text_encoder_2]
    return sum(p.numel() * p.element_size() for module in modules if module is not None for p in module.parameters())


def _pipeline(**parts: Any) -> Any:
    """A ``FluxPipeline`` of some parts: its own methods for text, VAE and images, without the rest."""
    names = ("scheduler", "vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "transformer")
    return FluxPipeline(**{name: parts.get(name) for name in names})


def _diffusers_model(kind: Any, source: ModelPath, folder: Path, dtype: torch.dtype) -> Any:
    """A diffusers model from its folder, or from one file with the config of that folder."""
    if source.path.is_file():
        return kind.from_single_file(str(source.path), config=str(folder), torch_dtype=dtype, **_LOCAL)
    return kind.from_pretrained(str(folder), torch_dtype=dtype, use_safetensors=True, **_LOCAL)


def _one(source: ModelPath, part: Any) -> Path:
    folders = component(source, part)
    if not folders:
        raise BadInput(f"{source.path.name!r} has no config beside it", config_remedy(source.path))
    return folders[0]


def config_remedy(path: Path) -> str:
    """What to do about a lone safetensors file."""
    return f"put its diffusers config folder at {path.with_suffix('')}/, or use the model as a diffusers folder"


def _encoder_class(folder: Path) -> str:
    listed = architecture(ModelPath(folder, folder))
    return {"CLIPTextModelWithProjection": "CLIPTextModel", "T5Model": "T5EncoderModel"}.get(listed, listed)


@contextlib.contextmanager
def _loading(path: Path) -> Iterator[None]:
    """Loads quietly, and turns what the libraries raise for a broken model into one line."""
    try:
        with quiet():
            yield
    except torch.OutOfMemoryError:
        raise CannotDraw(
            f"there is too little memory to load {path.name}", "free memory or use a smaller model"
        ) from None
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, AttributeError) as error:
        detail = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise BadInput(f"the model {path} cannot be loaded: {detail}", "download it again") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no warnings of diffusers, transformers and peft inside; as before afterwards."""
    modules = (diffusers_logging, transformers_logging)
    levels = [module.get_verbosity() for module in modules]
    bars = [module.is_progress_bar_enabled() for module in modules]
    for module in modules:
        module.set_verbosity_error()
        module.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for module, level, bar in zip(modules, levels, bars, strict=True):
            module.set_verbosity(level)
            if bar:
                module.enable_progress_bar()
