"""Nodes that make conditioning of text, and nodes that say where, when and how strongly it counts.

CONDITIONING is a tuple of ``Conditioning``; each gets a prediction of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput
from imagewright.t2i_backends.nodes.registry import MAX_SCALED, node_class
from imagewright.t2i_backends.values.handles import Area, ClipHandle, Conditioning, Conditionings, Masks
from imagewright.t2i_backends.values.node_inputs import Input, choice, link, real, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

_TEXT = Input("text")
_CONDITIONING = link("CONDITIONING")
_OUT = ("CONDITIONING",)
_STRENGTH = real(0, 10, default=1.0)
_SHARE = real(0, 1, default=0.0)
_PIXELS = whole(0, MAX_SCALED, default=0)


def _each(found: Conditionings, change: Callable[[Conditioning], Conditioning]) -> tuple[Conditionings]:
    return (tuple(change(one) for one in found),)


@node_class("CLIPTextEncode", {"text": _TEXT, "clip": link("CLIP")}, _OUT)
def text_encode(run: Runtime, text: str, clip: ClipHandle) -> tuple[Conditionings]:
    """A prompt to conditioning."""
    return ((run.encode(clip, text),),)


@node_class(
    "CLIPTextEncodeFlux",
    {"clip": link("CLIP"), "clip_l": _TEXT, "t5xxl": _TEXT, "guidance": real(0, 100, default=3.5)},
    _OUT,
)
def text_encode_flux(run: Runtime, clip: ClipHandle, clip_l: str, t5xxl: str, guidance: float) -> tuple[Conditionings]:
    """One text for each of FLUX's encoders, and the guidance."""
    return ((replace(run.encode(clip, {"clip_l": clip_l, "clip_g": clip_l, "t5": t5xxl}), guidance=guidance),),)


_SIZE = whole(0, MAX_SCALED, default=1024)


@node_class(
    "CLIPTextEncodeSDXL",
    {
        "clip": link("CLIP"), "width": _SIZE, "height": _SIZE, "crop_w": _PIXELS, "crop_h": _PIXELS,
        "target_width": _SIZE, "target_height": _SIZE, "text_g": _TEXT, "text_l": _TEXT,
    },
    _OUT,
)  # fmt: skip
def text_encode_sdxl(run: Runtime, clip: ClipHandle, text_g: str, text_l: str, **sizes: float) -> tuple[Conditionings]:
    """One text for each of SDXL's encoders, and the sizes that its model is told."""
    return ((replace(run.encode(clip, {"clip_l": text_l, "clip_g": text_g, "t5": text_g}), sizes=sizes),),)


@node_class(
    "CLIPTextEncodeSDXLRefiner",
    {"ascore": real(0, 1000, default=6.0), "width": _SIZE, "height": _SIZE, "text": _TEXT, "clip": link("CLIP")},
    _OUT,
)
def text_encode_refiner(run: Runtime, clip: ClipHandle, text: str, **sizes: float) -> tuple[Conditionings]:
    """A prompt for SDXL's refiner, with the aesthetic score and the size that it is told."""
    return ((replace(run.encode(clip, text), sizes=sizes),),)


@node_class(
    "CLIPTextEncodeSD3",
    {
        "clip": link("CLIP"), "clip_l": _TEXT, "clip_g": _TEXT, "t5xxl": _TEXT,
        "empty_padding": choice("none", "empty_prompt", default="none"),
    },
    _OUT,
)  # fmt: skip
def text_encode_sd3(
    run: Runtime, clip: ClipHandle, clip_l: str, clip_g: str, t5xxl: str, empty_padding: str
) -> tuple[Conditionings]:
    """One text for each of SD3's encoders; an empty one is no text, or with ``empty_prompt`` the empty prompt."""
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5": t5xxl}
    none = empty_padding == "none" and not run.rules.is_before
    return ((run.encode(clip, {role: text or (None if none else "") for role, text in texts.items()}),),)


@node_class("ConditioningZeroOut", {"conditioning": _CONDITIONING}, _OUT)
def _zero_out(run: Runtime, conditioning: Conditionings) -> tuple[Conditionings]:
    """Text and pooled vector set to zero."""
    return _each(conditioning, run.zero_out)


@node_class("FluxGuidance", {"conditioning": _CONDITIONING, "guidance": real(0, 100, default=3.5)}, _OUT)
def flux_guidance(run: Runtime, conditioning: Conditionings, guidance: float) -> tuple[Conditionings]:
    """The distilled guidance of a conditioning."""
    return _each(conditioning, lambda one: replace(one, guidance=guidance))


@node_class("ConditioningCombine", {"conditioning_1": _CONDITIONING, "conditioning_2": _CONDITIONING}, _OUT)
def combine(run: Runtime, conditioning_1: Conditionings, conditioning_2: Conditionings) -> tuple[Conditionings]:
    """Both side by side: each gets its own prediction, and the predictions are averaged."""
    return ((*conditioning_1, *conditioning_2),)


