"""A file that somebody brings, whatever kind it is, to an API-format graph.

It is API-format JSON, the editor's JSON, a flow file of ours (``{"id", "card", "graph"}``), or a PNG, WebP
or JPEG with one inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from imagewright.errors import BadInput
from imagewright.flow_format import MAX_BYTES, Graph, parse_graph, read_json
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.convert import convert
from imagewright.retrieval.comfy.exif import exif_texts, name_picture
from imagewright.retrieval.comfy.keys import drop_keys
from imagewright.retrieval.comfy.model import is_workflow
from imagewright.retrieval.comfy.png import MAX_FILE, is_png, workflow_texts
from imagewright.retrieval.comfy.unwrap import unwrap
from imagewright.retrieval.comfy.values import refuse_endless, settle_values


class Read(NamedTuple):
    """A graph in API format and what is known about where it came from."""

    graph: Graph
    workflow: Mapping[str, Any] | None
    """The editor's JSON that it was made of or came with, for its titles, model addresses and packs; untrusted."""
    skipped: list[str]
    """Nodes left out, one line each."""
    notes: list[str]
    """What the person should know: dropped keys, choices taken."""
    envelope: Mapping[str, Any] = {}
    """What a flow file of ours says beside its graph: ``id`` and ``card``; untrusted."""


def read_workflow(source: Path | str | bytes, catalogue: Catalogue) -> Read:
    """The flow in a file (a path) or in its bytes.

    Raises:
        BadInput: it cannot be read, is larger, deeper or longer than the limits, or is no flow.
        Unconvertible: it is a workflow of the editor with nodes in the way, each named with why.
    """
    data = source if isinstance(source, bytes) else _bytes_of(Path(source))
    if is_png(data):
        return _from_texts(workflow_texts(data), catalogue)
    if name_picture(data[:16]):
        return _from_texts(exif_texts(data), catalogue)
    return read_parsed(read_json(data, "the file", endless=True), catalogue)


def read_parsed(data: object, catalogue: Catalogue) -> Read:
    """The same for JSON that is parsed already (by ``flow_format.read_json``)."""
    data, beside = unwrap(data)
    if isinstance(data, dict) and "graph" in data and "class_type" not in data and not is_workflow(data):
        return read_parsed(data["graph"], catalogue)._replace(envelope={"id": data.get("id"), "card": data.get("card")})
    converted = convert(data, catalogue) if isinstance(data, dict) and is_workflow(data) else None
    bare = converted.graph if converted else _bare(data)
    if isinstance(bare, dict):
        refuse_endless(bare)
    graph = parse_graph(bare)
    settled = settle_values(graph, catalogue)
    notes = [*(converted.notes if converted else []), *settled, *drop_keys(graph)]
    workflow = data if converted and isinstance(data, dict) else beside
    return Read(graph, workflow, converted.skipped if converted else [], notes)


def _bare(data: object) -> Any:
    """A graph without what plays no role in it (``is_changed``, views, marks of tools), at whatever it holds."""
    if not isinstance(data, dict):
        return data
    return {
        node: {key: value[key] for key in ("class_type", "inputs", "_meta") if key in value}
        if isinstance(value, dict) and "class_type" in value
        else value
        for node, value in data.items()
    }


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(16)
            limit = MAX_FILE if is_png(start) or name_picture(start) else MAX_BYTES
            data = start + file.read(limit + 1 - len(start))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"cannot read {path}: {reason}", "name a file that exists and is readable") from None
    if len(data) > limit:
        raise BadInput(f"{path} is larger than {limit // 1_000_000} MB", "a flow file is a few kilobytes of JSON")
    return data


def _from_texts(texts: Mapping[str, str], catalogue: Catalogue) -> Read:
    """The graph as it ran where the picture has it, else its workflow; the workflow's facts in both cases."""
    workflow = _parsed(texts.get("workflow"))
    beside = workflow if isinstance(workflow, dict) and is_workflow(workflow) else None
    if "prompt" in texts:
        try:
            return read_parsed(read_json(texts["prompt"].encode(), "the file", endless=True), catalogue)._replace(
                workflow=beside
            )
        except BadInput:
            if beside is None:
                raise
    if beside is None:
        raise BadInput("the picture's workflow is not whole JSON", "export the flow from ComfyUI instead")
    return read_parsed(beside, catalogue)


def _parsed(text: str | None) -> object:
    try:
        return None if text is None else read_json(text.encode(), "the file", endless=True)
    except BadInput:
        return None
