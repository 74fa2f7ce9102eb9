"""Delivered pictures as a gallery asks for them: filtered, counted and paged in the database, from an index of the log.

No trace or result is opened, so that a page costs the same whatever the runs have kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imagewright.database import database
from imagewright.errors import BadInput
from imagewright.intents import Thumb
from imagewright.memory.run_tables import RUN_TABLES
from imagewright.schemas import Value

_WORDS = 20
"""Words of a query that are looked at."""


class PictureQuery(Value):
    """Which pictures are wanted; what is left empty leaves all."""

    text: str = ""
    """Words that what was said or drawn from must hold, each of them, whatever their case."""
    flow: str = ""
    accepted: Literal["", "yes", "no", "unjudged"] = ""
    """What the critic said."""
    thumb: Literal["", "up", "down", "none"] = ""
    """What the person said."""
    since: datetime | None = None
    until: datetime | None = None
    """When they were asked for: from ``since`` on, before ``until``. A time without a zone is UTC."""
    thread: str = ""
    """Of that conversation."""
    client: str | None = None
    """Of that client of a server; of everybody for None."""


class PictureRow(Value):
    """One delivered picture."""

    run: str
    client: str
    """The client of a server that asked for it; empty where the home's owner did."""
    thread: str
    flow: str
    accepted: bool | None
    """None, as the score, where it was not judged."""
    score: float | None
    thumb: Thumb
    created: str
    """When it was asked for: ISO 8601, UTC."""
    seed: int
    seconds: float
    images: int
    """Pictures that were made to get it."""
    image: str
    """SHA-256 of the PNG in the artifact store."""
    prompt: str


class PicturePage(NamedTuple):
    """Some pictures of a query, newest first."""

    rows: tuple[PictureRow, ...]
    total: int
    """How many the query has in all."""
    has_more: bool
    """Whether older ones follow."""


class Neighbours(NamedTuple):
    """What stands beside a picture in a query: runs, empty at the ends."""

    newer: str
    older: str
    place: int
    """How many are newer."""


class Pictures:
    """The delivered pictures in the log of runs at ``path`` that ``has`` finds in the store."""

    def __init__(self, path: Path, has: Callable[[str], bool]) -> None:
        self.path, self._has = path, has
        self._looked = False

    def find(self, query: PictureQuery, limit: int = 20, *, before: str = "", offset: int = 0) -> PicturePage:
        """Up to ``limit`` pictures that the query wants, newest first.

        ``before`` is a run: only what is older is given and ``offset`` counts from there, so that pages stay where they
        are while new pictures come. The total counts all.
        """
        self._look_for_lost()
        while True:
            page = self._read(query, limit, before, offset)
            gone = {row.image for row in page.rows if not self._has(row.image)}
            if not gone:
                return page
            self._keep(gone, False)

    def get(self, run: str) -> PictureRow:
        """The picture that ``run`` has delivered.

        Raises:
            BadInput: it has delivered none that is still here.
        """
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute("SELECT * FROM pictures WHERE run = ?", (run,)).fetchone()
        if row is None or not self._has(row["image"]):
            raise BadInput(f"run {run[:80]!r} has delivered no picture that is still here", _LISTED)
        return _picture(row)

    def find_neighbours(self, run: str, query: PictureQuery) -> Neighbours:
        """The pictures of the query beside that of ``run``, which need not be one of them."""
        where, values = _condition(query)
        values["run"] = run
        with database(self.path, "memory", RUN_TABLES) as connection:
            newer, older, place = connection.execute(_BESIDE.format(where=where), values).fetchone()
        return Neighbours(newer or "", older or "", place)

    def count_flows(self, client: str | None = None, most: int = 100) -> Mapping[str, int]:
        """The flows that have drawn most, and how many pictures."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            rows = connection.execute(_FLOWS, {"client": client, "most": most}).fetchall()
        return {row["flow"]: row["number"] for row in rows}

    def assign(self, client: str, runs: Collection[str]) -> None:
        """Note for which client of a server runs are, at best before they begin; what was noted before stays."""
        rows = [(run, client) for run in runs]
        with database(self.path, "memory", RUN_TABLES) as connection:
            connection.executemany("INSERT OR IGNORE INTO run_clients VALUES (?, ?)", rows)
            connection.executemany("UPDATE pictures SET client = ? WHERE run = ? AND client = ''", _turned(rows))

    def find_client(self, run: str) -> str:
        """The client of a server that ``run`` is for; empty for the home's owner."""
        with database(self.path, "memory", RUN_TABLES) as connection:
            row = connection.execute("SELECT client FROM run_clients WHERE run = ?", (run,)).fetchone()
        return row[0] if row else ""

    def _read(self, query: PictureQuery, limit: int, before: str, offset: int) -> PicturePage:
        where, values = _condition(query)
        values |= {"before": before, "limit": limit + 1, "offset": offset}
        with database(self.path, "memory", RUN_TABLES) as connection:
            total = connection.execute(f"SELECT count(*) FROM pictures WHERE {where}", values).fetchone()[0]
            rows = connection.execute(_PAGE.format(where=where), values).fetchall()
        return PicturePage(tuple(map(_picture, rows[:limit])), total, len(rows) > limit)

    def _look_for_lost(self) -> None:
        """Once a process: pictures that were missed before may be back."""
        if self._looked:
            return
        with database(self.path, "memory", RUN_TABLES) as connection:
            lost = connection.execute("SELECT DISTINCT image FROM pictures WHERE kept = 0").fetchall()
        self._keep({row[0] for row in lost if self._has(row[0])}, True)
        self._looked = True

    def _keep(self, images: Collection[str], kept: bool) -> None:
        if images:
            with database(self.path, "memory", RUN_TABLES) as connection:
                rows = [(kept, image) for image in images]
                connection.executemany("UPDATE pictures SET kept = ? WHERE image = ?", rows)


