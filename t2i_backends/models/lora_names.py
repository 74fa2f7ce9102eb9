"""What a LoRA file changes, by its tensors' names alone: which layers, of which kind, and how its names are read.

Loads nothing. Kinds that are not drawn are refused by name, because a part that is left out is a part ignored.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.t2i_backends.families.base import Family, Shapes
from imagewright.t2i_backends.models.header_file import read_header

_KINDS = (
    (r"\.hada_", "is a LoHa"), (r"\.lokr_", "is a LoKr"), (r"\.b?oft_|\.oft_R", "is an OFT"),
    (r"\.dora_scale$|lora_magnitude_vector", "is a DoRA"), (r"\.lora_mid\.", "has Tucker cores (lora_mid)"),
    (r"\.(diff|diff_b|set_weight|w_norm|b_norm)$", "replaces whole weights"), (r"\.on_input$", "is an IA3"),
    (r"\.[ab][12]\.weight$", "is a GLoRA"),
)  # fmt: skip
"""How the parts of other kinds are named, and what such a file is."""
_PART = re.compile(
    r"^(?P<layer>.+?)(?P<side>(?:\.lora_linear_layer|\.lora|_lora)\.(?:down|up)\.weight|\.lora_(?:down|up)\.weight"
    r"|\.lora_[AB](?:\.default)?\.weight|\.alpha)$"
)
_DOWN = re.compile(r"(down|A|A\.default)\.weight$")
_UNET = ("down_blocks.", "mid_block.", "up_blocks.", "time_embedding.", "add_embedding.", "conv_in.", "conv_out.")
_FIRST_UNET = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out.")
_FIRST_FLUX = (
    "double_blocks.", "single_blocks.", "img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer.",
)  # fmt: skip
_TRANSFORMER = (
    "transformer_blocks.", "single_transformer_blocks.", "context_embedder.", "x_embedder.", "time_text_embed.",
    "pos_embed.", "norm_out.", "proj_out.",
)  # fmt: skip
_WRAPPERS = ("base_model.model.", "state_dict.", "module.", "model.")
_TEXT = ("text_encoder.", "text_encoder_2.", "text_encoder_3.", "text_model.", "lora_te")


@dataclass(frozen=True)
class LoraSides:
    """What the two halves of a layer read and give."""

    into: int = 0
    """Numbers that it reads; 0 where the file does not say."""
    out: int = 0
    """Numbers that it gives."""
    cells: tuple[int, ...] = ()
    """The cells that a convolution reads at once."""


@dataclass(frozen=True)
class LoraNames:
    """The layers of a LoRA, under the names of its file without wrappers."""

    net: dict[str, LoraSides]
    """Layer of the diffusion model → the sides of its two halves."""
    text: dict[str, LoraSides]
    """Layers of text encoders, the same."""


def find_lora_fault(shapes: Shapes, adapter: str = "") -> str:
    """Why a file with these tensors is no LoRA that is drawn; empty for one that is. The rest of a line.

    ``adapter`` is what the file says of itself for diffusers, as text.
    """
    if adapter and not _is_object(adapter):
        return "says of itself what cannot be read (lora_adapter_metadata): download it again"
    for mark, said in _KINDS:
        if any(re.search(mark, name) for name in shapes):
            return f"{said}, which is not read here: use it as a plain LoRA"
    matches = {name: _PART.match(name) for name in shapes}
    lows = {match["layer"] for match in matches.values() if match and _DOWN.search(match["side"])}
    highs = {match["layer"] for match in matches.values() if match and re.search(r"(up|B|B\.default)\.weight$",
             match["side"])}  # fmt: skip
    if not lows | highs:
        return "holds no plain LoRA weights: use a LoRA"
    if lost := sorted(lows ^ highs):
        return f"lacks one side of {lost[0][-80:]}: download it again"
    if other := next((name for name, match in matches.items() if match is None), ""):
        return f"holds {other[-80:]}, which is no LoRA weight: use a plain LoRA"
    if said := _find_odd_layer(shapes, matches):
        return said
    if any("joint_blocks" in name for name in shapes):
        return "names SD3's layers as its first release does, which is not read here: use it in diffusers' names"
    return ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(untrusted.parse_json(text, "metadata"), dict)
    except BadInput:
        return False


def _find_odd_layer(shapes: Shapes, matches: Mapping[str, re.Match[str] | None]) -> str:
    """A layer whose halves or alpha do not go together, or that is there twice; empty where all are right."""
    inner: dict[str, int] = {}
    for name, match in matches.items():
        shape, layer = shapes[name], match["layer"] if match else ""
        if name.endswith(".alpha"):
            if math.prod(shape) != 1:
                return f"holds an alpha that is not one number ({name[-80:]}): use a plain LoRA"
            continue
        if len(shape) < 2:
            return f"holds a layer without two sides ({name[-80:]}): use a plain LoRA"
        rank = shape[0 if match and _DOWN.search(match["side"]) else 1]
        if not rank or inner.setdefault(layer, rank) != rank:
            return f"holds two halves of {layer[-80:]} that do not go together: download it again"
    if alone := next((m["layer"] for m in matches.values() if m and m["layer"] not in inner), ""):
        return f"holds an alpha of {alone[-80:]} and no layer for it: download it again"
    twice = [layer for layer, count in Counter(_flat(_unwrap(layer)) for layer in inner).items() if count > 1]
    return f"holds {twice[0][-80:]} twice: use a plain LoRA" if twice else ""


def read_lora_names(file: Path) -> LoraNames:
    """The layers that a LoRA file changes."""
    header = read_header(file)
    found: tuple[dict[str, LoraSides], dict[str, LoraSides]] = ({}, {})
    for name, shape in ({} if header is None else header.shapes).items():
        match = _PART.match(_unwrap(name))
        if match is None or match["side"] == ".alpha":
            continue
        layer = match["layer"]
        into = found[layer.startswith(_TEXT)]
        before = into.get(layer, LoraSides())
        low = bool(_DOWN.search(match["side"]))
        if low and len(shape) > 1:
            before = replace(before, into=shape[1], cells=tuple(shape[2:]))
        elif not low and shape:
            before = replace(before, out=shape[0])
        into[layer] = before
    return LoraNames(*found)


TEXT_ALONE = ("changes text encoders alone, and this node puts it on the model", "use the node LoraLoader")
"""What to say of a LoRA that changes nothing where it is, and what would help."""


def changes_text_alone(file: Path) -> bool:
    """Whether a LoRA file has layers of text encoders and none of the diffusion model."""
    names = read_lora_names(file)
    return bool(names.text) and not names.net


def _unwrap(name: str) -> str:
    """``name`` without the words that trainers put before a layer's own name."""
    for word in _WRAPPERS:
        name = name.removeprefix(word)
    return name


