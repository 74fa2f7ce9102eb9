"""SDXL with its refiner: a UNet that takes the picture's sizes beside its text.

With stock sigmas and ``euler`` the result is ``StableDiffusionXLPipeline``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imagewright.t2i_backends.families.base import Inputs, Net, Shapes
from imagewright.t2i_backends.families.unet import PLAIN, UNet, is_unet_control, read_unet

if TYPE_CHECKING:
    import torch

    from imagewright.t2i_backends.text.encode import Encoded, Encoders, Texts
    from imagewright.t2i_backends.values.handles import Conditioning, Shape

ASCORE, ASCORE_AGAINST = 6.0, 2.5
"""The refiner's aesthetic scores where a flow states none; the values of the stock pipeline and of ComfyUI."""
_CONFIGS = {2816: "sdxl", 2560: "sdxl-refiner"}
"""The width of the vector and the sizes together → the configs that ship with us."""


class SDXL(UNet):
    """The SDXL family, refiner included."""

    name = "sdxl"
    title = "SDXL"
    pipeline = "StableDiffusionXLPipeline"
    pipelines = frozenset({
        "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLControlNetPipeline",
    })  # fmt: skip
    encoders = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
    spare = insisted = frozenset({"clip_l"})  # the refiner, whose configs do not name it, has CLIP-G alone
    clip_types = frozenset({"sdxl"})
    clip_loaders = frozenset({"DualCLIPLoader"})
    vae_scaling = 0.13025
    usual = {"steps": 30, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", "side": 1024}
    model_names = (
        (r"pony|illustrious|noobai|animagine", ""),
        (r"sd_?xl.*turbo", "SDXL Turbo"),
        (r"sd_?xl|sd-xl", "SDXL 1.0"),
    )
    node_names = "SDXL"

    def recognise(self, shapes: Shapes) -> str | None:
        """By the numbers that its UNet takes beside the text."""
        found = read_unet(shapes)
        if found is None or not found.labels:
            return None
        return _CONFIGS.get(found.labels, "") if found.stem in PLAIN else ""

    def recognise_control(self, shapes: Shapes) -> str | None:
        """By the same numbers."""
        return "control-sdxl" if is_unet_control(shapes, sized=True) else None

    def recognise_lora(self, names: str) -> bool:
        """By its second text encoder, or by attention ten blocks deep."""
        if any(mark in names for mark in ("lora_te2_", "text_encoder_2", "transformer_blocks_9_")):
            return True
        return "transformer_blocks.9." in names and ("input_blocks" in names or "down_blocks" in names)

    def fits(self, config: Mapping[str, object]) -> bool:
        """Whether it takes sizes beside its text."""
        return config.get("addition_embed_type") == "text_time"

    def encode(self, encoders: Encoders, texts: Texts, stop: int) -> Encoded:
        """The last layer but one of CLIP-L and CLIP-G side by side, and CLIP-G's vector; the refiner has CLIP-G
        alone."""
        import torch

        roles = [role for role in ("clip_l", "clip_g") if role in encoders.parts]
        found = {role: encoders.clip(role).encode(texts[role] or "") for role in roles}
        if "clip_g" not in found:
            raise KeyError("clip_g")
        longest = max(part.final.shape[1] for part in found.values())
        states = [_padded(encoders, role, part.layer(stop or -2), longest, stop) for role, part in found.items()]
        return torch.cat(states, dim=-1), found["clip_g"].pooled, ()

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """The CLIPs' states, CLIP-G's vector, and the sizes: those of the picture where the flow states none."""
        import torch

        size = {"width": shape[3] * net.scale, "height": shape[2] * net.scale}
        said = {**size, "crop_w": 0, "crop_h": 0, **found.sizes}
        said = {"target_width": size["width"], "target_height": size["height"], **said}
        numbers = [said["height"], said["width"], said["crop_h"], said["crop_w"]]
        if _size_numbers(net, found) == 5:
            numbers.append(said.get("ascore", ASCORE_AGAINST if negative else ASCORE))
        else:
            numbers += [said["target_height"], said["target_width"]]
        return Inputs(found.embeds, found.pooled, sizes=torch.tensor([numbers], dtype=torch.float32))

    def beside_text(self, inputs: Inputs) -> dict[str, torch.Tensor] | None:
        """CLIP-G's vector and the sizes."""
        assert inputs.pooled is not None
        assert inputs.sizes is not None
        return {"text_embeds": inputs.pooled, "time_ids": inputs.sizes}


def _padded(encoders: Encoders, role: str, states: torch.Tensor, longest: int, stop: int) -> torch.Tensor:
    """``states`` with empty chunks after it, so that both encoders have as many tokens."""
    import torch

    missing = longest - states.shape[1]
    if not missing:
        return states
    empty = encoders.clip(role).encode("").layer(stop or -2)
    return torch.cat([states, empty.repeat(1, missing // empty.shape[1], 1)], dim=1)


def _size_numbers(net: Net, found: Conditioning) -> int:
    """How many size numbers the UNet takes: six, or five for the refiner."""
    config = net.model.config
    pooled = 0 if found.pooled is None else found.pooled.shape[-1]
    return int((config.projection_class_embeddings_input_dim - pooled) // config.addition_time_embed_dim)