def _turned(rows: Collection[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((second, first) for first, second in rows)


def _picture(row: Any) -> PictureRow:
    values = {name: row[name] for name in PictureRow.model_fields}
    accepted = None if row["accepted"] is None else bool(row["accepted"])
    return PictureRow.model_validate(values | {"seed": int(row["seed"]), "accepted": accepted})


def _condition(query: PictureQuery) -> tuple[str, dict[str, Any]]:
    """The query as SQL, which holds nothing of what was asked, and the values of its names."""
    values: dict[str, Any] = {"flow": query.flow, "thread": query.thread, "client": query.client}
    parts = ["kept = 1"]
    parts += [f"{name} = :{name}" for name, value in values.items() if value not in ("", None)]
    parts += [_ACCEPTED[query.accepted]] if query.accepted else []
    if query.thumb:
        parts.append("thumb = :thumb")
        values["thumb"] = "" if query.thumb == "none" else query.thumb
    for name, sign, when in (("since", ">=", query.since), ("until", "<", query.until)):
        if when is not None:
            parts.append(f"created {sign} :{name}")
            values[name] = _utc(when)
    for number, word in enumerate(query.text.casefold().split()[:_WORDS]):
        parts.append(f"instr(words, :word{number})")
        values[f"word{number}"] = word
    return " AND ".join(parts), values


def _utc(when: datetime) -> str:
    """As the log writes times, so that their texts sort as they do."""
    known = when if when.tzinfo else when.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat(timespec="milliseconds")


_LISTED = "`imagewright runs list` shows runs"
_ACCEPTED = {"yes": "accepted = 1", "no": "accepted = 0", "unjudged": "accepted IS NULL"}
_NUMBER = """coalesce((SELECT number FROM pictures WHERE run = :{name}),
    (SELECT max(number) + 1 FROM pictures WHERE run < :{name}), 0)"""
"""A run's place in the order; of one that is gone, where it would be by its id, which begins with its time."""
_PAGE = f"""SELECT * FROM pictures WHERE {{where}} AND (:before = '' OR number < {_NUMBER.format(name="before")})
    ORDER BY number DESC LIMIT :limit OFFSET :offset"""
_BESIDE = f"""SELECT
    (SELECT run FROM pictures WHERE {{where}} AND number > {_NUMBER.format(name="run")} ORDER BY number LIMIT 1),
    (SELECT run FROM pictures WHERE {{where}} AND number < {_NUMBER.format(name="run")} ORDER BY number DESC LIMIT 1),
    (SELECT count(*) FROM pictures WHERE {{where}} AND number > {_NUMBER.format(name="run")})"""
_FLOWS = """SELECT flow, count(*) AS number FROM pictures WHERE kept = 1 AND (:client IS NULL OR client = :client)
    GROUP BY flow ORDER BY number DESC, flow LIMIT :most"""
