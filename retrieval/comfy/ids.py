"""The ids of nodes inside subgraphs: one that the canvas or an earlier subgraph uses already is given a new number.

ComfyUI's editor does so when it loads a file (seen with front end 1.49.6), so that the ids of its graphs are these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewright.retrieval.comfy.model import GROUPS, Scope, Workflow

LARGEST_ID = 2**53
"""Numbers beyond what the editor's doubles hold are names."""


def renumber(workflow: Workflow, raw: Mapping[str, Any]) -> None:
    """Give every node of a subgraph (in place) an id that no canvas before it has; ``raw`` is the file's content.

    New numbers count on from ``last_node_id``. Ids that are no numbers stay, and so do the places in group nodes.
    """
    used = {number for number in map(_number, workflow.root.nodes) if number is not None}
    stated = raw.get("last_node_id")
    last = max([0, *used, *([stated] if type(stated) is int and 0 <= stated < LARGEST_ID else [])])
    for scope in workflow.subgraphs.values():
        if scope.id.startswith(GROUPS):
            continue
        moved: dict[str, str] = {}
        for name in scope.nodes:
            number = _number(name)
            if number is None:
                continue
            if number in used:
                last += 1
                moved[name], number = str(last), last
            used.add(number)
            last = max(last, number)
        _move(scope, moved)


def _number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() and len(name) < 16 else None


def _move(scope: Scope, moved: Mapping[str, str]) -> None:
    for name, node in scope.nodes.items():
        node.id = moved.get(name, name)
    scope.nodes = {node.id: node for node in scope.nodes.values()}
    for link in scope.links.values():
        link.origin, link.target = moved.get(link.origin, link.origin), moved.get(link.target, link.target)
