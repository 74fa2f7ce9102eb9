"""How many pixels a graph draws at once, from its values alone. Loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from imagewright.flow_format import links
from imagewright.t2i_backends.nodes.table import SAMPLER_NODES

if TYPE_CHECKING:
    from imagewright.t2i_backends.execution.program import Program

UNKNOWN = 1024
"""The side of a picture whose size comes over a link or from a file."""


class Latents(NamedTuple):
    """What is known of the latents that a node gives."""

    pictures: int
    pixels: int
    """Of one picture."""


def most_pixels(program: Program) -> int:
    """Pixels of the largest batch that a sampler of ``program`` denoises, width times height times pictures; 0 for one
    that samples nothing. What a link or a picture decides counts as one picture of ``UNKNOWN`` pixels a side."""
    graph = program.graph
    found: dict[str, Latents] = {}
    most = 0
    for node in program.nodes:
        linked = links(graph[node]["inputs"])
        before = [found[linked[name][0]] for name in ("samples", "samples1", "samples2", "latent_image")
                  if name in linked]  # fmt: skip
        found[node] = _after(graph[node], before or [Latents(1, UNKNOWN**2)])
        if graph[node]["class_type"] in SAMPLER_NODES:
            most = max(most, found[node].pictures * found[node].pixels)
    return most


def _after(value: dict[str, Any], before: list[Latents]) -> Latents:
    """The latents that a node makes of those before it."""
    inputs, kind = value["inputs"], value["class_type"]
    pictures = sum(one.pictures for one in before)
    if kind == "RepeatLatentBatch":
        pictures *= _whole(inputs.get("amount"), 1)
    elif kind == "LatentFromBatch":
        pictures = min(pictures, _whole(inputs.get("length"), 1))
    if not {"width", "height"} <= inputs.keys():
        factor = inputs.get("scale_by", 1.0)
        times = factor**2 if isinstance(factor, (int, float)) else 1
        return Latents(pictures, int(before[0].pixels * times))
    pixels = _whole(inputs["width"], UNKNOWN) * _whole(inputs["height"], UNKNOWN)
    return Latents(_whole(inputs.get("batch_size"), pictures), pixels)


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
