"""What people met when their prompt was read: each kind by what must be claimed of it and what must not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.reading.syntax.alternatives import expand
from imagewright.agents.reading.syntax.marks import find_weighed
from imagewright.agents.reading.syntax.pasted import read_pasted
from imagewright.errors import BadInput
from imagewright.graph.decide import say_unread
from imagewright.graph.request import unpack_request
from imagewright.retrieval.features import features
from imagewright.schemas import DrawRequest
from imagewright.t2i_backends.mini import card
from imagewright.t2i_backends.mini.limits import unknown_words

HERE = Path(__file__).parent


def gallery() -> ModuleType:
    """The gallery's own file beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location("cases_gallery", HERE / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["cases_gallery"] = module
    spec.loader.exec_module(module)
    return module


def counted(prompt: str) -> list[tuple[int, str]]:
    return [(group.count, group.caption) for group in parse_prompt(prompt).groups]


def stated(prompt: str) -> list[tuple[str, str, str]]:
    parsed = parse_prompt(prompt)
    return [(parsed.groups[r.subject].caption, r.relation, parsed.groups[r.object].caption) for r in parsed.relations]


def boxes(prompt: str) -> list[str]:
    return [box.caption for box in RulesLayoutPlanner().plan(prompt).layout.boxes]


CIRCLE_ABOVE = [("a red circle", "above", "a blue square")]
PLAIN = [(1, "a red circle"), (1, "a blue square")]


@pytest.mark.parametrize(
    ("kind", "prompt", "wanted"),
    [
        ("b01 quality", "masterpiece, best quality, depth of field, highres, a red circle above a blue square", PLAIN),
        ("b02 weights", "(red circle:1.3) above a (blue square:0.8)", PLAIN),
        ("b02 weights", "Photo of (three:1.4) cats, [blurry], ((sharp focus))", [(3, "a cat")]),
        ("b03 LoRA tag", "<lora:inkStyle:0.8> a red circle left of a blue star",
         [(1, "a red circle"), (1, "a blue star")]),
        ("b04 BREAK", "a red circle BREAK a blue square", PLAIN),
        ("b05 embedding", "embedding:easyneg, a red circle", [(1, "a red circle")]),
        ("b07 escaped brackets", "saber \\(fate\\), red circle", [(1, "a saber"), (1, "a red circle")]),
        ("b08 tags", "1girl, solo, red_dress, long_hair, 2cats", [(1, "a girl"), (2, "a cat")]),
        ("b08 tags", "1boy, 1girl, holding hands, park, <lora:add_detail:0.6>, (masterpiece:1.2)",
         [(1, "a boy"), (1, "a girl")]),
        ("b08 tags", "score_9, score_8_up, score_7_up, source_anime, 2girls, smile", [(2, "a girl")]),
        ("b12 JSON", '{"subject": "two red circles", "position": "above a blue square", "style": "flat"}',
         [(2, "a red circle"), (1, "a blue square")]),
        ("b12 form", "Title: Sunset\nSubject: two red boats\nBackground: blue sea\nStyle: flat", [(2, "a red boat")]),
        ("b14 emoji", "a red circle 🔴 above a blue square 🟦", PLAIN),
        ("b17 zero", "exactly 2 red circles, 1 blue square, 0 stars", [(2, "a red circle"), (1, "a blue square")]),
        ("b17 denied number", "two red circles (not three!)", [(2, "a red circle")]),
        ("b17 none is", "three cats and none of them is black", [(3, "a cat")]),
        ("b17 nobody else", "a man in a park, nobody else", [(1, "a man")]),
        ("b17 no", "no circles, zero stars, just a blue square", [(1, "a blue square")]),
        ("b18 exactly", "exactly two red circles", [(2, "a red circle")]),
        ("b18 but", "two red circles, but no blue square", [(2, "a red circle")]),
        ("b18 I'd like", "I'd like two red circles", [(2, "a red circle")]),
        ("b18 3x", "3x red circles", [(3, "a red circle")]),
        ("b18 don't", "don't draw any circles, only two blue squares", [(2, "a blue square")]),
        ("b18 more", "no more than three red circles", [(3, "a red circle")]),
        ("dealt list", "three flowers in a row: red, yellow, blue",
         [(1, "a red flower"), (1, "a yellow flower"), (1, "a blue flower")]),
        ("a share", "three houses, two of them red", [(1, "a house"), (2, "a red house")]),
        ("a share", "six balls, half of them red", [(3, "a ball"), (3, "a red ball")]),
        ("a share", "six balls, half red and half blue", [(3, "a blue ball"), (3, "a red ball")]),
        ("the rest", "five stars, two of them blue and the rest yellow", [(3, "a yellow star"), (2, "a blue star")]),
        ("the rest", "five cats, two black, the other three white", [(3, "a white cat"), (2, "a black cat")]),
        ("telegram", "red house blue tree", [(1, "a red house"), (1, "a blue tree")]),
        ("telegram", "small house big tree", [(1, "a small house"), (1, "a big tree")]),
        ("misspelt place", "a cat and a dog, one abve the other", [(1, "a cat"), (1, "a dog")]),
        ("counted at least", "6+girls, choir, church, stained glass", [(6, "a girl")]),
        ("likeness", "emma watson as a mermaid", []),
        ("palette", "a hotel lobby, gold and emerald", []),
        ("numbers that count nothing", "a 1950s diner with two cars at 5 pm", [(1, "a diner"), (2, "a car")]),
        ("flags", "two red circles --ar 16:9 --v 6", [(2, "a red circle")]),
    ],
)  # fmt: skip
def test_what_is_claimed(kind: str, prompt: str, wanted: list[tuple[int, str]]) -> None:
    assert counted(prompt) == wanted, kind


