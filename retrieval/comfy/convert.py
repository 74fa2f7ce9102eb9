"""A workflow of ComfyUI's editor to an API-format graph, as the editor itself makes it when it queues a prompt.

First the workflow is loaded the way the editor loads it: every node gets the sockets and widgets of its class and the
values of the file, subgraphs from the inside out. Then primitives write their value into the widgets that they feed,
and every node that the server runs is written down with its values and the real start of each of its links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from imagewright.flow_format import Graph, links
from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.describe import output_nodes
from imagewright.retrieval.comfy.everywhere import link_everywhere
from imagewright.retrieval.comfy.groups import expand_groups
from imagewright.retrieval.comfy.ids import renumber
from imagewright.retrieval.comfy.model import (
    UNSET,
    EditorNode,
    Scope,
    Unconvertible,
    Widget,
    Workflow,
    read_workflow_json,
)
from imagewright.retrieval.comfy.splice import NOTES, PRIMITIVES, SETTERS, VIRTUAL, Walker, variable
from imagewright.retrieval.comfy.subgraphs import Frame, fill_instance, flatten, inner_first
from imagewright.retrieval.comfy.texts import has_choice, plain_prompt, replace_placeholders
from imagewright.retrieval.comfy.unknown import NOT_KNOWN, drop_unknown, fill_unknown, values_by_name
from imagewright.retrieval.comfy.widgets import fill, number


class Converted(NamedTuple):
    """A graph in API format; the nodes left out, with why; and what else the person should know."""

    graph: Graph
    skipped: list[str]
    notes: list[str]


def convert(workflow: object, catalogue: Catalogue) -> Converted:
    """The API-format graph of a workflow in the editor's JSON (parsed), equal to what ComfyUI's editor makes.

    Node ids inside subgraphs are ``outer:inner``. Choices in prompts (``{a|b}``) take their first part, where the
    editor draws one by lot.

    Raises:
        Unconvertible: nodes in the way, each named with why.
        BadInput: it is no workflow, or too large.
    """
    raw = expand_groups(workflow, catalogue) if isinstance(workflow, dict) else {}
    loaded = read_workflow_json(raw or workflow)
    unlinked, broadcast = link_everywhere(loaded, raw)
    renumber(loaded, raw)
    order = inner_first(loaded)
    for scope in [*order, loaded.root]:
        _load(scope, loaded, catalogue)
    frames = flatten(loaded, order)
    for scope in [*order, loaded.root]:
        _write_primitives(scope)
    found = _written(frames, loaded.root)
    unknown = {frame.flat_id(node): node for frame in frames for node in frame.scope.nodes.values()
               if node.kind == "unknown" and not node.skipped}  # fmt: skip
    lost, dropped, notes = drop_unknown(found.graph, unknown, output_nodes(found.graph, catalogue))
    lost += unlinked + [f"node {frame.flat_id(node)} ({node.type[:80]}) {node.unclear}"
                        for frame in frames for node in frame.scope.nodes.values()
                        if node.unclear and not node.skipped]  # fmt: skip
    if lost:
        server = any(line.endswith(NOT_KNOWN) or "its values are another" in line for line in lost)
        raise Unconvertible(
            lost, "give the catalogue of a server that has these nodes: --comfyui URL" if server else ""
        )
    return Converted(found.graph, found.skipped + dropped, broadcast + found.notes + notes)


# --- loading --------------------------------------------------------------------------------


def _load(scope: Scope, workflow: Workflow, catalogue: Catalogue) -> None:
    for node in scope.nodes.values():
        if node.type in catalogue:
            fill(node, catalogue[node.type])
            if (node.unclear or node.spare) and values_by_name(node) is not None:
                node.widgets, node.unclear, node.spare, node.newer = [], "", [], True
                fill_unknown(node)
        elif node.type not in workflow.subgraphs:
            node.kind = "virtual" if node.type in VIRTUAL else "unknown"
            fill_unknown(node)
    for node in reversed(scope.nodes.values()):
        name = variable(node) if node.type in SETTERS else None
        if name is not None:
            scope.setters[name] = node
    for node in scope.nodes.values():
        if node.type in workflow.subgraphs and node.type not in catalogue:
            node.kind = "instance"
            fill_instance(node, workflow.subgraphs[node.type])


def _write_primitives(scope: Scope) -> None:
    """A primitive's value goes into every widget that it is linked to, whatever its mode."""
    values = {node.id: node.raw.get("widgets_values") for node in scope.nodes.values() if node.type in PRIMITIVES}
    for node in scope.nodes.values() if values else ():
        for socket in node.inputs:
            link = scope.links.get(socket.link) if socket.link is not None else None
            told = values.get(link.origin) if link else None
            widget = node.widget(socket.widget)
            if widget is not None and isinstance(told, list) and told:
                widget.value = number(told[0])


