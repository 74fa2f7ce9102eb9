"""What mini says it cannot draw, before anything is drawn."""

from pathlib import Path

import pytest

from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import Fault
from imagewright.t2i_backends.mini import card
from imagewright.t2i_backends.mini.limits import unknown_words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    card.write(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "prompt",
    [
        "two red circles above a blue square on a white background",
        "A Red Circle.",
        "three small hearts, without stars",
        "a green house to the left of an orange triangle, no dogs",
        "draw me a picture of a purple star on a grey background please",
        "a circle",
        "a star next to two white hearts against a black background",
    ],
)
def test_inside_its_world(folder: Path, prompt: str) -> None:
    assert unknown_words(folder, prompt, parse_prompt(prompt)) == ()


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("an astronaut riding a horse", {"astronaut", "riding", "horse"}),
        ("a red circle and a dog", {"dog"}),
        ("a striped star", {"striped star"}),
        ("a dotted heart on a pink background", {"dotted heart"}),
        ("a turquoise star", {"turquoise"}),
        ("a star made of glass", {"glass"}),
    ],
)
def test_outside_its_world(folder: Path, prompt: str, words: set[str]) -> None:
    assert words <= set(unknown_words(folder, prompt, parse_prompt(prompt)))


def test_more_than_it_can_count(folder: Path) -> None:
    found = unknown_words(folder, "a dozen red circles", parse_prompt("a dozen red circles"))
    assert any("12 things" in text for text in found)


def test_nothing_it_knows(folder: Path) -> None:
    assert any("circles" in text for text in unknown_words(folder, "a picture", parse_prompt("a picture")))


def test_a_model_without_a_statement_is_not_limited(tmp_path: Path) -> None:
    assert unknown_words(tmp_path, "an astronaut", parse_prompt("an astronaut")) == ()


def test_a_broken_statement_is_our_fault(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(Fault, match=r"world\.json"):
        unknown_words(tmp_path, "a star", parse_prompt("a star"))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("three violet mugs on a striped blue background", set()),
        ("an outline drawing of a ship above a grey fir", set()),
        ("a red dog", {"dog"}),
        ("a striped fish", {"striped fish"}),
        ("six stars", {"six", "6 things (it draws up to 5)"}),
    ],
)
def test_every_word_of_its_world(folder: Path, prompt: str, words: set[str]) -> None:
    assert words == set(unknown_words(folder, prompt, parse_prompt(prompt)))
