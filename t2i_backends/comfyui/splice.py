"""A layout in a graph of core nodes: each region gets a text encoder and an area, between encoder and sampler.

Every sampler's positive conditioning is followed back to the encoder that holds the prompt. That encoder is copied for
each region, with the region's caption in place of the prompt, so that LoRAs, CLIP skips and sizes are kept; the copies
get an area (``ConditioningSetAreaPercentage``) and count in the first steps only (``ConditioningSetTimestepRange``);
the prompt counts less beside them (``ConditioningSetAreaStrength``), and all are put side by side
(``ConditioningCombine``). What stands between encoder and sampler (FLUX guidance, ControlNets) then applies to all of
them. The negative side is left as it is. Where a graph has no such place, ``Unspliceable`` says why.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

from imagewright.flow_format import Graph, Link, Slots, links
from imagewright.schemas import Region

REGION_STEPS = 0.6
"""The share of the steps, from the first, that obey the regions, where a job does not say; later steps only refine."""
BASE_STRENGTH = 0.3
"""How much the prompt counts inside a region; a region counts 1."""
SPLICED = ("ConditioningSetAreaPercentage", "ConditioningSetAreaStrength", "ConditioningSetTimestepRange",
           "ConditioningCombine")  # fmt: skip
"""The node classes that are spliced in beside copies of the flow's own encoders."""
_POSITIVE = ("positive", "conditioning", "cond1")
"""The inputs by which samplers and guiders take what a picture should show."""
_ENDS = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "CFGGuider", "BasicGuider", "DualCFGGuider")
_THROUGH = {
    "FluxGuidance": "conditioning",
    "ControlNetApply": "conditioning",
    "ControlNetApplyAdvanced": "positive",
    "ControlNetApplySD3": "positive",
    "ConditioningSetTimestepRange": "conditioning",
    "ConditioningSetAreaStrength": "conditioning",
    "InpaintModelConditioning": "positive",
    "Reroute": "",
}
"""Nodes whose first output is what came in, each conditioning changed for itself; and the input that it comes by."""


class Unspliceable(Exception):
    """There is no place for regions in this graph; the text says why."""


def splice_regions(graph: Graph, slots: Slots, regions: Sequence[Region], share: float | None = None) -> Graph:
    """``graph``, whose slots are filled, with ``regions`` in it. ``share`` is the share of the steps that obey them.

    Raises:
        Unspliceable: it has no sampler, or its prompt reaches one through nodes that keep no regions apart.
    """
    spliced = copy.deepcopy(graph)
    share = REGION_STEPS if share is None else share
    if not regions or share <= 0:
        return spliced
    places = list(dict.fromkeys(_places(graph)))
    if not places:
        raise Unspliceable("no sampler of core ComfyUI takes the prompt")
    made: dict[Link, Link] = {}
    for node, name in places:
        encoder = _encoder_at(graph, node, name)
        if encoder not in made:
            made[encoder] = _add_regions(spliced, graph, encoder, slots, regions, share)
        for user, entry in _last_links(graph, node, name, encoder):
            spliced[user]["inputs"][entry] = list(made[encoder])
    return spliced


def _places(graph: Graph) -> Iterator[tuple[str, str]]:
    """Nodes and inputs by which samplers are told what to draw."""
    for node, value in graph.items():
        if value["class_type"] in _ENDS:
            name = next((name for name in _POSITIVE if name in links(value["inputs"])), None)
            if name:
                yield node, name


def _path(graph: Graph, node: str, name: str) -> Iterator[tuple[str, str, Link]]:
    """From an input back to the encoder: the node and input of each link, and what it links to."""
    seen: set[str] = set()
    while True:
        source = links(graph[node]["inputs"])[name]
        yield node, name, source
        kind = graph[source[0]]["class_type"]
        if kind not in _THROUGH or source[1] != 0 or source[0] in seen:
            return
        seen.add(source[0])
        node = source[0]
        name = _THROUGH[kind] or next(iter(links(graph[node]["inputs"])), "")
        if name not in links(graph[node]["inputs"]):
            return


