"""What people say in a conversation, by kind: each open case and each saying that was once misread."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.conversation.edits import settle
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import AnyIntent, EditIntent, Reference, Settled, UnclearIntent

DATA = Path(__file__).parents[1] / "data"
READ = RulesInterpreter().interpret
CIRCLES = "two red circles above a blue square on a white background"
HEART = "a purple heart left of an orange triangle"
CARS = "five red cars on a grey background"
STARS = "three green stars"
KITCHEN = "a black cat on a red chair next to a white dog in a kitchen"
FISH = "a blue fish left of a red cup"
HOUSE = "a red house left of a green tree"
THREE = "a red house, a yellow moon and a green tree"

case = pytest.mark.case


def cases(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Rows that begin with a case's id, each marked with it."""
    return [pytest.param(*row[1:], marks=case(row[0], "talk"), id=f"{row[0]}-{row[2][:40]}") for row in rows]


@pytest.fixture(scope="module")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """Says things about a picture."""
    return load_module("imagewright_edit_kit", Path(__file__).parents[1] / "agents" / "edit_kit.py")


def edited(kit: ModuleType, picture: str, said: str) -> tuple[EditIntent, Settled]:
    """What the edit comes to."""
    _, intent, settled = kit.say(picture, said)
    assert isinstance(intent, EditIntent), intent
    assert settled is not None
    return intent, settled


# --- edits: what is then to be seen -----------------------------------------------------------

SEEN = [
    ("f01", CIRCLES, "Remove the blue square. Do not change anything else.", ["a red circle"] * 2),
    ("f01", CIRCLES, "change the square to green and keep everything else exactly the same",
     ["a red circle"] * 2 + ["a green square"]),
    ("f01", HEART, "without the heart please, it is ugly", ["an orange triangle"]),
    ("f03", CARS, "there should be four cars, not five", ["a red car"] * 4),
    ("f03", CARS, "I want only 3 cars", ["a red car"] * 3),
    ("f03", CARS, "remove 1 car", ["a red car"] * 4),
    ("f03", STARS, "can you make it two stars instead of three?", ["a green star"] * 2),
    ("f03", STARS, "make it four stars", ["a green star"] * 4),
    ("f03", STARS, "there are too many stars, two would be enough", ["a green star"] * 2),
    ("f08", HEART, "duplicate the heart", ["a purple heart", "an orange triangle", "a purple heart"]),
    ("f08", HEART, "instead of a heart I want a star", ["a purple star", "an orange triangle"]),
    ("f09", HEART, "don't change the heart, but make the triangle bigger", ["a purple heart", "an orange triangle"]),
    ("f10", CIRCLES, "1. make the square green\n2. remove the left circle", ["a red circle", "a green square"]),
    ("f10", CIRCLES, "1. make the square green 2. remove the left circle", ["a red circle", "a green square"]),
    ("f10", CIRCLES, "- square green\n- one more circle", ["a red circle"] * 2 + ["a green square", "a red circle"]),
    ("f10", HEART, "looks good, but the triangle should be blue", ["a purple heart", "a blue triangle"]),
    ("f10", HEART, "change heart to star, triangle to square", ["a purple star", "an orange square"]),
    ("s", HOUSE, "make the tree a bit darker", ["a red house", "a dark green tree"]),
    ("s", FISH, "make teh fish biger", ["a blue fish", "a red cup"]),
    ("s", HOUSE, "turn the hosue purple", ["a purple house", "a green tree"]),
    ("s", HOUSE, "change the red house into a boat", ["a red boat", "a green tree"]),
    ("s", FISH, "swap colours", ["a red fish", "a blue cup"]),
    ("s", "a yellow star and a red house", "there should be no star", ["a red house"]),
    ("s", HOUSE, "dark blue background and a white star", ["a red house", "a green tree", "a white star"]),
    ("s", "three green trees", "the last one but with 4 trees", ["a green tree"] * 4),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "said", "captions"), cases(SEEN))
def test_an_edit_is_that_edit(picture: str, said: str, captions: list[str], kit: ModuleType) -> None:
    _, settled = edited(kit, picture, said)
    assert [box.caption for box in settled.layout.boxes] == captions


@case("s", "talk")
def test_a_saying_of_two_edits_is_both(kit: ModuleType) -> None:
    _, settled = edited(kit, HOUSE, "dark blue background and a white star")
    assert settled.layout.background == "a dark blue background"
    assert settled.parsed.background == "a dark blue background"


