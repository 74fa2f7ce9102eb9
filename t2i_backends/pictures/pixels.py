"""Pictures and masks: to and from tensors, through a VAE, to other sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

Mask = npt.NDArray[np.float32]
"""``(count, height, width)`` in [0, 1]."""
Pixels = Image.Image | torch.Tensor
"""RGB in 8 bits, or float32 ``(1, 3, h, w)`` in [0, 1] where 8 bits are too coarse."""

PIL_METHODS = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Vae:
    """A loaded autoencoder."""

    model: Any
    scale: int
    """Pixels per latent cell."""

    @property
    def channels(self) -> int:
        """Latent channels."""
        return int(self.model.config.latent_channels)


def to_tensor(image: Pixels) -> torch.Tensor:
    """A picture as float32 ``(1, 3, h, w)`` in [0, 1]."""
    if isinstance(image, torch.Tensor):
        return image
    values = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1)[None]


def to_image(values: torch.Tensor) -> Image.Image:
    """``(1, 3, h, w)`` in [0, 1] as a picture; values outside are cut."""
    array = values[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray((array * 255).round().astype(np.uint8))


@torch.inference_mode()
def decode(vae: Vae, latents: torch.Tensor) -> Image.Image:
    """Latents ``(1, C, h, w)`` to a picture, as the stock pipelines end. Of a batch the first is decoded."""
    return to_image(decode_values(vae, latents[:1]) / 2 + 0.5)


def decode_values(vae: Vae, latents: torch.Tensor) -> torch.Tensor:
    """Latents ``(count, C, h, w)`` to pictures ``(count, 3, H, W)`` in about [-1, 1]."""
    config = vae.model.config
    values = latents.to(vae.model.device, torch.float32) / config.scaling_factor + (config.shift_factor or 0.0)
    found: torch.Tensor = vae.model.decode(values.to(vae.model.dtype), return_dict=False)[0]
    return found


@torch.inference_mode()
def encode_picture(vae: Vae, image: Pixels, before: bool = False) -> torch.Tensor:
    """A picture to scaled latents ``(1, C, h, w)``, float32 on the CPU: the mean of the VAE's posterior.

    The picture is cut to whole latent cells as ``cut_cells`` does; ``before``, by the first rules, at the right and the
    bottom.
    """
    config = vae.model.config
    values = to_tensor(image) * 2 - 1
    values = cut_cells(values, vae.scale, before)
    found = vae.model.encode(values.to(vae.model.device, vae.model.dtype))
    latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
    scaled: torch.Tensor = (latents.float().cpu() - (config.shift_factor or 0.0)) * config.scaling_factor
    return scaled


def cut_cells(values: torch.Tensor, scale: int, before: bool = False) -> torch.Tensor:
    """The middle of ``(…, height, width)`` in whole cells of ``scale`` pixels, as ComfyUI cuts; what is odd goes at the
    right and the bottom, and ``before``, by the first rules, everything."""
    height, width = values.shape[-2:]
    top, left = (0, 0) if before else ((side % scale) // 2 for side in (height, width))
    return values[..., top : top + height // scale * scale, left : left + width // scale * scale]


def repeat(values: torch.Tensor, count: int) -> torch.Tensor:
    """``values`` with ``count`` entries along the first axis: cut, or from the start again, as ComfyUI does it."""
    times = -(-count // values.shape[0])
    return values.repeat(times, *[1] * (values.dim() - 1))[:count] if times > 1 else values[:count]


def scale_image(
    image: Image.Image, width: int, height: int, method: str, centred: bool = False, by_pillow: bool = False
) -> Image.Image:
    """``image`` at another size; ``centred`` first cuts it to the new shape around its middle.

    Smaller pictures are sampled without a filter, as ComfyUI does it, but by ``lanczos`` and, by the earlier rules,
    ``by_pillow``.
    """
    if centred:
        image = image.crop(_centre(image.size, width, height))
    if method == "lanczos" or by_pillow:
        return image.resize((width, height), PIL_METHODS[method])
    return to_image(torch.nn.functional.interpolate(to_tensor(image), size=(height, width), mode=method))


def _centre(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    old, new = size[0] / size[1], width / height
    cut_x = round((size[0] - size[0] * (new / old)) / 2) if old > new else 0
    cut_y = round((size[1] - size[1] * (old / new)) / 2) if old < new else 0
    return cut_x, cut_y, size[0] - cut_x, size[1] - cut_y


def scale_latents(latents: torch.Tensor, rows: int, columns: int, method: str) -> torch.Tensor:
    """Latents ``(1, C, h, w)`` at another size."""
    if method == "bislerp":
        return bislerp(latents, rows, columns)
    return torch.nn.functional.interpolate(latents, size=(rows, columns), mode=method)


def bislerp(latents: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Interpolation on the sphere: directions turn, lengths run straight; first across, then down."""
    return _slerp_axis(_slerp_axis(latents, columns).transpose(2, 3), rows).transpose(2, 3)


def _slerp_axis(values: torch.Tensor, size: int) -> torch.Tensor:
    """Along the last axis."""
    old = values.shape[3]
    at = ((torch.arange(size) + 0.5) * old / size - 0.5).clamp(0, old - 1)
    low = at.floor().long()
    share = (at - low)[None, None, None]
    one, two = values[..., low], values[..., (low + 1).clamp(max=old - 1)]
    lengths = one.norm(dim=1, keepdim=True), two.norm(dim=1, keepdim=True)
    units = one / lengths[0].clamp(min=1e-12), two / lengths[1].clamp(min=1e-12)
    cosine = (units[0] * units[1]).sum(dim=1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    sine = angle.sin().clamp(min=1e-6)
    turned = ((1 - share) * angle).sin() / sine * units[0] + (share * angle).sin() / sine * units[1]
    straight = (1 - share) * units[0] + share * units[1]
    direction = torch.where(cosine.abs() > 1 - 1e-5, straight, turned)
    found: torch.Tensor = direction * ((1 - share) * lengths[0] + share * lengths[1])
    return found


def grow(mask: Mask, by: int) -> Mask:
    """A mask of 0 and 1 that reaches ``by // 2`` pixels farther, as ComfyUI grows it: a square of side ``by``."""
    found = torch.from_numpy(mask).round()[:, None]
    if by:
        left = (by - 1 + 1) // 2
        padded = torch.nn.functional.pad(found, (left, by - 1 - left, left, by - 1 - left))
        found = torch.nn.functional.max_pool2d(padded, by, stride=1)
    grown_mask: Mask = found[:, 0].numpy()
    return grown_mask


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    """Masks at another size, bilinear."""
    values = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[:, None]
    found: Mask = torch.nn.functional.interpolate(values, size=(height, width), mode="bilinear")[:, 0].numpy()
    return found


def cut_mask(mask: Mask, scale: int) -> Mask:
    """Masks cut to whole cells as pictures are."""
    found: Mask = cut_cells(torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32)), scale).numpy()
    return found


def grey_out(image: Image.Image, mask: Mask) -> torch.Tensor:
    """The picture with the very middle of grey under the mask ``(height, width)``: ``(1, 3, h, w)`` in [0, 1]."""
    kept = 1 - torch.from_numpy(np.rint(mask))
    return (to_tensor(image) - 0.5) * kept + 0.5
