"""The KSampler of the FLUX family: from a node's inputs to denoised latents.

Sampler, scheduler, cfg, denoise and seed mean what they mean in ComfyUI. What a job states beside its graph, regions
and redraw, is applied here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends import loras
from imagewright.t2i_backends.flux_loop import Denoiser, Kept, Text, draw_noise, image_ids, pack, run_loop, unpack
from imagewright.t2i_backends.handles import DEFAULT_GUIDANCE, Conditioning, Latent, ModelHandle
from imagewright.t2i_backends.model_store import Transformer
from imagewright.t2i_backends.redraw import soft_boxes
from imagewright.t2i_backends.regional.masks import attention_mask, owned_tokens
from imagewright.t2i_backends.sigmas import schedule, shift_of

if TYPE_CHECKING:
    from imagewright.t2i_backends.runtime import Runtime

__all__ = ["Inputs", "sample", "unpack"]

REGION_SHARE = 0.6
"""The share of the steps that obey the regions, where a job does not say; later steps only refine."""
FEATHER = 1.0
"""Latent cells over which a redraw fades into what is kept."""
LEAST_DENOISE = 0.01
"""ComfyUI's step of ``denoise``; below it the schedule that is cut would grow without bound."""

Shape = tuple[int, int, int, int]
"""Of unpacked latents: 1, channels, rows, columns."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a KSampler node."""

    model: ModelHandle
    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    positive: Conditioning
    negative: Conditioning
    latent_image: Latent
    denoise: float


def sample(run: Runtime, inputs: Inputs) -> Latent:
    """Denoised latents, float32 on the CPU.

    Raises:
        BadInput: the size does not fit the model, ``denoise`` is too small, or a region has no area.
        CannotDraw: the numbers ran off to infinity.
        Cancelled: between two steps.
    """
    transformer = run.store.transformer(inputs.model)
    shape = _shape(inputs.latent_image, transformer)
    sigmas = _sigmas(run, inputs, transformer, shape)
    total = max(len(sigmas) - 1, 0)
    noise = _packed(run, draw_noise(inputs.seed, shape))
    base = _packed(run, _clean(run, inputs.latent_image, shape))
    denoiser = _denoiser(run, inputs, transformer, shape, total, _kept(run, base, noise, shape))
    first = sigmas[0] if sigmas else 0.0
    on_latent = run.progress(inputs.steps, total, shape[2:])
    with loras.applied(transformer.model, inputs.model.loras):
        found = run_loop(denoiser, inputs.sampler_name, sigmas, first * noise + (1 - first) * base, on_latent)
    if not torch.isfinite(found).all():
        raise CannotDraw("the sampler's numbers ran off to infinity", "use a lower cfg or guidance")
    _record(run, inputs, transformer, len(sigmas))
    latent = inputs.latent_image
    return Latent(latent.width, latent.height, unpack(found, *shape[2:]).cpu(), latent.batch)


def _shape(latent: Latent, transformer: Transformer) -> Shape:
    unit = transformer.scale * 2
    if latent.width % unit or latent.height % unit:
        width, height = (max(unit, round(side / unit) * unit) for side in (latent.width, latent.height))
        raise BadInput(f"{latent.width} x {latent.height} pixels do not fit this model",
                       f"use multiples of {unit}, such as {width} x {height}")  # fmt: skip
    return 1, transformer.channels, latent.height // transformer.scale, latent.width // transformer.scale


def _sigmas(run: Runtime, inputs: Inputs, transformer: Transformer, shape: Shape) -> list[float]:
    """The schedule; a redraw's strength goes on top of the node's own ``denoise``."""
    redraw = run.job.redraw
    denoise = inputs.denoise * (1.0 if redraw is None else _share(redraw.strength, "redraw strength"))
    if 0 < denoise < LEAST_DENOISE:
        raise BadInput(f"denoise {denoise:g} is too small", f"use 0, or {LEAST_DENOISE} to 1")
    tokens = shape[2] * shape[3] // 4
    return schedule(inputs.scheduler, shift_of(transformer.scheduler, tokens), inputs.steps, denoise)


