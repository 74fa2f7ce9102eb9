"""The judge: right on fresh renders, and it does complain."""

import random

import pytest
from PIL import Image, ImageFilter

from imagewright.evals.exact_checker import judge, look
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import Group, Scene, Thing, sample_scene


def test_reads_fresh_renders() -> None:
    rng, wrong = random.Random(77), []
    for _ in range(150):
        scene = sample_scene(rng)
        complaints = judge(look(draw_scene(scene, 64, rng)), scene.groups, scene.relation, scene.background)
        if complaints:
            wrong.append((scene, complaints))
    assert wrong == []


def scene(*things: Thing, background: str = "white") -> Image.Image:
    return draw_scene(Scene((), None, None, background, things, 0.5))


RED = Thing("circle", "red", 0.25, 0.5, 0.3)
BLUE = Thing("star", "blue", 0.75, 0.5, 0.3)


@pytest.mark.parametrize(
    ("groups", "relation", "background", "complaint"),
    [
        ((Group(1, "red", "circle"), Group(1, "blue", "star")), "left", "white", None),
        ((Group(1, "red", "circle"), Group(1, "blue", "star")), "right", "white", "not right"),
        ((Group(1, "red", "circle"), Group(1, "blue", "star")), "above", "white", "not above"),
        ((Group(2, "red", "circle"), Group(1, "blue", "star")), None, None, "1 red circle instead of 2"),
        ((Group(1, "red", "circle"),), None, None, "1 blue star instead of 0"),
        ((Group(1, "green", "circle"), Group(1, "blue", "star")), None, None, "0 green circle instead of 1"),
        ((Group(1, "red", "circle"), Group(1, "blue", "heart")), None, None, "0 blue heart instead of 1"),
        ((Group(1, "red", "circle"), Group(1, "blue", "star")), None, "gray", "background white instead of gray"),
    ],
)
def test_complains_of_what_is_wrong(
    groups: tuple[Group, ...], relation: str | None, background: str | None, complaint: str | None
) -> None:
    found = judge(look(scene(RED, BLUE)), groups, relation, background)
    if complaint is None:
        assert found == ()
    else:
        assert any(complaint in text for text in found), found


def test_sees_through_a_little_blur_and_at_other_sizes() -> None:
    picture = scene(RED, BLUE).filter(ImageFilter.GaussianBlur(0.5)).resize((256, 256))
    assert judge(look(picture), (Group(1, "red", "circle"), Group(1, "blue", "star")), "left", "white") == ()


def test_a_smear_is_no_shape() -> None:
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste((214, 39, 40), (5, 30, 60, 36))
    assert [p.shape for p in look(picture).pieces] == [""]


def test_an_empty_picture_has_nothing() -> None:
    seen = look(Image.new("RGB", (64, 64), (150, 150, 150)))
    assert (seen.background, seen.pieces) == ("gray", ())
