"""Delivered pictures as a gallery asks for them: filters, pages, whose they are, and logs from before the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagewright.database import close_connections, database
from imagewright.errors import BadInput
from imagewright.memory.pictures import PictureQuery, Pictures
from imagewright.memory.run_tables import RUN_TABLES
from imagewright.memory.runs import RunLog
from imagewright.schemas import Check, DrawRequest, Round, RunResult, Verdict

BIG = 2**64 - 1


class Shelf:
    """A log, its pictures, and a store of which things can be lost."""

    def __init__(self, folder: Path) -> None:
        self.log = RunLog(folder / "db.sqlite", folder / "locks")
        self.lost: set[str] = set()
        self.pictures = Pictures(self.log.path, lambda image: image not in self.lost)
        self.count = 0

    def put(self, prompt: str = "a red circle", thread: str = "", said: str = "", **facts: Any) -> str:
        """Deliver a picture; its run."""
        self.count += 1
        run = f"20260101-000000-{self.count:06x}"
        self.log.start(
            run, f"thread {thread}" if thread else f"run {run}", DrawRequest(prompt=said or prompt), 1, Path("/p.png")
        )
        self.log.deliver(make_result(run, prompt, image=f"{self.count:064x}", **facts), {})
        return run

    def ask(self, limit: int = 20, before: str = "", offset: int = 0, **query: Any) -> list[str]:
        """The runs that a query gives."""
        page = self.pictures.find(PictureQuery(**query), limit, before=before, offset=offset)
        return [row.run for row in page.rows]


def make_result(run: str, prompt: str, image: str, flow: str = "f", checks: Sequence[Check] | None = None,
                accepted: bool = True, score: float = 0.5, seed: int = BIG) -> RunResult:  # fmt: skip
    """What a run delivers: the second of its rounds, judged by ``checks``."""
    verdict = None if checks is None else Verdict(accepted=accepted, score=score, checks=tuple(checks))
    other = Round(
        image="f" * 64, flow=flow, seed=2, prompt=prompt, layout=None, verdict=Verdict(accepted=False, score=0.1)
    )
    made = Round(image=image, flow=flow, seed=seed, prompt=prompt, layout=None, verdict=verdict)
    return RunResult(
        run=run, prompt=prompt, path="/p.png", image=image, seed=seed, flow=flow, categories=(), candidates=(),
        layout=None, rounds=(other, made), images=2, seconds=1.25,
    )  # fmt: skip


COUNTED = Check(name="count", passed=True, detail="one, as wanted")
UNCOUNTED = (Check(name="layout", passed=False, detail="x"), Check(name="count", passed=True, detail="not judged: x"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty one."""
    return Shelf(tmp_path)


@pytest.mark.parametrize("checks", [None, (), UNCOUNTED, (COUNTED,), (*UNCOUNTED, COUNTED)])
def test_a_row_says_what_the_result_says(shelf: Shelf, checks: Sequence[Check] | None) -> None:
    run = shelf.put("a RED circle", checks=checks, thread="t")
    [row] = shelf.pictures.find(PictureQuery()).rows
    result = shelf.log.get(run).result
    assert result is not None
    assert (row.accepted, row.score, row.seed) == (result.accepted, result.score, BIG)
    assert (row.run, row.prompt, row.flow, row.image) == (run, result.prompt, result.flow, result.image)
    assert (row.thread, row.seconds, row.images, row.thumb) == ("t", 1.25, 2, "")
    assert row.created == shelf.log.get(run).created


def test_filters_narrow_and_the_total_counts(shelf: Shelf) -> None:
    fox = shelf.put("Ein FUCHS im Schnee, Straße", said="mach ihn größer", flow="a", checks=(COUNTED,), thread="t")
    owl = shelf.put("an owl", flow="b", checks=(COUNTED,), accepted=False)
    cat = shelf.put("a cat 100% _real_", flow="b")
    assert shelf.ask() == [cat, owl, fox]
    assert shelf.ask(text="strasse fuchs") == shelf.ask(text="GRÖSSER") == [fox]
    assert shelf.ask(text="100% _real_") == [cat]
    assert shelf.ask(text="owl cat") == []
    assert shelf.ask(flow="b") == [cat, owl]
    assert (shelf.ask(accepted="yes"), shelf.ask(accepted="no"), shelf.ask(accepted="unjudged")) == (
        [fox],
        [owl],
        [cat],
    )
    assert shelf.ask(thread="t") == [fox]
    shelf.log.note_thumb(owl, "down")
    shelf.log.note_thumb(fox, "down")
    shelf.log.note_thumb(fox, "up")
    assert (shelf.ask(thumb="up"), shelf.ask(thumb="down"), shelf.ask(thumb="none")) == ([fox], [owl], [cat])
    assert shelf.pictures.find(PictureQuery(flow="b"), 1).total == 2
    assert dict(shelf.pictures.count_flows()) == {"b": 2, "a": 1}


def test_dates_bound_from_the_first_moment_to_before_the_last(shelf: Shelf) -> None:
    run = shelf.put()
    made = datetime.fromisoformat(shelf.log.get(run).created)
    later, zone = made + timedelta(milliseconds=1), datetime.fromisoformat("2026-01-01T00:00+05:00").tzinfo
    assert shelf.ask(since=made) == shelf.ask(since=made.astimezone(zone)) == [run]
    assert shelf.ask(since=made.replace(tzinfo=None), until=later) == [run]
    assert shelf.ask(since=later) == shelf.ask(until=made) == []


