"""Parts of models from disk: diffusers folders, component folders, lone safetensors files. Nothing is downloaded and no
pickle is read; a lone file is loaded with the config beside it, or with the one that ships with us."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends.families import table
from imagewright.t2i_backends.families.base import Family, Net
from imagewright.t2i_backends.models.folders import find_weights
from imagewright.t2i_backends.models.header_file import find_fault, refuse_file
from imagewright.t2i_backends.models.headers import look_into
from imagewright.t2i_backends.models.model_files import (
    ModelPart,
    ModelPath,
    architecture,
    component,
    family_of,
    foreign_parts,
    is_special,
    look_at,
    read_config,
    role_of,
    scale_of,
    special,
    vae_scale,
)
from imagewright.t2i_backends.models.spare import list_spare
from imagewright.t2i_backends.models.tensors import is_stored_plainly, read_all
from imagewright.t2i_backends.models.wholeness import find_missing
from imagewright.t2i_backends.pictures.pixels import Vae
from imagewright.t2i_backends.text import single_file, tokenizers
from imagewright.t2i_backends.text.encode import Encoders
from imagewright.t2i_backends.values.handles import ClipHandle

_UNLOADABLE = (
    OSError, ValueError, RuntimeError, LookupError, TypeError, ImportError, AttributeError, AssertionError,
    ArithmeticError, SafetensorError, SingleFileComponentError,
)  # fmt: skip
"""What the libraries raise for a broken model."""
_VAES = ("AutoencoderKL", "AutoencoderTiny")


def load_net(source: ModelPath, dtype: torch.dtype) -> Net:
    """A diffusion model with what its pipeline says of its noise levels.

    Raises:
        BadInput: it is no model of ours, or one for editing or control.
    """
    folder = _one(source, "net")
    config = read_config(folder / "config.json")
    family = table.find_by_net(str(config.get("_class_name", "")), config)
    if family is None:
        name = config.get("_class_name") or "model of unknown class"
        raise BadInput(f"{source.path.name!r} is a {name}, which is not drawn here", f"use {table.list_titles()}")
    seen = look_at(source).channels[0] if family.inpaints else 0
    if said := is_special(source):
        raise BadInput(*said)
    _insist_whole(source, "net")
    family.stock()  # imported while all is quiet: a pass or a LoRA may use it, and its import remarks on other packages
    weights = family.net_weights(source.path) if source.path.is_file() else None
    more = {"in_channels": seen} if seen else {}
    model = _diffusers_model(family.net_type(), source, folder, dtype, weights, **more)
    into, out = model.config.in_channels, _out_channels(model)
    if not family.draws(into, out):
        raise BadInput(*special(source.path.name, family.title, into))
    held = look_at(source)
    extra = {"prediction": held.prediction, "zero_terminal_snr": held.zero_terminal_snr}
    schedule = _scheduler(source, folder, family, model)
    return Net(model, family, schedule, vae_scale(source), latent_channels(model, family), extra)


def latent_channels(model: Any, family: Family) -> int:
    """The channels of the latents that a diffusion model of ``family`` draws."""
    return _out_channels(model) // family.packed


def _out_channels(model: Any) -> int:
    found = getattr(model, "out_channels", None) or model.config.get("out_channels")
    return int(found or model.config.in_channels)


def _scheduler(source: ModelPath, folder: Path, family: Family, model: Any) -> Mapping[str, Any]:
    """The scheduler's config of the pipeline; for a model alone its family's."""
    found = read_config(folder.parent / "scheduler" / "scheduler_config.json") if source.is_pipeline else {}
    return found or family.describe_noise(model)


def load_vae(source: ModelPath, dtype: torch.dtype, family: str) -> Vae:
    """An autoencoder. A lone file does not say how its latents are scaled: then those of ``family`` are."""
    folder = _one(source, "vae")
    config = read_config(folder / "config.json")
    kind = str(config.get("_class_name", ""))
    if kind not in _VAES:
        raise BadInput(f"the VAE {source.path.name!r} is a {kind or 'model of unknown class'}", "use an AutoencoderKL")
    _insist_whole(source, "vae")
    model = _diffusers_model(getattr(diffusers, kind), source, folder, dtype)
    known = table.find_family(family)
    if look_at(source).kind == "vae" and folder.name.startswith("vae-") and known is not None:
        model.register_to_config(scaling_factor=known.vae_scaling, shift_factor=known.vae_shift)
    return Vae(model, scale_of(config))


def load_control(source: ModelPath, dtype: torch.dtype) -> Any:
    """A ControlNet."""
    if source.config is None:
        raise BadInput(f"the ControlNet {source.path.name!r} has no config beside it", config_remedy(source.path))
    kind = architecture(source)
    family = table.find_by_control(kind, read_config(source.config / "config.json"))
    if family is None:
        raise BadInput(f"{source.path.name!r} is a {kind or 'model of unknown class'}, no ControlNet", "use another")
    for _, fault in find_missing("controlnet", source, ()):
        raise refuse_file(source.path.name, fault)
    weights = family.control_weights(source.path, source.config) if source.path.is_file() else None
    if source.path.is_file() and weights is None:
        return _from_own_names(getattr(diffusers, kind), source, source.config, dtype)
    return _diffusers_model(getattr(diffusers, kind), source, source.config, dtype, weights)


def load_upscaler(source: ModelPath, device: torch.device) -> Any:
    """An upscaling network, through spandrel.

    Raises:
        BadInput: spandrel or the torchvision that it needs is missing or of another build than torch; or it is none.
    """
    try:
        import spandrel
    except ImportError as error:
        raise BadInput("upscaling with a model needs spandrel", "pip install 'imagewright[upscale]'") from error
    except RuntimeError as error:  # a torchvision for CUDA beside a torch for the CPU says so when it is imported
        remedy = "install a torchvision of torch's own build, with the same --index-url as torch"
        raise BadInput(f"spandrel cannot be used here: {str(error)[:120]}", remedy) from error
    try:
        model = spandrel.ModelLoader(device=device).load_from_file(str(source.path))
    except spandrel.UnsupportedModelError:
        raise BadInput(f"{source.path.name!r} is no upscaling network that is known", "use another") from None
    if not isinstance(model, spandrel.ImageModelDescriptor):
        raise BadInput(f"{source.path.name!r} is no upscaling network", "use one that makes a picture of a picture")
    return model


def load_encoders(handle: ClipHandle, dtype: torch.dtype) -> Encoders:
    """The text encoders of one family.

    Raises:
        BadInput: a source brings code of its own, or they do not belong together.
    """
    sources = tuple(dict.fromkeys(handle.sources))
    for source in sources:
        if foreign := foreign_parts(source):
            name = source.path.name
            raise BadInput(f"the model {name!r} brings code of its own: {', '.join(foreign)}", "use another")
        _insist_whole(source, "text")
    family = table.find_family(handle.family or family_of(sources[0]))
    if family is None:
        raise BadInput(
            f"{sources[0].path.name!r} has no text encoders that are used here", f"use {table.list_titles()}"
        )
    folders: dict[str, tuple[ModelPath, Path]] = {}
    for source in sources:
        for role, folder in _roles(source, family, folders):
            folders[role] = source, folder
    wanted = family.encoders
    missing = [role for role in wanted if role not in folders]
    if not set(missing) <= family.spare:
        names, lacks = ", ".join(source.path.name for source in sources), ", ".join(missing)
        raise BadInput(f"{names}: {family.title} needs {', '.join(wanted)} and lacks {lacks}", "load them all")
    parts = {role: _load_encoder(role, family, *folders[role], dtype) for role in wanted if role in folders}
    lone = frozenset(role for role, (source, _) in folders.items() if source.path.is_file())
    return Encoders(family.name, parts, lone=lone)


def _roles(source: ModelPath, family: Family, taken: Mapping[str, object]) -> Iterator[tuple[str, Path]]:
    """The text encoders that a source brings, with the folder of each one's config."""
    if source.is_pipeline:
        own = table.find_family(family_of(source)) or family
        present = {folder.name: folder for folder in component(source, "text")}
        inside = look_at(source).roles if source.path.is_file() else None
        for role, name in own.encoders.items():
            if name in present and (inside is None or role in inside):
                yield role, present[name]
    elif source.config is None:
        raise BadInput(f"{source.path.name!r} has no config beside it", config_remedy(source.path))
    else:
        role = role_of(source.config)
        if role == "clip_l" and role in taken and "clip_g" in family.encoders:
            role = "clip_g"
        if role:
            yield role, source.config


