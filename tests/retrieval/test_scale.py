"""Retrieving against ranking everything, a thumb against a new fit, and a large index against a small one."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from imagewright.evals.made_up_index import BACKEND, Asked, MadeUpWorld, Size, make_index
from imagewright.evals.retrieving import GivenVectors, measure_loss, select
from imagewright.retrieval import build_fit, retrieve, shelf, store
from imagewright.retrieval.estimate import combine_scores
from imagewright.retrieval.fit_store import read_scores_of
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.ready import ReadyByNeed
from imagewright.schemas import Evidence, Flow, Readiness

DIMENSION = 48


class Willing:
    """A backend on which everything runs."""

    name = "willing"

    def missing(self, needs: object) -> tuple[Readiness, ...]:
        """Nothing is missing."""
        if getattr(self, "_needs", None) is not needs:
            self._needs, self._given = needs, tuple(Readiness() for _ in needs)  # type: ignore[attr-defined]
        return self._given

    def check(self, flow: Flow) -> Readiness:
        """It runs."""
        return Readiness()


def made(path: Path, size: Size, prompts: int) -> tuple[FlowIndex, ReadyByNeed, list[Asked], MadeUpWorld]:
    world = make_index(path / "index.sqlite", size, DIMENSION)
    asked = [world.prompt(number, asked=True) for number in range(prompts)]
    index = FlowIndex(path / "index.sqlite", path / "chroma", GivenVectors(asked, DIMENSION))
    return index, index.ready_for(Willing()), asked, world  # type: ignore[arg-type]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every index counts as a large one."""
    monkeypatch.setattr(shelf, "SMALL_ROWS", 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_retrieving_chooses_what_ranking_everything_chooses(seed: int, tmp_path: Path) -> None:
    index, ready, asked, _ = made(tmp_path, Size(2000, 20_000, 400, seed), 60)
    with index.hold(BACKEND) as (_, kept, _):
        assert len(kept.flows) > retrieve.EVERYTHING
    found = measure_loss(index, ready, asked)
    assert found.as_good >= 0.99 * found.prompts
    assert found.same >= 0.95 * found.prompts


def test_the_number_of_candidates_does_not_grow_with_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {}
    from imagewright.retrieval import candidates as ranking

    def counted(*args: object) -> object:
        found = retrieve.find_candidates(*args)  # type: ignore[arg-type]
        counts.setdefault(size, []).append(len(found))
        return found

    monkeypatch.setattr(ranking, "find_candidates", counted)
    for size in (600, 2400):
        index, ready, asked, _ = made(tmp_path / str(size), Size(size, size * 8, 200), 10)
        for one in asked:
            select(index, ready, one)
    assert max(counts[2400]) <= 1.3 * max(counts[600])
    assert max(counts[2400]) < 300


def test_a_kept_fit_answers_as_a_new_one_and_in_every_process_alike(tmp_path: Path, large: None) -> None:
    index, ready, asked, _ = made(tmp_path, Size(400, 4000, 100), 8)
    first = [select(index, ready, one) for one in asked]
    again, ready_again, _, _ = made(tmp_path, Size(400, 4000, 100), 8)
    assert [select(again, ready_again, one) for one in asked] == first
    with index.reading() as db:
        assert db.execute("SELECT count(*) FROM fits").fetchone()[0] == 1


def test_a_small_and_a_large_index_estimate_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, ready, asked, _ = made(tmp_path, Size(400, 4000, 100), 8)
    small = [select(index, ready, one) for one in asked]
    monkeypatch.setattr(shelf, "SMALL_ROWS", 0)
    other, ready_other, _, _ = made(tmp_path, Size(400, 4000, 100), 8)
    assert [select(other, ready_other, one) for one in asked] == small


def thumb(index: FlowIndex, flow: int, prompt: str, value: float, seed: int = 5) -> None:
    """A person's word on a flow."""
    with index.hold(BACKEND) as (_, kept, _):
        name, graph = kept.flows.ids[flow], kept.flows.graphs[flow]
    row = Evidence(flow=name, prompt=prompt, backend=BACKEND, scorer="made-up", value=value, seed=seed,
                   when="2026-01-01T00:00:00Z", source="person", graph_hash=graph)  # fmt: skip
    with index.writing() as db:
        store.put_evidence(db, row, "user", store.bump(db))


def test_thumbs_count_at_once_and_in_every_process_alike(tmp_path: Path, large: None) -> None:
    index, ready, asked, world = made(tmp_path, Size(400, 4000, 100), 12)
    chosen = select(index, ready, asked[0])[0]
    with index.hold(BACKEND) as (_, kept, _):
        number = kept.flows.at[chosen.flow]
    for place in range(20):
        thumb(index, number, world.prompt(place).text, 0.0)
    after = [select(index, ready, one) for one in asked]
    assert after[0][0].flow != chosen.flow
    fresh, ready_fresh, _, _ = made(tmp_path, Size(400, 4000, 100), 12)
    assert [select(fresh, ready_fresh, one) for one in asked] == after


def test_what_is_counted_one_by_one_stays_near_a_new_fit(tmp_path: Path, large: None) -> None:
    index, ready, asked, world = made(tmp_path, Size(400, 4000, 100), 12)
    for place in range(30):
        thumb(index, 7 * place, world.prompt(place % 25).text, 0.4 + 0.4 * (place % 2), seed=place)
    after = [select(index, ready, one) for one in asked]
    index.refit(BACKEND)
    anew = [select(index, ready, one) for one in asked]
    differ = [abs(a.estimate - b.estimate) for old, new in zip(after, anew, strict=True)
              for a in old for b in new if a.flow == b.flow]  # fmt: skip
    assert len(differ) > 30
    assert max(differ) < 0.05


def test_the_sparse_cells_are_those_of_the_whole_grid(tmp_path: Path) -> None:
    index, _, _, _ = made(tmp_path, Size(60, 900, 40), 1)
    with index.hold(BACKEND) as (db, kept, fit):
        scores, _ = read_scores_of(db, BACKEND, False, kept.flows, kept.prompts)
        grid = combine_scores(scores)
        for unit, prompt in np.argwhere(grid.count > 0):
            assert fit.cell(int(unit), int(prompt)) == pytest.approx(
                (grid.mean[unit, prompt], grid.count[unit, prompt])
            )  # fmt: skip
        assert fit.cells.tolist() == (grid.count > 0).sum(axis=1).tolist()


def test_a_bulk_of_scores_is_fitted_beside_the_requests(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "QUICK_ROWS", 1000)
    asked_for: list[tuple[str, bool]] = []
    monkeypatch.setattr(build_fit.Fitting, "start", lambda _, *key: asked_for.append(key))
    index, ready, asked, _ = made(tmp_path, Size(400, 4000, 100), 4)
    makeshift = [select(index, ready, one) for one in asked]
    assert asked_for == [(BACKEND, False)] * 4
    with index.hold(BACKEND) as (_, _, fit):
        assert 500 < fit.scores.sum() < 1500
    index.refit(BACKEND)
    asked_for.clear()
    fitted = [select(index, ready, one) for one in asked]
    with index.hold(BACKEND) as (_, _, fit):
        assert fit.scores.sum() > 2500
    assert asked_for == []
    assert fitted != makeshift
    monkeypatch.setattr(shelf, "QUICK_ROWS", 50_000)
    fresh, ready_fresh, _, _ = made(tmp_path, Size(400, 4000, 100), 4)
    assert [select(fresh, ready_fresh, one) for one in asked] == fitted


def test_after_a_bulk_the_fit_before_it_answers(tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    index, ready, asked, _ = made(tmp_path, Size(400, 4000, 100), 4)
    before = [select(index, ready, one) for one in asked]
    monkeypatch.setattr(shelf, "QUICK_ROWS", 1000)
    started: list[object] = []
    monkeypatch.setattr(build_fit.Fitting, "start", lambda *_: started.append(_))
    with index.writing() as db:
        store.note_bulk(db, store.bump(db))
    assert [select(index, ready, one) for one in asked] == before
    assert started


def test_a_new_fit_of_many_scores_is_taken_up_beside_the_requests(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, ready, asked, world = made(tmp_path, Size(400, 4000, 100), 4)
    other, ready_other, _, _ = made(tmp_path, Size(400, 4000, 100), 4)
    notes: list[str] = []
    index.on_note = notes.append
    before = [select(index, ready, one) for one in asked]
    monkeypatch.setattr(shelf, "QUICK_ROWS", 100)
    for place in range(30):
        thumb(other, 7 * place, world.prompt(place % 25).text, 1.0, seed=place)
    counted = [select(index, ready, one) for one in asked]
    other.refit(BACKEND)
    goes_on, go_on = threading.Event(), threading.Event()
    read = shelf.Shelf.read_beside

    def wait(self: shelf.Shelf, db: sqlite3.Connection) -> None:
        goes_on.wait(20)
        read(self, db)
        go_on.set()

    monkeypatch.setattr(shelf.Shelf, "read_beside", wait)
    assert [select(index, ready, one) for one in asked] == counted != before
    assert notes == ["chosen by the scores as they were fitted before: a newer fit is being taken up"] * 4
    notes.clear()
    goes_on.set()
    index.taking_up.finish()
    assert [select(index, ready, one) for one in asked] == [select(other, ready_other, one) for one in asked]
    assert go_on.is_set()
    assert notes == []


def test_a_small_index_that_is_brought_forward_answers_as_one_that_is_read_anew(tmp_path: Path) -> None:
    index, ready, asked, world = made(tmp_path, Size(300, 3000, 80), 3)

    def agree(read_anew: bool) -> None:
        tables = index._shelf.flows, index._shelf._rows[BACKEND, False][1]
        mine = [select(index, ready, one) for one in asked]
        fresh, ready_fresh, _, _ = made(tmp_path, Size(300, 3000, 80), 3)
        assert mine == [select(fresh, ready_fresh, one) for one in asked]
        assert (tables[1] is index._shelf._rows[BACKEND, False][1]) is not read_anew

    select(index, ready, asked[0])
    agree(read_anew=False)
    for place in range(12):
        thumb(index, 5 * place, world.prompt(place).text, 1.0)
    agree(read_anew=False)
    thumb(index, 0, world.prompt(0).text, 0.0)  # the same person thinks again
    agree(read_anew=True)
    with index.writing() as db:
        db.execute("DELETE FROM evidence WHERE source = 'person'")
        store.bump(db)
    agree(read_anew=True)
    index.switch(select(index, ready, asked[0])[0].flow, on=False)
    agree(read_anew=True)


def test_the_process_that_fits_brings_its_fit_and_ends(tmp_path: Path, large: None) -> None:
    index, _, _, _ = made(tmp_path, Size(300, 2000, 60), 1)
    before = index.generation
    work = build_fit.Fitting(index.path, tmp_path, DIMENSION)
    work.start(BACKEND, False)
    work.start(BACKEND, False)
    assert work._working is not None
    assert work._working.wait(60) == 0
    assert index.generation == before + 1
    with index.hold(BACKEND) as (db, _, _):
        assert db.execute("SELECT count(*) FROM fits").fetchone()[0] == 1


def test_what_stands_for_a_unit_follows_its_flows(tmp_path: Path) -> None:
    index, _, _, _ = made(tmp_path, Size(300, 900, 40), 1)
    with index.hold(BACKEND) as (_, kept, _):
        first, second = kept.flows.ids[:2]
    with index.writing() as db:
        shape = db.execute("SELECT shape FROM flow_facts WHERE id = ?", (first,)).fetchone()[0]
        db.execute("UPDATE flow_facts SET shape = ?, changed = ? WHERE id = ?", (shape, store.bump(db), second))
    for name, on, lead in ((first, False, second), (second, False, ""), (first, True, first)):
        index.switch(name, on)
        with index.hold(BACKEND) as (_, kept, _):
            flows = kept.flows
            unit = flows.unit.array[flows.at[first]]
            assert flows.unit.array[flows.at[second]] == unit
            assert flows.lead.array[unit] == (flows.at[lead] if lead else -1)
            assert flows.first.array[unit] == min(flows.at[first], flows.at[second])
