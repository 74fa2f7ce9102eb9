"""From a sampler node's inputs to denoised latents, for every family.

Sampler, scheduler, cfg, denoise, noise and seed mean what they mean in ComfyUI. What a job states beside its graph,
regions and redraw, is applied here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from imagewright.errors import BadInput, CannotDraw
from imagewright.t2i_backends.denoising import controls, regions
from imagewright.t2i_backends.denoising.denoise import Conditioned, Denoiser, Kept, match_areas
from imagewright.t2i_backends.denoising.fills import filling
from imagewright.t2i_backends.denoising.redraw import redrawn_share
from imagewright.t2i_backends.denoising.samplers.base import OnLatent, Source, with_noise
from imagewright.t2i_backends.denoising.samplers.table import SAMPLERS
from imagewright.t2i_backends.families.base import Inputs, Net
from imagewright.t2i_backends.models.model_files import family_of
from imagewright.t2i_backends.pictures import pixels
from imagewright.t2i_backends.pictures.pixels import Mask
from imagewright.t2i_backends.values.handles import (
    DEFAULT_GUIDANCE,
    Area,
    Conditioning,
    Conditionings,
    Latent,
    ModelHandle,
    Shape,
    Sigmas,
)
from imagewright.t2i_backends.values.noise_levels import Table
from imagewright.t2i_backends.values.rules import Rules

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

OWN_NOISE = frozenset({"ddim"})
"""Samplers that, under a mask, noise the kept part with other noise than the start's: that of the next seed. As in
ComfyUI."""
NOW = Rules()
LEAST_BOX = 8
"""Latent cells a side of the box around a mask, at least, as in ComfyUI."""
FEATHER = 1.0
"""Latent cells over which a redraw fades into what is kept."""


@dataclass(frozen=True)
class Request:
    """What a sampler node asks for."""

    model: ModelHandle
    positive: Conditionings
    negative: Conditionings
    cfg: float
    sampler: str
    sigmas: Sigmas
    latent: Latent
    seed: int | None
    """None adds no noise to the latents."""
    steps: int = 0
    """What the flow says; 0 where only the sigmas do."""
    facts: Mapping[str, str] | None = None
    """What else belongs into the trace."""


def sample(run: Runtime, asked: Request) -> Latent:
    """Denoised latents, float32 on the CPU.

    Raises:
        BadInput: the size or the conditioning does not fit the model, or a region has no area.
        CannotDraw: the numbers ran off to infinity.
        Cancelled: between two steps.
    """
    net = run.load_net(asked.model)
    shape = shape_of(asked.latent, net)
    if run.job.redraw is not None:
        shape = (1, *shape[1:])  # one picture is there to be redrawn, whatever the flow's batch
    table = _table(run, net, asked.model, shape)
    sigmas = _sigmas(run, asked, shape, table)
    total = max(len(sigmas) - 1, 0)
    places = asked.latent.places if shape[0] == len(asked.latent.places) else ()
    noise = draw_noise(asked.seed, shape, places).to(run.store.device)
    base = _clean(run, asked.latent, shape).to(run.store.device)
    kept = _kept(run, asked, base, noise, shape, table)
    with run.adapt(net, asked.model.loras):
        denoiser = _denoiser(run, asked, net, table, shape, total, kept)
        start = with_noise(base, noise, sigmas[0], table, start=True) if total else base
        on_latent = run.progress(asked.steps or total, total)
        source = Source(table, asked.seed or 0, own_path=run.rules.is_before)
        found = run_loop(denoiser, asked.sampler, sigmas, start, on_latent, source)
    if not torch.isfinite(found).all():
        raise CannotDraw("the sampler's numbers ran off to infinity", "use a lower cfg or guidance")
    _record(run, asked, net, len(sigmas))
    return replace(asked.latent, samples=found.cpu(), batch=shape[0])


@torch.inference_mode()
def run_loop(
    denoise: Denoiser, sampler: str, sigmas: Sequence[float], start: torch.Tensor, on_latent: OnLatent,
    source: Source | None = None,
) -> torch.Tensor:  # fmt: skip
    """Sample from ``start``, at noise level ``sigmas[0]``, down to ``sigmas[-1]``; latents, float32."""
    if len(sigmas) < 2:
        return start
    found = SAMPLERS[sampler](denoise, start, sigmas, on_latent, source or Source(denoise.table))
    if sigmas[-1] > 0:
        return found / (1 - sigmas[-1]) if denoise.table.flow else found
    return denoise.kept.after(found) if denoise.kept is not None and denoise.kept.after_all else found


def draw_noise(seed: int | None, shape: Sequence[int], places: Sequence[int] = ()) -> torch.Tensor:
    """Standard normal float32 of latents of ``shape``, drawn on the CPU, as ComfyUI draws it; zeros for no seed.

    A batch's noise is drawn at once from one generator. Where latents have ``places`` in an earlier batch, noise is
    drawn one by one up to the last of them, and each place always gets the same.
    """
    if seed is None:
        return torch.zeros(tuple(shape))
    generator = torch.Generator("cpu").manual_seed(seed)
    if not places:
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
    one = (1, *shape[1:])
    drawn = [torch.randn(one, generator=generator, dtype=torch.float32) for _ in range(max(places) + 1)]
    return torch.cat([drawn[place] for place in places])


def shape_of(latent: Latent, net: Net) -> Shape:
    """The shape of the latents.

    Raises:
        BadInput: the size does not fit the model.
    """
    unit = net.scale * net.family.unit
    if latent.width % unit or latent.height % unit:
        width, height = (max(unit, round(side / unit) * unit) for side in (latent.width, latent.height))
        raise BadInput(f"{latent.width} x {latent.height} pixels do not fit this model",
                       f"use multiples of {unit}, such as {width} x {height}")  # fmt: skip
    return latent.batch, net.channels, latent.height // net.scale, latent.width // net.scale


_BY_SIZE = (
    "the noise levels are shifted by the picture's size, as in the stock pipeline, and not as ComfyUI shifts them"
)


def _table(run: Runtime, net: Net, model: ModelHandle, shape: Shape) -> Table:
    """The noise levels. Where no node states a shift and ComfyUI has one for every size, the rules say which counts."""
    family, said = net.family, model.sampling
    own = family.table(net, said, shape)
    free = said.shift is None and said.dynamic is None and net.scheduler.get("use_dynamic_shifting")
    if family.fixed_shift is None or not free or run.rules.is_before:
        return own
    theirs = family.table(net, replace(said, dynamic=family.fixed_shift), shape)
    if run.rules.shift == "comfyui":
        return theirs
    if own != theirs:
        run.note(f"{_BY_SIZE}: add a ModelSamplingFlux, or set IMAGEWRIGHT_RULES=shift=comfyui")
    return own


def _sigmas(run: Runtime, asked: Request, shape: Shape, own: Table) -> list[float]:
    """The schedule; a redraw's strength goes on top of the flow's own ``denoise``."""

    def table(model: ModelHandle) -> Table:
        if model == asked.model:
            return own
        return _table(run, run.load_net(model), model, shape)

    redraw = run.job.redraw
    strength = 1.0 if redraw is None else regions.share(redraw.strength, "redraw strength")
    return asked.sigmas(table, strength)


def _clean(run: Runtime, latent: Latent, shape: Shape) -> torch.Tensor:
    """The latents to start from: the earlier picture of a redraw, the node's input, or zeros for an empty canvas."""
    if run.job.redraw is not None:
        samples = run.encode_pictures((run.job.redraw.image,))
    else:
        samples = torch.zeros(shape) if latent.samples is None else latent.samples
    if samples.shape != shape:
        raise BadInput("the latents do not belong to this model", "use one base model, its VAE and one size in a flow")
    return samples


