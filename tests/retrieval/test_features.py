"""What the parsed prompt sees and the embedding does not."""

from __future__ import annotations

import pytest

from imagewright.retrieval.features import (
    Features,
    feature_similarity,
    features,
    prompt_similarity,
    structure_similarity,
)
from imagewright.schemas import ParsedGroup, ParsedPrompt, ParsedRelation


def prompt(*groups: tuple[int, str, str], relation: str = "", style: tuple[str, ...] = ()) -> Features:
    found = tuple(ParsedGroup(object=thing, attributes=(colour,), count=count) for count, colour, thing in groups)
    relations = (ParsedRelation.model_validate({"subject": 0, "relation": relation, "object": 1}),) if relation else ()
    said = features(ParsedPrompt(groups=found, relations=relations, style=style))
    assert said is not None
    return said


BASE = prompt((1, "red", "circle"), (1, "blue", "square"), relation="left")


def alike(a: Features, b: Features) -> float:
    """As alike as two prompts are to an embedder that sees no difference."""
    return prompt_similarity(1.0, a, b)


def test_a_prompt_is_like_itself() -> None:
    assert alike(BASE, BASE) == feature_similarity(BASE, BASE) == structure_similarity(BASE, BASE) == 1.0


@pytest.mark.parametrize(
    "other",
    [
        prompt((1, "red", "circle"), (1, "blue", "square"), relation="right"),
        prompt((1, "red", "circle"), (1, "blue", "square")),
        prompt((3, "red", "circle"), (1, "blue", "square"), relation="left"),
        prompt((1, "red", "circle"), relation=""),
        prompt((1, "green", "circle"), (1, "blue", "square"), relation="left"),
        prompt((1, "red", "dog"), (1, "blue", "square"), relation="left"),
        prompt((1, "red", "circle"), (1, "blue", "square"), relation="left", style=("watercolour",)),
    ],
)
def test_each_part_is_seen_and_both_ways_alike(other: Features) -> None:
    assert 0.0 <= alike(BASE, other) < 1.0
    assert alike(BASE, other) == alike(other, BASE)


def test_a_relation_told_from_the_other_side_is_the_same() -> None:
    turned = prompt((1, "blue", "square"), (1, "red", "circle"), relation="right")
    assert feature_similarity(BASE, turned) == 1.0
    swapped = prompt((1, "blue", "square"), (1, "red", "circle"), relation="left")
    assert feature_similarity(BASE, swapped) < 0.9
    stars = [prompt((1, a, "star"), (1, b, "star"), relation="above") for a, b in (("red", "blue"), ("blue", "red"))]
    assert feature_similarity(*stars) < 0.9


def test_a_swapped_relation_is_further_than_another_colour() -> None:
    swapped = prompt((1, "red", "circle"), (1, "blue", "square"), relation="right")
    recoloured = prompt((1, "green", "circle"), (1, "blue", "square"), relation="left")
    assert feature_similarity(BASE, swapped) < feature_similarity(BASE, recoloured)


def test_counts_fall_with_their_ratio() -> None:
    like = [alike(prompt((1, "red", "star")), prompt((n, "red", "star"))) for n in (1, 2, 3, 12)]
    assert like == sorted(like, reverse=True)
    assert len(set(like)) == 4


def test_structure_outweighs_what_the_things_are() -> None:
    other_things = prompt((1, "green", "dog"), (1, "white", "tree"), relation="left")
    other_number = prompt((2, "red", "circle"), (2, "blue", "square"), relation="left")
    unrelated = prompt((1, "red", "circle"), (1, "blue", "square"))
    assert structure_similarity(BASE, other_things) == 1.0
    assert structure_similarity(BASE, other_number) == structure_similarity(BASE, unrelated) == 0.5
    assert alike(BASE, other_things) > alike(BASE, other_number)


def test_without_a_parse_the_embedding_stands_alone() -> None:
    assert prompt_similarity(0.7, None, BASE) == 0.7
    assert prompt_similarity(0.7, features(ParsedPrompt()), BASE) == 0.7
    assert features(None) is None
    assert prompt_similarity(-0.2, None, None) == 0.0
    assert prompt_similarity(0.9, BASE, BASE) == pytest.approx(0.98)
