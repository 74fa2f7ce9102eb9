"""ControlNets on the way to the model: the control picture at the right size, as pixels or latents, for each family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising.denoise import Cells, TimedHint
from imagewright.t2i_backends.families.base import Hint, Net
from imagewright.t2i_backends.families.flux import FluxHint
from imagewright.t2i_backends.families.sd3 import SD3Hint
from imagewright.t2i_backends.families.unet import UNetHint
from imagewright.t2i_backends.pictures import pixels
from imagewright.t2i_backends.values.handles import Control, Images, Shape
from imagewright.t2i_backends.values.noise_levels import Table

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime


def hints(
    run: Runtime, net: Net, table: Table, shape: Shape, area: Cells | None, controls: Sequence[Control]
) -> tuple[TimedHint, ...]:
    """The ControlNets of one conditioning; its area, where it has one, sees its part of the picture.

    Raises:
        BadInput: a ControlNet belongs to another family.
    """
    return tuple(
        TimedHint(_hint(run, net, shape, area, control), table.at(control.start), table.at(control.end))
        for control in controls
        if control.strength
    )


def _hint(run: Runtime, net: Net, shape: Shape, area: Cells | None, control: Control) -> Hint:
    model = run.store.control(control.net)
    if type(model).__name__ != net.facts.control_class:
        name = control.net.source.path.name
        raise BadInput(f"the ControlNet {name!r} is not one for {net.facts.title}", "use one of the same base model")
    size = (shape[3] * net.scale, shape[2] * net.scale)
    images = tuple(image.convert("RGB").resize(size, Image.Resampling.BICUBIC) for image in control.images)

    def seen(values: torch.Tensor, scale: int = 1) -> torch.Tensor:
        return pixels.repeat(_cut(values, area, scale), shape[0])

    if net.facts.control_class == "ControlNetModel":
        return UNetHint(model, seen(_pixels(run, net, images, 0, 1), net.scale), control.strength)
    if net.facts.name == "flux":
        if model.input_hint_block is not None:
            return FluxHint(model, seen(_pixels(run, net, images, -1, 1), net.scale), control.strength)
        return FluxHint(model, seen(_latents(run, net, images, control)), control.strength, control.net.mode)
    raw = bool(model.config.force_zeros_for_pooled_projection)
    return SD3Hint(model, seen(_latents(run, net, images, control, raw)), control.strength)


def _cut(image: torch.Tensor, area: Cells | None, scale: int) -> torch.Tensor:
    if area is None:
        return image
    rows, columns, top, left = (side * scale for side in area)
    return image[:, :, top : top + rows, left : left + columns]


def _pixels(run: Runtime, net: Net, images: Images, low: float, high: float) -> torch.Tensor:
    values = torch.cat([pixels.to_tensor(image) for image in images])
    return (values * (high - low) + low).to(run.store.device, net.dtype)


def _latents(run: Runtime, net: Net, images: Images, control: Control, without_shift: bool = False) -> torch.Tensor:
    """The pictures through the VAE, scaled as the model's latents are; some ControlNets leave the shift out."""
    handle = control.vae or run.vae
    if handle is None:
        raise BadInput("this ControlNet needs the model's VAE", "link a VAE to the ControlNetApplyAdvanced node")
    found = run.encode_pictures(images, handle)
    if without_shift:
        vae = run.load_vae(handle)
        found = found + (vae.model.config.shift_factor or 0.0) * vae.model.config.scaling_factor
    return found.to(run.store.device, net.dtype)