def _load_encoder(role: str, family: Family, source: ModelPath, folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    kind = getattr(transformers, _encoder_class(role, family))
    options = {"dtype": dtype, "local_files_only": True, "output_loading_info": True}
    if source.path.is_file():
        config = kind.config_class.from_pretrained(str(folder), local_files_only=True)
        state = single_file.text_state(source.path, role, kind(config.__class__(**_smallest(config))))
        model, info = kind.from_pretrained(None, config=config, state_dict=state, **options)
    else:
        model, info = kind.from_pretrained(
            str(folder), variant=variant_of(source, folder), use_safetensors=True, **options
        )
    if missing := [name for name in info["missing_keys"] if not name.endswith("position_ids")]:
        raise BadInput(f"{source.path.name!r} lacks weights of {role}: {missing[0]}", "download it again")
    tokenizer, words = tokenizers.find_tokenizer(source, folder, role), int(model.config.vocab_size)
    if len(tokenizer) > words:
        said = f"{source.path.name!r} has a tokenizer of {len(tokenizer)} words for a {role} that reads {words}"
        raise BadInput(said, "use the tokenizer that belongs to it")
    return _insist_numbers(model, source), tokenizer


def _smallest(config: Any) -> dict[str, Any]:
    """The same text model with one layer and few words: enough to see how its weights are named."""
    return {**config.to_dict(), "num_hidden_layers": 1, "num_layers": 1, "vocab_size": 8}


def _encoder_class(role: str, family: Family) -> str:
    if role == "t5":
        return "T5EncoderModel"
    return "CLIPTextModelWithProjection" if role in family.projected else "CLIPTextModel"


def _insist_whole(source: ModelPath, part: ModelPart) -> None:
    """What a check refuses is not loaded either: the libraries take some odd shapes, and fit them.

    Raises:
        BadInput: weights are missing or have another shape than the config says.
    """
    for name, fault in find_missing("", source, (part,)):
        raise refuse_file(f"{source.path.name}/{name}" if name else source.path.name, fault)


def _one(source: ModelPath, part: Any) -> Path:
    folders = component(source, part)
    if not folders:
        if said := is_special(source):
            raise BadInput(*said)
        kind = look_at(source).family
        what = f"is of the family {kind}" if kind and table.find_family(kind) is None else "has no config beside it"
        raise BadInput(f"{source.path.name!r} {what}", config_remedy(source.path))
    return folders[0]


def config_remedy(path: Path) -> str:
    """What to do about a lone safetensors file."""
    return f"put its diffusers config folder at {path.with_suffix('')}/, or use the model as a diffusers folder"


def _diffusers_model(
    kind: Any, source: ModelPath, folder: Path, dtype: torch.dtype, weights: dict[str, torch.Tensor] | None = None,
    **changes: int,
) -> Any:  # fmt: skip
    """A diffusers model from its folder, or from one file with the config of that folder, somewhat changed.

    ``weights`` are those of the file where they need no conversion. None of the model's may be missing.
    """
    if not source.path.is_file():
        return _insist_numbers(_from_folder(kind, source, folder, dtype), source)
    spare = frozenset(list_spare("checkpoints", source))
    if weights is None and (spare or not is_stored_plainly(source.path)):
        weights = {name: value for name, value in read_all(source.path, dtype).items() if name not in spare}
    options = {"config": str(folder), "dtype": dtype, "local_files_only": True, **changes}
    model = kind.from_single_file(str(source.path) if weights is None else weights, **options)
    empty = next((name for name, value in model.named_parameters() if value.is_meta), None)
    if empty is not None:
        raise BadInput(f"{source.path.name!r} lacks weights: {empty}", "use the whole model")
    return _insist_numbers(model.to(dtype), source)


def _insist_numbers(model: Any, source: ModelPath) -> Any:
    """``model``, whose weights are all numbers: a header does not tell, and one that is none would blacken the picture.

    Raises:
        BadInput: one is NaN or infinite in the run's number format.
    """
    for name, value in model.named_parameters():
        if not math.isfinite(value.sum(dtype=torch.float32)) and not bool(torch.isfinite(value).all()):
            said = f"{source.path.name!r} holds weights that are no numbers ({name[-80:]})"
            raise BadInput(said, "download it again, or use another version of it")
    return model


def _from_own_names(kind: Any, source: ModelPath, folder: Path, dtype: torch.dtype) -> Any:
    """A diffusers model whose one file has diffusers' own names, where the library reads no lone files of its class."""
    model = kind.from_config(kind.load_config(str(folder), local_files_only=True))
    missing = model.load_state_dict(read_all(source.path, dtype), strict=False).missing_keys
    if missing:
        raise BadInput(f"{source.path.name!r} lacks weights: {missing[0]}", "use the whole model")
    return _insist_numbers(model.to(dtype).eval(), source)


def _from_folder(kind: Any, source: ModelPath, folder: Path, dtype: torch.dtype) -> Any:
    """A diffusers model from its folder: its plain weights, else those of one variant; none may be missing."""
    model, info = kind.from_pretrained(
        str(folder), variant=variant_of(source, folder), dtype=dtype, use_safetensors=True, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    if missing := sorted(info["missing_keys"]):
        raise BadInput(f"{source.path.name!r} lacks weights: {missing[0]}", "use the whole model")
    return model


def variant_of(source: ModelPath, folder: Path) -> str | None:
    """The variant whose weights are loaded from ``folder``; None for the plain ones.

    Raises:
        BadInput: the folder cannot be loaded.
    """
    found = find_weights(folder)
    if found.fault:
        raise refuse_file(source.path.name, found.fault)
    return found.variant


@contextlib.contextmanager
def loading(path: Path) -> Iterator[None]:
    """Loads quietly, and turns what the libraries raise for a broken model into one line.

    Raises:
        BadInput: the file is cut, broken, or no model.
        CannotDraw: there is too little memory.
    """
    if path.is_file() and (fault := find_fault(path) or look_into(path).refused):
        raise refuse_file(str(path), fault)
    try:
        with quiet():
            yield
    except torch.OutOfMemoryError:
        raise CannotDraw(
            f"there is too little memory to load {path.name}", "free memory or use a smaller model"
        ) from None
    except _UNLOADABLE as error:
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
