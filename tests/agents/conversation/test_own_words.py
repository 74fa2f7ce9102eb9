"""Edits as people say them in passing, and what is said of several things at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.agents.conversation import edit_geometry as geometry
from imagewright.agents.conversation.commands import count_variations
from imagewright.intents import CreateIntent, EditIntent, UnclearIntent

HOUSE = "a red house left of a green tree"
CIRCLES = "four blue circles and one red triangle"
CUP = "a black cup on a yellow table"
CAR = "a green car in front of a red house"


@pytest.fixture(scope="module")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    return load_module("imagewright_edit_kit", Path(__file__).parents[1] / "edit_kit.py")


@pytest.mark.parametrize(
    ("picture", "said", "captions"),
    [
        (CIRCLES, "half as many circles", ["a blue circle"] * 2 + ["a red triangle"]),
        ("two yellow stars", "twice as many stars", ["a yellow star"] * 4),
        ("three orange fish", "make two of them blue", ["a blue fish"] * 2 + ["an orange fish"]),
        (HOUSE, "the hose needs a blue roof", ["a red house with a blue roof", "a green tree"]),
        (HOUSE, "the picture needs a moon", ["a red house", "a green tree", "a moon"]),
        (HOUSE, "i think the tree would look better in blue", ["a red house", "a blue tree"]),
        ("a pink star", "would you mind giving the star a yellow outline", ["a pink star with a yellow outline"]),
        (CUP, "blue instead of black", ["a blue cup", "a yellow table"]),
        (CUP, "not yellow, wooden brown for the table", ["a black cup", "a brown table"]),
        (CUP, "the cup shouldn't be black but white", ["a white cup", "a yellow table"]),
        (HOUSE, "the house needs some trees around it", ["a red house"] + ["a green tree"] * 4),
    ],
)
def test_what_is_then_to_be_seen(picture: str, said: str, captions: list[str], kit: ModuleType) -> None:
    _, intent, settled = kit.say(picture, said)
    assert isinstance(intent, EditIntent), intent
    assert [box.caption for box in settled.layout.boxes] == captions


@pytest.mark.parametrize(
    ("picture", "said", "relations"),
    [
        (CAR, "put the car behind the house instead", [("car", "behind", "house")]),
        (HOUSE, "put a star above the tree and the house", [("star", "above", "house"), ("star", "above", "tree")]),
        (HOUSE, "add a cup between the house and the tree", [("cup", "right", "house"), ("cup", "left", "tree")]),
        ("a red circle left of a blue square", "put the circle on the other side of the square",
         [("circle", "right", "square")]),
        (HOUSE, "the tree should be above a car", [("car", "below", "tree")]),
    ],
)  # fmt: skip
def test_where_it_then_stands(picture: str, said: str, relations: list[tuple[str, str, str]], kit: ModuleType) -> None:
    _, _, settled = kit.say(picture, said)
    boxes = {box.object: box for box in settled.layout.boxes}
    told = {(settled.parsed.groups[r.subject].object, r.relation, settled.parsed.groups[r.object].object)
            for r in settled.parsed.relations}  # fmt: skip
    for one, name, other in relations:
        assert (one, name, other) in told
        assert geometry.stands_plainly(name, boxes[one], boxes[other]) or len(relations) > 1
        assert geometry.holds(name, boxes[one], boxes[other])
        assert not geometry.overlaps(boxes[one], [boxes[other]])


@pytest.mark.parametrize(
    ("said", "background"),
    [
        ("now with a sunset behind it", "a sunset"),
        ("with a forest in the background", "a forest"),
        ("go from a black to a blue background", "a blue background"),
        ("change the background from black to white", "a white background"),
        ("move the scene to a beach", "on a beach"),
    ],
)
def test_what_is_then_behind(said: str, background: str, kit: ModuleType) -> None:
    _, _, settled = kit.say("a pink star on a black background", said)
    assert settled.parsed.background == background


def test_the_same_size_is_that_of_their_mean(kit: ModuleType) -> None:
    _, _, settled = kit.say("a big purple heart left of a small triangle", "make them equal in size")
    areas = [box.width * box.height for box in settled.layout.boxes]
    assert max(areas) < 1.35 * min(areas)


@pytest.mark.parametrize(
    ("picture", "said", "choice"),
    [
        (CIRCLES, "fewer circles", "only three circles"),
        ("a pink star on a black background", "remove the background", "a white background"),
        ("a black cat in a kitchen", "get rid of the kitchen", "a white background"),
    ],
)
def test_what_is_asked_about(picture: str, said: str, choice: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(picture, said)
    assert isinstance(intent, UnclearIntent)
    assert choice in intent.choices


@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        ("forget that, draw me a red boat on a lake", "draw me a red boat on a lake"),
        ("ok something totally different, a big yellow cup under a tree", "a big yellow cup under a tree"),
        ("let's start over with a blue fish", "a blue fish"),
    ],
)
def test_a_new_picture_is_drawn_without_its_frame(said: str, prompt: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(CAR, said)
    assert isinstance(intent, CreateIntent)
    assert intent.prompt == prompt


@pytest.mark.parametrize(
    "said", ["with more space", "fewer squares", "give the house wheels", "closer by", "less yellow"]
)
def test_a_fragment_is_no_new_picture(said: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(HOUSE, said)
    assert intent.kind != "create"


def test_how_many_variations_are_asked_for() -> None:
    asked = {"show me 4 variations": 4, "three more like this": 3, "some versions": 3, "one more": 0, "4 stars": 0}
    assert {said: count_variations(said) for said in asked} == asked
