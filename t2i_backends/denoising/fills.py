"""What inpainting models of SD1.5 and SDXL see beside the latents: the mask, and the picture with grey in the hole.

Nine channels as in the stock inpainting pipelines: the noisy latents, the mask, the masked picture's latents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising.redraw import redrawn_share
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.pictures import pixels
from imagewright.t2i_backends.values.handles import Conditioning, Fill, Latent, Shape

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime


def filling(run: Runtime, net: Net, found: Conditioning, latent: Latent, shape: Shape) -> torch.Tensor | None:
    """``(batch, 1 + C, rows, columns)`` for one conditioning; None for a model without such channels.

    The picture and its hole are those of a redraw, else of an InpaintModelConditioning, else the sampler's own latents
    under their mask; without any of them the whole of a grey picture is the hole. As in ComfyUI.

    Raises:
        BadInput: the picture went through the VAE of another model.
    """
    if not net.fills:
        return None
    told = _redrawn(run, net) or found.fill or _masked(latent) or _nothing(run, net, shape)
    if told.samples.shape[1] != shape[1]:
        raise BadInput("the picture to fill went through another model's VAE", "use the model's own VAE")
    mask = torch.from_numpy(told.mask)[:, None]
    hole = torch.nn.functional.interpolate(mask, size=shape[2:], mode="bilinear").round()
    around = told.samples
    if around.shape[2:] != shape[2:]:
        around = pixels.scale_latents(around, shape[2], shape[3], "bilinear")
    both = [pixels.repeat(part, shape[0]) for part in (hole, around)]
    return torch.cat(both, dim=1).to(run.store.device, net.dtype)


def _redrawn(run: Runtime, net: Net) -> Fill | None:
    redraw = run.job.redraw
    if redraw is None:
        return None
    hole = redrawn_share(redraw, *redraw.image.size, net.scale)
    return Fill(run.encode_pictures((pixels.grey_out(redraw.image, hole),)), hole[None])


def _masked(latent: Latent) -> Fill | None:
    return None if latent.mask is None or latent.samples is None else Fill(latent.samples, latent.mask)


def _nothing(run: Runtime, net: Net, shape: Shape) -> Fill:
    grey = torch.full((1, 3, shape[2] * net.scale, shape[3] * net.scale), 0.5)
    return Fill(run.encode_pictures((grey,)), torch.ones(1, *shape[2:]).numpy())
