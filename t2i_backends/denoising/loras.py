"""LoRAs on loaded models for the length of their use: put on, weighted, and taken off again."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from diffusers.hooks.group_offloading import _maybe_remove_and_reapply_group_offloading
from diffusers.utils import recurse_remove_peft_layers
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.base import Family, Net
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models.first_names import join_first, rename_first
from imagewright.t2i_backends.models.header_file import find_fault, read_header, refuse_file
from imagewright.t2i_backends.models.loading import quiet
from imagewright.t2i_backends.models.lora_names import (
    find_misfit,
    find_text_misfit,
    find_unread,
    name_whole,
    read_lora_names,
    rename_for,
)
from imagewright.t2i_backends.models.model_faults import find_faults
from imagewright.t2i_backends.models.model_files import ModelPath
from imagewright.t2i_backends.text.encode import Encoders
from imagewright.t2i_backends.values.handles import Loras

_ALPHA_WANTED, _LOW = "lora_transformer_", ".lora_down.weight"
_ALPHA, _KOHYA = ".alpha", ("lora_unet_", "lora_te", "lora_transformer_")
_HIGH = re.compile(r"(up|B|B\.default)\.weight$")
_OTHER_MODEL = "use a LoRA of this base model"


@contextlib.contextmanager
def wear(net: Net, loras: Loras) -> Iterator[None]:
    """The diffusion model with ``loras`` inside the block; outside it the base weights, untouched, are all there is.

    Nothing is fused, so that the base model draws exactly what it drew before. A LoRA of strength 0 is left out.

    Raises:
        BadInput: a file is no LoRA, or one of another model.
    """
    wanted = [(lora, strength) for lora, strength in loras if strength]
    if not wanted:
        yield
        return
    model = net.model
    try:
        with quiet():
            names = [_put_on(net, lora, f"lora_{i}") for i, (lora, _) in enumerate(wanted)]
            worn = [(name, strength) for name, (_, strength) in zip(names, wanted, strict=True) if name]
            if worn:
                model.set_adapters([name for name, _ in worn], [strength for _, strength in worn])
            _maybe_remove_and_reapply_group_offloading(model)
        yield
    finally:
        with quiet():
            model.unload_lora()


@contextlib.contextmanager
def wear_on_text(encoders: Encoders, loras: Loras) -> Iterator[None]:
    """The text encoders with the parts of ``loras`` that are for them, where a file has any."""
    wanted = [(lora, strength) for lora, strength in loras if strength]
    if not wanted:
        yield
        return
    family = known_families()[encoders.family]
    models = {role: model for role, (model, _) in encoders.parts.items() if role != "t5"}
    try:
        with quiet():
            for i, (lora, strength) in enumerate(wanted):
                _insist_on_text(family, models, lora)
                _put_on_text(family, models, lora, strength, f"lora_{i}")
            for model in models.values():
                names = [f"lora_{i}" for i in range(len(wanted)) if f"lora_{i}" in getattr(model, "peft_config", {})]
                _wear(model, names)
        yield
    finally:
        for model in models.values():
            recurse_remove_peft_layers(model)
            if hasattr(model, "peft_config"):
                del model.peft_config
                model._hf_peft_config_loaded = None


def _read(lora: ModelPath, family: Family, model: Any = None) -> tuple[dict[str, Any], Any, Any]:
    """The weights, alphas and metadata of one file, in diffusers' names."""
    file = lora.path
    if fault := find_fault(file) or next((fault for _, fault in find_faults("loras", lora)), ""):
        raise refuse_file(f"the LoRA {file.name!r}", fault)
    header = read_header(file)
    names = _in_new_names(rename_for(family, header.shapes if header else ()), family, model)
    source: Any = str(file.parent)
    lone = [name for name in names if name.startswith(_ALPHA_WANTED) and name.endswith(_LOW)]
    unread = [name for name, new in names.items() if name.endswith(_ALPHA) and not new.startswith(_KOHYA)]
    if lone or unread or any(new != old for old, new in names.items()):
        source = {names[name]: value for name, value in _with_alphas(load_file(file), unread).items()}
        for name in lone:  # no alpha means that of the rank, which the reader of such names wants to be told
            source.setdefault(f"{name.removesuffix(_LOW)}.alpha", torch.tensor(float(source[names[name]].shape[0])))
    weights, alphas, metadata = family.read_lora(
        source, model, weight_name=file.name, return_lora_metadata=True, local_files_only=True,
        use_safetensors=True,
    )  # fmt: skip
    _insist_numbers(lora, weights, alphas)
    return name_whole(family, weights), alphas, metadata


def _in_new_names(names: dict[str, str], family: Family, model: Any) -> dict[str, str]:
    """``names`` with a UNet's layers by diffusers' words, where a file has the first release's: the stock reader
    guesses them, and takes an upsampler for an attention where no attention is before it."""
    if model is None or family.net_folder != "unet":
        return names
    ours = [name for name, _ in model.named_parameters() if name.endswith(".weight")]
    first = rename_first([name.replace(".base_layer.", ".") for name in ours], family.net_class, model.config)
    flat = {f"lora_unet_{_flat(old)}": f"lora_unet_{_flat(new)}" for new, old in first.items()}
    split = {name: new.partition(".") for name, new in names.items()}
    return {name: "".join((flat.get(head, head), dot, rest)) for name, (head, dot, rest) in split.items()}


