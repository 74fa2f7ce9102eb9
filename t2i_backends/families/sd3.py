"""SD3 and SD3.5: a flow-matching transformer over latents. With stock sigmas and ``euler`` it is
``StableDiffusion3Pipeline``'s result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagewright.t2i_backends.families.base import (
    ControlPicture,
    Family,
    Hint,
    Inputs,
    Net,
    Shapes,
    merge_residuals,
    side,
)
from imagewright.t2i_backends.values.noise_levels import Shift, Table, shift_of

if TYPE_CHECKING:
    import torch

    from imagewright.t2i_backends.text.encode import Encoded, Encoders, Texts
    from imagewright.t2i_backends.values.handles import Conditioning, Control, Sampling, Shape

T5_TOKENS, LEAST_TOKENS = 256, 77
"""The length of T5's sequence in the stock pipeline, and the least in ComfyUI."""


class SD3(Family):
    """The SD3 family."""

    name = "sd3"
    title = "SD3.5"
    pipeline = "StableDiffusion3Pipeline"
    pipelines = frozenset({
        "StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline",
        "StableDiffusion3ControlNetPipeline",
    })  # fmt: skip
    net_class = "SD3Transformer2DModel"
    net_folder = "transformer"
    control_class = "SD3ControlNetModel"
    encoders = {"clip_l": "text_encoder", "clip_g": "text_encoder_2", "t5": "text_encoder_3"}
    spare = frozenset({"t5"})
    projected = frozenset({"clip_l", "clip_g"})
    clip_types = frozenset({"sd3"})
    clip_loaders = frozenset({"CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader"})
    unit = 2
    vae_scaling, vae_shift = 1.5305, 0.0609
    usual = {"steps": 28, "cfg": 4.5, "sampler_name": "euler", "scheduler": "sgm_uniform", "side": 1024}
    model_names = ((r"sd_?3\.?5", "SD 3.5"), (r"sd_?3", "SD 3"))
    node_names = r"(?<!ModelSampling)SD3(?!LatentImage)"

    def recognise(self, shapes: Shapes) -> str | None:
        """By its joint blocks in either layout: how many there are, and whether some attend twice."""
        original = side(shapes, "joint_blocks.0.context_block.adaLN_modulation.1.bias")
        diffusers = side(shapes, "transformer_blocks.0.norm1_context.linear.weight")
        if not original and not (diffusers and side(shapes, "pos_embed.proj.weight")):
            return None
        large = ("joint_blocks.37.x_block.mlp.fc1.weight", "transformer_blocks.37.ff.net.0.proj.weight")
        if any(side(shapes, mark) for mark in large):
            return "sd35-large"
        dual = ("joint_blocks.0.x_block.attn2.qkv.weight", "transformer_blocks.0.attn2.to_q.weight")
        return "sd35-medium" if any(side(shapes, mark) for mark in dual) else "sd3-medium"

    def recognise_control(self, shapes: Shapes) -> str | None:
        """By what only its ControlNets have, in diffusers' layout; none of their configs ships with us."""
        blocks = any(name.startswith("controlnet_blocks.") for name in shapes)
        return "" if blocks and any(name.startswith("pos_embed_input.") for name in shapes) else None

    def recognise_lora(self, names: str) -> bool:
        """By its joint blocks."""
        return "joint_blocks" in names or "joint_transformer_blocks" in names

    def describe_noise(self, model: Any) -> Mapping[str, Any]:
        """A static shift of 3."""
        return {"shift": 3.0}

    def encode(self, encoders: Encoders, texts: Texts, stop: int) -> Encoded:
        """Both CLIPs' last layer but one side by side, widened to T5's states and put before them; both vectors.

        As in ComfyUI in as many chunks as the texts take, and without what has no text; one chunk, and zeros for a T5
        that is not there, as in the stock pipeline.
        """
        import torch

        both, pooled, cuts = self._read_clips(encoders, texts, stop)
        parts = [] if both is None else [both]
        if "t5" in encoders.parts:
            t5, cut = encoders.read_t5(texts["t5"], T5_TOKENS, LEAST_TOKENS)
            parts.append(t5)
            cuts.append(cut)
        elif encoders.stock:
            parts.append(torch.zeros(1, T5_TOKENS, encoders.t5_width, device=pooled.device, dtype=pooled.dtype))
        elif both is None:
            parts.append(torch.zeros(1, LEAST_TOKENS, encoders.t5_width, device=pooled.device, dtype=pooled.dtype))
        width = max(part.shape[-1] for part in parts) if "t5" in encoders.parts else encoders.t5_width
        wide = [torch.nn.functional.pad(part, (0, width - part.shape[-1])).to(parts[-1].device) for part in parts]
        return torch.cat(wide, dim=1), pooled, tuple(cuts)

    def _read_clips(
        self, encoders: Encoders, texts: Texts, stop: int
    ) -> tuple[torch.Tensor | None, torch.Tensor, list[str]]:
        """The CLIPs' states side by side, None where neither has a text, both vectors, and what was cut off."""
        import torch

        pair = {role: encoders.clip(role) for role in ("clip_l", "clip_g")}
        one = encoders.stock
        found = {
            role: clip.encode(texts[role] or "", not one, one or role != "clip_l" or role not in encoders.lone)
            for role, clip in pair.items()
        }
        pooled = torch.cat([part.pooled for part in found.values()], dim=-1)
        cuts = [part.cut(texts[role] or "") for role, part in found.items() if one and role == "clip_l"]
        if not one and texts["clip_l"] is None and texts["clip_g"] is None:
            return None, torch.zeros_like(pooled), cuts
        states = {role: part.layer(stop or -2) for role, part in found.items()}
        longest = max(part.shape[1] for part in states.values())
        for role, part in states.items():
            if missing := longest - part.shape[1]:
                empty = pair[role].encode("").layer(stop or -2)
                states[role] = torch.cat([part, empty.repeat(1, missing // empty.shape[1], 1)], dim=1)
        return torch.cat(list(states.values()), dim=-1), pooled, cuts

    def table(self, net: Net, sampling: Sampling, shape: Shape) -> Table:
        """Shifted times; a ModelSamplingSD3 node states another shift."""
        if sampling.shift is not None:
            return Shift(sampling.shift)
        return shift_of(net.scheduler, shape[2] * shape[3] // 4)

    def inputs(self, net: Net, found: Conditioning, shape: Shape, negative: bool) -> Inputs:
        """The three encoders' states and both CLIPs' vectors."""
        return Inputs(found.embeds, found.pooled)

    def x0(
        self, net: Net, table: Table, x: torch.Tensor, sigma: float, inputs: Inputs, hints: Sequence[Hint], context: str
    ) -> torch.Tensor:
        """``x - sigma * velocity``."""
        import torch

        seen = x.to(net.dtype)
        time = torch.full([x.shape[0]], sigma * 1000, device=x.device, dtype=torch.float32)
        added = merge_residuals([hint.residuals(net, seen, sigma, sigma * 1000, inputs) for hint in hints])
        found = net.model(
            hidden_states=seen, timestep=time, encoder_hidden_states=inputs.embeds, pooled_projections=inputs.pooled,
            **added, return_dict=False,
        )[0]  # fmt: skip
        x0: torch.Tensor = x - sigma * found.float()
        return x0

    def hint(self, model: Any, control: Control, seen: ControlPicture) -> Hint:
        """The picture as latents; ControlNets without a pooled vector leave the VAE's shift out."""
        without_shift = bool(model.config.force_zeros_for_pooled_projection)
        return SD3Hint(model, seen.latents(without_shift), control.strength)


@dataclass(frozen=True)
class SD3Hint:
    """An SD3 ControlNet with its picture in latents."""

    model: Any
    image: torch.Tensor
    strength: float

    def residuals(self, net: Net, x: torch.Tensor, sigma: float, time: float, inputs: Inputs) -> Mapping[str, Any]:
        """The blocks' residuals; which text the ControlNet reads is in its config, as in the stock pipeline."""
        import torch

        config = self.model.config
        pooled = inputs.pooled
        if config.force_zeros_for_pooled_projection and pooled is not None:
            pooled = torch.zeros_like(pooled)
        seen = x if self.model.pos_embed is not None else net.model.pos_embed(x)
        found = self.model(
            hidden_states=seen, timestep=torch.full([x.shape[0]], time, device=x.device, dtype=torch.float32),
            encoder_hidden_states=None if config.joint_attention_dim is None else inputs.embeds,
            pooled_projections=pooled, controlnet_cond=self.image, conditioning_scale=self.strength, return_dict=False,
        )[0]  # fmt: skip
        return {"block_controlnet_hidden_states": found}