@case("f02", "talk")
@pytest.mark.parametrize("said", ["Now make it darker", "more contrast"])
def test_a_tone_is_an_edit_of_the_whole(said: str, kit: ModuleType) -> None:
    _, settled = edited(kit, CIRCLES, said)
    assert len(settled.layout.boxes) == 3
    assert settled.redraw == ()
    assert settled.prompt.startswith(CIRCLES)


@case("s", "talk")
def test_a_mood_is_a_background_or_told(kit: ModuleType) -> None:
    _, settled = edited(kit, HOUSE, "make it look more like a sunset")
    assert settled.parsed.background == "at sunset"
    _, intent, _ = kit.say(HOUSE, "make it pop")
    assert (intent.kind, "say a colour" in intent.text) == ("command", True)


# --- places -----------------------------------------------------------------------------------


@case("s", "talk")
@pytest.mark.parametrize("said", ["put the cup under the fish", "move the cup below the fish"])
def test_under_is_under(said: str, kit: ModuleType) -> None:
    _, settled = edited(kit, FISH, said)
    fish, cup = settled.layout.boxes
    assert cup.y >= fish.y + fish.height
    assert [r.relation for r in settled.parsed.relations] == ["below"]


@case("s", "talk")
def test_what_is_added_above_takes_nobody_s_place(kit: ModuleType) -> None:
    base, _, settled = kit.say(HOUSE, "place a yellow star above the tree")
    house, tree, star = settled.layout.boxes
    assert house == base.layout.boxes[0]
    assert star.y + star.height <= tree.y
    assert all(r.x >= house.x + house.width or r.y + r.height <= house.y for r in settled.redraw), "the roof is kept"


@case("s", "talk")
@pytest.mark.parametrize(("said", "picture"), [("swap the house and the tree", HOUSE), ("swap them", HEART)])
def test_swapped_things_exchange_places(said: str, picture: str, kit: ModuleType) -> None:
    base, _, settled = kit.say(picture, said)
    old, new = base.layout.boxes, settled.layout.boxes
    assert new[0].centre == pytest.approx(old[1].centre, abs=1e-3)
    assert new[1].centre == pytest.approx(old[0].centre, abs=1e-3)
    assert [r.relation for r in settled.parsed.relations] == ["right"]


@case("f08", "talk")
def test_arrangements(kit: ModuleType) -> None:
    base = kit.picture(HEART).layout.boxes
    for said in ("flip it horizontally", "mirror the image"):
        heart, triangle = edited(kit, HEART, said)[1].layout.boxes
        assert (heart.x > triangle.x, heart.y) == (True, base[0].y)
    heart = edited(kit, HEART, "centre the heart")[1].layout.boxes[0]
    assert heart.centre == pytest.approx((0.5, 0.5), abs=0.01)
    apart = edited(kit, HEART, "space them further apart")[1].layout.boxes
    closer = edited(kit, HEART, "put them closer together")[1].layout.boxes
    gaps = [b.x - a.x - a.width for a, b in (closer, base, apart)]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[2]
    moved = edited(kit, CIRCLES, "align them at the bottom")[1].layout.boxes
    assert moved[2] == kit.picture(CIRCLES).layout.boxes[2]
    _, settled = edited(kit, "a big purple heart left of a small triangle", "make the triangle as big as the heart")
    heart, triangle = settled.layout.boxes
    assert 0.7 < triangle.width * triangle.height / (heart.width * heart.height) <= 1.01, "as far as there is room"


@case("s", "talk")
def test_everything_is_centred_together(kit: ModuleType) -> None:
    boxes = edited(kit, "a red circle at the top left", "can you centre everything")[1].layout.boxes
    assert boxes[0].centre == pytest.approx((0.5, 0.5), abs=0.01)


# --- asked back, told, answered ---------------------------------------------------------------

ASKED = [
    ("s", HOUSE, "and a star above it", "'it'"), ("s", THREE, "make both things bigger", "'both things'"),
    ("s", HOUSE, "make it 20% smaller", "'it'"), ("f08", THREE, "swap them", "'them'"),
    ("f12", HEART, "perfect! now the same in green", "'it'"), ("f08", HEART, "use seed 42 and 30 steps", "seed"),
    ("f08", HEART, "give me 4 variations", "one more"), ("s", HOUSE, "show me 4 variations", "one more"),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "said", "word"), cases(ASKED))
def test_what_may_be_meant_is_asked(picture: str, said: str, word: str, kit: ModuleType) -> None:
    base, intent, _ = kit.say(picture, said)
    assert isinstance(intent, UnclearIntent)
    assert word in intent.reason
    assert intent.choices
    assert all(not isinstance(READ(choice, (base,)), UnclearIntent) for choice in intent.choices)


