"""Which model a flow draws with, by the names of its files and the classes of its nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

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


class _Known(NamedTuple):
    pattern: str
    base_model: str
    family: str


_MODELS = (
    _Known(r"^mini$", "mini", "flux"),
    _Known(r"flux.?2.*klein", "FLUX.2-klein", "flux2"),
    _Known(r"flux.?2", "FLUX.2-dev", "flux2"),
    _Known(r"flux.?3.*klein", "FLUX.3-klein", "flux3"),
    _Known(r"flux.?3", "FLUX.3", "flux3"),
    _Known(r"flux.*schnell", "FLUX.1-schnell", "flux"),
    _Known(r"flux.*kontext", "FLUX.1-Kontext", "flux"),
    _Known(r"flux.*krea", "FLUX.1-Krea", "flux"),
    _Known(r"flux.*fill", "FLUX.1-Fill", "flux"),
    _Known(r"uso.?flux|flux", "FLUX.1-dev", "flux"),
    _Known(r"pony|illustrious|noobai|animagine", "", "sdxl"),
    _Known(r"sd_?xl.*turbo", "SDXL Turbo", "sdxl"),
    _Known(r"sd_?xl|sd-xl", "SDXL 1.0", "sdxl"),
    _Known(r"sd_?3\.?5", "SD 3.5", "sd3"),
    _Known(r"sd_?3", "SD 3", "sd3"),
    _Known(r"qwen.?image.?edit", "Qwen-Image-Edit", "qwen-image"),
    _Known(r"qwen.?image.?layered", "Qwen-Image-Layered", "qwen-image"),
    _Known(r"qwen.?image|firered.?image", "Qwen-Image", "qwen-image"),
    _Known(r"z.?image", "Z-Image", "z-image"),
    _Known(r"hidream.?e1", "HiDream-E1", "hidream"),
    _Known(r"hidream", "HiDream-I1", "hidream"),
    _Known(r"chroma", "Chroma", "chroma"),
    _Known(r"netayume|neta.?lumina|lumina", "Lumina-Image 2.0", "lumina2"),
    _Known(r"newbie", "NewBie-Image", "lumina2"),
    _Known(r"omnigen", "OmniGen2", "omnigen2"),
    _Known(r"ovis", "Ovis-Image", "ovis"),
    _Known(r"anima[-_]", "Anima", "anima"),
    _Known(r"longcat", "LongCat-Image", "longcat"),
    _Known(r"kandinsky", "Kandinsky 5", "kandinsky5"),
    _Known(r"capybara|hunyuanvideo|hunyuan_video", "HunyuanVideo", "hunyuan-video"),
    _Known(r"hunyuan.?3d", "Hunyuan3D", "hunyuan3d"),
    _Known(r"hunyuan.?image", "HunyuanImage", "hunyuan-image"),
    _Known(r"ltx", "LTX-Video", "ltxv"),
    _Known(r"chrono.?edit", "ChronoEdit", "wan"),
    _Known(r"wan[._-]?2|wan21|wan", "Wan", "wan"),
    _Known(r"cosmos", "Cosmos", "cosmos"),
    _Known(r"ace.?step", "ACE-Step", "ace-step"),
    _Known(r"stable.?audio", "Stable Audio", "stable-audio"),
    _Known(r"svd", "Stable Video Diffusion", "svd"),
    _Known(r"v2-1|sd_?2|512-inpainting", "SD 2.1", "sd2"),
    _Known(r"v1-5|sd_?1\.?5|v1-4|dreamshaper|realistic.?vision", "SD 1.5", "sd15"),
)
"""Model names by what their files are called; the first that matches counts."""
_CLASSES = (("Flux", "flux"), ("SDXL", "sdxl"), ("SD3", "sd3"), ("QwenImage", "qwen-image"), ("HiDream", "hidream"))
_SHARED = frozenset({"EmptySD3LatentImage", "ModelSamplingSD3"})
"""Classes that flows of other families use as well, whatever their names say."""
_UNSTATED = frozenset({"", "stable_diffusion", "default"})


def guess_model(models: Sequence[ModelFile], classes: Sequence[str], stated: Sequence[str]) -> tuple[str, str]:
    """``(base model, family)``; ``stated`` are the types that text encoder loaders give. Empty where nothing tells."""
    for model in models:
        if model.folder in BASE_FOLDERS:
            stem = re.sub(r"\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$", "", re.split(r"[\\/]", model.name)[-1])
            known = next((known for known in _MODELS if re.search(known.pattern, stem, re.IGNORECASE)), None)
            if known:
                return known.base_model or stem[:100], known.family
            return stem[:100], _family(classes, stated)
    return "", _family(classes, stated)


def _family(classes: Sequence[str], stated: Sequence[str]) -> str:
    told = next((kind for kind in stated if kind not in _UNSTATED), None)
    if told:
        return told.replace("_", "-")[:40]
    own = [name for name in classes if name not in _SHARED]
    return next((family for part, family in _CLASSES if any(part in name for name in own)), "")