def _kept(
    run: Runtime, asked: Request, base: torch.Tensor, noise: torch.Tensor, shape: Shape, table: Table
) -> Kept | None:
    if run.job.redraw is not None:
        redrawn = torch.from_numpy(redrawn_share(run.job.redraw, shape[3], shape[2], FEATHER))[None, None]
        return Kept(base, noise, redrawn.to(base.device).expand(shape), table, after_all=True)
    if asked.latent.mask is None:
        return None
    redrawn = _resized(asked.latent.mask, shape).to(base.device).expand(shape)
    if asked.sampler in OWN_NOISE and not run.rules.is_before:
        noise = draw_noise(((asked.seed or 0) + 1) % 2**64, shape).to(noise.device)
    return Kept(base, noise, redrawn, table, after_all=run.rules.is_before)


def _resized(mask: Mask, shape: Shape) -> torch.Tensor:
    """Masks at the size of the latents, ``(1 or batch, 1, rows, columns)``."""
    found = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[:, None]
    fitted = torch.nn.functional.interpolate(found, size=shape[2:], mode="bilinear")
    return fitted if len(fitted) == 1 else pixels.repeat(fitted, shape[0])


# --- conditioning for the model -------------------------------------------------------------


def _denoiser(
    run: Runtime, asked: Request, net: Net, table: Table, shape: Shape, total: int, kept: Kept | None
) -> Denoiser:
    family = net.family
    guided = asked.cfg != 1

    def part(found: Conditioning, negative: bool = False) -> Conditioned:
        fill = filling(run, net, found, asked.latent, shape)
        return replace(_part(run, net, table, shape, found, negative), fill=fill)

    positive = tuple(part(found) for found in asked.positive)
    negative = tuple(part(found, True) for found in asked.negative) if guided else ()
    regional, steps = regions.parts(run, net, asked.positive, positive, shape, total, part)
    return Denoiser(
        family,
        net,
        table,
        match_areas(negative, positive) if guided else positive,
        match_areas((*positive, *regional), negative) if guided else (),
        asked.cfg,
        regional,
        steps,
        kept,
    )