def _clean(run: Runtime, latent: Latent, shape: Shape) -> torch.Tensor:
    """The latents to start from: the earlier picture of a redraw, the node's input, or zeros for an empty canvas."""
    if run.job.redraw is not None:
        samples = run.encode_picture(run.job.redraw.image)
    else:
        samples = torch.zeros(shape) if latent.samples is None else latent.samples
    if samples.shape != shape:
        raise BadInput("the latents do not belong to this model", "use one base model, its VAE and one size in a flow")
    return samples


def _packed(run: Runtime, samples: torch.Tensor) -> torch.Tensor:
    return pack(samples).to(run.store.device)


def _kept(run: Runtime, base: torch.Tensor, noise: torch.Tensor, shape: Shape) -> Kept | None:
    if run.job.redraw is None:
        return None
    redrawn = torch.from_numpy(soft_boxes(run.job.redraw.regions, shape[3], shape[2], FEATHER))
    return Kept(base, noise, _packed(run, redrawn.expand(shape).contiguous()))


def _denoiser(
    run: Runtime, inputs: Inputs, transformer: Transformer, shape: Shape, total: int, kept: Kept | None
) -> Denoiser:
    rows, columns = shape[2] // 2, shape[3] // 2
    regional, regional_steps = _regional(run, inputs.positive, rows, columns, total)
    return Denoiser(
        transformer.model,
        image_ids(rows, columns, run.store.device, run.store.dtype),
        _text(run, inputs.positive),
        negative=None if inputs.cfg == 1 else _text(run, inputs.negative),
        cfg=inputs.cfg,
        regional=regional,
        regional_steps=regional_steps,
        kept=kept,
    )


def _regional(run: Runtime, base: Conditioning, rows: int, columns: int, total: int) -> tuple[Text | None, int]:
    """The text of the regional steps, with a mask made for this job alone, and how many steps there are.

    Any share above 0 gives one step at least.
    """
    job = run.job
    share = REGION_SHARE if job.region_share is None else _share(job.region_share, "region share")
    steps = math.ceil(share * total - 1e-9)
    if not job.regions or not steps:
        return None, 0
    owned = owned_tokens(job.regions, rows, columns)
    texts = [base, *(run.encode(base.clip, region.caption) for region in job.regions)]
    mask = attention_mask(base.embeds.shape[1], texts[1].embeds.shape[1], owned).to(run.store.device)
    run.facts["regions"] = f"{len(job.regions)} in the first {steps} of {total} steps"
    return _text(run, base, torch.cat([text.embeds for text in texts], dim=1), mask), steps


def _text(
    run: Runtime, found: Conditioning, embeds: torch.Tensor | None = None, mask: torch.Tensor | None = None
) -> Text:
    device, dtype = run.store.device, run.store.dtype
    embeds = (found.embeds if embeds is None else embeds).to(device, dtype)
    return Text(embeds, found.pooled.to(device, dtype), found.guidance, mask)


def _record(run: Runtime, inputs: Inputs, transformer: Transformer, sigmas: int) -> None:
    """The facts of this sampler for the trace."""
    regions = [run.encode(inputs.positive.clip, region.caption) for region in run.job.regions]
    texts = [inputs.positive, *regions, *([] if inputs.cfg == 1 else [inputs.negative])]
    cuts = dict.fromkeys(cut for text in texts for cut in text.truncated)
    run.facts.setdefault("regions", "none")
    if inputs.positive.guidance != DEFAULT_GUIDANCE and not transformer.model.config.guidance_embeds:
        run.note(f"guidance {inputs.positive.guidance:g}: this model takes none but cfg, so that it had no effect")
    run.facts |= {"truncated": "; ".join(cuts)} if cuts else {}
    run.facts |= {"sampler": inputs.sampler_name, "scheduler": inputs.scheduler, "steps": str(inputs.steps),
                  "cfg": f"{inputs.cfg:g}", "guidance": f"{inputs.positive.guidance:g}",
                  "denoise": f"{inputs.denoise:g}", "sigmas": str(sigmas), "seed": str(inputs.seed)}  # fmt: skip


def _share(value: float, what: str) -> float:
    """``value`` when it lies in [0, 1]; ``BadInput`` otherwise, NaN included."""
    if not 0 <= value <= 1:
        raise BadInput(f"the {what} is {value}, but must be from 0 to 1", "0 means none, 1 means all")
    return float(value)
