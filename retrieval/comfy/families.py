"""Which model a flow draws with, by the names of its files and the classes of its nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from imagewright.ports import FamilyHints
from imagewright.registry import load_all
from imagewright.schemas import ModelFile

INPUT_FOLDERS: Mapping[str, str] = {
    "ckpt_name": "checkpoints",
    "unet_name": "diffusion_models",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "clip_name4": "text_encoders",
    "vae_name": "vae",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "upscale_model": "upscale_models",
    "audio_encoder_name": "audio_encoders",
    "photomaker_model_name": "photomaker",
    "hypernetwork_name": "hypernetworks",
}
"""Inputs that name a file, and ComfyUI's folder for it."""
CLASS_FOLDERS: Mapping[tuple[str, str], str] = {
    ("UpscaleModelLoader", "model_name"): "upscale_models",
    ("LatentUpscaleModelLoader", "model_name"): "latent_upscale_models",
    ("ModelPatchLoader", "name"): "model_patches",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("unCLIPCheckpointLoader", "ckpt_name"): "checkpoints",
    ("LoadLatentUpscaleModel", "model_name"): "latent_upscale_models",
    ("ImageOnlyCheckpointLoader", "ckpt_name"): "checkpoints",
}
"""The same where an input's name says too little."""
BASE_FOLDERS = ("checkpoints", "diffusion_models")


_NEWER = (
    (r"flux.?2.*klein", "FLUX.2-klein", "flux2"),
    (r"flux.?2", "FLUX.2-dev", "flux2"),
    (r"flux.?3.*klein", "FLUX.3-klein", "flux3"),
    (r"flux.?3", "FLUX.3", "flux3"),
)
"""``(pattern, base model, family)`` of families that no class stands for, whose names hold that of one that has one."""
_OTHERS = (
    (r"qwen.?image.?edit", "Qwen-Image-Edit", "qwen-image"),
    (r"qwen.?image.?layered", "Qwen-Image-Layered", "qwen-image"),
    (r"qwen.?image|firered.?image", "Qwen-Image", "qwen-image"),
    (r"z.?image", "Z-Image", "z-image"),
    (r"hidream.?e1", "HiDream-E1", "hidream"),
    (r"hidream", "HiDream-I1", "hidream"),
    (r"chroma", "Chroma", "chroma"),
    (r"netayume|neta.?lumina|lumina", "Lumina-Image 2.0", "lumina2"),
    (r"newbie", "NewBie-Image", "lumina2"),
    (r"omnigen", "OmniGen2", "omnigen2"),
    (r"ovis", "Ovis-Image", "ovis"),
    (r"anima[-_]", "Anima", "anima"),
    (r"longcat", "LongCat-Image", "longcat"),
    (r"kandinsky", "Kandinsky 5", "kandinsky5"),
    (r"capybara|hunyuanvideo|hunyuan_video", "HunyuanVideo", "hunyuan-video"),
    (r"hunyuan.?3d", "Hunyuan3D", "hunyuan3d"),
    (r"hunyuan.?image", "HunyuanImage", "hunyuan-image"),
    (r"ltx", "LTX-Video", "ltxv"),
    (r"chrono.?edit", "ChronoEdit", "wan"),
    (r"wan[._-]?2|wan21|wan", "Wan", "wan"),
    (r"cosmos", "Cosmos", "cosmos"),
    (r"ace.?step", "ACE-Step", "ace-step"),
    (r"stable.?audio", "Stable Audio", "stable-audio"),
    (r"svd", "Stable Video Diffusion", "svd"),
    (r"v2-1|sd_?2|512-inpainting", "SD 2.1", "sd2"),
)
"""The same where the names do not."""
_OTHER_CLASSES = (("QwenImage", "qwen-image"), ("HiDream", "hidream"))
_UNSTATED = frozenset({"", "stable_diffusion", "default"})


class _Known(NamedTuple):
    pattern: str
    base_model: str
    family: str


@cache
def _hints() -> tuple[FamilyHints, ...]:
    """What each family says of its flows, in the order in which they are asked."""
    return tuple(load_all("families"))


@cache
def _known_names() -> tuple[_Known, ...]:
    """Model names by what their files are called; the first that matches counts."""
    names = {hints.name for hints in _hints()}
    newer, others = ([_Known(*row) for row in rows if row[2] not in names] for rows in (_NEWER, _OTHERS))
    own = [_Known(*pair, hints.name) for hints in _hints() for pair in hints.model_names]
    vague = [_Known(*pair, hints.name) for hints in _hints() for pair in hints.vague_names]
    return (*newer, *own, *others, *vague)


def guess_model(models: Sequence[ModelFile], classes: Sequence[str], stated: Sequence[str]) -> tuple[str, str]:
    """``(base model, family)``; ``stated`` are the types that text encoder loaders give. Empty where nothing tells."""
    for model in models:
        if model.folder in BASE_FOLDERS:
            stem = re.sub(r"\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$", "", re.split(r"[\\/]", model.name)[-1])
            known = next((known for known in _known_names() if re.search(known.pattern, stem, re.IGNORECASE)), None)
            if known:
                return known.base_model or stem[:100], known.family
            return stem[:100], _family(classes, stated)
    return "", _family(classes, stated)


def _family(classes: Sequence[str], stated: Sequence[str]) -> str:
    told = next((kind for kind in stated if kind not in _UNSTATED), None)
    if told:
        own = (hints.name for hints in _hints() if told in hints.clip_types)
        return next(own, told.replace("_", "-")[:40])
    marks = (*((hints.node_names, hints.name) for hints in _hints() if hints.node_names), *_OTHER_CLASSES)
    return next((family for mark, family in marks if any(re.search(mark, name) for name in classes)), "")
