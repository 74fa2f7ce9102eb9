"""The critic looks at real pictures with a detector that sees by pixels."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from imagewright.agents.critic.detector import DetectorCritic
from imagewright.agents.critic.verdict import NoCritic, why_unchecked
from imagewright.agents.reading.parse import parse_prompt
from imagewright.evals.exact_checker import look
from imagewright.ports import Picture
from imagewright.schemas import Box, Detection, Layout, ParsedGroup, ParsedPrompt, Repair, Verdict
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Scene, Thing


class PixelDetector:
    """Sees what the exact checker finds."""

    labels = frozenset({*SHAPES, "background"})
    colours = frozenset(COLOURS)
    sure = 0.0

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """Its pieces, and the background."""
        seen = look(image)
        things = [
            Detection(object=p.shape, attributes=(p.colour,), score=p.match, x=p.x, y=p.y, width=p.width,
                      height=p.height)
            for p in seen.pieces
        ]  # fmt: skip
        paper = Detection(object="background", attributes=(seen.background,), score=1, x=0, y=0, width=1, height=1)
        return (*things, paper)


CRITIC = DetectorCritic(PixelDetector())
PLACES = {
    "top": (0.5, 0.22), "bottom": (0.5, 0.78), "left": (0.18, 0.5), "right": (0.82, 0.5), "middle": (0.5, 0.5),
    "top left": (0.18, 0.22), "top right": (0.82, 0.22),
}  # fmt: skip
SIDE = 0.28


def picture(*things: str, background: str = "white") -> Picture:
    """``"red circle top"``… drawn on ``background``."""
    made = []
    for words in things:
        colour, shape, place = words.split(maxsplit=2)
        made.append(Thing(shape, colour, *PLACES[place], SIDE))
    return draw_scene(Scene((), None, None, background, tuple(made), 0.5))


def box(words: str) -> Box:
    """The box in which ``picture`` draws the same words."""
    colour, shape, place = words.split(maxsplit=2)
    x, y = PLACES[place]
    return Box(
        caption=f"a {colour} {shape}",
        object=shape,
        attributes=(colour,),
        x=x - SIDE / 2,
        y=y - SIDE / 2,
        width=SIDE,
        height=SIDE,
    )


def judge(prompt: str, image: Picture, *boxes: str, tried: Sequence[Verdict] = ()) -> Verdict:
    """The verdict, with a layout where boxes are given."""
    layout = Layout(boxes=tuple(map(box, boxes))) if boxes else None
    return CRITIC.judge(image, prompt, parse_prompt(prompt), layout, tried)


def failed(verdict: Verdict) -> set[str]:
    """The names of the checks that failed."""
    return {check.name for check in verdict.checks if not check.passed}


RIGHT = [
    ("a red circle", ["red circle middle"]),
    ("two red circles", ["red circle left", "red circle right"]),
    ("a red circle above a blue square", ["red circle top", "blue square bottom"]),
    ("a red circle below a blue square", ["red circle bottom", "blue square top"]),
    ("a red circle to the left of a blue square", ["red circle left", "blue square right"]),
    ("a red circle and a green circle", ["red circle left", "green circle right"]),
    ("a circle and no star", ["red circle middle"]),
    ("a red circle on the left", ["red circle left"]),
]


@pytest.mark.parametrize(("prompt", "things"), RIGHT)
def test_right_pictures_are_accepted(prompt: str, things: list[str]) -> None:
    verdict = judge(prompt, picture(*things))
    assert failed(verdict) == set()
    assert (verdict.accepted, verdict.score, verdict.repair) == (True, 1.0, None)


WRONG = [
    ("a red circle", [], {"present", "count", "attribute"}),
    ("a red circle", ["blue circle middle"], {"attribute"}),
    ("two red circles", ["red circle left"], {"count", "attribute"}),
    ("two red circles", ["red circle left", "red circle right", "red circle middle"], {"count", "attribute"}),
    ("a red circle above a blue square", ["red circle bottom", "blue square top"], {"relation"}),
    ("a red circle above a blue square", ["red circle left", "blue square right"], {"relation"}),
    ("a red circle left of a blue square", ["red circle right", "blue square left"], {"relation"}),
    ("two red circles above a blue square", ["red circle top left", "red circle bottom", "blue square right"],
     {"relation"}),
    ("a circle and no star", ["red circle left", "blue star right"], {"absent"}),
    ("a red circle", ["red circle left", "blue star right"], {"absent"}),
    ("a red circle on the left", ["red circle right"], {"relation"}),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "things", "wrong"), WRONG)
def test_wrong_pictures_fail_just_where_they_are_wrong(prompt: str, things: list[str], wrong: set[str]) -> None:
    verdict = judge(prompt, picture(*things))
    assert failed(verdict) == wrong
    assert not verdict.accepted
    assert 0 <= verdict.score < 1
    assert verdict.repair is not None


class Unsure(PixelDetector):
    """Takes everything blue for half-formed."""

    sure = 0.6

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """The pieces; the blue ones with a low score."""
        return tuple(
            found.model_copy(update={"score": 0.5 if "blue" in found.attributes else 0.9})
            for found in super().detect(image)
        )


def test_a_half_formed_thing_is_not_accepted_and_its_box_is_redrawn() -> None:
    prompt, things = "a red circle and a blue square", ("red circle left", "blue square right")
    parsed, layout = parse_prompt(prompt), Layout(boxes=tuple(map(box, things)))
    verdict = DetectorCritic(Unsure()).judge(picture(*things), prompt, parsed, layout, ())
    assert failed(verdict) == {"form"}
    assert "square: whole wanted, 1 half-formed" in [check.detail for check in verdict.checks]
    assert verdict.repair is not None
    assert (verdict.repair.kind, verdict.repair.box) == ("redraw", 1)
    missing = DetectorCritic(Unsure()).judge(picture("red circle left"), prompt, parsed, layout, ())
    assert missing.score < verdict.score < 1
    assert DetectorCritic(Unsure()).judge(picture("red circle left"), "a red circle", ParsedPrompt(groups=(
        ParsedGroup(object="circle", attributes=("red",)),)), None, ()).accepted  # fmt: skip


def test_where_only_form_is_doubted_a_close_up_of_the_least_plain_thing_is_offered() -> None:
    prompt, things = "a red circle and a blue square on a white background", ("red circle left", "blue square right")
    parsed = parse_prompt(prompt)
    verdict = DetectorCritic(Unsure()).judge(picture(*things), prompt, parsed, None, ())
    assert verdict.nearer is not None
    assert verdict.nearer.kind == "close_up"
    assert verdict.nearer.moved is not None
    assert verdict.nearer.moved.caption == "a blue square"
    assert verdict.nearer.moved.centre[0] > 0.5
    assert verdict.nearer.prompt == "a blue square on a white background"
    seen = picture("red circle left")
    assert DetectorCritic(Unsure()).judge(seen, prompt, parsed, None, ()).nearer is None, "something else is wrong too"
    assert DetectorCritic(Unsure()).judge(seen, "a red circle", parse_prompt("a red circle"), None, ()).nearer is None


def test_the_background_is_judged_where_it_is_a_plain_colour() -> None:
    prompt = "a red circle on a blue background"
    assert judge(prompt, picture("red circle middle", background="blue")).accepted
    assert failed(judge(prompt, picture("red circle middle", background="white"))) == {"background"}
    verdict = judge("a red circle on a grey background", picture("red circle middle", background="gray"))
    assert verdict.accepted


def test_a_better_picture_scores_higher() -> None:
    prompt = "two red circles above a blue square"
    scores = [
        judge(prompt, picture(*things)).score
        for things in ([], ["red circle top left"], ["red circle top left", "blue square bottom"],
                       ["red circle top left", "red circle top right", "blue square bottom"])
    ]  # fmt: skip
    assert scores == sorted(scores)
    assert len(set(scores)) == 4


def test_what_the_detector_does_not_know_is_listed_and_never_fails() -> None:
    verdict = judge("a red circle and a small horse", picture("red circle left", "blue star right"))
    assert verdict.accepted
    unknown = [check.detail for check in verdict.checks if check.detail.startswith("not judged")]
    assert any("'horse'" in detail for detail in unknown)


def test_a_prompt_of_which_nothing_is_known_is_accepted_and_says_so() -> None:
    verdict = judge("an astronaut riding a horse", picture("red circle middle"))
    assert verdict.accepted
    assert any("no critic here can judge this prompt" in check.detail for check in verdict.checks)


def test_where_there_is_no_critic_the_reason_is_told() -> None:
    verdict = NoCritic("its weights are missing").judge(picture(), "p", parse_prompt("a red circle"), None, ())
    assert verdict.accepted
    assert why_unchecked(verdict) == "its weights are missing"
    assert why_unchecked(judge("a red circle", picture())) == ""


# --- repairs --------------------------------------------------------------------------------


def first_repair(prompt: str, image: Picture, *boxes: str, tried: Sequence[Verdict] = ()) -> Repair:
    """The repair of the verdict."""
    repair = judge(prompt, image, *boxes, tried=tried).repair
    assert repair is not None
    return repair


def test_one_wrong_colour_is_drawn_anew_in_its_box() -> None:
    boxes = ("red circle top", "blue square bottom")
    repair = first_repair("a red circle above a blue square", picture("red circle top", "green square bottom"), *boxes)
    assert (repair.kind, repair.box) == ("redraw", 1)


def test_one_wrong_shape_is_drawn_anew_in_its_box() -> None:
    boxes = ("red circle top", "blue square bottom")
    repair = first_repair("a red circle above a blue square", picture("red star top", "blue square bottom"), *boxes)
    assert (repair.kind, repair.box) == ("redraw", 0)


def test_two_wrong_boxes_ask_for_a_new_seed() -> None:
    boxes = ("red circle top", "blue square bottom")
    repair = first_repair("a red circle above a blue square", picture("green circle top", "red star bottom"), *boxes)
    assert repair.kind == "new_seed"


@pytest.mark.parametrize("things", [["red circle top"], ["red circle top", "blue square bottom", "red star left"]])
def test_something_missing_or_too_many_asks_for_a_new_seed(things: list[str]) -> None:
    boxes = ("red circle top", "blue square bottom")
    assert first_repair("a red circle above a blue square", picture(*things), *boxes).kind == "new_seed"


def test_a_wrong_relation_moves_a_box_along_it() -> None:
    boxes = ("red circle top", "blue square bottom")
    repair = first_repair(
        "a red circle to the left of a blue square", picture("red circle top", "blue square bottom"), *boxes
    )
    assert (repair.kind, repair.box) == ("move_box", 0)
    assert repair.moved is not None
    assert repair.moved.x < box("red circle top").x
    assert repair.moved.x >= 0


def test_without_a_layout_no_box_is_named() -> None:
    for things in (["green circle top", "blue square bottom"], ["red circle bottom", "blue square top"]):
        repair = first_repair("a red circle above a blue square", picture(*things))
        assert not hasattr(repair, "box")
        assert repair.kind == "new_seed"


def test_a_repair_that_did_not_help_is_not_proposed_again() -> None:
    prompt, boxes = "a red circle above a blue square", ("red circle top", "blue square bottom")
    image = picture("red circle top", "green square bottom")
    tried: list[Verdict] = []
    for _ in range(6):
        tried.append(judge(prompt, image, *boxes, tried=tried))
    kinds = [verdict.repair.kind for verdict in tried if verdict.repair]
    assert kinds == ["redraw", "new_seed", "reprompt", "next_flow", "new_seed", "new_seed"]


def test_the_same_picture_gets_the_same_verdict() -> None:
    prompt, image = "two red circles above a blue square", picture("red circle top left", "blue square bottom")
    assert judge(prompt, image) == judge(prompt, image)


@pytest.mark.parametrize(
    ("prompt", "things", "passed"),
    [
        ("red circles", ["red circle left", "red circle right"], True),
        ("some red circles", ["red circle left"], True),
        ("some red circles", ["blue star left"], False),
        ("two red circles", ["red circle left"], False),
        ("a red circle and a red circle", ["red circle left", "red circle right"], True),
        ("a red circle and a red circle", ["red circle left"], False),
        ("some red circles and a blue star", ["red circle left", "blue star right"], True),
    ],
)
def test_a_guessed_number_is_met_by_one_and_equal_groups_are_summed(
    prompt: str, things: list[str], passed: bool
) -> None:
    checks = judge(prompt, picture(*things)).checks
    counted = [check.passed for check in checks if check.name in {"present", "count", "attribute"}]
    assert all(counted) is passed


def test_other_words_for_things_colours_and_the_background_are_judged_as_the_detectors_own() -> None:
    words = {"disc": "circle", "scarlet": "red", "box": "square", "crimson": "red", "snow": "white"}
    critic = DetectorCritic(PixelDetector(), words)
    parsed = ParsedPrompt(
        groups=(ParsedGroup(count=1, object="disc", attributes=("scarlet",), caption="a scarlet disc"),),
        background="a snow background",
        negative=("box",),
    )
    layout = Layout(boxes=(box("red circle top").model_copy(update={"object": "disc", "attributes": ("scarlet",)}),))
    right = critic.judge(picture("red circle top"), "", parsed, layout, ())
    assert right.accepted
    assert {check.name for check in right.checks} == {"present", "count", "attribute", "absent", "background", "layout"}
    wrong = critic.judge(picture("blue circle top"), "", parsed, layout, ())
    assert failed(wrong) == {"attribute"}
    assert wrong.repair is not None
    assert (wrong.repair.kind, wrong.repair.box) == ("redraw", 0)


def test_of_like_things_on_both_sides_of_another_some_stand_on_each() -> None:
    prompt = "a red house between two green trees"
    between = picture("green tree left", "red house middle", "green tree right")
    assert judge(prompt, between).accepted
    beside = picture("green tree left", "green tree top", "red house right")
    failed = [check.detail for check in judge(prompt, beside).checks if not check.passed]
    assert failed == ["red house left green tree: not so"]