def rename_for(family: Family, names: Iterable[str]) -> dict[str, str]:
    """Each name of a LoRA file → the name that the stock reader of ``family`` understands."""
    return {name: _with_usual_side(_understood(family, _unwrap(name))) for name in names}


def _with_usual_side(name: str) -> str:
    """``name`` with the words for its half that go with the spelling of its layer: ``lora_A`` after dots, ``lora_down``
    after kohya's underlines."""
    match = _PART.match(name)
    if match is None or match["side"] == ".alpha":
        return name
    if match["layer"].startswith("lora_"):
        return f"{match['layer']}{_side(match['side'])}"
    if re.fullmatch(r"\.lora_(down|up|A|B)(\.default)?\.weight", match["side"]):
        return f"{match['layer']}.lora_{'A' if _DOWN.search(match['side']) else 'B'}.weight"
    return name


def name_whole(family: Family, weights: Mapping[str, Any]) -> dict[str, Any]:
    """What the stock reader gives, with the model's folder before the layers outside of the blocks, where it left it
    out: they would be passed over."""
    folder = family.net_folder
    return {f"{folder}.{name}" if folder != "unet" and name.startswith(_TRANSFORMER) else name: value
            for name, value in weights.items()}  # fmt: skip


def _understood(family: Family, name: str) -> str:
    bare = name.removeprefix("diffusion_model.")
    if family.net_folder != "unet" and not bare.startswith(_FIRST_FLUX):
        return f"{family.net_folder}.{name}" if name.startswith(_TRANSFORMER) else name
    if bare.startswith(_UNET):
        return f"unet.{bare}"
    if bare.startswith("text_model."):
        return f"text_encoder.{bare}"
    match = _PART.match(bare)
    if match is None or not bare.startswith((*_FIRST_UNET, *_FIRST_FLUX)):
        return name
    side = match["side"] if match["side"] == ".alpha" else _side(match["side"])
    return f"lora_unet_{match['layer'].replace('.', '_')}{side}"


