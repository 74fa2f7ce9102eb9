"""What a safetensors file holds, read from its header alone: the kind, the family, the number format. Loads nothing.

The format: eight bytes little-endian length, then JSON of that length, then the tensors' bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from imagewright import untrusted
from imagewright.errors import BadInput

HeaderKind = Literal["checkpoint", "net", "vae", "text", "lora", "control", "upscaler", "unknown"]
_MOST_SIDES = 16
"""More dimensions than any tensor has; a product of thousands of sides takes minutes."""
_PREFIX = "model.diffusion_model."
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Held:
    """What a file holds."""

    kind: HeaderKind
    family: str = ""
    """``flux``, ``sd3``, ``sdxl``, ``sd15``, or a family that this backend does not draw; empty when unknown."""
    config: str = ""
    """The configs that ship with us for it (a folder of ``configs``); empty for none."""
    roles: tuple[str, ...] = ()
    """The text encoders in it: ``clip_l``, ``clip_g``, ``t5``."""
    has_vae: bool = False
    prediction: str = ""
    """``v_prediction`` where the file says so."""
    channels: tuple[int, int] = (0, 0)
    """What a FLUX transformer or a UNet sees and gives; zeros for anything else."""


@dataclass(frozen=True)
class Header:
    """The tensors of a safetensors file."""

    shapes: Shapes
    bytes: int
    """Bytes of the tensors."""
    numbers: int
    """How many numbers they hold."""
    complete: bool
    """Whether the file is as long as its header says."""


def read_header(file: Path) -> Header | None:
    """The header of ``file``; None when it is no safetensors file."""
    try:
        stat = file.stat()
        return _read(file, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=512)
def _read(file: Path, size: int, stamp: int) -> Header | None:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size, untrusted.HEADER.bytes):
            return None
        try:
            found = untrusted.parse_json(stream.read(length), file.name, untrusted.HEADER)
            entries = {name: entry for name, entry in found.items() if name != "__metadata__"}
            shapes = {name: tuple(int(side) for side in entry["shape"]) for name, entry in entries.items()}
            end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
            numbers = sum(math.prod(_sides(shape)) for shape in shapes.values())
        except (BadInput, ValueError, OverflowError, KeyError, TypeError, AttributeError, IndexError):
            return None
    return Header(shapes, end, numbers, size >= 8 + length + end)


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) > _MOST_SIDES or not all(0 <= side < 2**63 for side in shape):
        raise ValueError("no shape of a tensor")
    return shape


def look_into(file: Path) -> Held:
    """What ``file`` holds; ``unknown`` when it is none of what this backend knows."""
    header = read_header(file)
    return Held("unknown") if header is None else recognise(header.shapes)


def recognise(shapes: Shapes) -> Held:
    """What a file with these tensors holds."""
    if any(".lora_" in name or "lora_unet_" in name or name.endswith((".lokr_w1", ".hada_w1_a")) for name in shapes):
        return Held("lora", _lora_family(shapes))
    for rule in (_control, _net, _text, _vae, _upscaler):
        found = rule(shapes)
        if found is not None:
            return found
    return Held("unknown")


def _side(shapes: Shapes, name: str, axis: int) -> int:
    """One side of a tensor, with or without the prefix of a whole checkpoint; 0 when it is not there."""
    for known in (_PREFIX + name, name):
        if known in shapes and len(shapes[known]) > axis:
            return shapes[known][axis]
    return 0


def _net(shapes: Shapes) -> Held | None:
    for rule in (_flux, _sd3, _unet, _others):
        found = rule(shapes)
        if found is not None:
            roles = tuple(role for role, marks in _TEXT_MARKS.items() if any(mark in shapes for mark in marks))
            has_vae = any(name.startswith(("first_stage_model.", "vae.")) for name in shapes)
            whole = bool(roles) or has_vae
            kind: HeaderKind = "checkpoint" if whole else "net"
            return Held(kind, found[0], found[1], roles, has_vae, _prediction(shapes), _channels(shapes))
    return None


_ENDS = (
    ("input_blocks.0.0.weight", "out.2.weight"), ("conv_in.weight", "conv_out.weight"),
    ("img_in.weight", "final_layer.linear.weight"), ("x_embedder.weight", "proj_out.weight"),
)  # fmt: skip
"""The first and the last layer of UNets and of FLUX's transformers, in both layouts."""


def _channels(shapes: Shapes) -> tuple[int, int]:
    found = ((_side(shapes, first, 1), _side(shapes, last, 0)) for first, last in _ENDS)
    return next((pair for pair in found if all(pair)), (0, 0))


def _prediction(shapes: Shapes) -> str:
    return "v_prediction" if "v_pred" in shapes else ""


def _flux(shapes: Shapes) -> tuple[str, str] | None:
    dev = _side(shapes, "guidance_in.in_layer.weight", 0) or _side(
        shapes, "time_text_embed.guidance_embedder.linear_1.weight", 0
    )
    bfl = _side(shapes, "double_blocks.0.img_attn.norm.key_norm.scale", 0)
    diffusers = _side(shapes, "single_transformer_blocks.0.proj_mlp.weight", 0) and _side(
        shapes, "x_embedder.weight", 1
    )
    if not bfl and not diffusers:
        return None
    if _side(shapes, "distilled_guidance_layer.in_proj.bias", 0):
        return "chroma", ""
    if _side(shapes, "img_in.weight", 1) not in (0, 64) or diffusers not in (0, 64):
        return "flux", ""
    return "flux", "flux-dev" if dev else "flux-schnell"