def test_b01_b02_places_are_kept() -> None:
    assert stated("(red circle:1.3) above a (blue square:0.8)") == CIRCLE_ABOVE
    assert stated("masterpiece, best quality, highres, a red circle above a blue square") == CIRCLE_ABOVE


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a house and a tree, a star above the tree and the house", "star tree, star house"),
        ("a tree and a house with a star above them", "star tree, star house"),
        ("two dogs on a sofa and a cat above them", "dog sofa, cat dog"),
        ("on a desk there are two cups and one lamp", "cup desk, lamp desk"),
        ("a zeppelin over a stadium", "zeppelin stadium"),
        ("a pair of parrots on a fence, one green parrot and one blue parrot", "parrot fence, parrot fence"),
        ("a red cup and a blue bowl, one above the other", "cup bowl"),
    ],
)
def test_what_is_above_what(prompt: str, said: str) -> None:
    told = [" ".join(text.rpartition(" ")[2] for text in (one, other)) for one, name, other in stated(prompt)
            if name == "above"]  # fmt: skip
    assert sorted(told) == sorted(said.split(", "))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("<lora:inkStyle:0.8> a red circle", "loads nothing"),
        ("embedding:easyneg, a red circle", "where it lies in embeddings/"),
    ],
)
def test_b03_b05_what_a_mark_loads_is_told(prompt: str, words: str) -> None:
    (line,) = say_unread(parse_prompt(prompt))
    assert words in line


def test_b02_what_is_weighed_is_found() -> None:
    assert find_weighed("a (red circle:1.3) above ((a)) (blue square: 0.8) <lora:x:0.8> [dog:1.2]") == (
        "red circle",
        "blue square",
    )


BLOCK = (
    "a red circle above a blue square\nNegative prompt: green, blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 12, Size: 512x512"
)


def test_b10_a_pasted_block_is_taken_apart() -> None:
    assert stated(BLOCK) == CIRCLE_ABOVE
    block = read_pasted(BLOCK)
    assert block is not None
    assert (block.steps, block.others) == (20, ("sampler", "cfg scale"))
    request, seed = unpack_request(DrawRequest(prompt=BLOCK), lambda: 5)
    assert (request.prompt, request.negative) == ("a red circle above a blue square", "green, blurry")
    assert (seed, request.seed, request.width, request.height, request.pasted) == (12, 12, 512, 512, True)
    assert request.steps == 20
    assert unpack_request(DrawRequest(prompt=BLOCK, steps=4), lambda: 5)[0].steps == 4


def test_b10_what_the_person_gives_goes_before_what_is_pasted() -> None:
    request, seed = unpack_request(DrawRequest(prompt=BLOCK, seed=3, width=64, height=64), lambda: 5)
    assert (seed, request.width, request.pasted) == (3, 64, False)


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("dos círculos rojos encima de un cuadrado azul", "Spanish"),
        ("zwei rote Kreise über einem blauen Quadrat", "German"),
        ("ein roter Kreis", "German"),
        ("un chat noir et deux chiens blancs", "French"),
        ("два красных круга над синим квадратом", "Russian"),
        ("一个红色的圆在蓝色方块上方", "Chinese"),
        ("赤い丸が二つ、青い四角の上に", "Japanese"),
    ],
)
def test_b13_another_language_is_told_and_nothing_claimed(prompt: str, language: str) -> None:
    parsed = parse_prompt(prompt)
    assert not parsed.sure
    assert not parsed.groups
    assert boxes(prompt) == []
    assert features(parsed) is None
    (line,) = say_unread(parsed)
    assert language in line
    assert "language model" in line


@pytest.mark.parametrize(
    "prompt",
    [
        "exactly two red circles", "two red circles, but no blue square", "I'd like two red circles",
        "3x red circles", "don't draw any circles, only two blue squares", "no more than three red circles",
        "(red circle:1.3) above a (blue square:0.8)", "a red circle BREAK a blue square",
        "exactly 2 red circles, 1 blue square, 0 stars",
    ],
)  # fmt: skip
def test_b18_mini_draws_what_it_knows_whatever_the_frame(tmp_path: Path, prompt: str) -> None:
    card.write(tmp_path)
    assert unknown_words(tmp_path, prompt, parse_prompt(prompt)) == ()


