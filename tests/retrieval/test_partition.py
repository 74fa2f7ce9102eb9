"""The nearest cards through cells: all but surely the nearest of all, and exactly what is newer than the cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagewright.evals.made_up_index import BACKEND, Asked, Size, make_index
from imagewright.evals.retrieving import GivenVectors
from imagewright.retrieval import neighbours, store
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.neighbours import find_nearest

K = 24


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FlowIndex, list[Asked]]:
    """An index of some thousand flows that counts as large, and prompts."""
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 500)
    world = make_index(tmp_path / "index.sqlite", Size(6000, 200, 40), 48)
    asked = [world.prompt(number, asked=True) for number in range(40)]
    return FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", GivenVectors(asked, 48)), asked


def nearest(index: FlowIndex, one: Asked) -> tuple[list[str], list[str]]:
    """The nearest cards as choosing finds them, and of all."""
    with index.hold(BACKEND) as (_, kept, _):
        flows = kept.flows
        quick, _ = index.neighbours.cards(flows, one.vector, K, flows.live.array)
        return [flows.ids[n] for n in quick], [
            flows.ids[n] for n in find_nearest(flows.vectors, one.vector, K, flows.live.array)
        ]


def test_cells_find_what_looking_at_all_finds(made: tuple[FlowIndex, list[Asked]]) -> None:
    index, asked = made
    first, exact = nearest(index, asked[0])
    assert first == exact  # there are no cells yet
    assert index.neighbours.partitions._making is None  # and none are made for one question
    nearest(index, asked[0])
    index.neighbours.partitions.finish()
    with index.hold(BACKEND) as (_, kept, _):
        cells = index.neighbours.partitions.of(kept.flows)
        assert cells is not None
        looked_at = [len(cells.propose(one.vector, 12 * K)[0]) for one in asked]
        assert max(looked_at) < len(kept.flows) / 4
    shared = [len({*quick} & {*whole}) / K for quick, whole in (nearest(index, one) for one in asked)]
    assert np.mean(shared) >= 0.98
    assert all(quick[0] == whole[0] for quick, whole in (nearest(index, one) for one in asked))


def test_what_is_newer_than_the_cells_is_found_and_what_is_gone_is_not(made: tuple[FlowIndex, list[Asked]]) -> None:
    index, asked = made
    for _ in range(2):
        nearest(index, asked[0])
    index.neighbours.partitions.finish()
    before, _ = nearest(index, asked[0])
    far = nearest(index, asked[1])[0][0]
    assert far not in before
    with index.writing() as db:
        store.put_vector(db, "flows", far, asked[0].vector.tolist(), store.bump(db))
    index.remove(before[0])
    now, exact = nearest(index, asked[0])
    assert now[0] == exact[0] == far
    assert before[0] not in now
