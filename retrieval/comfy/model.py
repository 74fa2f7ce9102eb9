"""A workflow of ComfyUI's editor in memory: scopes (the canvas, each subgraph) of nodes, sockets, links and widgets.

Reading is lenient about what does not matter (positions, colours, groups) and bounded about what does: nodes, links,
nesting. Nothing here knows what a node class is; ``widgets`` and ``subgraphs`` fill the widgets in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from imagewright.errors import BadInput
from imagewright.flow_format import EXPORT_HINT, MAX_NODES

ALWAYS, MUTED, BYPASSED = 0, 2, 4
"""The modes of a node; any other number runs like ``ALWAYS``."""
INPUT_SIDE, OUTPUT_SIDE = "-10", "-20"
"""The ids that stand for a subgraph's own inputs and outputs inside it."""
MAX_SUBGRAPHS = 2_000
MAX_NESTING = 32
MAX_SLOTS = 2_000
"""The most inputs, outputs or saved widget values of one node."""

GROUPS = ("workflow/", "workflow>")
"""What the types of group nodes of the old kind begin with."""
UNSET = object()
"""The value of a widget that never got one; it is not sent."""

NodeKind = Literal["real", "virtual", "instance", "unknown"]


class Unconvertible(BadInput):
    """A workflow that cannot become an API-format graph; ``reasons`` has one line for each node in the way."""

    def __init__(self, reasons: list[str], remedy: str = "") -> None:
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        super().__init__("this workflow cannot be converted: " + "; ".join(reasons[:3]) + more, remedy or EXPORT_HINT)
        self.reasons = reasons


@dataclass(slots=True)
class Widget:
    """A value that a node shows; ``sent`` ones go to the server."""

    name: str
    value: object = None
    sent: bool = True
    dynamic: bool = False
    text: bool = False
    """Whether it is a box of several lines, where no value is empty text."""
    replaces: bool = False
    """Whether ``%Node.widget%`` in it stands for another widget's value."""
    proxied: bool = False
    """Whether it is the inner widget itself, shown by a proxy: a value for sockets that have none of their own."""


@dataclass(slots=True)
class Socket:
    """An input of a node: a link's id, or none; ``widget`` names the widget that it can stand in for."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


@dataclass(slots=True)
class EditorLink:
    """From output ``slot`` of node ``origin`` to input ``target_slot`` of node ``target``."""

    origin: str
    slot: int
    target: str
    target_slot: int


@dataclass(slots=True)
class Port:
    """A subgraph's own input or output, and the links that leave or reach it inside."""

    name: str
    type: str
    links: list[str]


@dataclass(slots=True)
class EditorNode:
    """A node of a scope, with what the file says of it in ``raw``."""

    id: str
    type: str
    mode: int
    title: str
    raw: Mapping[str, Any]
    kind: NodeKind = "real"
    inputs: list[Socket] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    widgets: list[Widget] = field(default_factory=list)
    unclear: str = ""
    """Why its values cannot be told apart; empty where they can."""
    spare: list[str] = field(default_factory=list)
    """The names of saved values that the class has no widget for, behind all others."""
    newer: bool = False
    """Whether its class is newer than the catalogue, and its values were read by the names in the file."""

    def widget(self, name: str | None) -> Widget | None:
        """The widget of that name."""
        return next((widget for widget in self.widgets if widget.name == name), None) if name is not None else None

    @property
    def skipped(self) -> bool:
        """Whether it is muted or bypassed."""
        return self.mode in (MUTED, BYPASSED)


@dataclass(slots=True)
class Scope:
    """One canvas: the workflow's own, or a subgraph's."""

    id: str
    name: str
    nodes: dict[str, EditorNode]
    links: dict[str, EditorLink]
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    setters: dict[str, EditorNode] = field(default_factory=dict)
    """The Set nodes by the names that their Get nodes ask for."""


@dataclass(slots=True)
class Workflow:
    """The canvas of a workflow and the subgraphs that it defines."""

    root: Scope
    subgraphs: dict[str, Scope]


def is_workflow(data: object) -> bool:
    """Whether ``data`` looks like a workflow of the editor rather than an API-format graph."""
    return isinstance(data, dict) and isinstance(data.get("nodes"), list | dict) and "class_type" not in data


