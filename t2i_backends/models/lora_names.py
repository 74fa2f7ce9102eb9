"""What a LoRA file changes, by its tensors' names alone: which layers, of which kind, and how its names are read.

Loads nothing. Kinds that are not drawn are refused by name, because a part that is left out is a part ignored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

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
_TRANSFORMER = ("transformer_blocks.", "single_transformer_blocks.")
_WRAPPERS = ("base_model.model.", "state_dict.", "module.", "model.")
_TEXT = ("text_encoder.", "text_encoder_2.", "text_encoder_3.", "text_model.", "lora_te")


@dataclass(frozen=True)
class LoraNames:
    """The layers of a LoRA, under the names of its file without wrappers."""

    net: dict[str, int]
    """Layer of the diffusion model → how many numbers it reads; 0 for a convolution or where its low side is absent."""
    text: frozenset[str]
    """Layers of text encoders."""


def find_lora_fault(shapes: Shapes) -> str:
    """Why a file with these tensors is no LoRA that is drawn; empty for one that is. The rest of a line."""
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
    if any("joint_blocks" in name for name in shapes):
        return "names SD3's layers as its first release does, which is not read here: use it in diffusers' names"
    return ""


def read_lora_names(file: Path) -> LoraNames:
    """The layers that a LoRA file changes."""
    header = read_header(file)
    net: dict[str, int] = {}
    text: set[str] = set()
    for name, shape in ({} if header is None else header.shapes).items():
        match = _PART.match(_unwrap(name))
        if match is None or match["side"] == ".alpha":
            continue
        if match["layer"].startswith(_TEXT):
            text.add(match["layer"])
        else:
            low = bool(_DOWN.search(match["side"])) and len(shape) == 2
            net[match["layer"]] = shape[1] if low else net.get(match["layer"], 0)
    return LoraNames(net, frozenset(text))


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
    return {name: _understood(family, _unwrap(name)) for name in names}


def _understood(family: Family, name: str) -> str:
    bare = name.removeprefix("diffusion_model.")
    if family.net_folder != "unet":
        return f"{family.net_folder}.{name}" if name.startswith(_TRANSFORMER) else name
    if bare.startswith(_UNET):
        return f"unet.{bare}"
    if bare.startswith("text_model."):
        return f"text_encoder.{bare}"
    match = _PART.match(bare)
    if match is None or not bare.startswith(_FIRST_UNET):
        return name
    side = match["side"] if match["side"] == ".alpha" else _side(match["side"])
    return f"lora_unet_{match['layer'].replace('.', '_')}{side}"


def _side(side: str) -> str:
    return ".lora_down.weight" if _DOWN.search(side) else ".lora_up.weight"


_BLOCKS = ("down_blocks", "mid_block", "up_blocks", "transformer_blocks", "single_transformer_blocks")


def find_misfit(lora: LoraNames, base: Shapes, first: Collection[str] = ()) -> str:
    """What in a LoRA fits no layer of a diffusion model with these tensors, in diffusers' names; empty where all does.

    ``first`` are the tensors as the model's first release calls them; without them such layers are left to the reader.
    """
    if not base:
        return ""
    layers = {_flat(name.removesuffix(".weight")): shape for name, shape in base.items() if name.endswith(".weight")}
    native = {_flat(name.removesuffix(".weight")) for name in first if name.endswith(".weight")}
    for layer, width in lora.net.items():
        flat = _flat(layer)
        shape = layers.get(flat)
        if shape is None and (flat in native or not (native or flat.startswith(_BLOCKS))):
            continue
        if shape is None:
            return f"changes {layer[-80:]}, which this model does not have: use a LoRA of this base model"
        if width and len(shape) == 2 and shape[1] != width:
            return f"is made for another width than this model's ({width}, not {shape[1]}): use a LoRA of it"
    return ""


def _flat(layer: str) -> str:
    """A layer's name without its model, dots and the words of old attention processors."""
    for word in ("diffusion_model.", "unet.", "transformer.", "lora_unet_", "lora_transformer_"):
        layer = layer.removeprefix(word)
    flat = layer.replace(".processor.", ".").replace(".", "_")
    return f"{flat}_0" if flat.endswith("to_out") else flat
