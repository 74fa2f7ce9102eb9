"""Nodes that the catalogue does not know: read where the file itself names their values, else left out or refused."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.model import Node, Unconvertible, Widget, saved_slots, saved_socket
from imagewright.retrieval.comfy.subgraphs import Frame


def fill_unknown(node: Node) -> None:
    """The sockets and the named values of a node as the file has them."""
    node.inputs = [saved_socket(row) for row in saved_slots(node, "inputs")]
    node.outputs = [str(row.get("type") or "*") for row in saved_slots(node, "outputs")]
    values = _named(node)
    node.widgets = [Widget(name, value) for name, value in (values or {}).items() if isinstance(name, str)]


def _named(node: Node) -> dict[str, object] | None:
    for key in ("widgets_values", "widgets_values_named"):
        values = node.raw.get(key)
        if isinstance(values, dict):
            return values
    return None


def unknown_nodes(frames: Sequence[Frame], catalogue: Catalogue) -> tuple[list[str], list[str]]:
    """``(in the way, left out)``: a line for each unknown node that something needs, and for each that nothing does."""
    lost, skipped = [], []
    for frame in frames:
        for node in frame.scope.nodes.values():
            if node.kind == "unknown" and not node.skipped:
                lost.append(f"node {frame.flat_id(node)} ({node.type[:80]}) is not in the catalogue of nodes")
    return lost, skipped
