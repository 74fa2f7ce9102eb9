"""What a safetensors file holds, read from its header alone: the kind, the family, its marks. Loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from imagewright.t2i_backends.families.base import NET_PREFIX, Shapes, side
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.families.unet import read_unet
from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.lora_names import find_lora_fault
from imagewright.t2i_backends.models.scales import find_packing

HeaderKind = Literal["checkpoint", "net", "vae", "text", "lora", "control", "upscaler", "unknown"]
_MOST_WORDS = 4
"""How many words before all names of a file are taken off."""
_LORA_MARKS = (
    ".lora_", "_lora.", ".lora.", "lora_unet_", "lora_te", ".lokr_w", ".hada_w", ".oft_", ".boft_", ".dora_scale",
)  # fmt: skip
_EDM = ("edm_mean", "edm_std", "edm_vpred.sigma_max")


@dataclass(frozen=True)
class Held:
    """What a file holds."""

    kind: HeaderKind
    family: str = ""
    """The name of a known family, or of one that this backend does not draw; empty when unknown."""
    config: str = ""
    """The configs for it (a folder among its family's, else among ours); empty for none."""
    roles: tuple[str, ...] = ()
    """The text encoders in it: ``clip_l``, ``clip_g``, ``t5``."""
    has_vae: bool = False
    prediction: str = ""
    """``v_prediction`` where the file says so."""
    zero_terminal_snr: bool = False
    """Whether the file says that its last step is pure noise."""
    refused: str = ""
    """Why the file cannot be drawn with, as ``find_fault`` says it; empty where nothing does."""
    channels: tuple[int, int] = (0, 0)
    """What the diffusion model sees and gives, where its first and last layer are called as in a known family."""


def look_into(file: Path) -> Held:
    """What ``file`` holds; ``unknown`` when it is none of what this backend knows."""
    header = read_header(file)
    if header is None:
        return Held("unknown")
    names = plain_names(header.shapes)
    shapes = {name: header.shapes[stored] for name, stored in names.items()}
    held = recognise(shapes)
    formats = {name: header.formats[stored] for name, stored in names.items()}
    if len(names) < len(header.shapes):
        lost = min(set(header.shapes) - set(names.values()))
        return replace(held, refused=f"holds weights twice, under two names ({lost[-60:]}): use the plain checkpoint")
    said = find_packing(shapes, formats) or _foreign_mark(shapes) or (_loose_parts(shapes) if not held.family else "")
    return replace(held, refused=find_lora_fault(header.shapes, header.adapter) if held.kind == "lora" else said)


def plain_names(shapes: Shapes) -> dict[str, str]:
    """The name that each tensor is read by → the name that its file gives it.

    Files that put one more word before all names (``state_dict.``, ``unet.``), or call the model of a whole checkpoint
    ``diffusion_model.``, are read as if they did not. Where that makes nothing known of a file, its names stay.
    """
    names = {name: name for name in shapes}
    for _ in range(_MOST_WORDS):
        if _is_known(names, shapes):
            return names
        words = {name.split(".", 1)[0] for name in names if "." in name}
        if len(words) != 1:
            break
        word = words.pop() + "."
        names = {name.removeprefix(word): stored for name, stored in names.items()}
    inner = NET_PREFIX.removeprefix("model.")
    names = {f"model.{name}" if name.startswith(inner) else name: stored for name, stored in names.items()}
    return names if _is_known(names, shapes) else {name: name for name in shapes}


def _is_known(names: Mapping[str, str], shapes: Shapes) -> bool:
    return recognise({name: shapes[stored] for name, stored in names.items()}).kind != "unknown"


def _foreign_mark(shapes: Shapes) -> str:
    """The marks of models whose noise levels are not drawn here; empty for none."""
    mark = next((mark for mark in _EDM if mark in shapes), "")
    return f"is an EDM model (it is marked {mark}), which is not drawn here: use ComfyUI" if mark else ""


def _loose_parts(shapes: Shapes) -> str:
    """Whether a file holds the parts of a diffusers folder side by side."""
    words = {name.split(".", 1)[0] for name in shapes if "." in name}
    if not words & {"unet", "transformer"} or not words & {"vae", "text_encoder", "text_encoder_2"}:
        return ""
    return f"holds the parts of a diffusers folder in one file ({', '.join(sorted(words)[:4])}): use the folder"


def recognise(shapes: Shapes) -> Held:
    """What a file with these tensors holds."""
    if any(mark in name for name in shapes for mark in _LORA_MARKS):
        return Held("lora", _lora_family(shapes))
    for rule in (_control, _net, _text, _vae, _upscaler):
        found = rule(shapes)
        if found is not None:
            return found
    return Held("unknown")


def _net(shapes: Shapes) -> Held | None:
    for family in known_families().values():
        config = family.recognise(shapes)
        if config is not None:
            return _held(shapes, Held("net", family.name, config))
    other = _other_unet(shapes) or next((name for mark, name in _OTHERS.items() if side(shapes, mark)), "")
    return _held(shapes, Held("net", other)) if other else None


def _held(shapes: Shapes, net: Held) -> Held:
    """A diffusion model with what lies beside it in its file."""
    roles = tuple(role for role, marks in _TEXT_MARKS.items() if any(mark in shapes for mark in marks))
    has_vae = any(name.startswith(("first_stage_model.", "vae.")) for name in shapes)
    kind: HeaderKind = "checkpoint" if roles or has_vae else "net"
    prediction = "v_prediction" if "v_pred" in shapes else ""
    ends = (family.read_channels(shapes) for family in known_families().values())
    channels = next((pair for pair in ends if all(pair)), (0, 0))
    marked = replace(net, prediction=prediction, zero_terminal_snr="ztsnr" in shapes)
    return replace(marked, kind=kind, roles=roles, has_vae=has_vae, channels=channels)


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
    "distilled_guidance_layer.in_proj.bias": "chroma",
}
"""A tensor that tells each family that this backend does not draw."""


def _other_unet(shapes: Shapes) -> str:
    """SD2 by the width of its text, ``unet`` for any other; empty for what is none."""
    found = read_unet(shapes)
    return "" if found is None else {1024: "sd2"}.get(found.context, "unet")


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
    for family in known_families().values():
        config = family.recognise_control(shapes)
        if config is not None:
            return Held("control", family.name, config)
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
    return next((family.name for family in known_families().values() if family.recognise_lora(names)), "")
