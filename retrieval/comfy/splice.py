"""Where a link really starts: through subgraphs, bypassed nodes, reroutes and Get/Set pairs.

The walk is a loop, so that a chain of any length is followed; a walk that comes back to where it was ends in nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.everywhere import BROADCASTERS
from imagewright.retrieval.comfy.model import (
    BYPASSED,
    INPUT_SIDE,
    OUTPUT_SIDE,
    EditorLink,
    EditorNode,
    Port,
    Scope,
    Socket,
    Widget,
)
from imagewright.retrieval.comfy.subgraphs import Frame

MAX_HOPS = 300_000
"""How many links are followed for one workflow; the largest templates need about 3,000."""
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
SETTERS = frozenset({"SetNode", "easy setNode"})
GETTERS = frozenset({"GetNode", "easy getNode"})
NOTES = frozenset({
    "Note", "MarkdownNote", "Note Plus (mtb)", "Label (rgthree)", "Bookmark (rgthree)", "Fast Muter (rgthree)",
    "Fast Bypasser (rgthree)", "Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)",
    "Fast Actions Button (rgthree)", "Mute / Bypass Repeater (rgthree)", "Mute / Bypass Relay (rgthree)",
    "Node Collector (rgthree)", "Random Unmuter (rgthree)",
})  # fmt: skip
PRIMITIVES = frozenset({"PrimitiveNode", "Seed Everywhere"})
"""Nodes that are a value: it goes into the widgets that they feed."""
VIRTUAL = REROUTES | SETTERS | GETTERS | NOTES | PRIMITIVES | BROADCASTERS
"""Nodes that only the editor knows; the server never sees them."""


class SpliceSource(NamedTuple):
    """An output of a node that the server runs."""

    frame: Frame
    node: EditorNode
    slot: int


class _Input(NamedTuple):
    frame: Frame
    node: EditorNode
    slot: int
    type: str | None


class _Output(NamedTuple):
    frame: Frame
    node: EditorNode
    slot: int
    type: str


class Walker:
    """Follows links of one workflow, at most ``MAX_HOPS`` of them all in all."""

    def __init__(self) -> None:
        self.hops = 0

    def source_of(self, frame: Frame, node: EditorNode, slot: int) -> SpliceSource | Widget | None:
        """What feeds input ``slot`` of a node: an output, a widget of a subgraph's instance, or nothing.

        Raises:
            BadInput: the workflow's links are followed more than ``MAX_HOPS`` times.
        """
        place: _Input | _Output | SpliceSource | Widget | None = _Input(frame, node, slot, None)
        seen: set[tuple[tuple[str, ...], str, int, bool]] = set()
        while isinstance(place, _Input | _Output):
            mark = (place.frame.path, place.node.id, place.slot, isinstance(place, _Input))
            if mark in seen:
                return None
            seen.add(mark)
            self.hops += 1
            if self.hops > MAX_HOPS:
                raise BadInput("the workflow's links are too tangled to follow", "remove some of its reroutes")
            place = _upstream(place) if isinstance(place, _Input) else _through(place)
        return place


def _upstream(place: _Input) -> _Input | _Output | Widget | None:
    """From an input along its link."""
    frame, socket = place.frame, _socket(place.node, place.slot)
    link = frame.scope.links.get(socket.link) if socket and socket.link is not None else None
    if link is None or socket is None:
        return None
    return _along(frame, link, place.type or socket.type, socket.type)


def _along(frame: Frame, link: EditorLink, wanted: str, own: str) -> _Input | _Output | Widget | None:
    """From a link to the output that it starts at, or out of the subgraph."""
    if link.origin == INPUT_SIDE and frame.holder is not None and frame.parent is not None:
        outer = _socket(frame.holder, link.slot)
        if outer is None:
            return None
        if outer.link is None or _starts_at_primitive(frame.parent, outer.link):
            return frame.holder.widget(outer.widget)
        return _Input(frame.parent, frame.holder, link.slot, own)
    origin = frame.scope.nodes.get(link.origin)
    return _Output(frame, origin, link.slot, wanted) if origin else None


def _starts_at_primitive(frame: Frame, name: str) -> bool:
    """Whether a link brings a primitive's value, which stands in the widget that it leads to."""
    link = frame.scope.links.get(name)
    origin = frame.scope.nodes.get(link.origin) if link else None
    return origin is not None and origin.type in PRIMITIVES