@node_class("ConditioningConcat", {"conditioning_to": _CONDITIONING, "conditioning_from": _CONDITIONING}, _OUT)
def concat(run: Runtime, conditioning_to: Conditionings, conditioning_from: Conditionings) -> tuple[Conditionings]:
    """The second text after the first in one sequence; the pooled vector stays the first one's."""
    import torch

    after = conditioning_from[0].embeds
    if len(conditioning_from) > 1:
        run.note("ConditioningConcat: only the first of several conditionings is added")
    if any(one.embeds.shape[-1] != after.shape[-1] for one in conditioning_to):
        raise BadInput("these conditionings come from different models", "encode both with one CLIP")
    return _each(conditioning_to, lambda one: replace(one, embeds=torch.cat([one.embeds, after], dim=1)))


@node_class(
    "ConditioningAverage",
    {
        "conditioning_to": _CONDITIONING, "conditioning_from": _CONDITIONING,
        "conditioning_to_strength": real(0, 1, default=1.0),
    },
    _OUT,
)  # fmt: skip
def average(
    run: Runtime, conditioning_to: Conditionings, conditioning_from: Conditionings, conditioning_to_strength: float
) -> tuple[Conditionings]:
    """A mix of two texts, their pooled vectors included; the shorter one is continued with zeros."""
    import torch

    other, share = conditioning_from[0], conditioning_to_strength

    def mix(one: Conditioning) -> Conditioning:
        missing = one.embeds.shape[1] - other.embeds.shape[1]
        against = torch.nn.functional.pad(other.embeds, (0, 0, 0, max(missing, 0)))[:, : one.embeds.shape[1]]
        pooled: Any = one.pooled
        if pooled is not None and other.pooled is not None:
            pooled = share * pooled + (1 - share) * other.pooled
        return replace(one, embeds=share * one.embeds + (1 - share) * against, pooled=pooled)

    return _each(conditioning_to, mix)


@node_class(
    "ConditioningSetArea",
    {
        "conditioning": _CONDITIONING, "width": whole(8, MAX_SCALED, default=64),
        "height": whole(8, MAX_SCALED, default=64), "x": _PIXELS, "y": _PIXELS, "strength": _STRENGTH,
    },
    _OUT,
)  # fmt: skip
def set_area(
    run: Runtime, conditioning: Conditionings, width: int, height: int, x: int, y: int, strength: float
) -> tuple[Conditionings]:
    """Draw a conditioning in a box, in pixels."""
    area = Area(y, x, height, width, fractions=False)
    return _each(conditioning, lambda one: replace(one, area=area, strength=strength))


@node_class(
    "ConditioningSetAreaPercentage",
    {
        "conditioning": _CONDITIONING, "width": real(0, 1, default=1.0), "height": real(0, 1, default=1.0), "x": _SHARE,
        "y": _SHARE, "strength": _STRENGTH,
    },
    _OUT,
)  # fmt: skip
def set_area_percentage(
    run: Runtime, conditioning: Conditionings, width: float, height: float, x: float, y: float, strength: float
) -> tuple[Conditionings]:
    """Draw a conditioning in a box, in shares of the canvas."""
    area = Area(y, x, height, width, fractions=True)
    return _each(conditioning, lambda one: replace(one, area=area, strength=strength))


@node_class("ConditioningSetAreaStrength", {"conditioning": _CONDITIONING, "strength": _STRENGTH}, _OUT)
def set_area_strength(run: Runtime, conditioning: Conditionings, strength: float) -> tuple[Conditionings]:
    """How much a conditioning counts where several overlap."""
    return _each(conditioning, lambda one: replace(one, strength=strength))


@node_class(
    "ConditioningSetMask",
    {
        "conditioning": _CONDITIONING, "mask": link("MASK"), "strength": _STRENGTH,
        "set_cond_area": choice("default", "mask bounds", default="default"),
    },
    _OUT,
)  # fmt: skip
def set_mask(
    run: Runtime, conditioning: Conditionings, mask: Masks, strength: float, set_cond_area: str
) -> tuple[Conditionings]:
    """Let a conditioning count under a mask, over the whole canvas or in the box around the mask."""
    bounds = set_cond_area != "default"
    return _each(conditioning, lambda one: replace(one, mask=mask * strength, mask_bounds=bounds))


@node_class(
    "ConditioningSetTimestepRange",
    {"conditioning": _CONDITIONING, "start": _SHARE, "end": real(0, 1, default=1.0)},
    _OUT,
)
def set_range(run: Runtime, conditioning: Conditionings, start: float, end: float) -> tuple[Conditionings]:
    """Let a conditioning count only from ``start`` to ``end`` of the way from noise to picture."""
    return _each(conditioning, lambda one: replace(one, start=start, end=end))
