"""Subgraphs: the order to read them in, the widgets that an instance shows of what is inside, and their flattening.

An instance's widgets are of two sorts. An input of the subgraph that leads to a widget inside shows a copy of it, which
counts for this instance only. A *proxy* (``properties.proxyWidgets``) is the inner widget itself and needs no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.flow_format import MAX_NODES
from imagewright.retrieval.comfy.model import (
    MAX_NESTING,
    MAX_SLOTS,
    EditorNode,
    Port,
    Scope,
    Socket,
    Unconvertible,
    Widget,
    Workflow,
    read_slots,
    read_socket,
)  # fmt: skip
from imagewright.retrieval.comfy.widgets import take_value

OWN = "-1"
"""The node id by which a list of proxies names the instance's own inputs."""


@dataclass(slots=True)
class Frame:
    """One copy of a scope in the flat graph: the ids that lead to it, and the instance that it stands for."""

    path: tuple[str, ...]
    scope: Scope
    holder: EditorNode | None = None
    parent: Frame | None = None
    inner: dict[str, Frame] = field(default_factory=dict)

    def flat_id(self, node: EditorNode) -> str:
        """The node's id in the flat graph: ``outer:inner``."""
        return ":".join((*self.path, node.id))


def inner_first(workflow: Workflow) -> list[Scope]:
    """The subgraphs so that each comes after those that it holds instances of.

    Raises:
        Unconvertible: one holds itself, or the nesting is deeper than ``MAX_NESTING``.
    """
    done: dict[str, int] = {}
    waiting: dict[str, list[str]] = {
        name: [node.type for node in scope.nodes.values() if node.type in workflow.subgraphs]
        for name, scope in workflow.subgraphs.items()
    }
    while waiting:
        ready = [name for name, needs in waiting.items() if all(need in done for need in needs)]
        if not ready:
            raise Unconvertible([f"subgraph {_short(next(iter(waiting)))!r} contains itself"])
        if max(done.values(), default=0) >= MAX_NESTING:
            raise BadInput(f"subgraphs are nested deeper than {MAX_NESTING}", "unpack the innermost ones")
        for name in ready:
            done[name] = 1 + max((done[need] for need in waiting.pop(name)), default=0)
    return [workflow.subgraphs[name] for name in done]


def _short(text: str) -> str:
    return text[:60]


# --- the widgets of an instance ---------------------------------------------------------------


def fill_instance(node: EditorNode, scope: Scope) -> None:
    """Give an instance the sockets of its subgraph, and the widgets that it shows of the inside."""
    saved = {socket.name: socket for socket in map(read_socket, read_slots(node, "inputs"))}
    for port in scope.inputs[:MAX_SLOTS]:
        known = saved.get(port.name)
        node.inputs.append(Socket(port.name, port.type, known.link if known else None))
    node.outputs = [port.type for port in scope.outputs[:MAX_SLOTS]]
    behind: dict[str, Widget] = {}
    for socket, port in zip(node.inputs, scope.inputs, strict=False):
        widget = _behind(port, scope)
        if widget is not None:
            socket.widget = port.name
            behind[port.name] = widget
            node.widgets.append(Widget(port.name, widget.value, text=widget.text))
    _restore(node, behind)


def _behind(port: Port, scope: Scope) -> Widget | None:
    """The first widget that an input of a subgraph leads to."""
    for name in port.links:
        link = scope.links.get(name)
        target = scope.nodes.get(link.target) if link else None
        if target is None or link is None:
            continue
        socket = next((socket for socket in target.inputs if socket.link == name), None)
        widget = target.widget(socket.widget) if socket else None
        if widget is not None:
            return widget
    return None


def _restore(node: EditorNode, behind: Mapping[str, Widget]) -> None:
    """The values that the file saved for an instance: by position, then by the list of proxies for its own inputs.

    A proxy takes the place of the instance's own widget of that name. What is saved for a box of text goes into the
    inner box too, which is where a proxy shows it.
    """
    values = node.raw.get("widgets_values")
    rows = values[:MAX_SLOTS] if isinstance(values, list) else []
    proxies = list(_proxies(node))
    own = {widget.name: widget for widget in node.widgets}
    saved = list(zip(own.values(), rows, strict=False))
    saved += [
        (own[name], value)
        for (holder, name), value in zip(proxies, rows, strict=False)
        if holder == OWN and name in own and value is not None
    ]
    for widget, value in saved:
        widget.value = take_value(widget, value)
        if widget.text and proxies:
            behind[widget.name].value = widget.value
    replaced = {name for _holder, name in proxies} - {name for holder, name in proxies if holder == OWN}
    node.widgets = [
        replace(behind[widget.name], name=widget.name, proxied=True) if widget.name in replaced else widget
        for widget in node.widgets
    ]


def _proxies(node: EditorNode) -> Iterator[tuple[str, str]]:
    """``(node id, widget name)`` of each proxy; a list, or the same as JSON text in some files."""
    properties = node.raw.get("properties")
    rows = properties.get("proxyWidgets") if isinstance(properties, dict) else None
    if isinstance(rows, str):
        try:
            rows = untrusted.parse_json(rows, "proxyWidgets")
        except BadInput:
            return
    for row in rows[:MAX_SLOTS] if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) >= 2 and isinstance(row[1], str):
            yield str(row[0]), row[1]


# --- flattening -------------------------------------------------------------------------------


def flatten(workflow: Workflow, order: Sequence[Scope]) -> list[Frame]:
    """Every copy of every scope in the flat graph, outer before inner; muted and bypassed instances do not unfold.

    Raises:
        BadInput: the flat graph would have more than ``MAX_NODES`` nodes.
    """
    sizes: dict[str, int] = {}
    for scope in [*order, workflow.root]:
        sizes[scope.id] = 1 + sum(sizes.get(node.type, 1) for node in scope.nodes.values())
        if sizes[scope.id] > MAX_NODES + 1:
            raise BadInput(f"the workflow unfolds to more than {MAX_NODES:,} nodes", "split it")
    frames = [Frame((), workflow.root)]
    for frame in frames:
        for node in frame.scope.nodes.values():
            if node.kind == "instance" and not node.skipped:
                inner = Frame((*frame.path, node.id), workflow.subgraphs[node.type], node, frame)
                frame.inner[node.id] = inner
                frames.append(inner)
    return frames