@case("s", "talk")
def test_a_share_is_that_share(kit: ModuleType) -> None:
    base, _, settled = kit.say(HOUSE, "make the tree 20% smaller")
    assert settled.layout.boxes[1].width == pytest.approx(base.layout.boxes[1].width * 0.8, abs=1e-3)


TOLD = [
    ("f06", HEART, "make the heart's eyes bigger", "unclear", "has no"),
    ("f07", KITCHEN, "Please edit my picture and change the cat's fur to blonde", "unclear", "has no"),
    ("f08", HEART, "rotate the triangle 45 degrees", "command", "moved, resized"),
    ("f08", HEART, "upscale it", "command", "imagewright flows list"),
    ("f08", HEART, "zoom out a bit", "command", "make everything smaller"),
    ("f08", HEART, "use SDXL instead", "command", "--flow"),
    ("f12", HEART, "can you make the heart look less cartoonish", "command", "say a colour"),
    ("f12", KITCHEN, "новый фон, пожалуйста", "unclear", "English only"),
    ("f12", KITCHEN, "把狗变成红色", "unclear", "English only"),
    ("f12", KITCHEN, "haz el perro más grande", "unclear", "English only"),
    ("s", HOUSE, "zweites Haus dazu", "unclear", "English only"),
    ("s", HOUSE, "borra el árbol", "unclear", "English only"),
    ("s", HOUSE, "把房子变成蓝色", "unclear", "English only"),
    ("s", HOUSE, "make the fish the same colour as the cup", "unclear", "no 'the fish'"),
    ("s", HOUSE, "rotate the boat", "command", "moved, resized"),
    ("s", HOUSE, "flip it", "command", "mirror the picture"),
    ("s", HOUSE, "there should be no star", "unclear", "no 'star'"),
    ("s", HOUSE, "redo", "unclear", "nothing was undone"),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "said", "kind", "words"), cases(TOLD))
