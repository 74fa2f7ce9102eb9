"""What index and backends share about flows: read a graph, order it, find its slots, bind a request, hash it.

A graph is ComfyUI's API format, ``{id: {"class_type": ..., "inputs": {...}}}``, where an input is a plain value or a
link ``[node id, output number]``. Graphs are untrusted: everything here is bounded in size, depth and time, opens no
path that a graph names, and treats titles and texts as data.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from imagewright.errors import BadInput
from imagewright.schemas import Flow, SlotBinding, SlotName

Graph = dict[str, dict[str, Any]]
Link = tuple[str, int]
Slots = dict[SlotName, tuple[SlotBinding, ...]]

MAX_BYTES = 10_000_000
"""The largest flow file, in bytes; real ones stay under 1 MB."""
MAX_DEPTH = 64
"""The deepest nesting of lists and objects."""
MAX_NODES = 10_000
MAX_TEXT = 1_000_000
"""The longest string, in characters."""
MAX_SAMPLERS = 16
"""How many samplers of a flow are looked at for slots; real flows have one to three."""
EXPORT_HINT = "in ComfyUI: Workflow > Export (API), then add the file that it saves"

_TEXTS = ("text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "prompt")
_VALUE_NODES = ("PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "PrimitiveStringMultiline")
_SEEDS = {"KSampler": "seed", "KSamplerAdvanced": "noise_seed", "SamplerCustom": "noise_seed"}
_SAMPLERS = frozenset({*_SEEDS, "SamplerCustomAdvanced"})


# --- reading --------------------------------------------------------------------------------


def read_json(source: Path | str | bytes) -> object:
    """Parse a JSON file (a path) or JSON text (bytes) that came from outside.

    Raises:
        BadInput: the file cannot be read; it is larger than ``MAX_BYTES``, not UTF-8, cut, nested deeper than
            ``MAX_DEPTH``, has one key twice in an object, or numbers that JSON does not know.
    """
    name = "the text" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read_bytes(Path(source))
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES // 1_000_000} MB", "a flow file is a few kilobytes of JSON")
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not text", "a flow file is JSON; " + EXPORT_HINT) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"{name} is not whole JSON: {error.msg} at {where}", "save or export it again") from None
    except (ValueError, RecursionError) as error:
        detail = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"{name} cannot be used: {detail}", "save or export it again") from None
    _check_values(value, name)
    return value


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"cannot read {path}: {reason}", "name a JSON file that exists and is readable") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def _check_values(value: object, name: str) -> None:
    """Bound depth and text, and refuse infinite numbers and broken Unicode, without recursion."""
    pending: list[tuple[object, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise BadInput(f"{name} is nested deeper than {MAX_DEPTH} levels", "a flow is two or three levels deep")
        if isinstance(item, dict):
            pending += [(key, depth + 1) for key in item]
            pending += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            pending += [(child, depth + 1) for child in item]
        elif isinstance(item, str):
            _check_text(item, name)
        elif isinstance(item, float) and not math.isfinite(item):
            raise BadInput(f"{name} holds a number that is too large", "use finite numbers")


def _check_text(text: str, name: str) -> None:
    if len(text) > MAX_TEXT:
        raise BadInput(f"{name} holds a text of more than {MAX_TEXT:,} characters", "shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{name} holds text that is not valid Unicode", "save it as UTF-8") from None


# --- graphs ---------------------------------------------------------------------------------


def parse_graph(data: object) -> Graph:
    """The graph in ``data`` (API format, bare or as ``{"prompt": {...}}``), with its nodes in their own order.

    Keys of a node other than ``class_type``, ``inputs`` and the title in ``_meta`` are dropped.

    Raises:
        BadInput: one line that says what is wrong: no nodes, the format of ComfyUI's editor, a node of the wrong
            shape, a link to nowhere, a cycle, or more than ``MAX_NODES`` nodes.
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
    _check_values(data, "the flow")
    graph = {str(node): _parse_node(str(node), value) for node, value in data.items()}
    _check_links(graph)
    order(graph)
    return graph


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


