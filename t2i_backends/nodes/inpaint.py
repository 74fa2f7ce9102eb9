"""Nodes that say what of a picture is drawn anew: masks on latents, and what inpainting models are told besides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagewright.t2i_backends.nodes.latents import latent_of
from imagewright.t2i_backends.nodes.registry import node_class
from imagewright.t2i_backends.values.handles import Conditionings, Fill, Images, Latent, Masks, VaeHandle
from imagewright.t2i_backends.values.node_inputs import link, truth, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime
    from imagewright.t2i_backends.pictures.pixels import Pixels

SAME_SHAPE = 0.02
"""How far the shapes of a mask and its picture may differ before the trace says so."""
_CONDITIONING, _MASK = link("CONDITIONING"), link("MASK")


@node_class("SetLatentNoiseMask", {"samples": link("LATENT"), "mask": _MASK}, ("LATENT",))
def set_noise_mask(run: Runtime, samples: Latent, mask: Masks) -> tuple[Latent]:
    """What of the latents is drawn anew."""
    _tell_stretched(run, mask, (samples.width, samples.height))
    return (replace(samples, mask=mask),)


@node_class(
    "VAEEncodeForInpaint",
    {"pixels": link("IMAGE"), "vae": link("VAE"), "mask": _MASK, "grow_mask_by": whole(0, 64, default=6)},
    ("LATENT",),
)
def vae_encode_for_inpaint(
    run: Runtime, pixels: Images, vae: VaeHandle, mask: Masks, grow_mask_by: int
) -> tuple[Latent]:
    """A picture to latents with what lies under the mask greyed out; the mask, grown, says what to draw anew."""
    from imagewright.t2i_backends.pictures.pixels import grow

    hidden, fitted = _greyed(run, pixels, mask)
    return (replace(latent_of(run, hidden, vae), mask=grow(_cut(run, fitted, vae), grow_mask_by)),)


@node_class(
    "InpaintModelConditioning",
    {
        "positive": _CONDITIONING, "negative": _CONDITIONING, "vae": link("VAE"), "pixels": link("IMAGE"),
        "mask": _MASK, "noise_mask": truth(default=True),
    },
    ("CONDITIONING", "CONDITIONING", "LATENT"),
)  # fmt: skip
def inpaint_model_conditioning(
    run: Runtime, positive: Conditionings, negative: Conditionings, vae: VaeHandle, pixels: Images, mask: Masks,
    noise_mask: bool,
) -> tuple[Conditionings, Conditionings, Latent]:  # fmt: skip
    """What an inpainting model is told beside its text, and the picture; ``noise_mask`` keeps what is no hole."""
    hidden, fitted = _greyed(run, pixels, mask)
    fitted = _cut(run, fitted, vae)
    fill = Fill(run.encode_pictures(hidden, vae), fitted)
    latent = latent_of(run, pixels, vae)
    return (
        tuple(replace(one, fill=fill) for one in positive),
        tuple(replace(one, fill=fill) for one in negative),
        replace(latent, mask=fitted) if noise_mask else latent,
    )


def _tell_stretched(run: Runtime, mask: Masks, size: tuple[int, int]) -> None:
    """A mask of another shape is stretched over the picture, as in ComfyUI; the trace says so."""
    height, width = mask.shape[1:]
    if abs(width * size[1] / (height * size[0]) - 1) > SAME_SHAPE:
        run.note(f"the mask of {width} x {height} pixels was stretched over a picture of {size[0]} x {size[1]}")


def _cut(run: Runtime, mask: Masks, vae: VaeHandle) -> Masks:
    """A mask cut as its picture is on its way through the VAE; by the first rules it was not."""
    from imagewright.t2i_backends.pictures.pixels import cut_mask

    return mask if run.rules.is_before else cut_mask(mask, run.load_vae(vae).scale)


def _greyed(run: Runtime, pixels: Images, mask: Masks) -> tuple[tuple[Pixels, ...], Masks]:
    """The pictures with grey under the mask, and the mask at their size."""
    from imagewright.t2i_backends.pictures.pixels import grey_out, resize_mask

    _tell_stretched(run, mask, pixels[0].size)
    fitted = resize_mask(mask, *pixels[0].size)
    return tuple(grey_out(one, fitted[i % len(fitted)]) for i, one in enumerate(pixels)), fitted
