"""The categorizers: labels that follow from the parse, then nearest examples; and a language model's labels."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imagewright.agents.categorizer.llm import LLMCategorizer
from imagewright.agents.categorizer.rules import RulesCategorizer
from imagewright.agents.reading.parse import parse_prompt
from imagewright.ports import Categorizer


class WordEmbedder:
    """Hashed bags of words: a small embedder whose neighbours share words."""

    name = "words"
    dimension = 256

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimension
        for word in text.lower().split():
            vector[zlib.crc32(word.encode()) % self.dimension] += 1.0
        length = math.sqrt(sum(v * v for v in vector)) or 1.0
        return [v / length for v in vector]


def labels(prompt: str, categorizer: Categorizer | None = None) -> tuple[str, ...]:
    return (categorizer or RulesCategorizer()).categorize(prompt, parse_prompt(prompt)).labels


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "two red circles above a blue square",
            {"Abstract shapes", "Counting", "Spatial", "Colours", "Attribute binding"},
        ),
        ("a street without cars", {"Negation"}),
        ("a portrait of an old woman, oil painting", {"People", "Painting"}),
        ("a fox in the snow, anime", {"Animals", "Anime"}),
        ('a sign that says "open"', {"Text"}),
        ("Sunset over the ocean", {"Landscape"}),
        ("a photo of a dog on the left and a cat on the right", {"Animals", "Spatial", "Photo"}),
    ],
)
def test_the_parse_decides_what_it_can(prompt: str, expected: set[str]) -> None:
    assert expected <= set(labels(prompt))


def test_a_plain_prompt_is_not_counting_nor_spatial() -> None:
    assert not {"Counting", "Spatial", "Negation", "Text"} & set(labels("a dog near a car"))


@pytest.mark.parametrize("prompt", ["", "   ", "xyzzy", "🐱", "a thing"])
def test_never_empty_and_says_when_it_has_no_embedder(prompt: str) -> None:
    answer = RulesCategorizer(None).categorize(prompt, parse_prompt(prompt))
    assert answer.labels
    assert "without embeddings" in answer.decided_by


def test_the_nearest_example_names_the_category_and_the_set_is_open() -> None:
    examples = {"Food": ("a plate of pasta with basil",), "Weather": ("thick fog and heavy rain",)}
    categorizer = RulesCategorizer(WordEmbedder(), examples)
    assert "Weather" in labels("heavy rain and thick fog today", categorizer)
    assert "Food" in labels("a plate of pasta", categorizer)
    assert "Food" not in labels("heavy rain and thick fog", categorizer)


@pytest.mark.slow
def test_with_the_sentence_embedder(tmp_path: Path) -> None:
    embed = pytest.importorskip("imagewright.retrieval.embed")
    categorizer = RulesCategorizer(embed.MiniLMEmbedder(tmp_path / "index.sqlite"))
    assert "Food" in labels("spaghetti carbonara with parmesan", categorizer)
    assert "Science fiction" in labels("a spacecraft orbiting a distant planet", categorizer)
    assert "Logo and design" in labels("logo for a bakery", categorizer)
    assert "Food" not in labels("a knight in shining armour", categorizer)


# --- the categorizer that asks a language model ---------------------------------------------


def said(*names: str) -> dict[str, list[dict[str, object]]]:
    """An answer with these labels."""
    return {"labels": [{"label": name, "confidence": 0.5} for name in names]}


def test_labels_of_an_open_set_come_with_confidence(desk: Any) -> None:
    made = desk({"labels": [{"label": "Deep Sea", "confidence": 0.9}, {"label": "Animals", "confidence": 0.7}]})
    found = LLMCategorizer(made.asker(), RulesCategorizer(), made.notes.append).categorize("a squid", parse_prompt(""))
    assert (found.labels, found.confidence, found.decided_by) == (("Deep Sea", "Animals"), (0.9, 0.7), "llm")


@pytest.mark.parametrize("bad", ["x" * 60, "", "a b c d e", "two\nlines", "\x1b[31mred", "{}"])
def test_what_is_no_label_is_left_to_the_rules(bad: str, desk: Any) -> None:
    made = desk(said(), said(bad), {"labels": "Counting"})
    rules = RulesCategorizer()
    parsed = parse_prompt("two cats")
    found = LLMCategorizer(made.asker(), rules, made.notes.append).categorize("two cats", parsed)
    assert found == rules.categorize("two cats", parsed)
    [note] = made.notes
    assert note.startswith("the rules labelled the prompt")


def test_a_label_that_a_colour_alone_brings_near_counts_and_is_not_told() -> None:
    examples = {"Shapes": ("a green star",), "Vehicles": ("a red car",)}
    found = RulesCategorizer(WordEmbedder(), examples).categorize("a red star", parse_prompt("a red star"))
    assert "Vehicles" in found.labels
    assert "Vehicles" not in found.telling
    assert "Shapes" in found.telling
    told = RulesCategorizer(WordEmbedder(), examples).categorize("a red car", parse_prompt("a red car"))
    assert "Vehicles" in told.telling
