"""The nearest prompts by their short forms: all but surely the nearest of all, and exactly what is newer than these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imagewright.evals.made_up_index import BACKEND, Asked, Size, make_index
from imagewright.evals.retrieving import GivenVectors, select
from imagewright.retrieval import neighbours, store
from imagewright.retrieval.cells import Ints
from imagewright.retrieval.index import FlowIndex
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

K = 64


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FlowIndex, list[Asked]]:
    """An index of two thousand prompts that count as many, and other prompts."""
    monkeypatch.setattr(neighbours, "EXACT_PROMPTS", 500)
    world = make_index(tmp_path / "index.sqlite", Size(300, 6000, 2000), 96)
    asked = [world.prompt(number, asked=True) for number in range(40)]
    return FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", GivenVectors(asked, 96)), asked


def nearest(index: FlowIndex, one: Asked, among: NDArray[np.bool_] | None = None, exactly: bool = False) -> Ints:
    """The nearest prompts as choosing finds them."""
    with index.hold(BACKEND) as (_, kept, _):
        all_of_them = np.ones(len(kept.prompts), dtype=np.bool_)
        return index.neighbours.prompts(
            kept.prompts, one.vector, K, all_of_them if among is None else among, exactly
        )[0]  # fmt: skip


def test_short_forms_find_what_looking_at_all_finds(made: tuple[FlowIndex, list[Asked]]) -> None:
    index, asked = made
    assert nearest(index, asked[0]).tolist() == nearest(index, asked[0], exactly=True).tolist()  # there are none yet
    assert index.neighbours.sketches._making is None  # and none are made for one question
    nearest(index, asked[0])
    index.neighbours.finish()
    with index.hold(BACKEND) as (_, kept, _):
        sketch = index.neighbours.sketches.of(kept.prompts)
        assert sketch is not None
        rows, cosine = sketch.propose(asked[0].vector, K)
        assert K <= len(rows) < len(kept.prompts) / 4
        assert np.allclose(cosine, kept.prompts.vectors[rows] @ asked[0].vector)
    pairs = [(nearest(index, one), nearest(index, one, exactly=True)) for one in asked]
    assert np.mean([len({*quick.tolist()} & {*whole.tolist()}) / K for quick, whole in pairs]) >= 0.9
    assert all(quick[0] == whole[0] for quick, whole in pairs)


def test_choices_stay_what_they_are_by_all_prompts(made: tuple[FlowIndex, list[Asked]]) -> None:
    index, asked = made
    ready = index.ready_for(DiffusersBackend([], "cpu"))
    for one in asked[:2]:
        select(index, ready, one)
    index.neighbours.finish()
    assert index.neighbours.sketches._made is not None
    for one in asked:
        quick, best = select(index, ready, one)[0], select(index, ready, one, everything=True)[0]
        assert quick.flow == best.flow or best.estimate - quick.estimate <= 0.001


def test_a_prompt_that_is_newer_is_found_and_few_that_count_are_looked_for_among_all(
    made: tuple[FlowIndex, list[Asked]],
) -> None:
    index, asked = made
    for _ in range(2):
        nearest(index, asked[0])
    index.neighbours.finish()
    far = nearest(index, asked[1])[0]
    assert far not in nearest(index, asked[0])
    with index.hold(BACKEND) as (_, kept, _):
        name, few = kept.prompts.ids[far], np.zeros(len(kept.prompts), dtype=np.bool_)
    few[::100] = True
    assert sorted(nearest(index, asked[0], few).tolist()) == np.flatnonzero(few).tolist()
    with index.writing() as db:
        store.put_vector(db, "prompts", name, asked[0].vector.tolist(), store.bump(db))
    assert nearest(index, asked[0])[0] == far
    assert nearest(index, asked[0]).tolist()[0] == nearest(index, asked[0], exactly=True).tolist()[0]
