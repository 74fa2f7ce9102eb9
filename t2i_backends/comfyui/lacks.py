"""What a flow needs that a server lacks: node classes with their packs, files with their folders and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from imagewright.needs import NamedValue, Need
from imagewright.schemas import Card, Problem
from imagewright.t2i_backends.comfyui.facts import ServerFacts
from imagewright.t2i_backends.execution.readiness import kind_problems
from imagewright.t2i_backends.nodes.table import NODES

_MODEL = re.compile(r"\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx|pkl)$", re.IGNORECASE)
_PRECISION = re.compile(r"(fp|bf|f)(8|16|32)|fp8mixed|e4m3fn|e5m2|scaled|q[2-8](_?[0km])*|int8|nf4|pruned|emaonly|ema")
"""Words in a file's name that say how its numbers are written, and not which model it is."""
_FOLDERS = {
    "ckpt_name": "checkpoints",
    "unet_name": "diffusion_models",
    "lora_name": "loras",
    "vae_name": "vae",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "clip_vision": "clip_vision",
    "upscale_model": "upscale_models",
}
"""The folders of files by the inputs that name them, for classes that our own executor does not have."""
_OWN_FILES = ("LoadImage", "LoadImageMask", "LoadImageOutput")
"""Their pictures may lie deeper than the list that the server gives."""


def find_lacks(
    need: Need, facts: ServerFacts, server: str, card: Card | None = None, substitutes: bool = False
) -> Iterator[Problem]:
    """What of ``need`` the server lacks; ``card`` knows packs and addresses, where there is one.

    With ``substitutes`` a model that is there in another precision is not lacking.
    """
    if need.broken:
        yield Problem(kind="node", name="graph", remedy=need.broken)
        return
    yield from kind_problems(need.kind)
    packs = card.packs if card else {}
    for name in need.classes:
        yield from _class_lacks(name, facts, server, packs)
    urls = {model.name: model.url for model in card.models if model.url} if card else {}
    for value in need.values:
        known = facts.find_class(value.node_class)
        choices = known.choices.get(value.input, ()) if known else ()
        if substitutes and find_substitute(value.value, choices) is not None:
            continue
        yield from _value_lacks(value, facts, server, urls)
    if not any(_saves(name, facts) for name in need.classes):
        yield Problem(kind="slot", name="SaveImage", remedy="the flow saves nothing: end it with a SaveImage node")
    if "positive" not in need.slots:
        remedy = "the flow has no place for a prompt: flows edit --slot positive=NODE.INPUT names one"
        yield Problem(kind="slot", name="positive", remedy=remedy)


def _class_lacks(name: str, facts: ServerFacts, server: str, packs: Mapping[str, str]) -> Iterator[Problem]:
    known = facts.find_class(name)
    if known is None:
        pack = f": install {packs[name][:120]}" if packs.get(name) else ": install the pack that brings it"
        yield Problem(kind="node", name=name, remedy=f"server {server} lacks node {name[:80]!r}{pack}")
    elif known.is_api:
        remedy = f"node {name[:80]!r} sends what it gets to a paid service: such nodes are never sent"
        yield Problem(kind="node", name=name, remedy=remedy)


def _saves(name: str, facts: ServerFacts) -> bool:
    known = facts.find_class(name)
    return known is not None and known.is_output


def _value_lacks(
    value: NamedValue, facts: ServerFacts, server: str, urls: Mapping[str, str | None]
) -> Iterator[Problem]:
    known = facts.find_class(value.node_class)
    choices = known.choices.get(value.input) if known else None
    if choices is None or spelled_there(value.value, choices) is not None or value.node_class in _OWN_FILES:
        return
    folder = folder_of(value)
    if folder:
        url = urls.get(value.value)
        remedy = f"put {value.value} into models/{folder} of server {server}{f' (from {url})' if url else ''}"
        yield Problem(kind="model", name=value.value, remedy=remedy)
        return
    remedy = f"server {server} has no {value.input} {value.value[:80]!r} for {value.node_class[:80]}"
    yield Problem(kind="node", name=value.value, remedy=remedy)


def spelled_there(name: str, choices: tuple[str, ...]) -> str | None:
    """``name`` as the server writes it: Windows writes folders with a backslash. None where it is not among them."""
    if name in choices:
        return name
    plain = name.replace("\\", "/")
    return next((choice for choice in choices if choice.replace("\\", "/") == plain), None)


def find_substitute(name: str, choices: tuple[str, ...]) -> str | None:
    """The same model in another precision or folder; None where there is none, or ``name`` is no model's file."""
    if not _MODEL.search(name):
        return None
    return next((choice for choice in choices if _MODEL.search(choice) and _stem(choice) == _stem(name)), None)


def _stem(name: str) -> str:
    """A model's name without folder, ending, and words for how its numbers are written."""
    leaf = re.split(r"[\\/]", name)[-1]
    words = re.split(r"[-_. ]+", _MODEL.sub("", leaf).lower())
    return " ".join(word for word in words if not _PRECISION.fullmatch(word))


def folder_of(value: NamedValue) -> str:
    """The model folder that a value names a file of; empty where it is no file of a model."""
    known = NODES.get(value.node_class)
    wanted = known.inputs.get(value.input) if known else None
    if wanted is not None:
        return wanted.folder if wanted.kind == "file" else ""
    if not _MODEL.search(value.value):
        return ""
    return _FOLDERS.get(value.input) or ("text_encoders" if value.input.startswith("clip_name") else value.input)
