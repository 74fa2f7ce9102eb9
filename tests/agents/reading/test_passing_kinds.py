"""Kinds of sentence that were once claimed wrongly: each reads as what it says, or is left to the words."""

from __future__ import annotations

import pytest

from imagewright.agents.reading.parse import parse_prompt

READ = [
    ("three astronauts playing cards on the moon", ["3 an astronaut"]),
    ("a bird over a lake while two fish swim below", ["1 a bird", "1 a lake", "2 a fish"]),
    ("two thirds of a pizza on a plate", ["1 a pizza", "1 a plate"]),
    ("a red circle and a blue circle, the red one above the blue one", ["1 a red circle", "1 a blue circle"]),
    ("a cat on a red chair, seen from behind", ["1 a cat", "1 a red chair"]),
    ("a ball to the right of a racket, both on grass", ["1 a ball", "1 a racket"]),
    ("two people shaking hands over a table", ["2 a person", "1 a table"]),
    ("a parrot sitting on a pirate's shoulder", ["1 a parrot", "1 a pirate"]),
    ("a bench under a street lamp, at night, foggy", ["1 a bench", "1 a street lamp"]),
    ("a close up of a bee on a sunflower", ["1 a bee"]),
    (
        "a man in a suit, a woman in a dress, and a child between them",
        ["1 a man in a suit", "1 a woman in a dress", "1 a child"],
    ),
    ("--ar 16:9 a castle on a hill --v 6", ["1 a castle"]),
    ('a sign that says "OPEN 24 HOURS"', ['1 a sign saying "OPEN 24 HOURS"']),
]


@pytest.mark.parametrize(("prompt", "things"), READ, ids=[prompt[:50] for prompt, _ in READ])
def test_what_is_there(prompt: str, things: list[str]) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.sure
    assert [f"{group.count} {group.caption}" for group in parsed.groups] == things


def test_where_they_are() -> None:
    red_above = parse_prompt("a red circle and a blue circle, the red one above the blue one")
    assert [(r.subject, r.relation, r.object) for r in red_above.relations] == [(0, "above", 1)]
    child = parse_prompt("a man in a suit, a woman in a dress, and a child between them")
    assert {(r.subject, r.relation, r.object) for r in child.relations} == {(0, "left", 2), (2, "left", 1)}
    girl = parse_prompt("a girl and two boys running, the girl in front")
    assert [group.position for group in girl.groups] == ["in-front", ""]


@pytest.mark.parametrize(
    "prompt", ["a red apple that is bigger than a green pear", "the word HELLO written in sand, a red ball beside it"]
)
def test_what_is_left_to_the_words(prompt: str) -> None:
    parsed = parse_prompt(prompt)
    assert not parsed.sure
    assert parsed.groups == ()
    assert parsed.unread
