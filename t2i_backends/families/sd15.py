"""SD1.5: a UNet that reads CLIP-L's text.

With stock sigmas and ``euler`` the result is ``StableDiffusionPipeline``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imagewright.t2i_backends.families.base import Inputs, Net, Shapes
from imagewright.t2i_backends.families.unet import PLAIN, UNet, is_unet_control, read_unet

if TYPE_CHECKING:
    from imagewright.t2i_backends.text.encode import Encoded, Encoders, Texts
    from imagewright.t2i_backends.values.handles import Conditioning, Shape

CLIP_WIDTH = 768


class SD15(UNet):
    """The SD1.5 family."""

    name = "sd15"
    title = "SD1.5"
    pipeline = "StableDiffusionPipeline"
    pipelines = frozenset({
        "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline",
        "StableDiffusionControlNetPipeline",
    })  # fmt: skip
    encoders = {"clip_l": "text_encoder"}
    clip_types = frozenset({"stable_diffusion"})
    clip_loaders = frozenset({"CLIPLoader"})
    vae_scaling = 0.18215
    stock_parts = {"safety_checker": None, "requires_safety_checker": False}
    usual = {"steps": 25, "cfg": 7.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "side": 512}
    vague_names = ((r"v1-5|sd_?1\.?5|v1-4|dreamshaper|realistic.?vision", "SD 1.5"),)

    def recognise(self, shapes: Shapes) -> str | None:
        """By the width of CLIP-L, and no numbers beside the text."""
        found = read_unet(shapes)
        if found is None or found.labels or found.context != CLIP_WIDTH:
            return None
        return "sd15" if found.stem in PLAIN else ""

    def recognise_control(self, shapes: Shapes) -> str | None:
        """A UNet's, without numbers beside the text."""
        return "control-sd15" if is_unet_control(shapes, sized=False) else None

    def recognise_lora(self, names: str) -> bool:
        """By layers that any UNet has: this family is asked last."""
        return any(
            mark in names for mark in ("lora_unet_", "down_blocks", "up_blocks", "input_blocks", "output_blocks")
        )

    def fits(self, config: Mapping[str, object]) -> bool:
        """Whether it takes nothing beside its text."""
        return config.get("addition_embed_type") != "text_time"

    def encode(self, encoders: Encoders, texts: Texts, stop: int) -> Encoded:
        """CLIP-L's last layer, or an earlier one, under the final norm."""
        found = encoders.clip("clip_l").encode(texts["clip_l"] or "")
        if stop in (0, -1):
            return found.final, None, ()
        model = encoders.parts["clip_l"][0]
        norm = model.final_layer_norm if hasattr(model, "final_layer_norm") else model.text_model.final_layer_norm
        return norm(found.layer(stop)), None, ()

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """CLIP's states."""
        return Inputs(found.embeds)
