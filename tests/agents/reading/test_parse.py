"""What the grammar reads: things, counts, attributes, relations, exclusions, backgrounds, styles."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from imagewright.agents.reading.nouns import plural, singular, singular_phrase
from imagewright.agents.reading.numbers import number_word, read_count
from imagewright.agents.reading.parse import parse_prompt


def things(prompt: str) -> list[tuple[int, str]]:
    """Counts and captions in the order of the groups."""
    return [(g.count, g.caption) for g in parse_prompt(prompt).groups]


def relations(prompt: str) -> set[tuple[str, str, str]]:
    parsed = parse_prompt(prompt)
    return {(parsed.groups[r.subject].object, r.relation, parsed.groups[r.object].object) for r in parsed.relations}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a blue dog and an orange bowl", [(1, "a blue dog"), (1, "an orange bowl")]),
        ("an orange and an orange orange", [(1, "an orange"), (1, "an orange orange")]),
        ("half a dozen eggs", [(6, "an egg")]),
        ("two dozen eggs", [(24, "an egg")]),
        ("a pair of scissors and a pair of shoes", [(1, "a scissors"), (2, "a shoe")]),
        ("a couple of white mice", [(2, "a white mouse")]),
        ("several buses, a few knives", [(3, "a bus"), (3, "a knife")]),
        ("twenty-two pencils", [(22, "a pencil")]),
        ("a group of three penguins", [(3, "a penguin")]),
        ("four wine glasses and a hot dog", [(4, "a wine glass"), (1, "a hot dog")]),
        ("a red and white striped umbrella", [(1, "a red and white striped umbrella")]),
        ("a cup that is blue and a green chair", [(1, "a blue cup"), (1, "a green chair")]),
        ("The dog is white and the bowl is blue.", [(1, "a white dog"), (1, "a blue bowl")]),
        ("a dog. The dog is black.", [(1, "a black dog")]),
        ("a red cup and a blue one", [(1, "a red cup"), (1, "a blue cup")]),
        ("two red stars and a blue star", [(2, "a red star"), (1, "a blue star")]),
        ("three cats: one black and two white", [(2, "a white cat"), (1, "a black cat")]),
        ("a row of five bottles, each green", [(5, "a green bottle")]),
        ("a dog with a red collar", [(1, "a dog with a red collar")]),
        ("a woman in a red dress holding an umbrella", [(1, "a woman in a red dress"), (1, "an umbrella")]),
        ("a cup of coffee", [(1, "a cup of coffee")]),
        ("green is the chair", [(1, "a green chair")]),
        ('a sign that says "no dogs"', [(1, 'a sign saying "no dogs"')]),
        ("two of my friends' bicycles", [(2, "a bicycle")]),
        ("count to five with apples: show five apples", [(5, "an apple")]),
        (
            "a woman with a red scarf and a dog with sunglasses",
            [(1, "a woman with a red scarf"), (1, "a dog with sunglasses")],
        ),
        ("a table with a hat on it", [(1, "a table"), (1, "a hat")]),
        ("a dog with a hat on its head", [(1, "a dog with a hat on its head")]),
        ("a cake topped with three candles", [(1, "a cake"), (3, "a candle")]),
        ("a nest of six eggs", [(1, "a nest"), (6, "an egg")]),
        ("three green apples and two red ones", [(3, "a green apple"), (2, "a red apple")]),
        ("four people each holding one balloon", [(4, "a person"), (4, "a balloon")]),
    ],
)
def test_things_counts_and_attributes(prompt: str, expected: list[tuple[int, str]]) -> None:
    assert things(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat to the left of a dog", {("cat", "left", "dog")}),
        ("the toaster is right of the oven", {("toaster", "right", "oven")}),
        ("below a kite there is a boat", {("boat", "below", "kite")}),
        ("a dog with a cat to its left", {("cat", "left", "dog")}),
        ("a fox between an owl and a bear", {("owl", "left", "fox"), ("fox", "left", "bear")}),
        ("two lamps on either side of a bed", {("lamp", "left", "bed"), ("lamp", "right", "bed")}),
        ("a cat and a dog are above a bed", {("cat", "above", "bed"), ("dog", "above", "bed")}),
        ("a knight in front of a dragon", {("knight", "in-front", "dragon")}),
        ("a train hidden by a bee", {("train", "behind", "bee")}),
        ("an astronaut riding a horse", {("astronaut", "above", "horse")}),
        ("a star inside a circle", {("star", "inside", "circle")}),
        ("a peach balanced on a jacket", {("peach", "above", "jacket")}),
        ("a chicken in front of a painting", {("chicken", "in-front", "painting")}),
        ("a car, and left of that car a dog", {("dog", "left", "car")}),
        ("to the girl's left is a boy", {("boy", "left", "girl")}),
        ("from left to right: an apple, a pear", {("apple", "left", "pear")}),
        ("a mug on the left and a jug on the right", {("mug", "left", "jug")}),
    ],
)
def test_relations(prompt: str, expected: set[tuple[str, str, str]]) -> None:
    assert relations(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "place"),
    [
        ("a dog on the left", "left"),
        ("on the right there is a dog", "right"),
        ("a dog in the lower left corner", "bottom-left"),
        ("a dog at the top of the image", "top"),
        ("in the middle, a dog", "middle"),
        ("a dog", ""),
    ],
)
def test_places(prompt: str, place: str) -> None:
    assert [g.position for g in parse_prompt(prompt).groups] == [place]


@pytest.mark.parametrize(
    ("prompt", "negative", "kept"),
    [
        ("a scene without backpacks", ("backpack",), []),
        ("three apples but no bananas", ("banana",), ["apple"]),
        ("a street free of cars and trucks", ("car", "truck"), []),
        ("there aren't any dogs, only a cat", ("dog",), ["cat"]),
        ("no dogs and two cats", ("dog",), ["cat"]),
        ("without a dog, a cat or a bird", ("dog", "cat", "bird"), []),
        ("neither cats nor dogs, but a horse", ("cat", "dog"), ["horse"]),
        ("a man without a hat and a woman with a hat", ("hat",), ["man", "woman"]),
        ("cars should not appear", ("car",), []),
        ("a dog-free park", ("dog",), []),
        ("a fruit bowl, none of it bananas", ("banana",), ["fruit bowl"]),
        ("a cat on a rug, and definitely not a dog", ("dog",), ["cat", "rug"]),
        ("a yard, dogless", ("dog",), []),
        ("a sofa; I don't want to see a blanket", ("blanket",), ["sofa"]),
        ("a lake, no people, watercolour", ("person",), ["lake"]),
        ("a dog and no other dogs", (), ["dog"]),
        ("no red hearts, only blue ones", ("red heart",), ["heart"]),
    ],
)
def test_what_must_not_appear(prompt: str, negative: tuple[str, ...], kept: list[str]) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.negative == negative
    assert [g.object for g in parsed.groups] == kept


@pytest.mark.parametrize(
    ("prompt", "background", "style"),
    [
        ("A realistic photo of a scene with a cup", "a realistic photo of a scene", ("realistic photo",)),
        ("Sunset over the ocean", "sunset over the ocean", ()),
        ("a dog in a park", "in a park", ()),
        ("a star, on black", "a black background", ()),
        ("The background is blue. A star.", "a blue background", ()),
        ("an old woman in the style of Rembrandt", "", ("in the style of Rembrandt",)),
        ("a fox, watercolour", "", ("watercolour",)),
        ("a cozy living room with a fireplace, no people", "a cozy living room", ()),
        ("an empty park without any park bench", "an empty park", ()),
    ],
)
def test_background_and_style(prompt: str, background: str, style: tuple[str, ...]) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.background == background
    assert parsed.style == style


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [
        ("a red circle and the background is white", "white"),
        ("three white squares on the left of a black star and the background is green", "green"),
        ("an orange square and the background is blue, no dogs", "blue"),
        ("a red circle on a plain white background", "plain white"),
        ("a red circle in front of a white background", "white"),
        ("a red circle with white as the background colour", "white"),
        ("a realistic photo of a scene with a red circle on the right on a white background", "white"),
    ],
)
def test_the_background_has_its_colour_and_the_things_keep_theirs(prompt: str, colour: str) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.background == f"a {colour} background"
    assert {a for g in parsed.groups for a in g.attributes} <= {"red", "white", "black", "orange"}
    assert all(len(g.attributes) == 1 for g in parsed.groups)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("two cats, one orange and the other white", [(1, "an orange cat"), (1, "a white cat")]),
        ("two tents, the first gray and the second golden", [(1, "a gray tent"), (1, "a golden tent")]),
        ("a cow and a sheep; the former is black, the latter white", [(1, "a black cow"), (1, "a white sheep")]),
        ("a kite and a map, orange and pink respectively", [(1, "an orange kite"), (1, "a pink map")]),
        ("the colour of the cup is red, the dog's color is gold", [(1, "a red cup"), (1, "a gold dog")]),
        ("paint the car blue and the bus orange", [(1, "a blue car"), (1, "an orange bus")]),
        ("a peach and a spoon, both of them golden", [(1, "a golden peach"), (1, "a golden spoon")]),
        ("a gray and a red lemon", [(1, "a gray lemon"), (1, "a red lemon")]),
        ("a broom floats above a shield", [(1, "a broom"), (1, "a shield")]),
        ("two potatoes and two more, thank you", [(2, "a potato"), (2, "a potato")]),
        ("nineteen (19) pears or so", [(19, "a pear")]),
        ('a sign that says "in the colour red, thanks"', [(1, 'a sign saying "in the colour red, thanks"')]),
    ],
)
def test_roundabout_wordings_are_read_like_plain_ones(prompt: str, expected: list[tuple[int, str]]) -> None:
    assert things(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "a market, none of it bananas",
        "a park. Keep bananas out of it.",
        "a park with a complete lack of bananas",
        "a park from which all bananas have been removed",
        "a park where nobody has a banana",
        "a park. Refrain from drawing bananas.",
        "a park, bananas not included",
        "a park, less the bananas",
        "a park in which bananas do not exist",
    ],
)
def test_many_ways_to_say_no(prompt: str) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.negative == ("banana",)
    assert "banana" not in {g.object for g in parsed.groups}


@pytest.mark.parametrize(
    ("prompt", "exact"),
    [("three dogs", True), ("a dog", True), ("dogs", False), ("some dogs", False), ("several dogs", False),
     ("a few dogs", False), ("a pair of dogs", True), ("half a dozen dogs", True)],
)  # fmt: skip
def test_a_guessed_number_says_so(prompt: str, exact: bool) -> None:
    assert [g.exact for g in parse_prompt(prompt).groups] == [exact]


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("children", "child"),
        ("knives", "knife"),
        ("gloves", "glove"),
        ("buses", "bus"),
        ("glasses", "glasses"),
        ("cacti", "cactus"),
        ("tomatoes", "tomato"),
        ("shoes", "shoe"),
        ("cherries", "cherry"),
        ("ties", "tie"),
        ("houses", "house"),
        ("women", "woman"),
        ("boxes", "box"),
        ("sheep", "sheep"),
        ("grass", "grass"),
        ("octopuses", "octopus"),
        ("lens", "lens"),
        ("broccolis", "broccoli"),
    ],
)
def test_singulars(many: str, one: str) -> None:
    assert singular(many) == one


@pytest.mark.parametrize(
    "noun", ["dog", "wine glass", "child", "leaf", "sheep", "cherry", "box", "tomato", "man", "bus", "lens"]
)
def test_plural_and_back(noun: str) -> None:
    assert singular_phrase(plural(noun).split(" ")) == noun


@pytest.mark.parametrize("n", [0, 1, 7, 12, 20, 21, 99])
def test_number_words_are_read_back(n: int) -> None:
    count = read_count([number_word(n)], 0)
    assert count is not None
    assert count.value == n


def test_captions_stay_short_and_groups_few() -> None:
    parsed = parse_prompt("a dog and " * 300)
    assert len(parsed.groups) == 24
    assert all(len(g.caption) <= 240 for g in parse_prompt("a dog with a hat and a scarf " * 200).groups)


def geneval_rows() -> list[dict[str, Any]]:
    data = os.environ.get("IMAGEWRIGHT_DATA")
    if not data:
        pytest.skip("IMAGEWRIGHT_DATA names no benchmark data")
    text = (Path(data) / "geneval" / "evaluation_metadata.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_geneval_prompts_are_read_as_their_metadata_says() -> None:
    rows = geneval_rows()
    wrong = [row["prompt"] for row in rows if not reads(row["prompt"], row["include"])]
    assert len(wrong) <= 0.03 * len(rows), wrong


def reads(prompt: str, include: list[dict[str, Any]]) -> bool:
    """Whether the parse has exactly the classes, counts, colours and positions of a GenEval row."""
    words = {"left of": "left", "right of": "right", "above": "above", "below": "below"}
    groups = parse_prompt(prompt).groups
    found = {
        (g.object, g.count, next(iter(g.attributes), None)) for g in groups
    }  # fmt: skip
    wanted = {(singular_phrase(e["class"].split()), e["count"], e.get("color")) for e in include}
    placed = {
        (
            singular_phrase(e["class"].split()),
            words[e["position"][0]],
            singular_phrase(include[e["position"][1]]["class"].split()),
        )
        for e in include
        if "position" in e
    }
    return len(groups) == len(include) and found == wanted and placed == relations(prompt)
