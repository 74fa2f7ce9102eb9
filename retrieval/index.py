"""The scored flow index: SQLite holds the truth, Chroma answers near-neighbour questions, evidence stands beside."""

from __future__ import annotations

import copy
import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from imagewright.database import database, transaction
from imagewright.errors import BadInput
from imagewright.flow_pictures import Brings
from imagewright.ports import AnswersNeeds, Backend
from imagewright.retrieval import builtin, flow_facts, store
from imagewright.retrieval.build_fit import Fitting
from imagewright.retrieval.card import card_text
from imagewright.retrieval.chroma_mirror import ChromaMirror, MirrorBusy, Space
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.evidence import PromptFacts, facts_by_prompt
from imagewright.retrieval.fitted import Fitted
from imagewright.retrieval.neighbours import IndexTables, Neighbours
from imagewright.retrieval.ready import ReadyByNeed
from imagewright.retrieval.renewing import embed_anew, insist_on_embedder, rebuild_vectors
from imagewright.retrieval.shelf import Shelf, refit
from imagewright.retrieval.taking_up import TakingUp
from imagewright.schemas import Card, Evidence, Flow

if TYPE_CHECKING:
    from imagewright.ports import Embedder

_OnNote = Callable[[str], None]
T = TypeVar("T")
_BEFORE = "chosen by the scores as they were fitted before: a newer fit is being taken up"
_ANEW = "embed them anew with: imagewright flows reindex"


def ignore_note(note: str) -> None:
    """The listener of those who do not want to know."""


