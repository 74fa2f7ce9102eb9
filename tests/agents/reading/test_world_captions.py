"""Captions of mini's world and prompts of the same grammar: things, sides, backgrounds and styles are read."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from imagewright.agents.layout.rules import layout_of
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.reading.styling import bare
from imagewright.schemas import Box, ParsedPrompt
from imagewright.t2i_backends.mini.captions import caption, synonyms
from imagewright.t2i_backends.mini.world import COLOURS, Group, Scene, sample_scene

SYNONYMS = synonyms()
CAPTIONS = 600


def named(words: Sequence[str]) -> list[str]:
    """The world's colours among ``words``."""
    return [name for word in words if (name := SYNONYMS.get(word, word)) in COLOURS]


def things(parsed: ParsedPrompt) -> list[tuple[int, list[str], str]]:
    return sorted((g.count, named(g.attributes), SYNONYMS.get(g.object, g.object)) for g in parsed.groups)


def stands(scene: Scene, parsed: ParsedPrompt) -> bool:
    """Whether the layout's boxes have every member of the first group on the stated side of the second."""
    if scene.relation is None or len(scene.groups) < 2:
        return True
    boxes = layout_of(parsed).boxes
    first, second = (of_group(group, boxes) for group in scene.groups[:2])
    across = scene.relation in {"left", "right"}
    sign = 1 if scene.relation in {"left", "above"} else -1
    middles = [[b.x + b.width / 2 if across else b.y + b.height / 2 for b in boxes] for boxes in (first, second)]
    return bool(first and second) and all(sign * a < sign * b for a in middles[0] for b in middles[1])


def of_group(group: Group, boxes: Sequence[Box]) -> list[Box]:
    look = (group.shape, [group.colour])
    return [b for b in boxes if (SYNONYMS.get(b.object, b.object), named(b.attributes)) == look]


def wrong(scene: Scene, caption: str) -> list[str]:
    """What is misread of one caption."""
    parsed = parse_prompt(caption)
    told = "background" in caption or "backdrop" in caption
    paper = named(parsed.background.split())
    checks = {
        "things": things(parsed) == sorted((g.count, [g.colour], g.shape) for g in scene.groups),
        "side": stands(scene, parsed),
        "background": paper == [scene.background] if told else not parsed.background,
        "style": scene.style == "flat" or bool(parsed.style),
    }
    return [name for name, holds in checks.items() if not holds]


def test_nearly_every_caption_of_the_world_is_read_and_laid_out_as_it_says() -> None:
    rng = random.Random(2024)
    missed = []
    for _ in range(CAPTIONS):
        scene = sample_scene(rng)
        text = caption(scene, rng, held_out=rng.random() < 0.5)
        if faults := wrong(scene, text):
            missed.append((text, faults))
    assert len(missed) <= 0.005 * CAPTIONS, missed