# --- slots ----------------------------------------------------------------------------------


def find_slots(graph: Graph) -> Slots:
    """Where a request enters ``graph``, found by walking back from its samplers.

    ``guidance`` is the FLUX guidance where there is one, else the sampler's ``cfg``. There is no ``negative`` where
    the negative conditioning is zeroed out. ``width``, ``height`` and ``batch`` come from the empty latent;
    ``steps``, ``denoise`` and ``cfg`` from the samplers that start at it (all samplers if none does).
    """
    samplers = [node for node, value in graph.items() if value["class_type"] in _SAMPLERS][:MAX_SAMPLERS]
    latents = {node: _empty_latents(graph, node) for node in samplers}
    first = [node for node in samplers if latents[node]] or samplers
    positive = _unique_bindings(_texts(graph, node, "positive") for node in samplers)
    negative = _unique_bindings(_texts(graph, node, "negative") for node in samplers)
    sizes = list(dict.fromkeys(latent for node in samplers for latent in latents[node]))
    split = len(samplers) > 1 and any(graph[node]["class_type"] == "KSamplerAdvanced" for node in samplers)
    found: Slots = {
        "positive": positive,
        "negative": tuple(binding for binding in negative if binding not in positive),
        "seed": _unique_bindings(_setting(graph, node, "seed") for node in samplers),
        "width": _unique_bindings(_literal(graph, node, "width") for node in sizes),
        "height": _unique_bindings(_literal(graph, node, "height") for node in sizes),
        "batch": _unique_bindings(_literal(graph, node, "batch_size") for node in sizes),
        "steps": () if split else _unique_bindings(_setting(graph, node, "steps") for node in first),
        "guidance": _guidance(graph, first),
        "denoise": _unique_bindings(_setting(graph, node, "denoise") for node in first),
        "input_image": _of_class(graph, "LoadImage"),
        "mask": _of_class(graph, "LoadImageMask"),
    }
    return {name: bindings for name, bindings in found.items() if bindings}


def _unique_bindings(parts: Iterable[tuple[SlotBinding, ...]]) -> tuple[SlotBinding, ...]:
    return tuple(dict.fromkeys(binding for part in parts for binding in part))


def _literal(graph: Graph, node: str, name: str) -> tuple[SlotBinding, ...]:
    """The binding of an input that holds a value, here or in the primitive node that it links to."""
    value = graph[node]["inputs"].get(name)
    if value is None:
        return ()
    if not _is_link(value):
        return (SlotBinding(node=node, input=name),)
    return (SlotBinding(node=value[0], input="value"),) if graph[value[0]]["class_type"] in _VALUE_NODES else ()


def _of_class(graph: Graph, class_type: str) -> tuple[SlotBinding, ...]:
    nodes = [node for node, value in graph.items() if value["class_type"] == class_type]
    return _unique_bindings(_literal(graph, node, "image") for node in nodes)


def _helper(graph: Graph, sampler: str, name: str) -> str | None:
    """The node behind a link of a custom sampler: its guider, noise or sigmas."""
    return links(graph[sampler]["inputs"]).get(name, (None, 0))[0]


def _setting(graph: Graph, sampler: str, name: SlotName) -> tuple[SlotBinding, ...]:
    """Where ``seed``, ``steps`` or ``denoise`` of a sampler is set, in it or in its helper nodes."""
    class_type = graph[sampler]["class_type"]
    if name == "seed" and class_type == "SamplerCustomAdvanced":
        noise = _helper(graph, sampler, "noise")
        return _literal(graph, noise, "noise_seed") if noise else ()
    if name == "seed":
        return _literal(graph, sampler, _SEEDS[class_type])
    sigmas = _helper(graph, sampler, "sigmas")
    return _literal(graph, sigmas or sampler, name)


