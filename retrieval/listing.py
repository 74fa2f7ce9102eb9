"""A page of the flows that fit a filter: SQL does the filtering, so that a large index is not read for it.

Whether flows run here is asked by the needs that they share, and ``check`` has the last word on those of the page. Up
to ``EXACT_UP_TO`` flows are each asked about, so that the total is exact, too; of more, those that ``check`` alone
refuses count in the total and are left out of their page.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple, get_args

from imagewright.errors import BadInput
from imagewright.ports import AnswersNeeds, Backend
from imagewright.retrieval import flow_facts, store
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Flow, Kind, Readiness, Value

PAGE = 100
"""How many flows a page holds unless told otherwise."""
EXACT_UP_TO = 500
"""Up to how many flows each is asked about whether it runs here."""
_WORDS = """
    coalesce(json_extract(s.card, '$.title'), '') || ' ' || coalesce(json_extract(s.card, '$.description'), '') || ' '
    || coalesce(json_extract(s.card, '$.tags'), '') || ' ' || f.id
"""


class FlowFilter(Value):
    """Which flows are asked for; what is left out does not matter."""

    runnable: bool | None = None
    """Only those that can run here, or only those that cannot."""
    model: str = ""
    """Part of the name of the base model, or of a model file."""
    kind: str = ""
    search: str = ""
    """Words that all stand in id, title, description or tags, in any case and also within words."""


class ListedFlow(NamedTuple):
    """A flow, whether it can run here, and whether a person lets it be offered."""

    flow: Flow
    readiness: Readiness
    enabled: bool


class FlowPage(NamedTuple):
    """Some of the flows that fit, by id."""

    flows: tuple[ListedFlow, ...]
    total: int
    """How many fit in all."""
    next: int | None
    """The offset of the next page; None where this is the last."""


def list_page(index: FlowIndex, wanted: FlowFilter, backend: Backend, limit: int, offset: int) -> FlowPage:
    """The flows from ``offset`` on that fit ``wanted``, ``limit`` at most, sorted by id.

    Raises:
        BadInput: there is no such kind, a number is out of range, or the database cannot be read.
    """
    if limit < 1 or offset < 0:
        raise BadInput(f"a page of {limit} flows from {offset} on", "a limit is 1 or more, an offset 0 or more")
    if wanted.kind and wanted.kind not in get_args(Kind):
        raise BadInput(f"there is no kind {wanted.kind[:60]!r} of flow", f"kinds: {', '.join(get_args(Kind))}")
    with index.reading() as db:
        flow_facts.bring_up(db)
        clause, values = _conditions(wanted)
        if wanted.runnable is not None:
            clause, values = _restrict(db, clause, values, wanted.runnable, backend)
        query = f"SELECT f.id, f.enabled, count(*) OVER () AS total {clause} ORDER BY f.id LIMIT :limit OFFSET :offset"
        rows = db.execute(query, {**values, "limit": limit, "offset": offset}).fetchall()
        total = rows[0]["total"] if rows else db.execute(f"SELECT count(*) {clause}", values).fetchone()[0]
        listed = [_listed(store.read_flow(db, row["id"]), bool(row["enabled"]), backend) for row in rows]
    fitting = tuple(each for each in listed if wanted.runnable in (None, each.readiness.runnable))
    return FlowPage(fitting, total, offset + limit if offset + limit < total else None)


def _listed(flow: Flow, enabled: bool, backend: Backend) -> ListedFlow:
    return ListedFlow(flow, backend.check(flow), enabled)


def _conditions(wanted: FlowFilter) -> tuple[str, dict[str, object]]:
    """What SQL selects from, with the conditions of all but ``runnable``, and their values."""
    parts, values = ["1"], dict[str, object]()
    if wanted.kind:
        parts.append("f.kind = :kind")
        values["kind"] = wanted.kind
    if wanted.model.strip():
        parts.append(
            "(f.base LIKE :model ESCAPE '\\'"
            " OR f.id IN (SELECT flow FROM flow_files WHERE name LIKE :model ESCAPE '\\'))"
        )
        values["model"] = _within(wanted.model.strip())
    for number, word in enumerate(wanted.search.split()):
        names = []
        for each, form in enumerate(_forms(word)):
            names.append(f"word{number}_{each}")
            values[names[-1]] = _within(form)
        raw = " OR ".join(f"s.card LIKE :{name} ESCAPE '\\' OR f.id LIKE :{name} ESCAPE '\\'" for name in names)
        said = " OR ".join(f"{_WORDS} LIKE :{name} ESCAPE '\\'" for name in names)
        parts.append(f"(({raw}) AND ({said}))")  # the first half is cheap and leaves few to the second
    cards = "JOIN flows s ON s.id = f.id" if wanted.search.split() else ""
    return f"FROM flow_facts f {cards} WHERE {' AND '.join(parts)}", values


def _forms(word: str) -> list[str]:
    """A word in the cases that SQL does not compare by itself: it knows those of ASCII alone."""
    return [word] if word.isascii() else list(dict.fromkeys([word, word.lower(), word.upper(), word.capitalize()]))


def _within(text: str) -> str:
    """The pattern of SQL's ``LIKE … ESCAPE '\\'`` for what holds ``text``."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _restrict(
    db: sqlite3.Connection, clause: str, values: Mapping[str, object], runnable: bool, backend: Backend
) -> tuple[str, dict[str, object]]:
    """The clause with a condition for what can run here."""
    able: list[object]
    some = f"LIMIT {EXACT_UP_TO + 1}" if isinstance(backend, AnswersNeeds) else ""
    names = [row["id"] for row in db.execute(f"SELECT f.id {clause} {some}", values)]
    if len(names) <= EXACT_UP_TO or not isinstance(backend, AnswersNeeds):
        able, column = [name for name in names if backend.check(store.read_flow(db, name)).runnable], "f.id"
    else:
        needs = flow_facts.read_needs(db)
        said = backend.missing(tuple(needs.values()))
        able, column = [number for number, each in zip(needs, said, strict=True) if each.runnable], "f.need"
    inside = "IN" if runnable else "NOT IN"
    condition = f"{clause} AND {column} {inside} (SELECT value FROM json_each(:able))"
    return condition, {**values, "able": json.dumps(able)}
