"""Nodes that read, scale and hand over pictures and masks. IMAGE holds RGB pictures of one size, MASK float32
in [0, 1]; what a node does to one picture it does to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.t2i_backends.nodes.registry import MAX_SCALED, node_class
from imagewright.t2i_backends.values.handles import Images, Masks, UpscalerHandle
from imagewright.t2i_backends.values.node_inputs import Input, choice, link, model_file, real, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

_METHODS = choice("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
_CROP = choice("disabled", "center", default="disabled")
_SIDE = whole(0, MAX_SCALED)
_PICTURE = model_file("input")


@node_class("SaveImage", {"images": link("IMAGE"), "filename_prefix": Input("text", default="")}, ("IMAGE",))
def save_image(run: Runtime, images: Images, filename_prefix: str) -> tuple[Images]:
    """The result of the flow; nothing is written."""
    return (images,)


@node_class(
    "SaveImageAdvanced",
    {
        "images": link("IMAGE"), "filename_prefix": Input("text", default=""),
        "format": choice("png", "exr", default="png"),
        "format.bit_depth": choice("8-bit", "16-bit", "32-bit float", default="8-bit"),
        "format.input_color_space": choice("sRGB", "HDR", "linear", default="sRGB"),
    },
    ("IMAGE",),
)  # fmt: skip
def save_image_advanced(run: Runtime, images: Images, filename_prefix: str, **format: str) -> tuple[Images]:
    """The result of the flow; nothing is written, and what is delivered is a PNG of 8 bits."""
    said = [value for name, value in format.items() if value not in ("png", "8-bit", "sRGB")]
    if said:
        run.note(f"SaveImageAdvanced asks for {', '.join(said)}: the picture is delivered as a PNG of 8 bits, sRGB")
    return (images,)


@node_class("PreviewImage", {"images": link("IMAGE")}, ("IMAGE",))
def preview_image(run: Runtime, images: Images) -> tuple[Images]:
    """The result of a flow that saves nothing."""
    return (images,)


@node_class("LoadImage", {"image": _PICTURE}, ("IMAGE", "MASK"))
def load_image(run: Runtime, image: str) -> tuple[Images, Masks]:
    """A picture from the input folder, and a mask of what is transparent in it (all 0 where nothing is)."""
    from imagewright.t2i_backends.pictures.inputs import channel

    found = run.read_input(image)
    return (found.convert("RGB"),), channel(found, "alpha")


@node_class("LoadImageMask", {"image": _PICTURE, "channel": choice("alpha", "red", "green", "blue")}, ("MASK",))
def load_image_mask(run: Runtime, image: str, channel: str) -> tuple[Masks]:
    """One channel of a picture from the input folder as a mask; what is transparent counts as 1."""
    from imagewright.t2i_backends.pictures import inputs as pictures

    return (pictures.channel(run.read_input(image), channel),)


@node_class("InvertMask", {"mask": link("MASK")}, ("MASK",))
def invert_mask(run: Runtime, mask: Masks) -> tuple[Masks]:
    """What was 1 becomes 0."""
    return (1 - mask,)


@node_class("ImageInvert", {"image": link("IMAGE")}, ("IMAGE",))
def image_invert(run: Runtime, image: Images) -> tuple[Images]:
    """The negative of a picture."""
    from PIL import ImageOps

    return (tuple(ImageOps.invert(one) for one in image),)


@node_class("ImageToMask", {"image": link("IMAGE"), "channel": choice("red", "green", "blue")}, ("MASK",))
def image_to_mask(run: Runtime, image: Images, channel: str) -> tuple[Masks]:
    """One channel of a picture as a mask."""
    import numpy as np

    from imagewright.t2i_backends.pictures import inputs as pictures

    return (np.concatenate([pictures.channel(one, channel) for one in image]),)


@node_class(
    "ImageScale",
    {"image": link("IMAGE"), "upscale_method": _METHODS, "width": _SIDE, "height": _SIDE, "crop": _CROP},
    ("IMAGE",),
)
def image_scale(run: Runtime, image: Images, upscale_method: str, width: int, height: int, crop: str) -> tuple[Images]:
    """A picture at another size; 0 for a side keeps the shape, 0 for both changes nothing."""
    if not width and not height:
        return (image,)
    across, down = image[0].size
    wide, tall = width or max(round(across * height / down), 1), height or max(round(down * width / across), 1)
    return (_scaled(run, image, wide, tall, upscale_method, crop == "center"),)


@node_class(
    "ImageScaleBy",
    {"image": link("IMAGE"), "upscale_method": _METHODS, "scale_by": real(0.01, 8, default=1.0)},
    ("IMAGE",),
)
def image_scale_by(run: Runtime, image: Images, upscale_method: str, scale_by: float) -> tuple[Images]:
    """A picture at a multiple of its size."""
    width, height = (round(side * scale_by) for side in image[0].size)
    return (_scaled(run, image, width, height, upscale_method, False),)


@node_class(
    "ImageScaleToTotalPixels",
    {
        "image": link("IMAGE"), "upscale_method": _METHODS, "megapixels": real(0.01, 16, default=1.0),
        "resolution_steps": whole(1, 256, default=1),
    },
    ("IMAGE",),
)  # fmt: skip
def image_scale_to_pixels(
    run: Runtime, image: Images, upscale_method: str, megapixels: float, resolution_steps: int
) -> tuple[Images]:
    """A picture with so many megapixels (of 1024 x 1024) and the same shape."""
    factor = (megapixels * 1024 * 1024 / (image[0].width * image[0].height)) ** 0.5
    width, height = (max(round(s * factor / resolution_steps), 1) * resolution_steps for s in image[0].size)
    return (_scaled(run, image, width, height, upscale_method, False),)


def _scaled(run: Runtime, images: Images, width: int, height: int, method: str, centred: bool) -> Images:
    from imagewright.t2i_backends.pictures.pixels import scale_image

    if max(width, height) > MAX_SCALED or min(width, height) < 1:
        raise BadInput(f"a picture of {width} x {height} pixels is not made", f"use sides from 1 to {MAX_SCALED}")
    by_pillow = run.rules.scales_by_pillow
    return tuple(scale_image(one, width, height, method, centred, by_pillow) for one in images)


@node_class("UpscaleModelLoader", {"model_name": model_file("upscale_models")}, ("UPSCALE_MODEL",), loads=True)
def upscale_model_loader(run: Runtime, model_name: str) -> tuple[UpscalerHandle]:
    """An upscaling network."""
    return (UpscalerHandle(run.find("upscale_models", model_name)),)


@node_class("ImageUpscaleWithModel", {"upscale_model": link("UPSCALE_MODEL"), "image": link("IMAGE")}, ("IMAGE",))
def image_upscale_with_model(run: Runtime, upscale_model: UpscalerHandle, image: Images) -> tuple[Images]:
    """A picture through an upscaling network, tile by tile where it is large."""
    from imagewright.t2i_backends.pictures.upscale import upscale

    model = run.store.upscaler(upscale_model)
    return (tuple(upscale(model, one, run.store.device) for one in image),)
