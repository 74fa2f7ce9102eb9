"""Nodes that the catalogue does not know: read where the file itself names their values, else left out or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imagewright.flow_format import Graph, links
from imagewright.retrieval.comfy.model import GROUPS, MAX_SLOTS, EditorNode, Widget, read_slots, read_socket
from imagewright.retrieval.comfy.widgets import CONTROL, number

_EDITOR_ONLY = frozenset({CONTROL, "control_filter_list", "upload", "videopreview"})
"""Values that stay in the editor."""


NOT_KNOWN = "is not in the catalogue of nodes"


def fill_unknown(node: EditorNode) -> None:
    """The sockets of a node, and its values where the file has them by name."""
    node.inputs = [read_socket(row) for row in read_slots(node, "inputs")]
    node.outputs = [str(row.get("type") or "*") for row in read_slots(node, "outputs")]
    named = values_by_name(node) or {}
    values = [(str(name), number(value)) for name, value in list(named.items())[:MAX_SLOTS]]
    node.widgets = [Widget(name, value) for name, value in values if name not in _EDITOR_ONLY]


def values_by_name(node: EditorNode) -> Mapping[str, object] | None:
    """The values of a node by name, where its file has them so (newer editors, and some packs)."""
    for key in ("widgets_values_named", "widgets_values"):
        values = node.raw.get(key)
        if isinstance(values, dict):
            return values
    return None


def drop_unknown(
    graph: Graph, unknown: Mapping[str, EditorNode], outputs: Iterable[str]
) -> tuple[list[str], list[str], list[str]]:
    """Take the unknown nodes that nothing needs out of ``graph``: ``(in the way, left out, notes)``, a line for each.

    A node is in the way where its values have no names and something needs it, or where it is all that the flow ends
    in.
    """
    known_ends = [node for node in outputs if node not in unknown]
    used = {source for node in graph.values() for source, _slot in links(node["inputs"]).values()}
    lost, skipped, notes = [], [], []
    for flat_id, node in unknown.items():
        line = f"node {flat_id} ({node.type[:80]})"
        if values_by_name(node) is not None:
            notes.append(f"{line} is not in the catalogue; its values were read by the names in the file")
        elif flat_id not in used and known_ends:
            del graph[flat_id]
            skipped.append(f"{line} is not in the catalogue and nothing needs it")
        else:
            lost.append(f"{line} {_why(node)}")
    return lost, skipped, notes


def _why(node: EditorNode) -> str:
    if node.type.startswith(GROUPS):
        return "is a group node of the old kind, which extra.groupNodes does not define: make it a subgraph in ComfyUI"
    return NOT_KNOWN
