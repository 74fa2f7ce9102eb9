"""What index and backends share about flows: read a graph, order it, bind a request, hash it.

A graph is ComfyUI's API format, ``{id: {"class_type": ..., "inputs": {...}}}``, where an input is a plain value or a
link ``[node id, output number]``. Graphs are untrusted: everything here is bounded in size, depth and time, opens no
path that a graph names, and treats titles and texts as data.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.schemas import Flow, SlotBinding, SlotName

Graph = dict[str, dict[str, Any]]
Link = tuple[str, int]
Slots = dict[SlotName, tuple[SlotBinding, ...]]

MAX_BYTES = 10_000_000
"""The largest flow file, in bytes; real ones stay under 1 MB."""
MAX_NODES = 10_000
EXPORT_HINT = "in ComfyUI: Workflow > Export (API), then add the file that it saves"
FLOW = untrusted.Bounds(bytes=MAX_BYTES, strict=True, remedy=f"save it again; {EXPORT_HINT}")
"""A flow file; ``objects`` are forty for each of ``MAX_NODES`` nodes."""

_FILE_INPUT = re.compile(
    r"^(image|images_path|mask|video|audio|file|filename|filename_prefix|model_file|path|folder|directory|"
    r"\w*(_path|_file|_folder|_directory|_name\d?))$"
)
"""Inputs that name a file or a folder, by their names; a prompt is none."""


# --- reading --------------------------------------------------------------------------------


def read_json(source: Path | str | bytes, called: str = "the text", endless: bool = False) -> object:
    """Parse a flow's JSON: a file (a path) or text (bytes, ``called`` so in errors) that came from outside.

    ``endless`` lets NaN and infinities through, for callers that look at what they keep.

    Raises:
        BadInput: as ``untrusted.parse_json`` with the bounds of ``FLOW``; also one key twice in an object, or numbers
            that JSON does not know.
    """
    bounds = replace(FLOW, endless=endless)
    if isinstance(source, bytes):
        return untrusted.parse_json(source, called, bounds)
    return untrusted.load_json(Path(source), bounds)


# --- graphs ---------------------------------------------------------------------------------


def parse_graph(data: object) -> Graph:
    """The graph in ``data`` (API format, bare or as ``{"prompt": {...}}``), with its nodes in their own order.

    Keys of a node other than ``class_type``, ``inputs`` and the title in ``_meta`` are dropped.

    Raises:
        BadInput: one line that says what is wrong: no nodes, the format of ComfyUI's editor, a node of the wrong
            shape, a link to nowhere, a cycle, or more than ``MAX_NODES`` nodes.
    """
    return parse_in_order(data)[0]


def parse_in_order(data: object) -> tuple[Graph, list[str]]:
    """The graph in ``data`` as ``parse_graph`` reads it, and its nodes in running order (``order``).

    Raises:
        BadInput: as ``parse_graph``.
    """
    if isinstance(data, dict) and isinstance(data.get("prompt"), dict) and "class_type" not in data["prompt"]:
        data = data["prompt"]
    if isinstance(data, dict) and isinstance(data.get("nodes"), list):
        raise BadInput("this is a workflow of ComfyUI's editor; only the API format is read so far", EXPORT_HINT)
    if not isinstance(data, dict) or not data:
        what = "an empty object" if data == {} else f"a JSON {_json_type(data)}"
        raise BadInput(f"this is {what}, not a flow", "a flow is {id: {class_type, inputs}}; " + EXPORT_HINT)
    if len(data) > MAX_NODES:
        raise BadInput(f"the flow has {len(data):,} nodes; at most {MAX_NODES:,} are read", "split it")
    untrusted.check_values(data, "the flow", FLOW)
    graph = {str(node): _parse_node(str(node), value) for node, value in data.items()}
    _check_links(graph)
    return graph, order(graph)


def _json_type(value: object) -> str:
    return {list: "list", dict: "object", str: "text", bool: "truth value", type(None): "null"}.get(
        type(value), "number"
    )


def _parse_node(node: str, value: object) -> dict[str, Any]:
    shape = 'a node is {"class_type": "...", "inputs": {...}}; ' + EXPORT_HINT
    if not isinstance(value, dict):
        raise BadInput(f"node {node[:60]!r} is a JSON {_json_type(value)}, not a node", shape)
    for key, wanted in (("class_type", str), ("inputs", dict)):
        if not isinstance(value.get(key), wanted):
            raise BadInput(f"node {node[:60]!r} has no {key}", shape)
    parsed: dict[str, Any] = {"class_type": value["class_type"], "inputs": copy.deepcopy(value["inputs"])}
    meta = value.get("_meta")
    if isinstance(meta, dict) and isinstance(meta.get("title"), str):
        parsed["_meta"] = {"title": meta["title"]}
    return parsed


def _check_links(graph: Graph) -> None:
    for node, value in graph.items():
        for name, item in value["inputs"].items():
            where = f"input {name[:60]!r} of node {node[:60]!r}"
            if isinstance(item, list) and len(item) == 2 and type(item[0]) is int and str(item[0]) in graph:
                raise BadInput(f"{where} links to a number, {item}", f'write ids as text: ["{item[0]}", {item[1]}]')
            if _is_link(item) and item[0] not in graph:
                missing = f"{where} links to node {item[0][:60]!r}, which is not there"
                raise BadInput(missing, "add the node, or export the flow again")
            if _is_link(item) and item[1] < 0:
                raise BadInput(f"{where} links to output {item[1]}", "outputs count from 0")


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def links(inputs: Mapping[str, Any]) -> dict[str, Link]:
    """The inputs of one node that are links: ``{input: (node id, output number)}``."""
    return {name: (value[0], value[1]) for name, value in inputs.items() if _is_link(value)}


def order(graph: Graph) -> list[str]:
    """The node ids so that every node comes after the nodes it links to; ties keep the graph's own order.

    Raises:
        BadInput: the links run in a circle.
    """
    sources = {node: {source for source, _ in links(value["inputs"]).values()} for node, value in graph.items()}
    waiting = {node: len(found) for node, found in sources.items()}
    users: dict[str, list[str]] = {node: [] for node in graph}
    for node, found in sources.items():
        for source in found:
            users[source].append(node)
    ready = deque(node for node, count in waiting.items() if count == 0)
    done: list[str] = []
    while ready:
        node = ready.popleft()
        done.append(node)
        for user in users[node]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    if len(done) < len(graph):
        stuck = sorted(node[:60] for node, count in waiting.items() if count)[:4]
        raise BadInput(f"the flow's links run in a circle through nodes {', '.join(stuck)}", "remove one of the links")
    return done


# --- binding --------------------------------------------------------------------------------------


def bind(flow: Flow, values: Mapping[SlotName, object], insist: Collection[SlotName] = ()) -> Graph:
    """A copy of the flow's graph with the slots of its card filled; a value of ``None`` leaves what the graph states.

    A slot that the flow lacks is skipped, unless it is named in ``insist``.

    Raises:
        BadInput: the flow lacks a slot of ``insist`` that a value is given for, a slot names a node that is not there,
            or a file input leads out of the folders that files are read from (``refuse_paths``).
    """
    return fill_slots(flow.id, flow.graph, flow.card.slots, values, insist)


def fill_slots(
    flow: str, graph: Graph, slots: Slots, values: Mapping[SlotName, object], insist: Collection[SlotName] = ()
) -> Graph:
    """A copy of ``graph`` with ``slots`` filled, as ``bind`` does it for the flow with the id ``flow``.

    Raises:
        BadInput: as ``bind``.
    """
    graph = copy.deepcopy(graph)
    for name, value in values.items():
        if value is None:
            continue
        if name in insist and name not in slots:
            raise BadInput(f"flow {flow!r} has no slot {name!r}", f"its slots: {', '.join(slots) or 'none'}")
        for binding in slots.get(name, ()):
            if binding.node not in graph:
                remedy = f"correct it: imagewright flows edit {flow} --slot {name}=NODE.INPUT"
                raise BadInput(f"slot {name!r} of flow {flow!r} names node {binding.node!r}, not in it", remedy)
            graph[binding.node]["inputs"][binding.input] = value
    refuse_paths(graph)
    return graph


def read_size(flow: Flow) -> tuple[int, int] | None:
    """The width and height in pixels that the flow's graph states for the slots of these names; None for none."""
    sides = []
    for name in ("width", "height"):
        stated = flow.read_slot(name)
        sides.append(next((value for value in stated if isinstance(value, int) and not isinstance(value, bool)), None))
    width, height = sides
    return None if width is None or height is None else (width, height)