def _side(side: str) -> str:
    return ".lora_down.weight" if _DOWN.search(side) else ".lora_up.weight"


_OTHER_BASE = "use a LoRA of this base model"
_BLOCKS = ("down_blocks", "mid_block", "up_blocks", "transformer_blocks", "single_transformer_blocks")


def find_misfit(lora: LoraNames, base: Shapes, first: Shapes | None = None) -> str:
    """What in a LoRA fits no layer of a diffusion model with these tensors, in diffusers' names; empty where all does.

    ``first`` are the tensors as the model's first release calls them; without them such layers are left to the reader.
    """
    if not base:
        return ""
    layers = {**_by_layer(first or {}), **_by_layer(base)}
    for layer, sides in lora.net.items():
        flat = _flat(layer)
        shape = layers.get(flat)
        if shape is None and (first or flat.startswith(_BLOCKS)):
            return f"changes {layer[-80:]}, which this model does not have: use a LoRA of this base model"
        if shape is not None and (said := _odd_sides(sides, shape)):
            return f"is made for another width than this model's ({said}): use a LoRA of it"
    return ""


_TEXT_NUMBER = re.compile(
    r"^(?:lora_te(?P<kohya>\d?)_|text_encoder(?:_(?P<folder>\d))?\.|(?=text_model\.))(?P<layer>.+)$"
)


def find_text_misfit(lora: LoraNames, family: Family, encoders: Mapping[str, Shapes]) -> str:
    """What in a LoRA fits no layer of the text encoders, by role, of a family; empty where all does.

    An encoder with no tensors is not judged; a role that is not among ``encoders`` is not there.
    """
    roles = list(family.encoders)
    for layer, sides in lora.text.items():
        match = _TEXT_NUMBER.match(layer)
        number = int((match["kohya"] or match["folder"] or 1) if match else 1)
        role = roles[number - 1] if 0 < number <= len(roles) else ""
        if role == "t5":
            return "changes T5, which is not done here: use it without that part, or a ComfyUI server"
        if match is None or role not in encoders:
            return f"changes {layer[-80:]}, a text encoder that {family.title} does not have: {_OTHER_BASE}"
        shape = _by_layer(encoders[role]).get(_flat_text(match["layer"]))
        if encoders[role] and shape is None:
            return f"changes {layer[-80:]}, which the text encoder does not have: {_OTHER_BASE}"
        if shape is not None and (said := _odd_sides(sides, shape)):
            return f"is made for a text encoder of another width ({said}): {_OTHER_BASE}"
    return ""


def _flat_text(layer: str) -> str:
    return _flat(re.sub(r"\.to_(q|k|v|out)$", r".\1_proj", layer))


def find_unread(lora: LoraNames, family: Family) -> str:
    """A layer that the reader of ``family`` would pass over by its name, in words; empty where it reads all."""
    starts = family.lora_starts
    unread = (layer for layer in lora.net if starts and not _understood(family, f"{layer}.").startswith(starts))
    layer = next(unread, "")
    return f"calls a layer {layer[-80:]}, which is not read here: use it in diffusers' names" if layer else ""


def _by_layer(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The layers by their flat names, with the shapes of their weights; norms are none that a LoRA changes."""
    return {_flat(name.removesuffix(".weight")): shape for name, shape in shapes.items()
            if name.endswith(".weight") and len(shape) > 1}  # fmt: skip


def _odd_sides(sides: LoraSides, shape: tuple[int, ...]) -> str:
    """How the sides differ from those of a layer; empty where they do not."""
    for mine, its in ((sides.into, shape[1]), (sides.out, shape[0])):
        if mine and mine != its:
            return f"{mine}, not {its}"
    if sides.cells and sides.cells != shape[2:] and {*sides.cells, *shape[2:]} != {1}:
        return f"{' x '.join(map(str, sides.cells))} cells, not {' x '.join(map(str, shape[2:])) or 'one'}"
    return ""


def _flat(layer: str) -> str:
    """A layer's name without its model, dots and the words of old attention processors."""
    for word in ("diffusion_model.", "unet.", "transformer.", "lora_unet_", "lora_transformer_"):
        layer = layer.removeprefix(word)
    flat = layer.replace(".processor.", ".").replace(".", "_")
    return f"{flat}_0" if flat.endswith("to_out") else flat
