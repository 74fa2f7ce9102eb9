"""The graph inside what a server or a client wraps around it: request bodies, rows of the history and of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.model import is_workflow

_MOST_LAYERS = 8
_QUEUES = ("queue_running", "queue_pending", "History")


class Unwrapped(NamedTuple):
    """What was inside, and the editor's JSON that stood beside it on the way, if any."""

    data: object
    workflow: Mapping[str, Any] | None


def unwrap(data: object) -> Unwrapped:
    """The graph or workflow inside ``data``; what is no wrapping comes back as it is.

    Raises:
        BadInput: a history or a queue holds several runs.
    """
    workflow: Mapping[str, Any] | None = None
    for _ in range(_MOST_LAYERS):
        workflow = _beside(data) or workflow
        inside = _inside(data)
        if inside is None:
            break
        data = inside
    return Unwrapped(data, workflow)


def _inside(data: object) -> object:
    """One layer less; None where there is no layer."""
    if isinstance(data, list):
        return data[2] if _is_row(data) else None
    if not isinstance(data, dict) or is_workflow(data) or _is_graph(data):
        return None
    if is_workflow(data.get("workflow")):
        return data["workflow"]
    for key in ("prompt", "output", "workflow"):
        inner = data.get(key)
        if (isinstance(inner, dict) and inner and "class_type" not in inner) or _is_row(inner):
            return inner
    return _only_run(data)


def _only_run(data: Mapping[str, Any]) -> object:
    runs: list[object] = [row for key in _QUEUES for row in _rows(data.get(key))]
    runs = runs or [row for row in data.values() if isinstance(row, dict) and _is_row(row.get("prompt"))]
    if len(runs) > 1:
        raise BadInput(f"this holds {len(runs)} runs, not one flow", "save one of them: what stands under its id")
    return runs[0] if runs else None


def _rows(found: object) -> list[object]:
    return [row for row in found if _is_row(row)] if isinstance(found, list) else []


def _is_row(found: object) -> bool:
    """Whether it is a run as the queue has it: ``[number, id, graph, extra data, outputs]``."""
    return isinstance(found, list) and len(found) >= 3 and isinstance(found[1], str) and isinstance(found[2], dict)


def _is_graph(data: Mapping[str, Any]) -> bool:
    return any(isinstance(node, dict) and isinstance(node.get("class_type"), str) for node in data.values())


def _beside(data: object) -> Mapping[str, Any] | None:
    """The editor's JSON that a request or a row carries for the picture's metadata."""
    extra = data[3] if isinstance(data, list) and _is_row(data) and len(data) > 3 else None
    if isinstance(data, dict):
        extra = data.get("extra_data")
    info = extra.get("extra_pnginfo") if isinstance(extra, dict) else None
    found = info.get("workflow") if isinstance(info, dict) else None
    return found if isinstance(found, dict) and is_workflow(found) else None