class FlowIndex:
    """Flows with their cards, vectors and evidence; any number of processes may use one at the same time.

    Every method opens the database for itself, so an index may be shared between threads. ``on_note`` hears, in one
    line, when a query was answered exactly from SQLite because the vector index was not free.
    """

    def __init__(self, path: Path, chroma_dir: Path, embedder: Embedder, on_note: _OnNote = ignore_note) -> None:
        self.path = path
        self.embedder = embedder
        self.on_note = on_note
        self._mirror = ChromaMirror(chroma_dir, IndexTables(path))
        self.neighbours = Neighbours(chroma_dir, path)
        self._derived: dict[Hashable, tuple[int, Any]] = {}
        self._shelf = Shelf(embedder.dimension)
        self.taking_up = TakingUp(path, self._shelf)
        self._fitting = Fitting(path, chroma_dir, embedder.dimension)
        self._held = threading.local()
        self._ready: WeakKeyDictionary[Backend, dict[Brings, ReadyByNeed]] = WeakKeyDictionary()

    def heard_by(self, on_note: _OnNote) -> FlowIndex:
        """The same index with another listener; what was derived from it is shared."""
        (other := copy.copy(self)).on_note = on_note
        return other

    # --- flows ---

    def add(self, flow: Flow, replace: bool = False, rename: bool = False) -> Flow:
        """Store ``flow``; as ``add_many`` with one."""
        return self.add_many([flow], replace, rename)[0]

    def add_many(self, flows: Sequence[Flow], replace: bool = False, rename: bool = False) -> list[Flow]:
        """Store all ``flows`` or none, and return them as stored.

        ``duplicate_of`` of a stored flow names another flow that draws the same pictures. With ``rename`` a flow whose
        id is taken gets the next free one (``name-2``); with ``replace`` it takes the place of the old one, whose
        scores stay with the old graph.

        Raises:
            BadInput: an id is taken and neither is asked for; or the database cannot be written.
        """
        vectors = self._embed([card_text(flow) for flow in flows])
        with self.writing() as db:
            changed = store.bump(db)
            return [
                self._put(db, flow, vector, changed, replace=replace, rename=rename)
                for flow, vector in zip(flows, vectors, strict=True)
            ]

    def add_new(self, flows: Sequence[Flow]) -> list[tuple[Flow, bool]]:
        """Store those of ``flows`` that are not there yet, under free ids, all of them or none.

        Each is given as it is stored, with whether it is new; one with the graph and the card of another, be it stored
        earlier or by this call, is not.

        Raises:
            BadInput: the database cannot be written.
        """
        with self.reading() as db:
            flow_facts.bring_up(db)
            there = [store.find_same(db, flow) for flow in flows]
            known = [None if same is None else store.read_flow(db, same) for same in there]
        new = [flow for flow, stored in zip(flows, known, strict=True) if stored is None]
        if not new:
            return [(flow, False) for flow in known if flow is not None]
        vectors = iter(self._embed([card_text(flow) for flow in new]))
        with self.writing() as db:
            changed = store.bump(db)
            return [
                (stored, False) if stored is not None else self._put_new(db, flow, next(vectors), changed)
                for flow, stored in zip(flows, known, strict=True)
            ]

    def _put_new(self, db: sqlite3.Connection, flow: Flow, vector: Sequence[float], changed: int) -> tuple[Flow, bool]:
        same = store.find_same(db, flow)  # stored by another process meanwhile, or twice among these
        if same is not None:
            return store.read_flow(db, same), False
        return self._put(db, flow, vector, changed, replace=False, rename=True), True

    def _put(
        self, db: sqlite3.Connection, flow: Flow, vector: Sequence[float], changed: int, *, replace: bool, rename: bool
    ) -> Flow:
        if rename and not replace:
            flow = flow.model_copy(update={"id": store.free_id(db, flow.id)})
        elif not replace and store.has_flow(db, flow.id):
            raise BadInput(f"a flow is already called {flow.id!r}", "give it another id, or replace that one")
        card = flow.card.model_copy(update={"duplicate_of": store.same_shape(db, flow)})
        flow = flow.model_copy(update={"card": card})
        store.put_flow(db, flow, vector, "user", changed)
        return flow

    def carry_lora(self, name: str) -> tuple[str, ...]:
        """The ids of the flows that load a LoRA file called ``name``, with or without folder and ending."""
        with self.reading() as db:
            return flow_facts.find_carriers(db, name)

    def get(self, flow_id: str) -> Flow:
        """The flow called ``flow_id``.

        Raises:
            BadInput: there is none; the remedy names close matches.
        """
        with self.reading() as db:
            if (known := self._shelf.recall_flow(db, flow_id)) is not None:
                return known
            row = db.execute("SELECT id, card, graph FROM flows WHERE id = ?", (flow_id,)).fetchone()
            if row is None:
                raise store.miss_flow(db, flow_id)
            return store.flow_from(row)

    def remove(self, flow_id: str) -> None:
        """Forget a flow; its scores stay, and count again when the same graph is added under the same id.

        Raises:
            BadInput: there is no such flow.
        """
        with self.writing() as db:
            if not store.has_flow(db, flow_id):
                raise store.miss_flow(db, flow_id)
            store.drop_flow(db, flow_id, store.bump(db))

    def switch(self, flow_id: str, on: bool) -> None:
        """Offer a flow, or offer it no more until it is switched on again; its scores stay and go on counting.

        Raises:
            BadInput: there is no such flow, or the database cannot be written.
        """
        self.get(flow_id)
        with self.writing() as db:
            flow_facts.switch(db, flow_id, on, store.bump(db))

    def switched_off(self) -> frozenset[str]:
        """The flows that are not offered because a person said so."""
        with self.reading() as db:
            return frozenset(row["id"] for row in db.execute("SELECT id FROM flow_facts WHERE enabled = 0"))

    def list(self) -> tuple[Flow, ...]:
        """Every flow, sorted by id."""
        with self.reading() as db:
            return tuple(store.flow_from(row) for row in db.execute("SELECT id, card, graph FROM flows ORDER BY id"))

    def ids(self) -> tuple[str, ...]:
        """The id of every flow, sorted."""
        with self.reading() as db:
            return tuple(row["id"] for row in db.execute("SELECT id FROM flow_facts ORDER BY id"))

    def edit(self, flow_id: str, change: Callable[[Flow], Card]) -> Flow:
        """Give a flow another card, made by ``change`` from the flow as it is; its graph and scores stay.

        An edited flow is the person's own: a later release does not take the words back.

        Raises:
            BadInput: there is no such flow, ``change`` refuses, or the database cannot be written.
        """
        flow = self.get(flow_id)
        edited = flow.model_copy(update={"card": change(flow)})
        vector = self._embed([card_text(edited)])[0]
        with self.writing() as db:
            store.put_flow(db, edited, vector, "user", store.bump(db))
        return edited

    def search(self, text: str, k: int = 10) -> tuple[tuple[str, float], ...]:
        """The ids of the ``k`` flows whose cards are nearest to ``text``, with the cosine, nearest first."""
        return self._nearest("flows", self._embed([text])[0], k)

    # --- evidence ---

    def add_evidence(
        self, rows: Sequence[Evidence], prompts: Mapping[str, PromptFacts] | None = None, many: bool = False
    ) -> None:
        """Store scores; ``prompts`` brings what is known of their prompts and of others. Equal rows are stored once.

        A row without ``graph_hash`` is about the flow's graph as it is now. ``many`` says that they are part of more.

        Raises:
            BadInput: such a row names a flow that is not there; or the database cannot be written.
        """
        facts = prompts or {}
        of_rows = {row.prompt for row in rows}
        if many:
            with self.reading() as db:
                of_rows = store.unknown_prompts(db, of_rows)
        texts = sorted({*facts, *of_rows})
        vectors = self._embed(texts) if texts else []
        with self.writing() as db:
            changed = store.bump(db)
            for text, vector in zip(texts, vectors, strict=True):
                store.put_prompt(db, text, facts.get(text, PromptFacts()), vector, changed)
            many = many or len(rows) > store.BULK
            hashes: dict[str, str] = {}
            for row in rows:
                store.put_evidence(db, store.add_hash(db, row, hashes), "user", None if many else changed)
            if many:
                store.note_bulk(db, changed)

    def evidence_for(self, flow: str | None = None, backend: str | None = None) -> tuple[Evidence, ...]:
        """Scores of one flow or of all, on one backend or on all; only of graphs as they are now."""
        with self.reading() as db:
            return tuple(store.evidence(db, flow, backend))

    def prompt_facts(self) -> dict[str, PromptFacts]:
        """What is known of each prompt that evidence is about."""
        with self.reading() as db:
            return facts_by_prompt(store.prompt_rows(db))

    def near_prompts(self, vector: Sequence[float], k: int = 64) -> tuple[tuple[str, float], ...]:
        """The ``k`` prompts of evidence nearest to a unit vector, with the cosine, nearest first."""
        found = self._nearest("prompts", vector, k)
        with self.reading() as db:
            texts = store.prompt_texts(db, [key for key, _ in found])
        return tuple((texts[key], similarity) for key, similarity in found if key in texts)

    def prompt_vectors(self, texts: Sequence[str]) -> dict[str, Vector]:
        """The unit vectors of prompts of evidence, by text."""
        with self.reading() as db:
            found = store.vectors(db, "prompts", map(store.prompt_id, texts), self.embedder.dimension)
        return {text: found[store.prompt_id(text)] for text in texts if store.prompt_id(text) in found}

    # --- the whole ---

    @property
    def generation(self) -> int:
        """The number that every change of flows or evidence raises."""
        with self.reading() as db:
            return store.generation(db)

    def derive(self, name: Hashable, make: Callable[[], T]) -> T:
        """``make()``, made once for every state of flows and evidence: reading thousands of scores takes a while."""
        now = self.generation
        known = self._derived.get(name)
        if known is None or known[0] != now:
            known = self._derived[name] = (now, make())
        value: T = known[1]
        return value

    def ready_for(self, backend: Backend, brings: Brings = "") -> ReadyByNeed:
        """What ``backend`` says of the flows here; the same one each time, so that its answers are kept."""
        known = self._ready.setdefault(backend, {})
        if brings not in known:
            if not isinstance(backend, AnswersNeeds):
                self.on_note(f"the backend {backend.name} is asked about every flow: it does not answer for needs")
            known[brings] = ReadyByNeed(backend, self.get, brings)
        return known[brings]

    @contextmanager
    def hold(self, backend: str, learn_critic: bool = False) -> Iterator[tuple[sqlite3.Connection, Shelf, Fitted]]:
        """What is known of all flows and of the scores on ``backend``, in memory and as of now.

        The first time that a process asks a large index it is read, which takes seconds; after that only what changed
        is. The scores are fitted beside the requests.
        """
        with self.reading() as db:
            insist_on_embedder(db, self.embedder.name)
            while True:
                with self._shelf.hold(db) as shelf:
                    fit = shelf.fit(db, backend, learn_critic)
                    if fit is not None:
                        self._note_misfits(len(shelf.flows.misfits) + len(shelf.prompts.misfits))
                        yield db, shelf, fit
                        break
                refit(db, (backend, learn_critic), self.embedder.dimension)
        if self._shelf.behind:
            self.on_note(_BEFORE)
            self.taking_up.start()
        elif self._shelf.is_due(backend, learn_critic):
            self._fitting.start(backend, learn_critic)

    def refit(self, backend: str, learn_critic: bool = False) -> None:
        """Fit the scores on ``backend`` anew and keep the fit.

        Raises:
            BadInput: the database cannot be read or written.
        """
        with self.reading() as db:
            refit(db, (backend, learn_critic), self.embedder.dimension)
        self._shelf.forget_fits()

    def reindex(self) -> None:
        """Embed every card and prompt with the embedder of today, build the vector index anew, and switch to it.

        Raises:
            BadInput: another process holds it for more than half a minute, or the folder cannot be written.
        """
        embed_anew(self)
        with self.reading() as db:
            large = self.neighbours.is_large(db)
        rebuild_vectors(self.neighbours.serving.build if large else self._mirror.rebuild)

    def mirror_ids(self, space: Space) -> set[str]:
        """The ids that the vector index holds, after bringing it up to date; for tests and ``flows check``."""
        return self._mirror.ids(space)

    def vector_fault(self) -> str:
        """What is wrong with the vector index, in one line; empty when it is whole or not made yet."""
        with self.reading() as db:
            wrong = store.count_misfits(db, self.embedder.dimension)
        misfit = f"{wrong} stored vectors do not fit; {_ANEW}" if wrong else ""
        return misfit or self._mirror.fault() or self.neighbours.serving.fault()

    def ensure_builtin(self) -> None:
        """Bring in the flows and evidence that this release ships; nothing to do but a hash when they are in."""
        builtin.ensure(self)

    # --- inside ---

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; within another piece of reading of this thread, the same."""
        held: sqlite3.Connection | None = getattr(self._held, "db", None)
        if held is not None:
            yield held
            return
        with database(self.path, store.OWNER, store.INDEX_TABLES) as db:
            self._held.db = db
            try:
                yield db
            finally:
                self._held.db = None

    def insist_on_embedder(self) -> None:
        """Raise ``BadInput`` where the vectors here are another embedder's."""
        with self.reading() as db:
            insist_on_embedder(db, self.embedder.name)

    def _embed(self, texts: Sequence[str]) -> Sequence[Any]:
        self.insist_on_embedder()
        return self.embedder.embed(texts)

    def _note_misfits(self, count: int) -> None:
        if count:
            self.on_note(f"{count} stored vectors do not fit and are near to nothing; {_ANEW}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self.reading() as db, transaction(db):
            yield db

    def _nearest(self, space: Space, vector: Sequence[float], k: int) -> tuple[tuple[str, float], ...]:
        """Nearest ids with exact cosines; the vector index proposes twice as many as asked, SQLite's vectors decide."""
        wanted = np.asarray(vector, dtype=np.float32)
        with self.reading() as db:
            if self.neighbours.is_large(db):
                return tuple(self.neighbours.search(db, space, wanted, 2 * k + 8, self.on_note)[:k])
        proposed: Sequence[str] | None = None
        try:
            proposed = self._mirror.query(space, vector, 2 * k + 8)
        except (MirrorBusy, OSError) as error:
            self.on_note(f"answered exactly without the vector index: {error}")
        with self.reading() as db:
            kept = store.vectors(db, space, proposed, len(vector))
            self._note_misfits(store.count_misfits(db, len(vector)))
        scored = [(key, float(item @ wanted)) for key, item in kept.items() if len(item) == len(wanted)]
        return tuple(sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:k])
