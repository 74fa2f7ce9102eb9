"""A prompt for a model of a small world: what it leaves open is filled in and said."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.writer.rules import WorldWriter
from imagewright.intents import Settled
from imagewright.schemas import Box, Layout, Region
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.mini.limits import unknown_words, world_of
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, compatible

PIPELINE = shipped.WEIGHTS / "pipeline"
WORDS = frozenset("a an the hose fox two of in and with house start".split())


def writer() -> WorldWriter:
    world = world_of(PIPELINE)
    assert world is not None
    return WorldWriter(world, "mini", partial(unknown_words, PIPELINE), WORDS.__contains__)


def settled(prompt: str) -> Settled:
    return Settled(prompt=prompt, parsed=parse_prompt(prompt))


@pytest.mark.parametrize(
    ("prompt", "drawn", "told"),
    [
        ("a house", "a red house on a white background", "no colour named: red"),
        ("house", "a red house on a white background", "no background named: white"),
        ("two cups", "two blue cups on a white background", "no colour named: blue"),
        ("cups", "three blue cups on a white background", "no number of cups named: three"),
        ("house and tree", "a red house and a green tree on a white background", "red for the house, green for the"),
        ("an automobile", "a red automobile on a white background", "no colour named: red"),
        ("a red circle", "a red circle on a white background", "no background named: white"),
        ("a yellow star", "a yellow star on a pink background", "no background named: pink"),
        ("a house on a red background", "a blue house on a red background", "no colour named: blue"),
        ("a house and a red house", "a blue house and a red house on a white background", "no colour named: blue"),
        ("a red star on a striped background", "a red star on a white striped background", "colour of the background"),
        ("a yellow star on a white background", "a yellow star on a pink background", "never taught yellow on white"),
        ("a red fish inside a blue circle", "a red fish above a blue circle on a white background", "things apart"),
        ("outline drawing of a house", "outline drawing of a red house on a white background", "no colour named: red"),
        ("teh hosue", "a red house on a white background", "read as: the house"),
        ("a yelow moon and a bleu boat", "a yellow moon and a blue boat on a pink background", "read as: a yellow"),
    ],
)
def test_what_is_open_is_filled_in_and_said(prompt: str, drawn: str, told: str) -> None:
    fitted = writer().fit(settled(prompt))
    assert fitted.settled.prompt == drawn
    assert any(told in note for note in fitted.told), fitted.told
    assert parse_prompt(drawn).groups == fitted.settled.parsed.groups


@pytest.mark.parametrize(
    "prompt",
    [
        "a red house on a blue background", "two black cups on a white background", "three red stars on a dotted green "
        "background", "a fox in the snow", "a hose", "a crimson house", "a fox and a house", "ein Haus", "",
        "please draw a purple heart on a white background", "seven cups", "a boat on water",
    ],
)  # fmt: skip
def test_what_is_whole_or_cannot_be_drawn_stays_as_it_is(prompt: str) -> None:
    fitted = writer().fit(settled(prompt))
    assert (fitted.settled, fitted.told) == (settled(prompt), ())


def test_what_is_filled_in_can_always_be_seen() -> None:
    for shape in SHAPES:
        parsed = writer().fit(settled(f"a {shape}")).settled.parsed
        assert compatible(parsed.groups[0].attributes[0], parsed.background.split()[1])
        for colour in COLOURS:
            paper = writer().fit(settled(f"a {colour} {shape}")).settled.parsed.background.split()[1]
            assert compatible(colour, paper)
            other = writer().fit(settled(f"a {shape} on a {colour} background")).settled.parsed
            assert compatible(other.groups[0].attributes[0], colour)


def test_a_model_that_states_nothing_beyond_its_words_gets_prompts_as_they_are() -> None:
    mine = writer()
    bare = mine.world.model_copy(update={"usual_colours": {}, "papers": (), "clashes": (), "relations": ()})
    for prompt in ("a house", "two cups", "a yellow star on a white background", "a fish inside a circle", "cups"):
        assert WorldWriter(bare, "other", lambda text, parsed: ()).fit(settled(prompt)).settled == settled(prompt)


def test_drawn_anyway_nothing_named_is_changed() -> None:
    kept = writer().fit(settled("a yellow star on a white background"), keep=True)
    assert kept.settled.prompt == "a yellow star on a white background"
    assert kept.told == ("mini was never taught yellow on white",)
    assert writer().fit(settled("a fox and a house"), keep=True).settled.prompt == (
        "a fox and a red house on a white background"
    )


def test_a_relation_that_the_model_has_no_word_for_is_told_by_boxes() -> None:
    mine = writer()
    prompt = "a red house between two green trees on a white background"
    parsed = parse_prompt(prompt)
    assert unknown_words(PIPELINE, prompt, parsed) == ()
    assert mine.needs_boxes(prompt, parsed)
    assert mine.word(prompt, parsed) == "a red house and two green trees on a white background"
    assert not mine.needs_boxes("a red house left of a tree", parse_prompt("a red house left of a tree"))
    assert not mine.needs_boxes("a fox above a tree", parse_prompt("a fox above a tree")), "boxes teach it no fox"


def edited(prompt: str) -> Settled:
    """An edit that redraws one box."""
    parsed = parse_prompt(prompt)
    group = parsed.groups[-1]
    box = Box(caption=group.caption, object=group.object, attributes=group.attributes, x=0, y=0, width=0.5, height=0.5)
    part = Region(caption=group.caption, x=0, y=0, width=0.5, height=0.5)
    layout = Layout(boxes=(box,), background=parsed.background)
    return Settled(prompt=prompt, parsed=parsed, layout=layout, redraw=(part,))


def test_an_added_thing_gets_its_colour_in_its_box_and_in_what_is_redrawn() -> None:
    made = writer().fit(edited("a red house on a white background and a star")).settled
    assert made.layout is not None
    assert [box.caption for box in made.layout.boxes] == ["a blue star"]
    assert [part.caption for part in made.redraw] == ["a blue star"]
    assert made.layout.boxes[0].attributes == ("blue",)


def test_a_background_that_nobody_named_gives_way_to_a_colour_and_a_named_one_stays() -> None:
    edit = edited("a yellow star on a white background")
    free = writer().fit(edit, said=("a star", "make it yellow"))
    assert free.settled.parsed.background == "a pink background"
    assert free.settled.redraw == (), "the whole picture is drawn anew"
    named = writer().fit(edit, said=("a star on white", "make it yellow"))
    assert named.settled == edit
    assert named.told == ("mini was never taught yellow on white",)


@pytest.mark.parametrize(
    ("word", "near"),
    [("crimson", "red"), ("turquoise", ""), ("hosue", "house"), ("fox", ""), ("xylophone", "")],
)
def test_the_nearest_word(word: str, near: str) -> None:
    assert writer().name_near(word, lambda word, others: "") == near


def test_a_word_of_the_language_is_likened_by_its_meaning() -> None:
    assert writer().name_near("hose", lambda word, others: others[0]) == "circle"


def test_the_world_lists_all_that_it_knows() -> None:
    told = dict(writer().world.list_words())
    assert all(shape in told["things"] for shape in SHAPES)
    assert all(colour in told["colours"] for colour in COLOURS)
    assert (told["numbers"], told["relations"]) == (
        "up to 5 things in one picture", "left of, right of, above, below, next to",
    )  # fmt: skip


def test_the_statement_beside_the_weights_is_what_the_world_says(tmp_path: Path) -> None:
    from imagewright.t2i_backends.mini import card

    card.write(tmp_path)
    assert (tmp_path / "world.json").read_text() == (PIPELINE / "world.json").read_text()
