"""A job's regions, on the way to the model: attention masks where the family takes them, else blended
predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising.attention_masks import attention_mask, own_tokens
from imagewright.t2i_backends.denoising.denoise import Conditioned
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.values.handles import Conditioning, Conditionings, Shape

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

REGION_SHARE = 0.6
"""The share of the steps that obey the regions, where a job does not say; later steps only refine."""
BASE_SHARE = 0.3
"""How much the base prompt counts inside a region, where predictions are blended; regions count 1."""


def parts(
    run: Runtime, net: Net, found: Conditionings, plain: Sequence[Conditioned], shape: Shape, total: int,
    part: Callable[[Conditioning], Conditioned],
) -> tuple[tuple[Conditioned, ...], int]:  # fmt: skip
    """What is drawn in the regional steps, made for this job alone, and how many such steps there are.

    Any share above 0 gives one step at least. ``found`` and ``plain`` are the positive side, ``part`` makes parts.

    Raises:
        BadInput: a region has no area, or the share lies outside 0 to 1.
    """
    job = run.job
    wanted = REGION_SHARE if job.region_share is None else share(job.region_share, "region share")
    steps = math.ceil(wanted * total - 1e-9)
    if not job.regions or not steps:
        return (), 0
    run.facts["regions"] = f"{len(job.regions)} in the first {steps} of {total} steps"
    texts = [run.encode(found[0].clip, region.caption) for region in job.regions]
    if net.family.masks_text:
        cells = shape[2] // net.family.unit, shape[3] // net.family.unit
        return (_masked(run, plain[0], found[0], texts, cells), *plain[1:]), steps
    run.facts["regions"] += ", predictions blended"
    owned = own_tokens(job.regions, shape[2], shape[3]).reshape(len(texts), shape[2], shape[3]).float()
    masks = [owned[i : i + 1].numpy() for i in range(len(texts))]
    first = found[0]
    told = [replace(text, sizes=first.sizes, fill=first.fill) for text in texts]
    regional = [part(replace(text, mask=mask)) for text, mask in zip(told, masks, strict=True)]
    base = 1 - (1 - BASE_SHARE) * owned.amax(dim=0)[None, None].to(run.store.device)
    return (replace(plain[0], mask=base), *plain[1:], *regional), steps


def _masked(
    run: Runtime, plain: Conditioned, base: Conditioning, texts: Sequence[Conditioning], tokens: tuple[int, int]
) -> Conditioned:
    """Base and region prompts in one sequence, under a mask of who may look at whom; ``tokens`` are rows, columns."""
    owned = own_tokens(run.job.regions, *tokens)
    longest = max(text.embeds.shape[1] for text in texts)
    mask = attention_mask(base.embeds.shape[1], longest, owned).to(run.store.device)
    like = plain.inputs.embeds
    captions = (
        _lengthened(text.embeds, longest).to(like.device, like.dtype).expand(like.shape[0], -1, -1) for text in texts
    )
    embeds = torch.cat([like, *captions], dim=1)
    return replace(plain, inputs=replace(plain.inputs, embeds=embeds, mask=mask))


def _lengthened(states: torch.Tensor, length: int) -> torch.Tensor:
    """A text's states ``(1, tokens, width)``, the last of them repeated up to ``length``."""
    return torch.cat([states, states[:, -1:].expand(-1, length - states.shape[1], -1)], dim=1)


def share(value: float, what: str) -> float:
    """``value`` when it lies in [0, 1]; ``BadInput`` otherwise, NaN included."""
    if not 0 <= value <= 1:
        raise BadInput(f"the {what} is {value}, but must be from 0 to 1", "0 means none, 1 means all")
    return float(value)