def test_what_cannot_be_done_is_told(picture: str, said: str, kind: str, words: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(picture, said)
    assert intent.kind == kind
    assert words in (getattr(intent, "reason", "") or intent.text)


KINDS = [
    ("f08", HEART, "same prompt, different seed", "vary", ""), ("s", HOUSE, "help", "command", "help"),
    ("s", HOUSE, "save it as boat.png", "command", "save"),
    ("s", HOUSE, "how confident are you?", "question", "sureness"),
    ("s", HOUSE, "what does it look like now?", "question", "look"),
    ("s", HOUSE, "what changed?", "question", "change"),
    ("s", FISH, "why is the fish blue", "question", "colour"), ("s", HOUSE, "what can you draw?", "question", "world"),
    ("s", HOUSE, "I like pastel colours", "preference", "pastel colours"),
    ("s", HOUSE, "I prefer a blue background", "preference", "blue background"),
    ("s", HOUSE, "forget the hearts thing", "preference", "heart"),
]  # fmt: skip


@pytest.mark.parametrize(("picture", "said", "kind", "what"), cases(KINDS))
def test_questions_commands_and_wishes(picture: str, said: str, kind: str, what: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(picture, said)
    assert intent.kind == kind
    wish = getattr(intent, "preference", None)
    assert what in ("", getattr(intent, "name", ""), getattr(intent, "topic", ""), wish and wish.text)


# --- which picture ----------------------------------------------------------------------------


@pytest.fixture
def thread(kit: ModuleType) -> tuple[Reference, ...]:
    """Three pictures."""
    prompts = ("a red house and a yellow moon", "a red house, a yellow moon and a star", "two green trees")
    return tuple(kit.picture(prompt, number) for number, prompt in enumerate(prompts, 1))


@case("s", "talk")
def test_which_picture_is_meant(thread: tuple[Reference, ...]) -> None:
    only = READ("go back to the one with only the house and moon", thread)
    assert (only.kind, only.base) == ("branch", "run-1")
    four = READ("the last one but with 4 trees", thread)
    assert (four.kind, four.base) == ("edit", "run-3")
    assert len(settle(four, thread).layout.boxes) == 4
    again = READ("like the first one", thread)
    assert (again.kind, again.base, again.seed) == ("vary", "run-1", thread[0].seed), "that picture, not another of it"
    undone = READ("undo that and make the star blue instead", thread)
    assert (undone.kind, undone.base) == ("edit", "run-2")


@case("s", "talk")
def test_redo_takes_back_an_undo(thread: tuple[Reference, ...]) -> None:
    left = tuple(p.model_copy(update={"live": p.number == 1}) for p in (thread[1], thread[2], thread[0]))
    intent = READ("redo", left)
    assert (intent.kind, intent.base) == ("branch", "run-2")


@case("f10", "talk")
def test_an_undo_with_nothing_before_it_is_asked_about(kit: ModuleType) -> None:
    _, intent, _ = kit.say(HEART, "undo that and make the triangle blue instead")
    assert intent.choices == ("make the triangle blue instead",)


# --- never drawn as its own text --------------------------------------------------------------

ORDERS = (
    "make it pop more", "swap colours around", "align it to the grid", "group them", "lock the heart", "print it",
    "export as svg", "undo the redo", "hmm", "what", "make", "n", "add shadows please", "make it nicer",
    "can you fix it",
    "merge the two", "randomise", "make it 16:9", "resize to 512x512", "use 30 steps", "animate it", "crop it",
    "save", "could you try a bit harder", "I do not get it", "that is not what I asked for", "start over",
)  # fmt: skip


@case("f08", "talk")
@pytest.mark.parametrize("said", ORDERS)
def test_no_order_is_drawn_as_its_own_text(said: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(HEART, said)
    assert intent.kind != "create"


PROMPTS = (
    "a red circle above a blue square", "two cats on a sofa", "a house", "draw a red circle",
    "cat, watercolour, sunset",
    "an owl on a branch at night", "paint me a fox", "I want a picture of a castle by a lake",
    "three yellow stars on a black background", "portrait of an old fisherman, dramatic light",
)  # fmt: skip


@pytest.mark.parametrize("said", PROMPTS)
def test_a_new_picture_is_still_a_new_picture(said: str, kit: ModuleType) -> None:
    _, intent, _ = kit.say(HEART, said)
    assert intent.kind == "create"


# --- written after the rules froze ------------------------------------------------------------


def reads(intent: AnyIntent, expect: dict[str, Any]) -> bool:
    """Whether a saying was read as one of the kinds that are right, and its edits as those."""
    if intent.kind not in expect["kinds"]:
        return False
    ops = [edit.op for edit in intent.edits] if isinstance(intent, EditIntent) else []
    return ops == expect["ops"] if ops and "ops" in expect else True


def test_fifty_sayings_written_after_the_rules_froze(kit: ModuleType) -> None:
    """As they fell: 41 of 50, three orders were drawn; rules written since read 49, and none may read fewer."""
    rows = [json.loads(line) for line in (DATA / "sayings_after_the_freeze.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 50
    read = [(row, READ(row["say"], (kit.picture(row["picture"]),))) for row in rows]
    wrong = [row["say"] for row, intent in read if not reads(intent, row)]
    drawn = [row["say"] for row, intent in read if intent.kind == "create" and "create" not in row["kinds"]]
    assert len(wrong) <= FELL, wrong
    assert not drawn


FELL = 1


def test_fifty_more_sayings_written_after_the_rules_froze_again(kit: ModuleType) -> None:
    """As they fell: 18 of 50, and four were drawn as their own text; now more are read and none is drawn."""
    rows = [json.loads(line) for line in (DATA / "sayings_second_freeze.jsonl").read_text("utf-8").splitlines()]
    read = [(row, READ(row["said"], (kit.picture(row["picture"]),)).kind) for row in rows]
    assert sum(kind == row["kind"] for row, kind in read) >= 42
    assert [row["said"] for row, kind in read if kind == "create" and row["kind"] != "create"] == []


def test_twenty_sayings_written_after_a_third_freeze(kit: ModuleType) -> None:
    """As they fell: 12 of 20, and two were drawn as their own text. Those two kinds were mended afterwards."""
    rows = [json.loads(line) for line in (DATA / "sayings_third_freeze.jsonl").read_text("utf-8").splitlines()]
    read = [(row, READ(row["said"], (kit.picture(row["picture"]),)).kind) for row in rows]
    assert sum(kind == row["kind"] for row, kind in read) >= 13
    assert [row["said"] for row, kind in read if kind == "create" and row["kind"] != "create"] == []


def test_forty_sayings_written_after_a_fourth_freeze(kit: ModuleType) -> None:
    """As they fell: 29 of 40, and none was drawn as its own text. Most kinds of the rest were mended afterwards."""
    rows = [json.loads(line) for line in (DATA / "sayings_fourth_freeze.jsonl").read_text("utf-8").splitlines()]
    read = [(row, READ(row["said"], (kit.picture(row["picture"]),)).kind) for row in rows]
    assert sum(kind == row["kind"] for row, kind in read) >= 37
    assert [row["said"] for row, kind in read if kind == "create" and row["kind"] != "create"] == []


def test_a_prompt_is_parsed_as_before(kit: ModuleType) -> None:
    assert READ("draw anew: two cats", (kit.picture(HEART),)).parsed == parse_prompt("two cats")
