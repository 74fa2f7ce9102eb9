"""Many prompts compared at once give the numbers that two compared give."""

from __future__ import annotations

import random

import numpy as np
import pytest

from imagewright.retrieval.features import features, prompt_similarity
from imagewright.retrieval.likeness import Likeness
from imagewright.schemas import ParsedGroup, ParsedPrompt, ParsedRelation


def made_up(rng: random.Random) -> ParsedPrompt | None:
    """A prompt of up to four groups; sometimes of nothing."""
    groups = tuple(
        ParsedGroup(
            object=rng.choice(["fox", "owl", "star"]),
            attributes=tuple(rng.sample(["red", "blue", "small"], rng.randrange(3))),
            count=rng.randrange(1, 4),
            position=rng.choice(["", "left", "top"]),
        )
        for _ in range(rng.randrange(5))
    )
    relations = tuple(
        ParsedRelation(subject=rng.randrange(len(groups)), relation=rng.choice(["left", "right", "above"]), object=0)
        for _ in range(rng.randrange(2) if groups else 0)
    )
    style = tuple(rng.sample(["ink", "photo"], rng.randrange(2)))
    return None if rng.random() < 0.1 else ParsedPrompt(groups=groups, relations=relations, style=style)


@pytest.mark.parametrize("seed", range(5))
def test_arrays_and_pairs_give_the_same_similarities(seed: int) -> None:
    rng = random.Random(seed)
    said = [features(made_up(rng)) for _ in range(40)]
    cosines = np.random.default_rng(seed).uniform(-0.2, 1.0, (41, 41))
    cosines = (cosines + cosines.T) / 2
    known = Likeness()
    for each in said:
        known.append(each)
    for mine in (features(made_up(rng)), said[3], None):
        rows = np.array([5, 3, 17, 39, 0])
        wanted = [prompt_similarity(float(cosines[0, 1 + row]), mine, said[row]) for row in rows]
        assert known.to(mine, cosines[0, 1 + rows], rows) == pytest.approx(wanted)
        pick = np.array([0, *(1 + rows)])
        found = known.among(mine, cosines[np.ix_(pick, pick)], rows)
        among = [mine, *(said[row] for row in rows)]
        for i, a in enumerate(among):
            for j, b in enumerate(among):
                one = 1.0 if i == j else prompt_similarity(float(cosines[pick[i], pick[j]]), a, b)
                assert found[i, j] == pytest.approx(one)


def test_nothing_to_compare_with_is_nothing() -> None:
    known = Likeness()
    none = np.zeros(0, dtype=np.int64)
    assert known.to(None, np.zeros(0), none).shape == (0,)
    assert known.among(None, np.ones((1, 1)), none) == pytest.approx(np.ones((1, 1)))
