"""Nodes that put pictures or latents together into a batch, repeat them, and take some out of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput
from imagewright.t2i_backends.nodes.registry import MAX_BATCH, node_class
from imagewright.t2i_backends.values.handles import Images, Latent, Masks
from imagewright.t2i_backends.values.node_inputs import link, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

_LATENT, _IMAGE = link("LATENT"), link("IMAGE")
_FIRST, _MANY = whole(0, 4095, default=0), whole(1, 4096, default=1)


@node_class("RepeatLatentBatch", {"samples": _LATENT, "amount": whole(1, 64, default=1)}, ("LATENT",))
def repeat_latent_batch(run: Runtime, samples: Latent, amount: int) -> tuple[Latent]:
    """The latents several times over; each copy gets noise of its own."""
    _bound(samples.batch * amount)
    repeated: Any = None if samples.samples is None else samples.samples.repeat(amount, 1, 1, 1)
    apart = max(samples.places, default=0) - min(samples.places, default=0) + 1
    places = tuple(place + copy * apart for copy in range(amount) for place in samples.places)
    mask = _mask_of_each(samples)
    if mask is not None and len(mask) > 1:
        mask = _tiled(mask, samples.batch * amount)
    return (replace(samples, samples=repeated, batch=samples.batch * amount, mask=mask, places=places),)


@node_class(
    "LatentFromBatch",
    {"samples": _LATENT, "batch_index": whole(0, 63, default=0), "length": whole(1, 64, default=1)},
    ("LATENT",),
)
def latent_from_batch(run: Runtime, samples: Latent, batch_index: int, length: int) -> tuple[Latent]:
    """Some latents of a batch, which keep the noise of their places there; a place past the end means the last."""
    first = min(batch_index, samples.batch - 1)
    part = slice(first, min(first + length, samples.batch))
    places = (samples.places or tuple(range(samples.batch)))[part]
    mask = _mask_of_each(samples)
    if mask is not None and len(mask) > 1:
        mask = mask[part]
    taken = None if samples.samples is None else samples.samples[part]
    return (replace(samples, samples=taken, batch=len(places), mask=mask, places=places),)


@node_class("LatentBatch", {"samples1": _LATENT, "samples2": _LATENT}, ("LATENT",))
def latent_batch(run: Runtime, samples1: Latent, samples2: Latent) -> tuple[Latent]:
    """The second latents after the first, at the first ones' size; both count their places from their own start."""
    import torch

    from imagewright.t2i_backends.nodes.latents import scale_latent

    _bound(samples1.batch + samples2.batch)
    if (samples1.samples is None) != (samples2.samples is None):
        raise BadInput("a LatentBatch gets an empty canvas beside drawn latents", "draw both, or encode a picture")
    places = tuple(place for one in (samples1, samples2) for place in one.places or range(one.batch))
    joined = None
    if samples1.samples is not None:
        second: Any = scale_latent(samples2, samples1.width, samples1.height, "bilinear", True).samples
        if second.shape[1:] != samples1.samples.shape[1:]:
            raise BadInput("a LatentBatch gets latents of two models", "use one VAE for both")
        joined = torch.cat([samples1.samples, second])
    return (replace(samples1, samples=joined, batch=len(places), places=places),)


def _mask_of_each(latent: Latent) -> Masks:
    """One mask for all latents of a batch, or one for each; None for none."""
    mask = latent.mask
    return mask if mask is None or len(mask) == 1 else _tiled(mask, latent.batch)


def _tiled(mask: Masks, count: int) -> Masks:
    import numpy as np

    return np.resize(mask, (count, *mask.shape[1:]))


@node_class("ImageBatch", {"image1": _IMAGE, "image2": _IMAGE}, ("IMAGE",))
def image_batch(run: Runtime, image1: Images, image2: Images) -> tuple[Images]:
    """The second pictures after the first, at the first ones' size."""
    from imagewright.t2i_backends.pictures.pixels import scale_image

    _bound(len(image1) + len(image2))
    size, by_pillow = image1[0].size, run.rules.scales_by_pillow
    fitted = (one if one.size == size else scale_image(one, *size, "bilinear", True, by_pillow) for one in image2)
    return ((*image1, *fitted),)


@node_class("RepeatImageBatch", {"image": _IMAGE, "amount": _MANY}, ("IMAGE",))
def repeat_image_batch(run: Runtime, image: Images, amount: int) -> tuple[Images]:
    """The pictures several times over."""
    _bound(len(image) * amount)
    return (image * amount,)


@node_class("ImageFromBatch", {"image": _IMAGE, "batch_index": _FIRST, "length": _MANY}, ("IMAGE",))
def image_from_batch(run: Runtime, image: Images, batch_index: int, length: int) -> tuple[Images]:
    """Some pictures of a batch; a place past the end means the last."""
    first = min(batch_index, len(image) - 1)
    return (image[first : first + length],)


def _bound(count: int) -> None:
    if count > MAX_BATCH:
        raise BadInput(f"a batch of {count} is not made", f"use at most {MAX_BATCH}")
