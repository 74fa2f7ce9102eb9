"""Group nodes of the old kind (``workflow/NAME``), as the subgraphs that they are: from ``extra.groupNodes``.

A group names its nodes by their index, its links by index and slot, and its own inputs and values by order alone. Each
group node gets a subgraph of its own, with its values inside, so that everything after reads subgraphs only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.model import (
    GROUPS,
    MAX_SLOTS,
    EditorNode,
    Unconvertible,
    list_subgraphs,
    slot_of,
    type_of,
)
from imagewright.retrieval.comfy.splice import connects
from imagewright.retrieval.comfy.widgets import fill

_Row = dict[str, Any]


def expand_groups(raw: Mapping[str, Any], catalogue: Catalogue) -> Mapping[str, Any]:
    """The workflow ``raw`` with a subgraph for each of its group nodes that ``extra.groupNodes`` defines.

    Raises:
        Unconvertible: a group holds nodes, inputs or values that cannot be told apart, each named.
    """
    extra = raw.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, dict) else None
    if not isinstance(groups, dict):
        return raw
    made: list[_Row] = []
    nodes = _expand(raw, groups, catalogue, made)
    known = [{**scope, "nodes": _expand(scope, groups, catalogue, made)} for scope in list_subgraphs(raw)]
    return {**raw, "nodes": nodes, "definitions": {"subgraphs": [*known, *made]}} if made else raw


def _expand(scope: Mapping[str, Any], groups: Mapping[str, Any], catalogue: Catalogue, made: list[_Row]) -> object:
    """The nodes of one canvas, its group nodes as instances of subgraphs that join ``made``."""
    nodes = scope.get("nodes")
    if not isinstance(nodes, list):
        return nodes
    rows = []
    for row in nodes:
        group = groups.get(_name(row) or "")
        if isinstance(group, dict) and isinstance(group.get("nodes"), list):
            subgraph, row = _Group(row, group, f"{len(made)}", catalogue).unfold()
            made.append(subgraph)
        rows.append(row)
    return rows


def _name(row: object) -> str | None:
    kind = row.get("type") if isinstance(row, dict) else None
    return kind[len(GROUPS[0]) :] if isinstance(kind, str) and kind.startswith(GROUPS) else None


class _Group:
    """One group node on its way to a subgraph."""

    def __init__(self, row: _Row, group: Mapping[str, Any], mark: str, catalogue: Catalogue) -> None:
        self.row, self.mark, self.catalogue = row, mark, catalogue
        self.where = f"node {row.get('id')} ({str(row.get('type'))[:80]})"
        self.nodes: list[_Row] = [
            {**node, "id": place, "inputs": list(map(dict, _rows(node, "inputs")))}
            for place, node in enumerate(group["nodes"][:MAX_SLOTS])
            if isinstance(node, dict) and isinstance(node.get("type"), str)
        ]
        if len(self.nodes) != len(group["nodes"]):
            raise self._refusal("holds what is no node")
        self.links: list[_Row] = []
        found = group.get("links"), group.get("external")
        links, self.external = (rows if isinstance(rows, list) else [] for rows in found)
        for link in links:
            self._link_inside(link)

    def _refusal(self, what: str) -> Unconvertible:
        remedy = "convert the group node to nodes or to a subgraph in ComfyUI, and save again"
        return Unconvertible([f"{self.where}, a group node of the old kind, {what}"], remedy)

    def _add(self, origin: int, slot: int, target: int, end: int) -> int:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        self.links.append(dict(zip(keys, (len(self.links) + 1, origin, slot, target, end), strict=True)))
        return len(self.links)

    def _link_inside(self, link: object) -> None:
        """A link of the group: ``[origin index, slot, target index, slot, …]``; one from without has no index."""
        if not isinstance(link, list) or len(link) < 4 or link[0] is None or link[2] is None:
            return
        origin, slot, target, end = map(slot_of, link[:4])
        inside = 0 <= origin < len(self.nodes) and 0 <= target < len(self.nodes)
        if not inside or not 0 <= end < len(self.nodes[target]["inputs"]):
            raise self._refusal("has a link inside that leads nowhere")
        self.nodes[target]["inputs"][end]["link"] = self._add(origin, slot, target, end)

    def unfold(self) -> tuple[_Row, _Row]:
        """The subgraph, and the group node as an instance of it."""
        linked = {(link["target_id"], link["target_slot"]) for link in self.links}
        for node in self.nodes:
            for place, socket in enumerate(node["inputs"]):
                if (node["id"], place) not in linked:
                    socket["link"] = None
        self._hand_values()
        ends = self._ends()
        inputs = [self._port(place, socket) for place, socket in enumerate(_rows(self.row, "inputs"))]
        outputs = [self._output(place, ends) for place in range(len(_rows(self.row, "outputs")))]
        name = f"{self.row['type']} {self.mark}"
        made = {"id": name, "name": str(self.row["type"]), "nodes": self.nodes, "links": self.links,
                "inputs": inputs, "outputs": outputs}  # fmt: skip
        return made, {**self.row, "type": name, "widgets_values": []}

    def _loaded(self, node: _Row) -> EditorNode:
        if node["type"] not in self.catalogue:
            raise self._refusal(f"holds {node['type'][:80]}, which is not in the catalogue of nodes")
        loaded = EditorNode(str(node["id"]), node["type"], 0, "", node)
        fill(loaded, self.catalogue[node["type"]])
        return loaded

    def _hand_values(self) -> None:
        """The group's values, in the order of the widgets inside that no link inside feeds."""
        values = self.row.get("widgets_values")
        shown: list[tuple[_Row, str]] = []
        for node in self.nodes:
            loaded = self._loaded(node)
            fed = {str(row.get("name")) for row in node["inputs"] if row.get("link") is not None}
            named = {widget.name: widget.value for widget in loaded.widgets}
            node["widgets_values"] = named
            shown += [(node, widget.name) for widget in loaded.widgets if widget.name not in fed]
        if isinstance(values, list) and values:
            if len(values) != len(shown):
                raise self._refusal(f"has {len(values)} values for {len(shown)} places")
            for (node, name), value in zip(shown, values, strict=True):
                node["widgets_values"][name] = value

    def _port(self, place: int, outer: Mapping[str, Any]) -> _Row:
        """An input of the group, led to the first free input inside that its name and type fit."""
        name, kind = outer.get("name"), type_of(outer.get("type"))
        for node in self.nodes:
            self._show_widgets(node, str(name))
            for end, socket in enumerate(node["inputs"]):
                own = str(socket.get("name"))
                fits = name == own or str(name).endswith(f" {own}") or name == socket.get("label")
                if fits and socket.get("link") is None and connects(type_of(socket.get("type")), kind):
                    link = socket["link"] = self._add(-10, place, node["id"], end)
                    return {"name": name, "type": kind, "linkIds": [link]}
        raise self._refusal(f"has an input {str(name)[:60]!r} that leads nowhere")

    def _show_widgets(self, node: _Row, name: str) -> None:
        """A widget that became an input of the group needs a socket inside, too."""
        known = {str(row.get("name")) for row in node["inputs"]}
        for socket in self._loaded(node).inputs:
            if socket.name not in known and (name == socket.name or name.endswith(f" {socket.name}")):
                widget = {"widget": {"name": socket.widget}} if socket.widget else {}
                node["inputs"].append({"name": socket.name, "type": socket.type, "link": None, **widget})

    def _ends(self) -> list[tuple[int, int]]:
        """The group's outputs: those inside that ``external`` lists or that no link inside takes."""
        shown = {tuple(map(slot_of, row[:2])) for row in self.external if isinstance(row, list) and len(row) >= 2}
        taken = {(link["origin_id"], link["origin_slot"]) for link in self.links}
        ends = [(node["id"], slot) for node in self.nodes for slot in range(len(_rows(node, "outputs")))]
        return [end for end in ends if end in shown or end not in taken]

    def _output(self, place: int, ends: list[tuple[int, int]]) -> _Row:
        if place >= len(ends):
            raise self._refusal(f"has no output {place} inside")
        link = self._add(*ends[place], -20, place)
        return {"name": str(place), "type": type_of(_rows(self.row, "outputs")[place].get("type")), "linkIds": [link]}


def _rows(row: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    found = row.get(side)
    return [item for item in found[:MAX_SLOTS] if isinstance(item, dict)] if isinstance(found, list) else []