def _sd3(shapes: Shapes) -> tuple[str, str] | None:
    original = _side(shapes, "joint_blocks.0.context_block.adaLN_modulation.1.bias", 0)
    diffusers = _side(shapes, "transformer_blocks.0.norm1_context.linear.weight", 0) and _side(
        shapes, "pos_embed.proj.weight", 0
    )
    if not original and not diffusers:
        return None
    large = _side(shapes, "joint_blocks.37.x_block.mlp.fc1.weight", 0) or _side(
        shapes, "transformer_blocks.37.ff.net.0.proj.weight", 0
    )
    dual = _side(shapes, "joint_blocks.0.x_block.attn2.qkv.weight", 0) or _side(
        shapes, "transformer_blocks.0.attn2.to_q.weight", 0
    )
    return "sd3", "sd35-large" if large else "sd35-medium" if dual else "sd3-medium"


def _unet(shapes: Shapes) -> tuple[str, str] | None:
    stem = _side(shapes, "input_blocks.0.0.weight", 1) or _side(shapes, "conv_in.weight", 1)
    labels = _side(shapes, "label_emb.0.0.weight", 1) or _side(shapes, "add_embedding.linear_1.weight", 1)
    context = (
        _side(shapes, "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", 1)
        or _side(shapes, "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", 1)
        or _side(shapes, "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1)
        or _side(shapes, "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1)
    )
    if not stem or not context:
        return None
    plain = stem in (4, 9)
    if labels:
        return "sdxl", {2816: "sdxl", 2560: "sdxl-refiner"}.get(labels, "") if plain else ""
    return {768: ("sd15", "sd15" if plain else ""), 1024: ("sd2", "")}.get(context, ("unet", ""))


_OTHERS = {
    "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias": "hunyuan-video",
    "double_stream_blocks.0.block.adaLN_modulation.1.bias": "hidream",
    "cap_embedder.0.weight": "lumina2",
    "single_stream_modulation.lin.weight": "flux2",
    "head.modulation": "wan",
    "transformer_blocks.0.img_mod.1.weight": "qwen-image",
    "layers.0.adaLN_modulation.0.weight": "z-image",
    "patchify_proj.weight": "ltxv",
    "double_layers.0.attn.w2q.weight": "auraflow",
}
"""A tensor that tells each family that this backend does not draw."""


def _others(shapes: Shapes) -> tuple[str, str] | None:
    return next(((family, "") for name, family in _OTHERS.items() if _side(shapes, name, 0)), None)


_TEXT_MARKS: Mapping[str, tuple[str, ...]] = {
    "clip_l": (
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "cond_stage_model.transformer.embeddings.token_embedding.weight",
        "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
        "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight",
    ),
    "clip_g": (
        "conditioner.embedders.1.model.token_embedding.weight",
        "conditioner.embedders.0.model.token_embedding.weight",
        "text_encoders.clip_g.transformer.text_model.embeddings.token_embedding.weight",
    ),
    "t5": ("text_encoders.t5xxl.transformer.shared.weight",),
}
"""The token table of each text encoder inside a whole checkpoint."""


def _text(shapes: Shapes) -> Held | None:
    if "encoder.block.0.layer.0.SelfAttention.q.weight" in shapes:
        return Held("text", "", "t5", ("t5",))
    for name in ("text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight"):
        if name in shapes:
            role = "clip_g" if shapes[name][-1] >= 1280 else "clip_l"
            return Held("text", "", role.replace("_", "-"), (role,))
    if "transformer.resblocks.0.attn.in_proj_weight" in shapes and "token_embedding.weight" in shapes:
        return Held("text", "", "clip-g", ("clip_g",))
    return None


def _vae(shapes: Shapes) -> Held | None:
    shape = shapes.get("decoder.conv_in.weight", ())
    if len(shape) != 4:
        return None
    return Held("vae", "", {4: "vae-4", 16: "vae-16"}.get(shape[1], ""), has_vae=True)


def _control(shapes: Shapes) -> Held | None:
    if any(name.startswith("controlnet_single_blocks.") for name in shapes) or (
        "controlnet_x_embedder.weight" in shapes
    ):
        return Held("control", "flux")
    if any(name.startswith("controlnet_blocks.") for name in shapes) and any(
        name.startswith("pos_embed_input.") for name in shapes
    ):
        return Held("control", "sd3")
    for name in ("input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"):
        if name in shapes or f"control_model.{name}" in shapes:
            xl = any(name.endswith(("label_emb.0.0.weight", "add_embedding.linear_1.weight")) for name in shapes)
            family = "sdxl" if xl else "sd15"
            return Held("control", family, f"control-{family}")
    return None


_UPSCALERS: tuple[Callable[[str], bool], ...] = (
    lambda name: name.startswith("model.0.") or name.startswith("body.0.rdb1."),
    lambda name: name.startswith("layers.0.residual_group."),
)


def _upscaler(shapes: Shapes) -> Held | None:
    return Held("upscaler") if any(mark(name) for name in shapes for mark in _UPSCALERS) else None


def _lora_family(shapes: Shapes) -> str:
    """The family of a LoRA by the layers that it changes; empty when they do not tell."""
    names = " ".join(shapes)
    if "double_blocks" in names or "single_transformer_blocks" in names or "lora_unet_single_blocks" in names:
        return "flux"
    if "joint_blocks" in names or "joint_transformer_blocks" in names:
        return "sd3"
    if "lora_te2_" in names or "text_encoder_2" in names or "transformer_blocks_9_" in names:
        return "sdxl"
    if "transformer_blocks.9." in names and ("input_blocks" in names or "down_blocks" in names):
        return "sdxl"
    return "sd15" if "lora_unet_" in names or "unet.down_blocks" in names else ""