def _flat(name: str) -> str:
    return name.removesuffix(".weight").replace(".", "_")


def _with_alphas(weights: dict[str, Any], unread: Sequence[str]) -> dict[str, Any]:
    """``weights`` with the alphas that the stock readers pass over by their names multiplied into the layers."""
    for name in unread:
        alpha, layer = weights.pop(name), name.removesuffix(_ALPHA)
        for key in [key for key in weights if key.startswith(f"{layer}.") or key.startswith(f"{layer}_lora.")]:
            if _HIGH.search(key):
                weights[key] = weights[key].float() * (float(alpha) / weights[key].shape[1])
    return weights


def _insist_numbers(lora: ModelPath, weights: Mapping[str, Any], alphas: Mapping[str, Any] | None) -> None:
    odd = [name for name, value in weights.items() if not bool(torch.isfinite(value.float()).all())]
    odd += [name for name, value in (alphas or {}).items() if not math.isfinite(value)]
    if odd:
        said = f"the LoRA {lora.path.name!r} holds weights that are no numbers ({odd[0][-80:]})"
        raise BadInput(said, "download it again, or use another version of it")


def _put_on(net: Net, lora: ModelPath, name: str) -> str:
    """Load one file as adapter ``name``; empty for one that changes text encoders alone.

    Files that also replace norm layers or widen inputs (control LoRAs) are refused: those changes would stay behind.
    """
    family, part = net.family, net.family.net_folder
    layers = read_lora_names(lora.path)
    if layers.text and not layers.net:
        return ""
    if unread := find_unread(layers, family):
        raise refuse_file(f"the LoRA {lora.path.name!r}", unread)
    here = {key.replace(".base_layer.", "."): tuple(value.shape) for key, value in net.model.named_parameters()}
    if misfit := find_misfit(layers, here, join_first(here, family.net_class, net.model.config)):
        raise refuse_file(f"the LoRA {lora.path.name!r}", misfit)
    with _one_line(lora):
        weights, alphas, metadata = _read(lora, family, net.model)
        mine = {key: value for key, value in weights.items() if key.startswith(f"{part}.") and "lora" in key}
        odd = any(key.startswith(f"{part}.") and "lora" not in key and "alpha" not in key for key in weights)
        if not mine or odd:
            said = f"the LoRA {lora.path.name!r} holds no plain LoRA weights for {family.title}"
            raise BadInput(said, _OTHER_MODEL)
        family.wear_lora(net.model, mine, alphas, metadata, name)
    if name not in getattr(net.model, "peft_config", {}):
        raise BadInput(f"the LoRA {lora.path.name!r} fits no layer of this model", _OTHER_MODEL)
    return name


def _wear(model: Any, names: Sequence[str]) -> None:
    """Let a text encoder use the adapters ``names``, all at once.

    By PEFT's own layers: transformers' ``set_adapter`` refuses PEFT versions that can do this (5.24 wants one that was
    not out when it was).
    """
    for layer in model.modules():
        if names and isinstance(layer, BaseTunerLayer):
            layer.set_adapter(list(names))


def _insist_on_text(family: Family, models: Mapping[str, Any], lora: ModelPath) -> None:
    shapes = {role: {_with_model(name): tuple(value.shape) for name, value in model.named_parameters()}
              for role, model in models.items()}  # fmt: skip
    if misfit := find_text_misfit(read_lora_names(lora.path), family, shapes):
        raise refuse_file(f"the LoRA {lora.path.name!r}", misfit)


def _with_model(name: str) -> str:
    """A weight of a text encoder under the name that LoRAs give it: newer transformers leave its first word out."""
    plain = name.replace(".base_layer.", ".")
    return plain if plain.startswith(("text_model.", "text_projection")) else f"text_model.{plain}"


def _put_on_text(family: Family, models: Mapping[str, Any], lora: ModelPath, strength: float, name: str) -> None:
    with _one_line(lora):
        weights, alphas, metadata = _read(lora, family)
        for role, model in models.items():
            prefix = family.encoders[role]
            mine = {_text_name(key): value for key, value in weights.items()
                    if key.startswith(f"{prefix}.") and "lora" in key}  # fmt: skip
            if mine:
                family.stock().load_lora_into_text_encoder(
                    mine, network_alphas=alphas, text_encoder=model, prefix=prefix, lora_scale=strength,
                    adapter_name=name, metadata=metadata,
                )  # fmt: skip
                _maybe_remove_and_reapply_group_offloading(model)


def _text_name(key: str) -> str:
    """A layer of a text encoder in diffusers' newer names, which its reader knows whichever layers a file has."""
    return re.sub(r"\.to_(q|k|v|out)_lora\.", r".\1_proj.lora_linear_layer.", key)


@contextlib.contextmanager
def _one_line(lora: ModelPath) -> Iterator[None]:
    """What the readers raise for a file that does not fit, as one line."""
    try:
        yield
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        AssertionError,
    ) as error:
        detail = next(iter(str(error).strip().splitlines()), type(error).__name__)[:160]
        raise BadInput(f"the LoRA {lora.path.name!r} does not fit the model: {detail}", _OTHER_MODEL) from error