def _guidance(graph: Graph, samplers: Collection[str]) -> tuple[SlotBinding, ...]:
    """``FluxGuidance.guidance`` on the positive side where there is one, else the samplers' ``cfg``."""
    behind = dict.fromkeys(node for sampler in samplers for node in _conditioning(graph, sampler, "positive"))
    flux = [node for node in behind if "guidance" in graph[node]["inputs"]]
    if flux:
        return _unique_bindings(_literal(graph, node, "guidance") for node in flux)
    holders = [_helper(graph, sampler, "guider") or sampler for sampler in samplers]
    return _unique_bindings(_literal(graph, node, "cfg") for node in holders)


def _texts(graph: Graph, sampler: str, side: str) -> tuple[SlotBinding, ...]:
    encoders = [node for node in _conditioning(graph, sampler, side) if "TextEncode" in graph[node]["class_type"]]
    return _unique_bindings(_literal(graph, node, name) for node in encoders for name in _TEXTS)


def _conditioning(graph: Graph, sampler: str, side: str) -> list[str]:
    """The conditioning nodes behind one side of a sampler, nearest first; nothing behind a zeroed-out one."""
    holder = _helper(graph, sampler, "guider") or sampler
    inputs = links(graph[holder]["inputs"])
    start = inputs.get(side) or (inputs.get("conditioning") if side == "positive" else None)
    pending = deque([start] if start else [])
    seen: dict[str, None] = {}
    while pending:
        node, output = pending.popleft()
        if node in seen or graph[node]["class_type"] == "ConditioningZeroOut":
            continue
        seen[node] = None
        pending += _conditioning_inputs(graph, node, output)
    return list(seen)


def _conditioning_inputs(graph: Graph, node: str, output: int) -> list[Link]:
    """The links on which conditioning flows into output ``output`` of ``node``."""
    inputs = links(graph[node]["inputs"])
    if "positive" in inputs and "negative" in inputs:
        return [inputs["negative" if output == 1 else "positive"]]
    return [link for name, link in inputs.items() if name.startswith("conditioning")]


def _empty_latents(graph: Graph, sampler: str) -> list[str]:
    """The empty latents that a sampler starts from, not looking past an earlier sampler."""
    pending = [link[0] for name, link in links(graph[sampler]["inputs"]).items() if name == "latent_image"]
    seen: set[str] = set()
    found = []
    while pending:
        node = pending.pop()
        class_type = graph[node]["class_type"]
        if node in seen or class_type in _SAMPLERS:
            continue
        seen.add(node)
        if class_type.startswith("Empty") and "Latent" in class_type:
            found.append(node)
        inputs = links(graph[node]["inputs"])
        pending += [link[0] for name, link in inputs.items() if name.startswith(("samples", "latent"))]
    return found


def bind(flow: Flow, values: Mapping[SlotName, object], insist: Collection[SlotName] = ()) -> Graph:
    """A copy of the flow's graph with its slots filled; a value of ``None`` leaves what the graph states.

    A slot that the flow lacks is skipped, unless it is named in ``insist``.

    Raises:
        BadInput: the flow lacks a slot of ``insist`` that a value is given for.
    """
    graph = copy.deepcopy(flow.graph)
    slots = find_slots(graph)
    for name, value in values.items():
        if value is None:
            continue
        if name in insist and name not in slots:
            raise BadInput(f"flow {flow.id!r} has no slot {name!r}", f"its slots: {', '.join(slots) or 'none'}")
        for binding in slots.get(name, ()):
            graph[binding.node]["inputs"][binding.input] = value
    return graph


# --- hashes ---------------------------------------------------------------------------------


def graph_hash(graph: Graph) -> str:
    """SHA-256 (64 hex digits) of what the graph does: nodes, inputs and links; titles do not count."""
    return _hash({node: [value["class_type"], value["inputs"]] for node, value in graph.items()})


def shape_hash(graph: Graph) -> str:
    """SHA-256 of the graph up to node ids, seed, prompt texts and the name of the saved file.

    Two flows of one shape draw the same pictures for the same request. Each node is hashed with the hashes of the
    nodes that it links to, so that renamed ids do not matter.
    """
    slots = find_slots(graph)
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
    """``1.0`` and ``1`` are one number in JSON; bounded by ``MAX_DEPTH``."""
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