def _part(run: Runtime, net: Net, table: Table, shape: Shape, found: Conditioning, negative: bool) -> Conditioned:
    mine = found.clip.family or family_of(found.clip.sources[0])
    if mine and mine != net.family.name:
        raise BadInput("the text encoders do not belong to the model", f"use those of {net.family.title}")
    inputs = _placed(run, net, net.family.inputs(net, found, shape, negative), shape[0])
    mask = None if found.mask is None else _resized(found.mask, shape).to(run.store.device)
    area = _cells(found, net, shape, mask, run.rules)
    hints = controls.hints(run, net, table, shape, area, found.controls)
    return Conditioned(inputs, area, mask, found.strength, table.at(found.start), table.at(found.end), hints)


def _placed(run: Runtime, net: Net, inputs: Inputs, batch: int) -> Inputs:
    """``inputs`` on the model's device, in its number format, once for each picture of the ``batch``.

    Raises:
        BadInput: the text was encoded for another family.
    """
    config = net.model.config
    width = config.get("joint_attention_dim") or config.get("cross_attention_dim")
    if isinstance(width, int) and inputs.embeds.shape[-1] != width:
        raise BadInput("the text encoders do not belong to the model", f"use those of {net.family.title}")

    def there(value: torch.Tensor | None) -> torch.Tensor | None:
        return None if value is None else pixels.repeat(value.to(run.store.device, net.dtype), batch)

    embeds = pixels.repeat(inputs.embeds.to(run.store.device, net.dtype), batch)
    mask = None if inputs.mask is None else inputs.mask.to(run.store.device)
    return Inputs(embeds, there(inputs.pooled), inputs.guidance, there(inputs.sizes), mask)


def _sides(area: Area, net: Net, shape: Shape, before: bool) -> tuple[int, int, int, int]:
    """Top, left, bottom and right in latent cells.

    As in ComfyUI pixels are cut down to whole cells and shares are rounded, place and size each for itself; ``before``,
    by the first rules, the four sides were rounded.
    """
    tall, wide = (shape[2], shape[3]) if area.fractions else (1 / net.scale, 1 / net.scale)
    if before:
        sides = (area.y * tall, area.x * wide, (area.y + area.height) * tall, (area.x + area.width) * wide)
        top, left, bottom, right = (round(side) for side in sides)
        return top, left, bottom, right
    whole = round if area.fractions else math.floor
    top, left, height, width = (
        whole(side) for side in (area.y * tall, area.x * wide, area.height * tall, area.width * wide)
    )
    return top, left, top + max(height, 1), left + max(width, 1)


def _cells(
    found: Conditioning, net: Net, shape: Shape, mask: torch.Tensor | None, rules: Rules = NOW
) -> tuple[int, int, int, int] | None:
    """The area in latent cells, cut at the canvas's edge; ControlNets need whole units of the model, to which it grows
    for them, as it did in all cases by the rules before."""
    area = found.area
    if area is not None:
        top, left, bottom, right = _sides(area, net, shape, rules.is_before)
    elif found.mask_bounds and mask is not None and bool(mask.any()):
        rows, columns = torch.where(mask.amax(dim=(0, 1)) > 0)
        top, left = int(rows.min()), int(columns.min())
        least = 1 if rules.grows_areas else LEAST_BOX
        bottom, right = max(int(rows.max()) + 1, top + least), max(int(columns.max()) + 1, left + least)
    else:
        return None
    unit = net.family.unit if rules.grows_areas or found.controls else 1
    top, left = (min(max(side // unit * unit, 0), whole - unit) for side, whole in ((top, shape[2]), (left, shape[3])))
    bottom, right = (
        min(max(math.ceil(side / unit) * unit, start + unit), whole)
        for side, start, whole in ((bottom, top, shape[2]), (right, left, shape[3]))
    )
    whole_canvas = (bottom - top, right - left) == shape[2:]
    return None if whole_canvas and mask is None and found.strength == 1 else (bottom - top, right - left, top, left)


# --- the trace ------------------------------------------------------------------------------


def _record(run: Runtime, asked: Request, net: Net, sigmas: int) -> None:
    """The facts of this sampler for the trace."""
    captions = [run.encode(asked.positive[0].clip, region.caption) for region in run.job.regions]
    texts = [*asked.positive, *captions, *(() if asked.cfg == 1 else asked.negative)]
    cuts = dict.fromkeys(cut for text in texts for cut in text.truncated)
    run.facts.setdefault("regions", "none")
    guidance = asked.positive[0].guidance
    if guidance != DEFAULT_GUIDANCE and not net.model.config.get("guidance_embeds"):
        run.note(f"guidance {guidance:g}: this model takes none but cfg, so that it had no effect")
    run.facts |= {"truncated": "; ".join(cuts)} if cuts else {}
    run.facts |= {"family": net.family.name, "sampler": asked.sampler, "steps": str(asked.steps or max(sigmas - 1, 0)),
                  "cfg": f"{asked.cfg:g}", "guidance": f"{guidance:g}", "sigmas": str(sigmas),
                  "seed": "none" if asked.seed is None else str(asked.seed), **(asked.facts or {})}  # fmt: skip
