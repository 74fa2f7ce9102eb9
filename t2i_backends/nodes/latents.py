"""Nodes that make latents, change them, and turn them into pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput
from imagewright.t2i_backends.nodes.registry import MAX_BATCH, MAX_SCALED, MAX_SIDE, node_class
from imagewright.t2i_backends.values.handles import Images, Latent, VaeHandle
from imagewright.t2i_backends.values.node_inputs import choice, link, real, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagewright.t2i_backends.nodes.runtime import Runtime
    from imagewright.t2i_backends.pictures.pixels import Pixels

_EMPTY = {"width": whole(16, MAX_SIDE), "height": whole(16, MAX_SIDE), "batch_size": whole(1, MAX_BATCH, default=1)}
_METHODS = choice("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
_CROP = choice("disabled", "center", default="disabled")
_LATENT = ("LATENT",)


@node_class("EmptySD3LatentImage", _EMPTY, _LATENT)
@node_class("EmptyLatentImage", _EMPTY, _LATENT)
def empty_latent(run: Runtime, width: int, height: int, batch_size: int) -> tuple[Latent]:
    """An empty canvas, or several; the channels and cells are the model's."""
    return (Latent(width, height, batch=batch_size),)


@node_class("VAEDecode", {"samples": link("LATENT"), "vae": link("VAE")}, ("IMAGE",))
def vae_decode(run: Runtime, samples: Latent, vae: VaeHandle) -> tuple[Images]:
    """Latents to a picture."""
    return (run.decode(_full(samples, "VAEDecode"), vae),)


@node_class(
    "VAEDecodeTiled",
    {
        "samples": link("LATENT"), "vae": link("VAE"), "tile_size": whole(64, 4096, default=512),
        "overlap": whole(0, 4096, default=64), "temporal_size": whole(8, 4096, default=64),
        "temporal_overlap": whole(4, 4096, default=8),
    },
    ("IMAGE",),
)  # fmt: skip
def vae_decode_tiled(
    run: Runtime, samples: Latent, vae: VaeHandle, tile_size: int, overlap: int, **frames: int
) -> tuple[Images]:
    """Latents to a picture, tile by tile, for less memory; what is said of frames is for films alone."""
    latents = _full(samples, "VAEDecodeTiled")
    if not run.rules.scales_by_pillow:
        return (run.decode(latents, vae, (tile_size, overlap)),)
    model = run.load_vae(vae).model
    model.enable_tiling()
    try:
        return (run.decode(latents, vae),)
    finally:
        model.disable_tiling()


def _full(latent: Latent, where: str) -> Latent:
    if latent.samples is None:
        raise BadInput(f"a {where} gets an empty latent", "put a KSampler before it")
    return latent


@node_class("VAEEncode", {"pixels": link("IMAGE"), "vae": link("VAE")}, _LATENT)
def vae_encode(run: Runtime, pixels: Images, vae: VaeHandle) -> tuple[Latent]:
    """A picture to latents."""
    return (latent_of(run, pixels, vae),)


def latent_of(run: Runtime, images: Sequence[Pixels], vae: VaeHandle) -> Latent:
    """Pictures to latents."""
    samples = run.encode_pictures(images, vae)
    scale = run.load_vae(vae).scale
    return Latent(samples.shape[3] * scale, samples.shape[2] * scale, samples, len(images))


@node_class(
    "LatentUpscale",
    {
        "samples": link("LATENT"), "upscale_method": _METHODS, "width": whole(0, MAX_SIDE),
        "height": whole(0, MAX_SIDE), "crop": _CROP,
    },
    _LATENT,
)  # fmt: skip
def latent_upscale(
    run: Runtime, samples: Latent, upscale_method: str, width: int, height: int, crop: str
) -> tuple[Latent]:
    """Latents at another size in pixels; 0 for a side keeps the shape, 0 for both changes nothing."""
    if not width and not height:
        return (samples,)
    wide = width or round(samples.width * height / samples.height)
    tall = height or round(samples.height * width / samples.width)
    return (scale_latent(samples, wide, tall, upscale_method, crop == "center"),)


@node_class(
    "LatentUpscaleBy",
    {"samples": link("LATENT"), "upscale_method": _METHODS, "scale_by": real(0.01, 8, default=1.5)},
    _LATENT,
)
def latent_upscale_by(run: Runtime, samples: Latent, upscale_method: str, scale_by: float) -> tuple[Latent]:
    """Latents at a multiple of their size."""
    width, height = round(samples.width * scale_by), round(samples.height * scale_by)
    return (scale_latent(samples, width, height, upscale_method, False),)


def scale_latent(latent: Latent, width: int, height: int, method: str, centred: bool) -> Latent:
    """Latents at another size in pixels; ``centred`` first cuts them to the new shape around their middle."""
    from imagewright.t2i_backends.pictures.pixels import scale_latents

    if max(width, height) > MAX_SCALED or min(width, height) < 1:
        raise BadInput(f"{width} x {height} pixels cannot be drawn", f"use sides from 16 to {MAX_SCALED}")
    if latent.samples is None:
        return replace(latent, width=max(width // 16 * 16, 16), height=max(height // 16 * 16, 16))
    samples: Any = latent.samples
    scale = latent.width // samples.shape[3]
    rows, columns = max(round(height / scale), 1), max(round(width / scale), 1)
    if centred:
        samples = _centre(samples, rows, columns)
    return replace(
        latent, width=columns * scale, height=rows * scale, samples=scale_latents(samples, rows, columns, method)
    )


def _centre(samples: Any, rows: int, columns: int) -> Any:
    """The middle of the latents, in the shape of ``rows`` by ``columns``."""
    old, new = samples.shape[3] / samples.shape[2], columns / rows
    x = round((samples.shape[3] - samples.shape[3] * (new / old)) / 2) if old > new else 0
    y = round((samples.shape[2] - samples.shape[2] * (old / new)) / 2) if old < new else 0
    return samples[:, :, y : samples.shape[2] - y, x : samples.shape[3] - x]
