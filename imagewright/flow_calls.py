"""What can be done with the flows of an index and their scores: the part of ``Imagewright`` that is about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imagewright.errors import BadInput
from imagewright.rooms import Rooms
from imagewright.schemas import Flow, Readiness

if TYPE_CHECKING:
    from imagewright.retrieval.adding import Added, AlreadyThere, PreviewedFlow, Refused
    from imagewright.retrieval.comfy.catalogue import Catalogue
    from imagewright.retrieval.evidence_stream import Imported
    from imagewright.retrieval.listing import FlowPage, ListedFlow
    from imagewright.retrieval.score_table import ScoreTable


class SyncedNodes(NamedTuple):
    """What was learnt from a ComfyUI server."""

    nodes: Catalogue
    new: tuple[str, ...]
    """The classes that the shipped list lacks, sorted."""
    path: Path
    """The file that keeps them."""


class FlowSize(NamedTuple):
    """The size of a flow's pictures, in pixels."""

    width: int
    height: int
    fixed: bool
    """Whether its model draws no other."""


class FlowCalls(Rooms):
    """The flows: listed, added, corrected, put away; and what they scored."""

    def readiness(self, backend: str | None = None) -> dict[str, Readiness]:
        """For every flow of the index whether ``backend`` can run it, any for None, and what it needs.

        Of many flows the answer goes by the needs that they share (``retrieval.readiness_of_all``).
        """
        from imagewright.retrieval.readiness_of_all import tell_readiness

        return tell_readiness(self.index, self.backend(backend))

    def list_flows(
        self,
        *,
        runnable: bool | None = None,
        model: str = "",
        kind: str = "",
        search: str = "",
        limit: int = 100,
        offset: int = 0,
        backend: str | None = None,
    ) -> FlowPage:
        """A page of the flows that fit all that is given, sorted by id: ``limit`` of them from ``offset`` on.

        ``model`` is part of the name of a base model or of a model file; ``search`` are words that all stand in id,
        title, description or tags. A large index is not read for it: the database filters.

        Raises:
            BadInput: there is no such kind or backend, a number is out of range, or the database cannot be read.
        """
        from imagewright.retrieval.listing import FlowFilter, list_page

        wanted = FlowFilter(runnable=runnable, model=model, kind=kind, search=search)
        return list_page(self.index, wanted, self.backend(backend), limit, offset)

    def find_flows(self, text: str, count: int = 10) -> list[tuple[ListedFlow, float]]:
        """The ``count`` flows whose cards say most nearly what ``text`` says, with the cosine, nearest first.

        Raises:
            BadInput: the database cannot be read.
        """
        from imagewright.retrieval.listing import ListedFlow

        engine, off = self.backend(), self.index.switched_off()
        hits = [(self.index.get(name), cosine) for name, cosine in self.index.search(text, count)]
        return [(ListedFlow(flow, engine.check(flow), flow.id not in off), cosine) for flow, cosine in hits]

    def show_flow(self, flow: str) -> ListedFlow:
        """One flow, whether it runs here, and whether it is offered.

        Raises:
            BadInput: there is no such flow, or the database cannot be read.
        """
        from imagewright.retrieval.flow_facts import is_switched_on
        from imagewright.retrieval.listing import ListedFlow

        found = self.index.get(flow)
        with self.index.reading() as db:
            enabled = is_switched_on(db, flow)
        return ListedFlow(found, self.backend().check(found), enabled)

    def tabulate_scores(self, *, backend: str | None = None, most: int = 40, flow: str = "") -> ScoreTable:
        """What flows are expected to score by category on ``backend``: the ``most`` that run here and were scored most.

        With ``flow`` it is that one alone. No score is read: the size of the answer does not follow the index's.

        Raises:
            BadInput: there is no such flow or backend, or the database cannot be read.
        """
        from imagewright.container import DEFAULT_BACKEND
        from imagewright.retrieval.score_table import tabulate_scores

        name = backend or DEFAULT_BACKEND
        return tabulate_scores(self.index, self.backend(name), name, self.settings.learn_critic, most, flow)

    def remove_flow(self, flow: str) -> None:
        """Forget a flow; its scores stay, and count again when the same graph is added under the same id.

        Raises:
            BadInput: there is no such flow, or the database cannot be written.
        """
        self.index.remove(flow)

    def switch_flow(self, flow: str, *, on: bool) -> None:
        """Offer a flow, or offer it no more until it is switched on again; its scores stay and go on counting.

        Raises:
            BadInput: there is no such flow, or the database cannot be written.
        """
        self.index.switch(flow, on)

    def size_of(self, flow: Flow) -> FlowSize | None:
        """What the flow draws where no size is asked for, and whether it draws another; None where it states none."""
        from imagewright.flow_format import read_size
        from imagewright.ports import StatesWorlds

        backend = self.backend()
        try:
            world = backend.state_world(flow) if isinstance(backend, StatesWorlds) else None
        except BadInput:  # `check` says what is wrong with the graph
            world = None
        if world is not None:
            return FlowSize(world.side, world.side, fixed=True)
        stated = read_size(flow)
        return None if stated is None else FlowSize(*stated, fixed=False)

    def describe_flow(self, flow: Flow, readiness: Readiness, *, with_graph: bool = False) -> dict[str, Any]:
        """One flow as plain JSON: what its card says, whether it runs here, and with ``with_graph`` its graph."""
        from imagewright.retrieval.card import flow_json

        size = self.size_of(flow)
        found = flow_json(flow, readiness, with_graph=with_graph)
        return {**found, "size": None if size is None else size._asdict()}

    def add_flows(
        self, paths: Sequence[Path | str], *, replace: bool = False, comfyui: str | None = None
    ) -> Iterator[Added | AlreadyThere | Refused]:
        """Put workflows into the index: files of any of ComfyUI's formats, PNGs it saved, or folders of them.

        Each is told of once it is stored, or refused with the reason; nothing stops at one that is refused. ``comfyui``
        is the address of a server whose nodes the workflows are read with, for nodes that the shipped list lacks.

        Raises:
            BadInput: a folder holds no workflow, the server does not answer, or the database cannot be written.
        """
        from imagewright.retrieval.adding import add_files, files_below

        files = files_below([Path(path) for path in paths])
        yield from add_files(self.index, files, self.node_catalogue(comfyui), replace)

    def preview_flow(self, data: bytes, name: str) -> PreviewedFlow:
        """What the bytes of a workflow's file called ``name`` would become; nothing is stored.

        They are of any kind that ``add_flows`` takes; ``name`` opens nothing.

        Raises:
            BadInput: they are no flow; ``reasons`` of the error has a line for each node in the way.
        """
        from imagewright.retrieval.adding import preview_sent

        return preview_sent(self.index, data, name, self.node_catalogue())

    def add_flow_bytes(
        self, data: bytes, name: str, card: Mapping[str, Any] | None = None, *, replace: bool = False
    ) -> Added | AlreadyThere:
        """Put a workflow into the index whose file was sent: its bytes, and what it is called.

        The fields of ``card`` take the place of those that are read off the graph.

        Raises:
            BadInput: as ``preview_flow``; a field cannot be used with the graph; the database cannot be written.
        """
        from imagewright.retrieval.adding import add_sent

        return add_sent(self.index, data, name, self.node_catalogue(), card or {}, replace)

    def add_scores(self, path: Path | str) -> Imported:
        """Store the scores of a file of evidence or of a score matrix; it may be of any size.

        The file is read line by line and stored in batches. Equal scores are stored once, so a call that was killed or
        refused is simply made again.

        Raises:
            BadInput: the file cannot be read, a line is no score, or names a flow that is not there and no graph.
        """
        from imagewright.retrieval.evidence_stream import import_scores

        return import_scores(self.index, Path(path))

    def edit_flow(self, flow: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Flow:
        """Correct what the card of a flow says: ``change`` takes the fields that can be set and gives the new ones.

        Raises:
            BadInput: there is no such flow, a field cannot be set, or its value cannot be used with the flow's graph.
        """
        from imagewright.retrieval.card_edit import change_card, editable_fields

        return self.index.edit(flow, lambda found: change_card(found, change(editable_fields(found))))

    def read_card(self, path: Path | str) -> dict[str, Any]:
        """The fields of a card in a JSON file, for ``edit_flow``.

        Raises:
            BadInput: the file cannot be read, or holds no JSON object.
        """
        from imagewright.retrieval.card_edit import read_card

        return read_card(Path(path))

    def node_catalogue(self, comfyui: str | None = None) -> Catalogue:
        """What is known of ComfyUI's nodes: of the server ``comfyui``, else of the last synced one, over the shipped.

        Raises:
            BadInput: the server does not answer.
        """
        from imagewright.retrieval.comfy.catalogue import catalogue_of

        kept = catalogue_of(self.settings.data_dir)
        if comfyui is None:
            return kept
        from imagewright.retrieval.comfy.sync import fetch_object_info

        return fetch_object_info(comfyui).over(kept)

    def sync_nodes(self, comfyui: str) -> SyncedNodes:
        """Keep the nodes of the server ``comfyui`` for later conversions.

        Raises:
            BadInput: the server does not answer, or the folder cannot be written; what was kept before stays.
        """
        from imagewright.memory.artifacts import write_whole
        from imagewright.retrieval.comfy.catalogue import SYNCED, load_catalogue
        from imagewright.retrieval.comfy.sync import fetch_object_info

        nodes, path = fetch_object_info(comfyui), self.settings.data_dir / SYNCED
        write_whole(path, nodes.to_bytes())
        return SyncedNodes(nodes, tuple(sorted(set(nodes) - set(load_catalogue()))), path)
