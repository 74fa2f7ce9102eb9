"""Whether each flow of an index can run here, told for all of them at once."""

from __future__ import annotations

from typing import NamedTuple

from imagewright.ports import AnswersNeeds, Backend
from imagewright.retrieval import flow_facts
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.listing import EXACT_UP_TO
from imagewright.schemas import Readiness


class AbleFlow(NamedTuple):
    """A flow that can run here, its base model, and the number of its need, which flows share."""

    id: str
    base: str
    need: int


def list_able(index: FlowIndex, backend: Backend) -> list[AbleFlow]:
    """The flows that can run here (``tell_readiness``), by id.

    Raises:
        BadInput: the database cannot be read.
    """
    said = tell_readiness(index, backend)
    with index.reading() as db:
        flow_facts.bring_up(db)
        rows = db.execute("SELECT id, base, need FROM flow_facts ORDER BY id").fetchall()
    return [AbleFlow(*row) for row in rows if row["id"] in said and said[row["id"]].runnable]


def tell_readiness(index: FlowIndex, backend: Backend) -> dict[str, Readiness]:
    """The answer for every flow, by id.

    Up to ``EXACT_UP_TO`` flows each is asked about; of more the needs that they share, so that no graph is read. What
    only a whole graph tells is told when a flow is offered or named.

    Raises:
        BadInput: the database cannot be read.
    """
    if not isinstance(backend, AnswersNeeds) or len(index.ids()) <= EXACT_UP_TO:
        return {flow.id: backend.check(flow) for flow in index.list()}
    with index.reading() as db:
        flow_facts.bring_up(db)
        needs = flow_facts.read_needs(db)
        said = dict(zip(needs, backend.missing(tuple(needs.values())), strict=True))
        return {row["id"]: said[row["need"]] for row in db.execute("SELECT id, need FROM flow_facts ORDER BY id")}
