"""What the model families are made of, for everything that loads nothing: checks, file lookups, the index.

A family's text encoders go by role: ``clip_l``, ``clip_g`` and ``t5``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """One family."""

    name: str
    title: str
    pipelines: frozenset[str]
    """The diffusers pipeline classes whose folders hold it."""
    net_class: str
    net_folder: str
    """Where a pipeline folder keeps the diffusion model: ``unet`` or ``transformer``."""
    encoders: Mapping[str, str]
    """Role of a text encoder → its folder in a pipeline."""
    control_class: str
    unit: int
    """Latent cells that a side must be a multiple of."""
    channels: int
    """Latent channels of its published models."""
    clip_types: frozenset[str]
    """The ``type`` values of ComfyUI's text encoder loaders that mean it."""
    vae_scaling: float
    """What its published VAEs' latents are multiplied with, after ``vae_shift`` is taken off."""
    vae_shift: float = 0.0

    def fills(self, into: int, out: int) -> bool:
        """Whether a model with so many input and output channels is an inpainting model: a UNet that sees a mask and a
        masked picture beside its latents."""
        return self.net_folder == "unet" and into == 2 * out + 1

    def draws(self, into: int, out: int) -> bool:
        """Whether a model with so many channels is drawn: one that sees its latents alone, or one that ``fills``."""
        return into == out or self.fills(into, out)


FLUX = Facts(
    "flux", "FLUX.1", frozenset({"FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline",
                                "FluxControlNetPipeline"}),
    "FluxTransformer2DModel", "transformer", {"clip_l": "text_encoder", "t5": "text_encoder_2"}, "FluxControlNetModel",
    2, 16, frozenset({"flux"}), 0.3611, 0.1159,
)  # fmt: skip
_SD3 = Facts(
    "sd3", "SD3.5", frozenset({"StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline",
                               "StableDiffusion3InpaintPipeline", "StableDiffusion3ControlNetPipeline"}),
    "SD3Transformer2DModel", "transformer",
    {"clip_l": "text_encoder", "clip_g": "text_encoder_2", "t5": "text_encoder_3"}, "SD3ControlNetModel",
    2, 16, frozenset({"sd3"}), 1.5305, 0.0609,
)  # fmt: skip
_SDXL = Facts(
    "sdxl", "SDXL", frozenset({"StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline",
                               "StableDiffusionXLInpaintPipeline", "StableDiffusionXLControlNetPipeline"}),
    "UNet2DConditionModel", "unet", {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}, "ControlNetModel",
    1, 4, frozenset({"sdxl"}), 0.13025,
)  # fmt: skip
_SD15 = Facts(
    "sd15", "SD1.5", frozenset({"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
                                "StableDiffusionInpaintPipeline", "StableDiffusionControlNetPipeline"}),
    "UNet2DConditionModel", "unet", {"clip_l": "text_encoder"}, "ControlNetModel",
    1, 4, frozenset({"stable_diffusion"}), 0.18215,
)  # fmt: skip

FAMILIES: Mapping[str, Facts] = {facts.name: facts for facts in (FLUX, _SD3, _SDXL, _SD15)}
"""Every family that this backend draws."""
TITLES = ", ".join(facts.title for facts in FAMILIES.values())


def of_pipeline(class_name: str) -> str:
    """The family of a pipeline class; empty for none of ours."""
    return next((facts.name for facts in FAMILIES.values() if class_name in facts.pipelines), "")


def of_net(class_name: str, config: Mapping[str, object]) -> str:
    """The family of a diffusion model by its class and config; empty for none of ours.

    SDXL's UNet takes sizes beside its text (``addition_embed_type``), SD1.5's does not.
    """
    if class_name == "UNet2DConditionModel":
        return "sdxl" if config.get("addition_embed_type") == "text_time" else "sd15"
    return next((facts.name for facts in FAMILIES.values() if class_name == facts.net_class), "")


def of_clip_type(kind: str) -> str:
    """The family that the ``type`` of a text encoder loader means; empty for none of ours."""
    return next((facts.name for facts in FAMILIES.values() if kind in facts.clip_types), "")