def test_pages_stay_where_they_are_while_new_pictures_come_and_old_ones_go(shelf: Shelf) -> None:
    runs = [shelf.put() for _ in range(7)][::-1]
    first = shelf.pictures.find(PictureQuery(), 3)
    assert ([row.run for row in first.rows], first.total, first.has_more) == (runs[:3], 7, True)
    shelf.put()
    assert shelf.ask(3, before=runs[2]) == shelf.ask(3, before=runs[0], offset=2) == runs[3:6]
    shelf.log.erase([runs[2]])
    assert shelf.ask(3, before=runs[2]) == runs[3:6]
    last = shelf.pictures.find(PictureQuery(), 3, before=runs[5])
    assert ([row.run for row in last.rows], last.total, last.has_more) == (runs[6:], 7, False)
    assert shelf.ask(before="20250101-000000-000000") == []


def test_neighbours_are_those_of_the_query(shelf: Shelf) -> None:
    a, other, b, c = shelf.put(flow="x"), shelf.put(flow="y"), shelf.put(flow="x"), shelf.put(flow="x")
    assert shelf.pictures.find_neighbours(b, PictureQuery(flow="x")) == (c, a, 1)
    assert shelf.pictures.find_neighbours(other, PictureQuery(flow="x")) == (b, a, 2)
    assert shelf.pictures.find_neighbours(c, PictureQuery()) == ("", b, 0)


def test_a_picture_that_the_store_has_lost_is_left_out_until_it_is_back(shelf: Shelf) -> None:
    runs = [shelf.put() for _ in range(5)][::-1]
    shelf.lost = {shelf.pictures.get(run).image for run in runs[1:3]}
    page = shelf.pictures.find(PictureQuery(), 2)
    assert ([row.run for row in page.rows], page.total) == ([runs[0], runs[3]], 3)
    with pytest.raises(BadInput):
        shelf.pictures.get(runs[1])
    shelf.lost = set()
    assert len(Pictures(shelf.log.path, lambda image: True).find(PictureQuery()).rows) == 5


def test_each_client_has_its_own(shelf: Shelf) -> None:
    before, run = shelf.put(), f"20260101-000000-{2:06x}"
    shelf.pictures.assign("alice", [run])
    shelf.pictures.assign("bob", [run])
    assert shelf.put() == run
    shelf.pictures.assign("bob", [before])
    assert (shelf.ask(client="alice"), shelf.ask(client="bob"), shelf.ask()) == ([run], [before], [run, before])
    assert (shelf.pictures.find_client(run), shelf.pictures.find_client("nobody's")) == ("alice", "")
    assert dict(shelf.pictures.count_flows("bob")) == {"f": 1}
    shelf.log.erase([run])
    assert shelf.pictures.find_client(run) == ""


def test_a_log_from_before_the_index_is_brought_up_with_what_it_delivered(shelf: Shelf) -> None:
    runs = [shelf.put("Ä", checks=(COUNTED,), thread="t"), shelf.put("b", checks=UNCOUNTED)]
    rows = shelf.pictures.find(PictureQuery()).rows
    close_connections()
    with sqlite3.connect(shelf.log.path) as plain:
        plain.executescript("DROP TABLE pictures; DROP TABLE run_clients; UPDATE parts SET version = 2;")
    assert shelf.pictures.find(PictureQuery()).rows == rows
    assert shelf.ask(text="ä") == runs[:1]


def test_twenty_thousand_pictures_are_searched_by_an_index_and_no_result_is_opened(shelf: Shelf) -> None:
    shelf.put()
    with database(shelf.log.path, "memory", RUN_TABLES) as connection:
        connection.execute(_MANY, (19_999,))
    asked: list[str] = []
    with database(shelf.log.path, "memory", RUN_TABLES) as connection:
        connection.set_trace_callback(asked.append)
    page = shelf.pictures.find(PictureQuery(text="number 77", client="x"), 20, offset=5)
    shelf.pictures.find(PictureQuery(client="x", flow="f"), 20)
    shelf.pictures.find(PictureQuery(), 20)
    with database(shelf.log.path, "memory", RUN_TABLES) as connection:
        connection.set_trace_callback(None)
        pages = [
            query for query in asked if query.startswith("SELECT") and "words" not in query and "count" not in query
        ]
        plans = [row["detail"] for query in pages for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert (len(page.rows), page.total) == (20, sum("77" in str(n) for n in range(1, 20_000)))
    assert not any("deliveries" in query or "runs" in query for query in asked)
    assert len(asked) <= 20, asked
    assert len(pages) >= 3
    assert not any("TEMP B-TREE" in step for step in plans), plans


_MANY = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    INSERT INTO pictures (run, client, thread, flow, created, seed, seconds, images, image, prompt, words)
    SELECT printf('20260102-000000-%06x', i), 'x', '', 'f', '2026-01-02T00:00:00.000+00:00', '1', 1.0, 1,
        printf('%064x', i), 'number ' || i, 'number ' || i FROM n"""
