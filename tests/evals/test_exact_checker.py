"""The judge: right on fresh renders, and it does complain."""

import pytest
from PIL import Image, ImageFilter

from imagewright.evals.checker_report import misread
from imagewright.evals.exact_checker import judge, look
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import SHAPES, STYLES, Group, Scene, Thing


def test_reads_fresh_renders() -> None:
    assert len(misread(150, seed=77)) <= 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("style", STYLES)
def test_names_every_shape_small_and_large(shape: str, style: str) -> None:
    things = (Thing(shape, "red", 0.3, 0.4, 0.55), Thing(shape, "red", 0.82, 0.8, 0.22))
    seen = look(draw_scene(Scene((), None, None, "gray", things, 0.5, "plain", style)))
    assert [(p.colour, p.shape) for p in seen.pieces] == [("red", shape)] * 2


RED = Thing("cup", "red", 0.25, 0.5, 0.3)
BLUE = Thing("boat", "blue", 0.75, 0.5, 0.3)


def picture(*things: Thing) -> Image.Image:
    return draw_scene(Scene((), None, None, "white", things, 0.5, "striped"))


@pytest.mark.parametrize(
    ("groups", "relation", "background", "complaint"),
    [
        ((Group(1, "red", "cup"), Group(1, "blue", "boat")), "left", "white", None),
        ((Group(1, "red", "cup"), Group(1, "blue", "boat")), "right", "white", "not right"),
        ((Group(1, "red", "cup"), Group(1, "blue", "boat")), "above", "white", "not above"),
        ((Group(2, "red", "cup"), Group(1, "blue", "boat")), None, None, "1 red cup instead of 2"),
        ((Group(1, "red", "cup"),), None, None, "1 blue boat instead of 0"),
        ((Group(1, "pink", "cup"), Group(1, "blue", "boat")), None, None, "0 pink cup instead of 1"),
        ((Group(1, "red", "car"), Group(1, "blue", "boat")), None, None, "0 red car instead of 1"),
        ((Group(1, "red", "cup"), Group(1, "blue", "heart")), None, None, "0 blue heart instead of 1"),
        ((Group(1, "red", "cup"), Group(1, "blue", "boat")), None, "gray", "background white instead of gray"),
    ],
)
def test_complains_of_what_is_wrong(
    groups: tuple[Group, ...], relation: str | None, background: str | None, complaint: str | None
) -> None:
    found = judge(look(picture(RED, BLUE)), groups, relation, background)
    if complaint is None:
        assert found == ()
    else:
        assert any(complaint in text for text in found), found


def test_two_things_that_touch_are_two() -> None:
    touching = (Thing("square", "red", 0.35, 0.5, 0.3), Thing("circle", "green", 0.645, 0.5, 0.3))
    assert sorted((p.colour, p.shape) for p in look(picture(*touching)).pieces) == [
        ("green", "circle"),
        ("red", "square"),
    ]


def test_sees_through_a_little_blur_and_at_other_sizes() -> None:
    blurred = picture(RED, BLUE).filter(ImageFilter.GaussianBlur(1)).resize((256, 256))
    assert judge(look(blurred), (Group(1, "red", "cup"), Group(1, "blue", "boat")), "left", "white") == ()


def test_a_smear_is_no_shape_and_an_empty_picture_has_nothing() -> None:
    smear = Image.new("RGB", (128, 128), "white")
    smear.paste((220, 35, 40), (10, 60, 120, 72))
    assert [p.shape for p in look(smear).pieces] == [""]
    seen = look(Image.new("RGB", (128, 128), (140, 142, 146)))
    assert (seen.background, seen.pieces) == ("gray", ())