def read_workflow_json(data: object) -> Workflow:
    """The scopes of a workflow in the editor's JSON, of any version.

    Raises:
        BadInput: it is no workflow, or holds too many nodes, subgraphs or slots.
    """
    if not isinstance(data, dict) or not is_workflow(data):
        raise BadInput("this is not a workflow of ComfyUI's editor", EXPORT_HINT)
    held = list_subgraphs(data)
    if len(held) > MAX_SUBGRAPHS:
        raise BadInput(f"the workflow defines {len(held):,} subgraphs; at most {MAX_SUBGRAPHS:,} are read", "split it")
    count = sum(len(_values(raw.get("nodes"))) for raw in [data, *held])
    if count > MAX_NODES:
        raise BadInput(f"the workflow has {count:,} nodes; at most {MAX_NODES:,} are read", "split it")
    return Workflow(_scope(data, ""), {str(raw.get("id")): _scope(raw, str(raw.get("id"))) for raw in held})


def list_subgraphs(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The subgraphs that a file defines, as it has them."""
    definitions = data.get("definitions")
    raws = _values(definitions.get("subgraphs")) if isinstance(definitions, dict) else []
    return [raw for raw in raws if isinstance(raw, dict)]


def _scope(raw: Mapping[str, Any], scope_id: str) -> Scope:
    nodes = [_node(item) for item in _values(raw.get("nodes"))]
    links = dict(_link(item) for item in _values(raw.get("links")) if _is_link(item))
    inputs, outputs = (
        [_port(item) for item in _values(raw.get(side)) if isinstance(item, dict)] for side in ("inputs", "outputs")
    )
    return Scope(scope_id, _text_of(raw.get("name")), {node.id: node for node in nodes}, links, inputs, outputs)


def _values(found: object) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []


def _node(raw: object) -> EditorNode:
    if not isinstance(raw, dict) or not _is_id(raw.get("id")) or not isinstance(raw.get("type"), str):
        raise Unconvertible(["a node has no id or no type"])
    mode = raw.get("mode")
    title = _text_of(raw.get("title")) or raw["type"]
    return EditorNode(str(raw["id"]), raw["type"], mode if type(mode) is int else ALWAYS, title, raw)


def _is_id(value: object) -> bool:
    return type(value) is int or (isinstance(value, str) and 0 < len(value) <= 200)


def _is_link(raw: object) -> bool:
    if isinstance(raw, dict):
        return all(_is_id(raw.get(name)) for name in ("id", "origin_id", "target_id"))
    return isinstance(raw, list) and len(raw) >= 5 and all(_is_id(raw[place]) for place in (0, 1, 3))


def _link(raw: Any) -> tuple[str, EditorLink]:
    if isinstance(raw, dict):
        raw = [raw["id"], raw["origin_id"], raw.get("origin_slot"), raw["target_id"], raw.get("target_slot")]
    return str(raw[0]), EditorLink(str(raw[1]), slot_of(raw[2]), str(raw[3]), slot_of(raw[4]))


def slot_of(value: object) -> int:
    """A slot's number; -1, which is no slot, for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 6:
        return int(value)
    return value if type(value) is int and value >= 0 else -1


def _port(raw: Mapping[str, Any]) -> Port:
    ids = raw.get("linkIds")
    links = [str(item) for item in ids if _is_id(item)] if isinstance(ids, list) else []
    return Port(_text_of(raw.get("name")), type_of(raw.get("type")), links)


def _text_of(value: object) -> str:
    """The value where it is text, else nothing."""
    return value if isinstance(value, str) else ""


def type_of(value: object) -> str:
    """A socket's type; a choice's own values, and anything else that is no name, count as ``COMBO`` and ``*``."""
    return value if isinstance(value, str) else "COMBO" if isinstance(value, list) else "*"


def read_slots(node: EditorNode, side: str) -> Iterator[Mapping[str, Any]]:
    """The inputs or outputs that the file lists for a node."""
    found = node.raw.get(side)
    rows = found[:MAX_SLOTS] if isinstance(found, list) else []
    yield from (row for row in rows if isinstance(row, dict))


def read_socket(row: Mapping[str, Any]) -> Socket:
    """An input as the file has it."""
    link, widget = row.get("link"), row.get("widget")
    name = widget.get("name") if isinstance(widget, dict) else None
    return Socket(_text_of(row.get("name")), type_of(row.get("type")), str(link) if _is_id(link) else None,
                  name if isinstance(name, str) else None)  # fmt: skip