def _encoder_at(graph: Graph, node: str, name: str) -> Link:
    return list(_path(graph, node, name))[-1][2]


def _last_links(graph: Graph, node: str, name: str, encoder: Link) -> Iterator[tuple[str, str]]:
    """The link that takes the encoder's text up the path; other users of the encoder keep it as it is.

    Raises:
        Unspliceable: a node on the way also feeds something else, which the regions would change.
    """
    path = list(_path(graph, node, name))
    on_way = {step[0] for step in path[1:]}
    ends = {place[0] for place in _places(graph)}
    for middle in on_way:
        for user, value in graph.items():
            for entry, source in links(value["inputs"]).items():
                side = user not in on_way and not (user in ends and entry in _POSITIVE)
                if source == (middle, 0) and side:
                    raise Unspliceable(f"{graph[middle]['class_type']} also feeds {value['class_type']}")
    user, entry, _ = path[-1]
    yield user, entry


def _add_regions(
    spliced: Graph, graph: Graph, encoder: Link, slots: Slots, regions: Sequence[Region], share: float
) -> Link:
    """Add the encoders, areas and combinations to ``spliced``; what stands in the encoder's place from then on."""
    node, output = encoder
    texts = _prompt_inputs(graph, node, slots)
    if not texts or output != 0:
        what = graph[node]["class_type"]
        raise Unspliceable(f"its prompt reaches the sampler through {what}, which keeps no regions apart")
    last = _add(spliced, "base", "ConditioningSetAreaStrength", conditioning=list(encoder), strength=BASE_STRENGTH)
    for number, region in enumerate(regions, 1):
        inputs = {**copy.deepcopy(graph[node]["inputs"]), **dict.fromkeys(texts, region.caption)}
        text = _add(spliced, f"region {number}", graph[node]["class_type"], **inputs)
        area = _add(spliced, f"area {number}", SPLICED[0], conditioning=text, **_area(region), strength=1.0)
        timed = _add(spliced, f"steps {number}", SPLICED[2], conditioning=area, start=0.0, end=float(share))
        last = _add(spliced, f"with {number}", "ConditioningCombine", conditioning_1=last, conditioning_2=timed)
    return str(last[0]), 0


def _prompt_inputs(graph: Graph, node: str, slots: Slots) -> list[str]:
    """The inputs of an encoder that the prompt fills, itself or over a link from a node that holds only text."""
    bound = slots.get("positive", ())
    own = [place.input for place in bound if place.node == node]
    holders = {place.node for place in bound} - {node}
    plain = {holder for holder in holders if not links(graph[holder]["inputs"])}
    linked = [name for name, source in links(graph[node]["inputs"]).items() if source[0] in plain]
    return [*own, *linked]


def _area(region: Region) -> dict[str, float]:
    """The box in shares of the canvas, inside it."""
    left, top = min(max(region.x, 0.0), 1.0), min(max(region.y, 0.0), 1.0)
    right, bottom = min(max(region.right, 0.0), 1.0), min(max(region.bottom, 0.0), 1.0)
    if not (right > left and bottom > top):
        raise Unspliceable(f"the box of {region.caption[:40]!r} has no area on the canvas")
    sides = {"width": right - left, "height": bottom - top, "x": left, "y": top}
    return {name: round(value, 4) for name, value in sides.items()}


def _add(graph: Graph, title: str, kind: str, **inputs: object) -> list[object]:
    """A node under an id that nobody has; a link to its first output."""
    number = 1
    while f"imagewright:{number}" in graph:
        number += 1
    graph[f"imagewright:{number}"] = {"class_type": kind, "inputs": inputs, "_meta": {"title": f"imagewright: {title}"}}
    return [f"imagewright:{number}", 0]


def list_classes(graph: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The node classes of a graph."""
    return {str(value["class_type"]) for value in graph.values()}