def refuse_paths(graph: Graph) -> None:
    """Hold every file that a graph names to the folders that files are read from and written to.

    Raises:
        BadInput: an input that names a file holds an absolute path, a drive, a home folder, or ``..``.
    """
    for node, value in graph.items():
        for name, item in value["inputs"].items():
            if isinstance(item, str) and _FILE_INPUT.search(name) and _leads_out(item):
                where = f"input {name[:60]!r} of node {node[:60]!r} ({value['class_type'][:60]})"
                raise BadInput(f"{where} leads out of its folder: {item[:80]!r}", "name a file in the folder, by name")


def _leads_out(path: str) -> bool:
    parts = re.split(r"[\\/]", path.strip())
    return ".." in parts or parts[0] == "~" or re.match(r"\s*([\\/]|[A-Za-z]:[\\/])", path) is not None


# --- hashes ---------------------------------------------------------------------------------


def graph_hash(graph: Graph) -> str:
    """SHA-256 (64 hex digits) of what the graph does: nodes, inputs and links; titles do not count."""
    return _hash({node: [value["class_type"], value["inputs"]] for node, value in graph.items()})


def shape_hash(graph: Graph, slots: Slots) -> str:
    """SHA-256 of the graph up to node ids, the seed and prompt texts that ``slots`` fill, and the saved file's name.

    Two flows of one shape draw the same pictures for the same request. Each node is hashed with the hashes of the
    nodes that it links to, so that renamed ids do not matter.
    """
    asked: tuple[SlotName, ...] = ("positive", "negative", "seed")
    free = {(b.node, b.input) for name in asked for b in slots.get(name, ())}
    hashes: dict[str, str] = {}
    for node in order(graph):
        inputs = {}
        for name, value in graph[node]["inputs"].items():
            link = [hashes[value[0]], value[1], "link"] if _is_link(value) else value
            inputs[name] = None if (node, name) in free or name == "filename_prefix" else link
        hashes[node] = _hash([graph[node]["class_type"], inputs])
    return _hash(sorted(hashes.values()))


def _hash(value: object) -> str:
    text = json.dumps(_whole_numbers(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _whole_numbers(value: object) -> object:
    """``1.0`` and ``1`` are one number in JSON; bounded by ``FLOW.depth``."""
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