def test_alternatives_are_chosen_by_the_seed() -> None:
    text = "a {red|blue} {circle|square}"
    assert expand(text, 4) == expand(text, 4)
    assert len({expand(text, seed) for seed in range(20)}) == 4
    assert not parse_prompt(text).sure
    with pytest.raises(BadInput, match="wildcard"):
        unpack_request(DrawRequest(prompt="a __color__ circle"), lambda: 0)


def test_a_story_claims_nothing() -> None:
    prompt = (
        "A quiet melancholy hangs over the harbor as the last light of the day dissolves into fog, evoking memories "
        "of journeys never taken and letters never sent"
    )
    parsed = parse_prompt(prompt)
    assert not parsed.sure
    assert boxes(prompt) == []
    assert "left alone" in say_unread(parsed)[0]


VERBS = """
a plumber fixes a tap|plumber tap; a groom signs a card|groom card;
a jogger ties a lace|jogger lace; a heron spears a frog|heron frog
a mason lays three bricks|mason brick; a girl plucks a guitar|girl guitar; one beaver gnaws a trunk|beaver trunk
each pupil sharpens a pencil|pupil pencil; every cook peels an onion|cook onion; a butcher chops a bone|butcher bone
a child pops a balloon|child balloon; a maid irons a shirt|maid shirt; a vet weighs a puppy|vet puppy
a thief steals a ring|thief ring; a judge bangs a gavel|judge gavel; a monkey peels two bananas|monkey banana
a fisherman reels a net|fisherman net; a queen knights a soldier|queen soldier; a skier waxes a board|skier board
a woman lights three candles|woman candle; a boy licks a lollipop|boy lollipop; a crow drops a stone|crow stone
a spider traps two flies|spider fly; a hiker pitches a tent|hiker tent; a potter molds a jar|potter jar
a barber trims a beard|barber; a donkey hauls a wagon|donkey wagon; a diver spots an eel|diver eel
a goat butts a gate|goat gate; a giant crushes a car|giant car; a clerk stamps two letters|clerk letter
a bride tosses a bouquet|bride bouquet; a blacksmith hammers a horseshoe|blacksmith horseshoe
a dragon torches a village|dragon; a bee visits a tulip|bee tulip; a ranger tracks a bear|ranger bear
a florist wraps four roses|florist rose; a scribe copies a letter|scribe letter; a mouse nibbles a biscuit|mouse biscuit
a lion mauls a zebra|lion zebra; a kid smashes a pumpkin|kid pumpkin; a pilot lands a glider|pilot glider
the maid dusts a lamp|maid lamp; the boy hurls two rocks|boy rock; the tailor hems a skirt|tailor skirt
two men lift a piano|man piano; three ants haul a leaf|ant leaf; two witches stir a pot|witch pot
four sailors scrub a deck|sailor; two bakers frost three cakes|baker cake; three elves craft a toy|elf toy
a magician levitates a table|magician table; a cub swats a ball|cub ball; a nun rings two bells|nun bell
a carpenter saws a plank|carpenter plank; a surgeon holds a scalpel|surgeon scalpel; a jockey whips a horse|jockey horse
one owl eyes a mouse|owl mouse; a referee blows a whistle|referee whistle; a hunter sets a trap|hunter trap
"""
"""60 sentences of ordinary verbs, written after the rules froze; behind each, the things that it names."""
SENTENCES = [part.strip().split("|") for line in VERBS.strip().splitlines() for part in line.split(";") if part]


def test_ordinary_verbs_are_no_things() -> None:
    assert len(SENTENCES) == 60
    wrong = {}
    for sentence, named in SENTENCES:
        found = [group.object for group in parse_prompt(sentence).groups]
        if found != named.split():
            wrong[sentence] = found
    print(wrong)
    assert len(wrong) <= MISREAD_VERBS, wrong


MISREAD_VERBS = 3


@pytest.mark.parametrize(
    ("name", "clean", "found"),
    [
        ("gallery_worked_on.jsonl", 0.98, 0.95),
        ("gallery_after_the_freeze.jsonl", 0.98, 0.95),
        ("gallery_second_freeze.jsonl", 0.99, 0.98),
        ("verbs_second_freeze.jsonl", 1.0, 0.98),
        ("gallery_third_freeze.jsonl", 0.82, 0.96),
        ("verbs_third_freeze.jsonl", 1.0, 1.0),
        ("gallery_fourth_freeze.jsonl", 0.9, 0.96),
    ],
)
def test_the_gallery_claims_what_is_stated_and_nothing_else(name: str, clean: float, found: float) -> None:
    """The shares that were reached. Each file but the first was written after the rules froze, and read worse as it
    fell: 90.0 % and 98.7 %, then 84.0 % and 87.0 % on 300 harder ones; 54 of 60 sentences with fresh verbs. The
    third, of 60 and 20, stands as it fell: 24 of 29 and 30 of 31, and all the verbs; nothing was mended by it. The
    fourth, of 50, fell at 17 of 21 and 25 of 29; three kinds that it showed were mended afterwards."""
    got: tuple[float, float, dict[str, Any]] = gallery().shares(name)
    print(got[2])
    assert got[0] >= clean, got
    assert got[1] >= found, got