# --- writing --------------------------------------------------------------------------------


def _written(frames: Iterable[Frame], root: Scope) -> Converted:
    graph: Graph = {}
    skipped: list[str] = []
    notes: list[str] = []
    named, walker = _by_name(root), Walker()
    for frame in frames:
        for node in frame.scope.nodes.values():
            if node.kind in ("real", "unknown") and not node.skipped:
                graph[frame.flat_id(node)] = {
                    "class_type": node.type,
                    "inputs": _inputs(frame, node, walker, named),
                    "_meta": {"title": node.title},
                }
                notes += _remarks(frame.flat_id(node), node, graph[frame.flat_id(node)]["inputs"])
            elif node.skipped and node.type not in NOTES:
                skipped.append(
                    f"node {frame.flat_id(node)} ({node.type}) is {'muted' if node.mode == 2 else 'bypassed'}"
                )
    for value in graph.values():
        for name, (source, _slot) in links(value["inputs"]).items():
            if source not in graph:
                del value["inputs"][name]
    if not graph:
        raise Unconvertible(["no node in it runs: everything is muted, bypassed or a note"], "enable its nodes")
    return Converted(graph, skipped, notes)


def _inputs(frame: Frame, node: EditorNode, walker: Walker, named: Mapping[str, EditorNode]) -> dict[str, Any]:
    """Every value that a node sends, then every link, which takes the place of a value of its name."""
    found = {widget.name: _sent(widget, named) for widget in node.widgets if widget.sent and widget.value is not UNSET}
    for slot, socket in enumerate(node.inputs):
        source = walker.source_of(frame, node, slot) if socket.link is not None else None
        own = node.widget(socket.name)
        if isinstance(source, Widget) and source.proxied and own is not None:
            source = own
        if isinstance(source, Widget):
            found.pop(socket.name, None)
            if source.value is not UNSET:
                found[socket.name] = _wrapped(source.value)
        elif source is not None:
            found[socket.name] = [source.frame.flat_id(source.node), source.slot]
    return found


def _sent(widget: Widget, named: Mapping[str, EditorNode]) -> object:
    value = widget.value
    if isinstance(value, str) and widget.dynamic:
        value = plain_prompt(value)
    if isinstance(value, str) and widget.replaces and "%" in value:
        value = replace_placeholders(value, lambda name, of: _value_of(named, name, of))
    return _wrapped(value)


def _wrapped(value: object) -> object:
    """A list is a link in the API format, so that a list that is a value is wrapped."""
    return {"__value__": value} if isinstance(value, list) else value


def _by_name(root: Scope) -> dict[str, EditorNode]:
    """The nodes of the canvas by the names that texts refer to them with: the first of each."""
    found: dict[str, EditorNode] = {}
    for node in root.nodes.values():
        properties = node.raw.get("properties")
        stated = properties.get("Node name for S&R") if isinstance(properties, dict) else None
        for name in (stated, node.title):
            if isinstance(name, str):
                found.setdefault(name, node)
    return found


def _value_of(named: Mapping[str, EditorNode], name: str, of: str) -> object:
    widget = named[name].widget(of) if name in named else None
    return widget.value if widget else None


def _remarks(flat_id: str, node: EditorNode, sent: Mapping[str, Any]) -> list[str]:
    chosen = any(
        widget.dynamic
        and isinstance(widget.value, str)
        and has_choice(widget.value)
        and sent.get(widget.name) != widget.value
        for widget in node.widgets
    )
    choices = [f"node {flat_id}: the prompt's {{a|b}} choices took their first part"] if chosen else []
    where = f"node {flat_id} ({node.type[:80]})"
    if node.newer:
        choices.append(f"{where} is newer than the catalogue; its values were read by the names in the file")
    return choices + [f"{where}: {name[:60]} is left out: the catalogue does not know it" for name in node.spare]
