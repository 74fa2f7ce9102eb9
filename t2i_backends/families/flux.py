"""FLUX.1: a flow-matching transformer over packed latents, with distilled guidance and regional attention.

With the sigmas of the stock pipeline and ``euler`` the result is ``FluxPipeline``'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from imagewright.t2i_backends.families.base import (
    ControlPicture,
    Family,
    Hint,
    Inputs,
    Net,
    Shapes,
    make_node,
    merge_residuals,
    side,
)
from imagewright.t2i_backends.values.noise_levels import DYNAMIC_TABLE, Shift, Table, dynamic_mu, shift_of

if TYPE_CHECKING:
    import torch

    from imagewright.flow_format import Graph
    from imagewright.t2i_backends.text.encode import Encoded, Encoders, Texts
    from imagewright.t2i_backends.values.handles import Conditioning, Control, Sampling, Shape

STOCK_TEXT, LEAST_TEXT = 512, 256
"""The length of T5's sequence in the stock pipeline, and the least in ComfyUI."""


class Flux(Family):
    """The FLUX.1 family."""

    name = "flux"
    title = "FLUX.1"
    pipeline = "FluxPipeline"
    pipelines = frozenset({"FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", "FluxControlNetPipeline"})
    net_class = "FluxTransformer2DModel"
    net_folder = "transformer"
    control_class = "FluxControlNetModel"
    ends = (("img_in.weight", "final_layer.linear.weight"), ("x_embedder.weight", "proj_out.weight"))
    encoders = {"clip_l": "text_encoder", "t5": "text_encoder_2"}
    clip_types = frozenset({"flux"})
    clip_loaders = frozenset({"DualCLIPLoader"})
    unit = 2
    packed = 4
    vae_scaling, vae_shift = 0.3611, 0.1159
    masks_text = True
    unbatched = frozenset({"txt_ids", "img_ids"})
    lora_alphas = True
    fixed_shift = (1.15, 0.5, 1024, 1024)
    stock_call = {}
    usual = {"steps": 24, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "side": 1024}
    model_names = (
        (r"^mini$", "mini"),
        (r"flux.*schnell", "FLUX.1-schnell"),
        (r"flux.*kontext", "FLUX.1-Kontext"),
        (r"flux.*krea", "FLUX.1-Krea"),
        (r"flux.*fill", "FLUX.1-Fill"),
        (r"flux", "FLUX.1-dev"),
    )
    node_names = "Flux"

    def recognise(self, shapes: Shapes) -> str | None:
        """By its double blocks in Black Forest Labs' layout, by its single ones in diffusers'; without Chroma's
        guidance layer. A model that sees more than packed latents has no config here."""
        into = side(shapes, "single_transformer_blocks.0.proj_mlp.weight") and side(shapes, "x_embedder.weight", 1)
        first = side(shapes, "double_blocks.0.img_attn.norm.key_norm.scale")
        if not (first or into) or side(shapes, "distilled_guidance_layer.in_proj.bias"):
            return None
        if side(shapes, "img_in.weight", 1) not in (0, 64) or into not in (0, 64):
            return ""
        marks = ("guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_1.weight")
        return "flux-dev" if any(side(shapes, mark) for mark in marks) else "flux-schnell"

    def recognise_control(self, shapes: Shapes) -> str | None:
        """By what only its ControlNets have, in diffusers' layout; none of their configs ships with us."""
        single = any(name.startswith("controlnet_single_blocks.") for name in shapes)
        return "" if single or "controlnet_x_embedder.weight" in shapes else None

    def recognise_lora(self, names: str) -> bool:
        """By its double and single blocks."""
        marks = ("double_blocks", "single_transformer_blocks", "lora_unet_single_blocks")
        return any(mark in names for mark in marks)

    def describe_noise(self, model: Any) -> Mapping[str, Any]:
        """A dynamic shift for dev, none for schnell."""
        guided = model.config.guidance_embeds
        return {"use_dynamic_shifting": True} if guided else {"use_dynamic_shifting": False, "shift": 1.0}

    def read_lora(self, folder: Any, model: Any, **options: Any) -> tuple[dict[str, Any], Any, Any]:
        """The reader gives the alphas when asked."""
        return super().read_lora(folder, model, **options, return_alphas=True)

    def encode(self, encoders: Encoders, texts: Texts, stop: int) -> Encoded:
        """T5's states, and CLIP-L's vector at the end token."""
        embeds, cut = encoders.read_t5(texts["t5"], STOCK_TEXT, LEAST_TEXT)
        words = texts["clip_l"] or ""
        clip = encoders.clip("clip_l").encode(words, chunked=False)
        return embeds, clip.pooled, (clip.cut(words), cut)

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """Shifted times; a ModelSamplingFlux node fixes the shift at its own size."""
        if sampling.dynamic is not None:
            most, least, width, height = sampling.dynamic
            return Shift(math.exp(dynamic_mu(width * height / 256, least, most)), DYNAMIC_TABLE)
        if sampling.shift is not None:
            return Shift(sampling.shift)
        return shift_of(net.scheduler, shape[2] * shape[3] // 4)

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """T5's states, CLIP's vector and the guidance."""
        return Inputs(found.embeds, found.pooled, found.guidance)

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * velocity``. The mask, where there is one, reaches every block."""
        packed = pack_latents(x)
        added = merge_residuals([hint.residuals(net, packed, sigma, sigma, inputs) for hint in hints])
        kwargs = {} if inputs.mask is None else {"attention_mask": inputs.mask}
        with net.model.cache_context(context):
            found = net.model(
                **common(net, packed, sigma, inputs, x.shape[2:]), joint_attention_kwargs=kwargs, **added,
                return_dict=False,
            )[0]  # fmt: skip
        return x - sigma * unpack_latents(found.float(), x.shape[2], x.shape[3])

    def hint(self, model: Any, control: Control, seen: ControlPicture) -> Hint:
        """The picture as pixels for a ControlNet that reads them itself, else as latents."""
        if model.input_hint_block is not None:
            return FluxHint(model, seen.pixels(-1, 1), control.strength)
        return FluxHint(model, seen.latents(), control.strength, control.net.mode)

    def default_graph(self, checkpoint: str) -> Graph:
        """With distilled guidance and no negative prompt; schnell takes four steps and no guidance."""
        graph = super().default_graph(checkpoint)
        graph["3"] = make_node("ConditioningZeroOut", conditioning=["2", 0])
        graph["4"]["class_type"] = "EmptySD3LatentImage"
        if "schnell" in PurePosixPath(checkpoint).name.lower():
            graph["5"]["inputs"]["steps"] = 4
        else:
            graph["8"] = make_node("FluxGuidance", conditioning=["2", 0], guidance=3.5)
            graph["5"]["inputs"]["positive"] = ["8", 0]
        return graph


def common(net: Net, packed: torch.Tensor, sigma: float, inputs: Inputs, cells: Sequence[int]) -> dict[str, Any]:
    """What the transformer and its ControlNets are both given."""
    import torch

    device, dtype, count = packed.device, net.dtype, [packed.shape[0]]
    guided = net.model.config.guidance_embeds
    return {
        "hidden_states": packed.to(dtype),
        "timestep": torch.full(count, sigma, device=device, dtype=dtype),
        "guidance": torch.full(count, inputs.guidance, device=device, dtype=torch.float32) if guided else None,
        "pooled_projections": inputs.pooled,
        "encoder_hidden_states": inputs.embeds,
        "txt_ids": torch.zeros(inputs.embeds.shape[1], 3, device=device, dtype=dtype),
        "img_ids": image_ids(cells[0] // 2, cells[1] // 2, device, dtype),
    }


@dataclass(frozen=True)
class FluxHint:
    """A FLUX ControlNet with its picture, encoded and packed, or as pixels for one that reads pixels itself."""

    model: Any
    image: torch.Tensor
    strength: float
    mode: int | None = None

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """The blocks' residuals. A ControlNet reads the base text alone: regions are none of its business."""
        import torch

        rows = self.image.shape[2] // (net.scale if self.model.input_hint_block is not None else 1)
        given = common(net, x, sigma, inputs, (rows, x.shape[1] * 4 // rows))
        if self.mode is not None:
            given["controlnet_mode"] = torch.full([x.shape[0], 1], self.mode, device=x.device)
        guided = self.model.config.guidance_embeds
        strength = torch.full([x.shape[0]], inputs.guidance, device=x.device, dtype=torch.float32) if guided else None
        blocks, single = self.model(
            **{**given, "guidance": strength}, controlnet_cond=self._seen(), conditioning_scale=self.strength,
            joint_attention_kwargs={}, return_dict=False,
        )  # fmt: skip
        found: dict[str, Any] = {"controlnet_block_samples": blocks, "controlnet_single_block_samples": single}
        if self.model.input_hint_block is not None:
            found["controlnet_blocks_repeat"] = True
        return {name: value for name, value in found.items() if value is not None}

    def _seen(self) -> torch.Tensor:
        return self.image if self.model.input_hint_block is not None else pack_latents(self.image)


@lru_cache(maxsize=8)
def image_ids(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Position ids of ``rows * columns`` image tokens, as the pipeline makes them; made once, not once a step: they
    are built in RAM, and a copy to the GPU waits for it."""
    from diffusers import FluxPipeline

    ids: torch.Tensor = FluxPipeline._prepare_latent_image_ids(1, rows, columns, device, dtype)
    return ids


def pack_latents(latents: torch.Tensor) -> torch.Tensor:
    """``(batch, C, h, w)`` to ``(batch, h / 2 * w / 2, 4 C)``."""
    from diffusers import FluxPipeline

    packed: torch.Tensor = FluxPipeline._pack_latents(latents, *latents.shape)
    return packed


def unpack_latents(packed: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """``(batch, tokens, 4 C)`` to ``(batch, C, height, width)``; the sizes are latent cells."""
    from diffusers import FluxPipeline

    latents: torch.Tensor = FluxPipeline._unpack_latents(packed, height, width, 1)
    return latents
