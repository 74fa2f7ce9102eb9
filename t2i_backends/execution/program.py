"""A flow, compiled once: what its graph says by itself, found the first time it is asked for and then kept.

Nothing here looks at files, memory or a request; those are asked anew each time (``readiness``). Loads nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from imagewright.errors import BadInput
from imagewright.flow_format import Graph, Slots, fill_slots, links, order, parse_in_order
from imagewright.needs import NeededFile
from imagewright.schemas import Flow, Kind, SlotName
from imagewright.t2i_backends.execution.batch_size import most_pixels
from imagewright.t2i_backends.execution.graph_check import find_flaws, find_output, nodes_needed
from imagewright.t2i_backends.nodes.table import NODES, SAMPLER_NODES
from imagewright.t2i_backends.values.node_inputs import Flaw

KEPT_CHARACTERS = 32_000_000
"""Of the graphs whose programs are kept, as text: some thousands of usual flows. The least lately used ones go."""


@dataclass(frozen=True, eq=False)
class Program:
    """A flow that was read and ordered, as it stands or with a request in its slots. Nothing in it is ever changed."""

    name: str
    """The flow's id."""
    kind: Kind
    family: str
    """What the card states."""
    slots: Slots
    graph: Graph
    order: tuple[str, ...]
    """All nodes, each after those that it links to."""
    output: str | None
    """The node whose picture is the result; None where there is none."""
    nodes: tuple[str, ...]
    """The nodes that the output depends on, itself included, in running order."""

    @cached_property
    def flaws(self) -> tuple[Flaw, ...]:
        """What in the graph this backend cannot run."""
        return tuple(find_flaws(self.graph))

    @cached_property
    def samplers(self) -> tuple[str, ...]:
        """The needed nodes that sample."""
        return tuple(node for node in self.nodes if self.graph[node]["class_type"] in SAMPLER_NODES)

    @cached_property
    def pixels(self) -> int:
        """Of the largest batch that is drawn at once."""
        return most_pixels(self)

    @cached_property
    def files(self) -> tuple[NeededFile, ...]:
        """Every file that the needed nodes of known classes name; of all nodes where there is no output."""
        found: dict[tuple[str, str], NeededFile] = {}
        for node in self.nodes or self.order:
            known, inputs = NODES.get(self.graph[node]["class_type"]), self.graph[node]["inputs"]
            for name, wanted in known.inputs.items() if known else ():
                value = inputs.get(name)
                if wanted.kind == "file" and isinstance(value, str) and value.strip():
                    eight = str(inputs.get("weight_dtype", "")).startswith("fp8")
                    found[wanted.folder, value] = NeededFile(folder=wanted.folder, name=value, eight_bit=eight)
        return tuple(found.values())

    @cached_property
    def asked(self) -> Program:
        """With a stand-in for what every request brings, so that only the flow's own values can be wrong.

        Raises:
            BadInput: as ``bind``.
        """
        return self.bind({"positive": "", "seed": 0})

    def bind(self, values: Mapping[SlotName, object], insist: Collection[SlotName] = ()) -> Program:
        """This program with ``values`` in its slots; read and ordered no second time unless a value replaces a link.

        Raises:
            BadInput: as ``flow_format.bind``.
        """
        graph = fill_slots(self.name, self.graph, self.slots, values, insist)
        if self._replaces_link(values):
            return _arrange(self.name, self.kind, self.family, self.slots, graph, order(graph))
        return replace(self, graph=graph)

    def _replaces_link(self, values: Mapping[SlotName, object]) -> bool:
        bound = [place for name, value in values.items() if value is not None for place in self.slots.get(name, ())]
        return any(place.input in links(self.graph[place.node]["inputs"]) for place in bound)


def compile_flow(flow: Flow) -> Program:
    """The program of ``flow``; a graph is read and ordered once in a process, and kept while there is room.

    Raises:
        BadInput: the graph cannot be read; see ``flow_format.parse_graph``.
    """
    return _programs.get(flow)


def forget_programs() -> None:
    """Compile everything anew from here on; for measurements."""
    _programs.clear()


def _arrange(name: str, kind: Kind, family: str, slots: Slots, graph: Graph, ordered: list[str]) -> Program:
    output = find_output(graph, ordered)
    nodes = nodes_needed(graph, ordered, output) if output is not None else []
    return Program(name, kind, family, slots, graph, tuple(ordered), output, tuple(nodes))


@dataclass
class _Read:
    """A graph that was read, and the programs of the flows that have it; or why it cannot be read."""

    length: int
    """Of its text, in characters."""
    ordered: tuple[Graph, list[str]] | None = None
    refused: tuple[str, str] = ("", "")
    programs: dict[str, Program] = field(default_factory=dict)


class _Programs:
    """An LRU of graphs that were read, by content, with the programs of each.

    The content is the graph as it is written: ``graph_hash`` would take two graphs for one whose nodes stand in another
    order, which settles what runs first and which of two pictures is the result, or of which one writes a link ``1.0``.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Read] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, flow: Flow) -> Program:
        """The kept program, else one made now; only one thread makes it."""
        with self._lock:
            found = self._read(flow)
            if found.ordered is None:
                raise BadInput(*found.refused)
            card = flow.card
            key = repr((flow.id, card.kind, card.family, card.slots))
            if key not in found.programs:
                found.programs[key] = _arrange(flow.id, card.kind, card.family, dict(card.slots), *found.ordered)
                self._make_room(found.length)
            return found.programs[key]

    def _read(self, flow: Flow) -> _Read:
        try:
            text = repr(flow.graph)
        except RecursionError:
            return _read(flow.graph, 0)  # which says that it is nested too deeply
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._kept:
            self._kept[key] = _read(flow.graph, len(text))
            self._make_room(len(text))
        self._kept.move_to_end(key)
        return self._kept[key]

    def _make_room(self, grown: int) -> None:
        self._size += grown
        while self._size > KEPT_CHARACTERS and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.length * (1 + len(oldest.programs))

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()
            self._size = 0


def _read(graph: Graph, size: int) -> _Read:
    try:
        return _Read(size, parse_in_order(graph))
    except BadInput as error:
        return _Read(size, refused=(str(error), error.remedy))


_programs = _Programs()
