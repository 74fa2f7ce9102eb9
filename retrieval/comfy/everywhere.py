"""Links that no wire shows: those of "Use Everywhere", which a workflow writes down in ``extra.ue_links``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagewright.flow_format import MAX_NODES
from imagewright.retrieval.comfy.model import (
    EditorLink,
    EditorNode,
    Scope,
    Workflow,
    list_subgraphs,
    read_slots,
    slot_of,
)

BROADCASTERS = frozenset({
    "Anything Everywhere", "Anything Everywhere?", "Anything Everywhere3", "Prompts Everywhere", "Seed Everywhere",
})  # fmt: skip
"""Nodes that send what reaches them to inputs elsewhere."""


def link_everywhere(workflow: Workflow, raw: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Lay the links that the file writes down (in place); ``raw`` is its content: ``(in the way, notes)``, by lines.

    A real link of an input stays. In the way are broadcasting nodes whose links the file does not hold.
    """
    lost: list[str] = []
    notes: list[str] = []
    scopes = [(workflow.root, raw), *((workflow.subgraphs[str(row.get("id"))], row) for row in list_subgraphs(raw))]
    for scope, content in scopes:
        extra = content.get("extra")
        rows = extra.get("ue_links") if isinstance(extra, dict) else None
        laid, missed = _lay(scope, rows if isinstance(rows, list) else [])
        lost += missed
        for node in _broadcasters(scope):
            line = f"node {node.id} ({node.type})"
            if not isinstance(rows, list):
                lost.append(f"{line} makes links that the file does not hold: turn them into real links in ComfyUI")
            else:
                notes.append(f"{line}: its {laid.get(node.id, 0)} links are those of extra.ue_links")
    return lost, notes


def _broadcasters(scope: Scope) -> Iterator[EditorNode]:
    for node in scope.nodes.values():
        fed = node.type == "Seed Everywhere" or any(row.get("link") is not None for row in read_slots(node, "inputs"))
        if node.type in BROADCASTERS and not node.skipped and fed:
            yield node


def _lay(scope: Scope, rows: list[Any]) -> tuple[dict[str, int], list[str]]:
    """Lay the links of one canvas: how many by each node that makes them, and those that have no place."""
    laid: dict[str, int] = {}
    missed = []
    for number, row in enumerate(rows[:MAX_NODES]):
        if not isinstance(row, dict):
            continue
        maker, origin, target = (str(row.get(key)) for key in ("controller", "upstream", "downstream"))
        controller, node, slot = scope.nodes.get(maker), scope.nodes.get(target), slot_of(row.get("downstream_slot"))
        if node is None or origin not in scope.nodes or (controller is not None and controller.skipped):
            continue
        sockets = [dict(socket) for socket in read_slots(node, "inputs")]
        if not 0 <= slot < len(sockets):
            missed.append(f"node {target} ({node.type[:80]}) has no input {slot} for the link of node {maker[:20]}")
            continue
        laid[maker] = laid.get(maker, 0) + 1
        if sockets[slot].get("link") is None:
            name = f"everywhere {number}"
            sockets[slot]["link"] = name
            node.raw = {**node.raw, "inputs": sockets}
            scope.links[name] = EditorLink(origin, slot_of(row.get("upstream_slot")), target, slot)
    return laid, missed
