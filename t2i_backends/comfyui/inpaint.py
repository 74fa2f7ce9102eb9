"""Drawing boxes of a picture anew with core nodes: the picture and a mask are loaded in place of the empty latent."""

from __future__ import annotations

import copy
import hashlib
import io

import numpy as np
from PIL import Image

from imagewright.flow_format import Graph, Link, links
from imagewright.ports import Redraw
from imagewright.t2i_backends.comfyui.splice import Unspliceable
from imagewright.t2i_backends.denoising.redraw import redrawn_share

ADDED = ("LoadImage", "LoadImageMask", "VAEEncode", "SetLatentNoiseMask")
"""The node classes that are added."""
BORDER = 16
"""Pixels over which what is drawn anew fades into what is kept, in a picture of some size."""
FOLDER = "imagewright"
"""The folder below the server's input folder that our pictures are put into."""
_SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")


def find_place(graph: Graph) -> tuple[str, Link]:
    """The one sampler of a graph, and the VAE that its picture is decoded with.

    Raises:
        Unspliceable: there is no such sampler, more than one, or nothing that decodes.
    """
    samplers = [node for node, value in graph.items() if value["class_type"] in _SAMPLERS]
    if len(samplers) != 1:
        raise Unspliceable(f"a redraw needs a flow with one sampler, not {len(samplers)}")
    vaes = [
        links(value["inputs"]).get("vae") for value in graph.values() if value["class_type"].startswith("VAEDecode")
    ]
    vae = next((link for link in vaes if link is not None), None)
    if vae is None or "latent_image" not in links(graph[samplers[0]]["inputs"]):
        raise Unspliceable("a redraw needs a flow that samples a latent and decodes it with a VAE")
    return samplers[0], vae


def splice_redraw(graph: Graph, picture: str, mask: str, strength: float) -> Graph:
    """``graph`` with the pictures of those names in the server's input folder in place of the empty latent.

    Raises:
        Unspliceable: as ``find_place``; also where the flow has no denoise that ``strength`` could be put into.
    """
    sampler, vae = find_place(graph)
    spliced = copy.deepcopy(graph)
    _set_strength(spliced, sampler, strength)
    ids = [f"imagewright:{name}" for name in ("picture", "mask", "encoded", "masked")]
    inputs: list[dict[str, object]] = [
        {"image": picture},
        {"image": mask, "channel": "red"},
        {"pixels": [ids[0], 0], "vae": list(vae)},
        {"samples": [ids[2], 0], "mask": [ids[1], 0]},
    ]
    for node, kind, given in zip(ids, ADDED, inputs, strict=True):
        spliced[node] = {"class_type": kind, "inputs": given, "_meta": {"title": f"imagewright: {kind}"}}
    spliced[sampler]["inputs"]["latent_image"] = [ids[3], 0]
    return _without_unused(spliced, graph, sampler)


def _set_strength(graph: Graph, sampler: str, strength: float) -> None:
    source = links(graph[sampler]["inputs"]).get("sigmas")
    for node in (sampler, *([source[0]] if source else ())):
        if "denoise" in graph[node]["inputs"]:
            graph[node]["inputs"]["denoise"] = float(strength)
            return
    if strength < 1:
        raise Unspliceable("the flow has no denoise to set: it can only draw a box wholly anew")


def _without_unused(spliced: Graph, graph: Graph, sampler: str) -> Graph:
    """Without the empty latent, where nothing else uses it."""
    before = links(graph[sampler]["inputs"])["latent_image"][0]
    used = {source for value in spliced.values() for source, _ in links(value["inputs"]).values()}
    return spliced if before in used else {node: value for node, value in spliced.items() if node != before}


def mask_picture(redraw: Redraw) -> Image.Image:
    """White where the picture is drawn anew, black where it is kept."""
    size = redraw.image.size
    shares = redrawn_share(redraw, *size, border_of(size))
    return Image.fromarray(np.rint(shares * 255).astype(np.uint8)).convert("RGB")


def border_of(size: tuple[int, int]) -> int:
    """The border for a picture of ``size`` pixels: an eighth of a side at most."""
    return max(1, min(BORDER, min(size) // 8))


def encode(image: Image.Image) -> tuple[str, bytes]:
    """A PNG of nothing but the pixels, with their alpha where there is one, and a name of our making for it."""
    mode = "RGBA" if "A" in image.getbands() else "RGB"
    plain = Image.frombytes(mode, image.size, image.convert(mode).tobytes())
    buffer = io.BytesIO()
    plain.save(buffer, "PNG")
    data = buffer.getvalue()
    return f"{hashlib.sha256(data).hexdigest()[:32]}.png", data
