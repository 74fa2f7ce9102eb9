"""The need of a flow, read off its graph once, when it is stored."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, links, order, refuse_paths
from imagewright.needs import NamedValue, Need
from imagewright.schemas import Flow

VERSION = "3"
"""Raised when ``read_need``, or what is kept beside it, says something else of the same flow."""
LONGEST = 200
"""A longer text, or one of several lines, is a prompt and no name."""
_RESULTS = ("SaveImage", "SaveImageAdvanced", "PreviewImage")
_NO_NAMES = frozenset({"filename_prefix"})


def read_need(flow: Flow) -> Need:
    """What ``flow`` needs of a place; a graph that cannot be read is said to be broken."""
    card, graph = flow.card, flow.graph
    common = {"kind": card.kind, "family": card.family, "slots": tuple(sorted(card.slots))}
    try:
        drawn = _drawn(graph)
        refuse_paths(graph)
    except BadInput as error:
        return Need.model_validate({**common, "broken": f"{error}: {error.remedy}" if error.remedy else str(error)})
    values = sorted(set(_values(flow, drawn)), key=lambda value: value.model_dump_json())
    classes = tuple(sorted({node["class_type"] for node in graph.values()}))
    return Need.model_validate({**common, "classes": classes, "values": tuple(values), "pixels": _pixels(graph, drawn)})


def _drawn(graph: Graph) -> frozenset[str]:
    """The nodes that the result depends on: the last SaveImage, else the last PreviewImage, else everything."""
    ordered = list(reversed(order(graph)))
    output = next((node for name in _RESULTS for node in ordered if graph[node]["class_type"] == name), None)
    if output is None:
        return frozenset(graph)
    wanted = {output}
    for node in ordered:
        if node in wanted:
            wanted |= {source for source, _ in links(graph[node]["inputs"]).values()}
    return frozenset(wanted)


def _values(flow: Flow, drawn: frozenset[str]) -> Iterator[NamedValue]:
    filled = {(place.node, place.input) for places in flow.card.slots.values() for place in places}
    for node, value in flow.graph.items():
        eight = str(value["inputs"].get("weight_dtype", "")).startswith("fp8")
        for name, item in value["inputs"].items():
            if isinstance(item, str) and (node, name) not in filled and name not in _NO_NAMES and _is_name(item):
                yield NamedValue(
                    node_class=value["class_type"], input=name, value=item, drawn=node in drawn, eight_bit=eight
                )


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST and "\n" not in text


def _pixels(graph: Graph, drawn: frozenset[str]) -> int:
    """The most pixels that a node states for its batch."""
    found = [0]
    for node in drawn:
        inputs = graph[node]["inputs"]
        sides = [inputs.get(name) for name in ("width", "height")]
        batch = inputs.get("batch_size", 1)
        if all(isinstance(side, int) for side in sides) and isinstance(batch, int):
            found.append(sides[0] * sides[1] * max(batch, 1))
    return max(found)
