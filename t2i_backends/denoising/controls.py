"""ControlNets on the way to the model: the control picture at the right size, as pixels or latents, for each family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising.denoise import LatentCells, TimedHint
from imagewright.t2i_backends.families.base import Hint, Net
from imagewright.t2i_backends.models.control_fit import describe_odd_config
from imagewright.t2i_backends.models.header_file import refuse_file
from imagewright.t2i_backends.pictures import pixels
from imagewright.t2i_backends.values.handles import Control, Images, Shape
from imagewright.t2i_backends.values.noise_levels import Table

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime


def hints(
    run: Runtime, net: Net, table: Table, shape: Shape, area: LatentCells | None, controls: Sequence[Control]
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


def _hint(run: Runtime, net: Net, shape: Shape, area: LatentCells | None, control: Control) -> Hint:
    model = run.store.control(control.net)
    if type(model).__name__ != net.family.control_class:
        name = control.net.source.path.name
        raise BadInput(f"the ControlNet {name!r} is not one for {net.family.title}", "use one of the same base model")
    if said := describe_odd_config(model.config, net.model.config):
        raise refuse_file(f"the ControlNet {control.net.source.path.name!r}", said)
    size = (shape[3] * net.scale, shape[2] * net.scale)
    images = tuple(_fit(image.convert("RGB"), size, run.rules.scales_by_pillow) for image in control.images)
    return net.family.hint(model, control, _Picture(run, net, shape[0], area, control, images))


def _fit(image: Image.Image, size: tuple[int, int], stretched: bool) -> Image.Image:
    """A control picture at the size of the canvas: the middle of it in that shape, without a filter, as in ComfyUI;
    ``stretched``, by the earlier rules."""
    if stretched:
        return image.resize(size, Image.Resampling.BICUBIC)
    return pixels.scale_image(image, *size, "nearest-exact", centred=True)


@dataclass(frozen=True)
class _Picture:
    """The picture of a ControlNet, as a family asks for it."""

    run: Runtime
    net: Net
    batch: int
    area: LatentCells | None
    control: Control
    images: Images

    def pixels(self, low: float, high: float) -> torch.Tensor:
        """``(batch, 3, height, width)``, black at ``low`` and white at ``high``."""
        found = _pixels(self.run, self.net, self.images, low, high)
        return pixels.repeat(_cut(found, self.area, self.net.scale), self.batch)

    def latents(self, without_shift: bool = False) -> torch.Tensor:
        """``(batch, C, rows, columns)``, scaled as the model's latents are."""
        found = _latents(self.run, self.net, self.images, self.control, without_shift)
        return pixels.repeat(_cut(found, self.area, 1), self.batch)


def _cut(image: torch.Tensor, area: LatentCells | None, scale: int) -> torch.Tensor:
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