def _socket(node: EditorNode, slot: int) -> Socket | None:
    return node.inputs[slot] if 0 <= slot < len(node.inputs) else None


def _through(place: _Output) -> _Input | _Output | SpliceSource | Widget | None:
    """From an output to what is behind it, where the server does not run its node."""
    frame, node, slot, wanted = place
    if node.mode == BYPASSED:
        found = _bypass(node, slot, wanted)
        return None if found is None else _Input(frame, node, found, wanted)
    if node.kind == "instance":
        return _inside(place)
    if node.type in GETTERS and node.kind == "virtual":
        return _set_by(frame, node, wanted)
    if node.kind == "virtual":
        return _Input(frame, node, slot, wanted)
    return SpliceSource(frame, node, slot)


def _inside(place: _Output) -> _Input | _Output | Widget | None:
    """From an instance's output to the link inside that reaches it."""
    inner = place.frame.inner.get(place.node.id)
    ports = inner.scope.outputs if inner else []
    if inner is None or place.slot >= len(ports) or place.slot < 0:
        return None
    link = _arriving(inner.scope, ports[place.slot], place.slot)
    return _along(inner, link, place.type, place.type) if link else None


def _arriving(scope: Scope, port: Port, slot: int) -> EditorLink | None:
    for name in port.links:
        if name in scope.links:
            return scope.links[name]
    ends = (link for link in scope.links.values() if link.target == OUTPUT_SIDE and link.target_slot == slot)
    return next(ends, None)


def _set_by(frame: Frame, getter: EditorNode, wanted: str) -> _Input | None:
    """A Get node takes what the Set node of the same name has, here or on a canvas around."""
    name = variable(getter)
    around: Frame | None = frame
    while around is not None and name is not None:
        setter = around.scope.setters.get(name)
        if setter is not None:
            return _Input(around, setter, 0, wanted)
        around = around.parent
    return None


def variable(node: EditorNode) -> str | None:
    """The name that a Get or Set node goes by: its one value."""
    values = node.raw.get("widgets_values")
    value = (
        values.get("Constant")
        if isinstance(values, dict)
        else values[0]
        if isinstance(values, list) and values
        else None
    )
    return value if isinstance(value, str) else None


def _bypass(node: EditorNode, slot: int, wanted: str) -> int | None:
    """The input whose value a bypassed node passes on at output ``slot``."""
    given = node.outputs[slot] if 0 <= slot < len(node.outputs) else "*"
    if wanted in ("*", "") or given == "*":
        return (slot if slot < len(node.inputs) else 0) if node.inputs else None
    if 0 <= slot < len(node.inputs) and _fits(node.inputs[slot].type, given, wanted):
        return slot
    kinds = [socket.type for socket in node.inputs]
    if wanted in kinds:
        return kinds.index(wanted)
    return next((place for place, kind in enumerate(kinds) if _fits(kind, given, wanted)), None)


def _fits(kind: str, given: str, wanted: str) -> bool:
    return connects(kind, given) and connects(kind, wanted)


def connects(one: str, other: str) -> bool:
    """Whether sockets of two types may be linked: equal, a wildcard, or with a type in common (``A,B``)."""
    if one in ("*", "") or other in ("*", ""):
        return True
    return not {kind.strip() for kind in one.lower().split(",")}.isdisjoint(
        kind.strip() for kind in other.lower().split(",")
    )