@pytest.mark.parametrize(
    ("prompt", "captions", "style"),
    [
        ("outline of a blue tree", ["a blue tree"], ["outline"]),
        ("line art of two red cups", ["a red cup"], ["line art"]),
        ("in outline, two red cups", ["a red cup"], ["outline"]),
        ("a green heart and a fish, outline", ["a green heart", "a fish"], ["outline"]),
        ("a green heart and a fish, soft", ["a green heart", "a fish"], ["soft"]),
        ("an outline drawing of a moon", ["a moon"], ["outline drawing"]),
        ("gray background, a soft drawing of three green houses", ["a green house"], ["soft drawing"]),
        ("in front of a red backdrop soft picture of a disc", ["a disc"], ["soft picture"]),
        ("a car, drawn as line art", ["a car"], ["line art"]),
        ("a cup in blue drawn in a soft style", ["a blue cup"], ["soft style"]),
        ("one red square drawn flat", ["a red square"], ["flat"]),
        ("flat 5 red crescents", ["a red crescent"], ["flat"]),
        ("a star that is red, soft", ["a red star"], ["soft"]),
        ("can you make a picture of in outline, a huge grey moon", ["a huge grey moon"], ["outline"]),
        ("a pencil sketch of a castle above a lake", ["a castle", "a lake"], ["pencil sketch"]),
        ("an ink drawing of two ravens", ["a raven"], ["ink drawing"]),
        ("pixel art of a knight and a dragon", ["a knight", "a dragon"], ["pixel art"]),
        ("low poly, two foxes and an owl", ["a fox", "an owl"], ["low-poly"]),
        ("a low poly fox", ["a low-poly fox"], []),
        ("a lighthouse, drawn with crayons", ["a lighthouse"], ["crayons"]),
        ("a cat drawn in pencil on a white background", ["a cat"], ["pencil"]),
        ("a fox in watercolour style against a dark background", ["a fox"], ["watercolour style"]),
        ("a flat screen and a soft pillow", ["a flat screen", "a soft pillow"], []),
        ("a pencil next to an eraser", ["a pencil", "an eraser"], []),
        ("an artist drawing a horse", ["an artist", "a horse"], []),
        ("a cup with a red outline", ["a cup with a red outline"], []),
    ],
)
def test_a_style_is_no_thing_and_what_it_shows_is_one(prompt: str, captions: list[str], style: list[str]) -> None:
    parsed = parse_prompt(prompt)
    assert [g.caption for g in parsed.groups] == captions
    assert [bare(said) for said in parsed.style] == style


@pytest.mark.parametrize(
    ("prompt", "background"),
    [
        ("a white star where the background is brown stripy", "a brown stripy background"),
        ("a white star and the background is dotted green", "a dotted green background"),
        ("a white star where the backdrop is striped orange", "a striped orange background"),
        ("a white star, the background is black checked", "a black checked background"),
        ("a white star and the background is checkered purple drawn in a soft style", "a checkered purple background"),
        ("five white stars where the backdrop is brown drawn in outline", "a brown background"),
        ("a star that is white, checkered black background", "a checkered black background"),
        ("a white star, outline and a pink backdrop", "a pink backdrop"),
        ("a white star and the background is blue and white striped", "a blue and white striped background"),
        ("a white vase where the background is plain", "a plain background"),
        ("a white car; the background is a forest", "a forest"),
        ("can you make a picture of a soft drawing of a white house", ""),
        ("a scene with a white cup", ""),
        ("a picture with a white dog", ""),
    ],
)
def test_a_background_is_the_picture_s_and_a_lead_is_none(prompt: str, background: str) -> None:
    parsed = parse_prompt(prompt)
    assert parsed.background == background
    assert [named(g.attributes) for g in parsed.groups] == [["white"]]


@pytest.mark.parametrize(
    ("prompt", "captions"),
    [
        ("a black boat and also three triangles that are blue", ["a black boat", "a blue triangle"]),
        ("two cats and three dogs that are black", ["a cat", "a black dog"]),
        ("two cats and three dogs that are all black", ["a black cat", "a black dog"]),
        ("a cat and a dog that are black", ["a black cat", "a black dog"]),
        ("a yellow star and a flower coloured white", ["a yellow star", "a white flower"]),
        ("both 2 flowers that are white and two cups", ["a white flower", "a cup"]),
    ],
)
def test_what_is_said_of_the_last_thing_is_said_of_it_alone(prompt: str, captions: list[str]) -> None:
    assert [g.caption for g in parse_prompt(prompt).groups] == captions


@pytest.mark.parametrize(
    "prompt",
    [
        "i would like to see beneath a tree stands a fish",
        "a green background with beneath a tree stands a fish",
        "violet background, below a tree, a fish",
        "below a tree in blue is a fish",
        "under a tree coloured orange stands a fish",
        "please draw a tree and below it two fish",
        "I'd like to see, beneath a tree, a fish",
    ],
)
def test_a_side_that_is_told_first_is_the_side_of_what_follows(prompt: str) -> None:
    parsed = parse_prompt(prompt)
    told = [(parsed.groups[r.subject].object, r.relation, parsed.groups[r.object].object) for r in parsed.relations]
    assert told == [("fish", "below", "tree")]
