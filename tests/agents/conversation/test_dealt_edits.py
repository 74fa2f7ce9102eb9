"""Edits dealt out over several things, and sayings in passing: what is then to be seen, and what is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.intents import UnclearIntent
from imagewright.schemas import Layout

HOUSE = "a red house left of a green tree"
CARS = "three blue cars"
THREE = "a red house, a yellow moon and a green tree"
FISH = "a blue fish left of a red cup"
CAT = "a black cat on a brown table"
STARS = "two yellow stars above a purple boat on a black background"


@pytest.fixture(scope="module")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """Says things about a picture."""
    return load_module("imagewright_edit_kit", Path(__file__).parents[1] / "edit_kit.py")


def edited(kit: ModuleType, picture: str, said: str) -> Layout:
    """What there is to be seen afterwards."""
    _, intent, settled = kit.say(picture, said)
    assert intent.kind == "edit", intent
    assert settled.layout is not None
    return settled.layout


@pytest.mark.parametrize(
    ("picture", "said", "captions"),
    [
        (CARS, "one less", ["a blue car"] * 2),
        (CARS, "add another one", ["a blue car"] * 4),
        (CARS, "add two more", ["a blue car"] * 5),
        (CARS, "five", ["a blue car"] * 5),
        ("a snowman", "with a scarf", ["a snowman with a scarf"]),
        ("a snowman", "actually a penguin would be better", ["a penguin"]),
        (STARS, "I don't want a boat", ["a yellow star"] * 2),
        (STARS, "green background and red stars", ["a red star"] * 2 + ["a purple boat"]),
        (CARS, "each in a different colour", ["a blue car", "a red car", "a yellow car"]),
        (CARS, "turn the cars into five trucks", ["a truck"] * 5),
        (CARS, "replace the cars with two boats", ["a boat"] * 2),
        (THREE, "keep only the moon", ["a yellow moon"]),
        (THREE, "everything but the moon should go", ["a yellow moon"]),
        (THREE, "remove everything apart from the tree", ["a green tree"]),
        (THREE, "and what if the moon was red?", ["a red house", "a red moon", "a green tree"]),
        (STARS, "make the stars red and blue", ["a red star", "a blue star", "a purple boat"]),
        (STARS, "a heart on each side of the boat", ["a yellow star"] * 2 + ["a purple boat"] + ["a heart"] * 2),
        (HOUSE, "replace the tree by two stars", ["a red house"] + ["a green star"] * 2),
        (HOUSE, "I don't like the tree", ["a red house"]),
        (HOUSE, "no tree this time", ["a red house"]),
        (FISH, "change red to green", ["a blue fish", "a green cup"]),
        (FISH, "I meant a fork, not a fish", ["a fork", "a red cup"]),
    ],
)
def test_what_is_then_to_be_seen(picture: str, said: str, captions: list[str], kit: ModuleType) -> None:
    assert [box.caption for box in edited(kit, picture, said).boxes] == captions


@pytest.mark.parametrize(
    ("said", "background"),
    [
        ("what about a white background", "a white background"),
        ("make the background lighter", "a dark gray background"),
        ("change black to green", "a green background"),
    ],
)
def test_what_lies_behind(said: str, background: str, kit: ModuleType) -> None:
    assert edited(kit, STARS, said).background == background


@pytest.mark.parametrize("said", ["put them side by side", "line the cars up horizontally"])
def test_a_row_is_level_even_and_clear(said: str, kit: ModuleType) -> None:
    boxes = edited(kit, CARS, said).boxes
    assert len({round(box.centre[1], 2) for box in boxes}) == 1
    assert not any(box.overlaps_any(boxes[:n]) for n, box in enumerate(boxes))
    gaps = [b.x - a.x - a.width for a, b in itertools.pairwise(boxes)]
    assert max(gaps) - min(gaps) < 0.01


@pytest.mark.parametrize("said", ["stack them", "line them up vertically"])
def test_what_stands_so_is_told(said: str, kit: ModuleType) -> None:
    """Three cars of one size are planned one above the other."""
    _, intent, _ = kit.say(CARS, said)
    assert "so already" in intent.reason
    boxes = edited(kit, THREE, said).boxes
    assert len({round(box.centre[0], 2) for box in boxes}) == 1


def test_places_taken_and_entered(kit: ModuleType) -> None:
    house, tree = edited(kit, HOUSE, "put the house where the tree is").boxes
    assert house.centre[0] > tree.centre[0]
    fish, cup = edited(kit, FISH, "put the fish in the cup").boxes
    assert cup.x <= fish.x
    assert fish.x + fish.width <= cup.x + cup.width
    apart = edited(kit, HOUSE, "the house is too close to the tree").boxes
    before = kit.picture(HOUSE).shown.boxes
    assert apart[1].x - apart[0].x > before[1].x - before[0].x
    house, moon, _ = edited(kit, THREE, "move the house to the top left and the moon to the bottom right").boxes
    assert max(house.centre) < 0.4
    assert min(moon.centre) > 0.6
    left, right, boat = edited(kit, STARS, "the boat on the left, the stars on the right").boxes
    assert not left.overlaps_any([right, boat])
    assert min(left.x, right.x) > boat.x
    house, tree = edited(kit, HOUSE, "the tree should be bigger than the house").boxes
    assert tree.width * tree.height > house.width * house.height


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (STARS, "the star must touch the boat"),
        (HOUSE, "house only"),
        (CAT, "a white cat"),
        (HOUSE, "the tree is missing"),
        (HOUSE, "fix the house"),
        (HOUSE, "ok"),
        (FISH, "add another one"),
        (FISH, "one less"),
        (HOUSE, "make the house a different colour"),
    ],
)
def test_what_may_mean_several_things_is_asked(picture: str, said: str, kit: ModuleType) -> None:
    """And each choice that is offered is read as something to do."""
    base, intent, _ = kit.say(picture, said)
    assert isinstance(intent, UnclearIntent)
    for choice in intent.choices:
        assert RulesInterpreter().interpret(choice, (base,)).kind != "unclear", choice


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("i want the tree on the other side", "edit"),
        ("it's too dark", "edit"),
        ("draw some clouds above", "edit"),
        ("try again with another seed", "vary"),
        ("draw it again", "vary"),
        ("show me the first one again", "branch"),
        ("can I get it as a jpg?", "command"),
        ("list my pictures", "command"),
        ("that's not what I asked for", "feedback"),
    ],
)
def test_sayings_in_passing(said: str, kind: str, kit: ModuleType) -> None:
    assert kit.say(HOUSE, said)[1].kind == kind


def test_what_leads_over_is_no_thing_to_draw(kit: ModuleType) -> None:
    _, intent, settled = kit.say(HOUSE, "ok now a dog and a cat")
    assert intent.kind == "create"
    assert intent.prompt == "a dog and a cat"
    assert settled is None
