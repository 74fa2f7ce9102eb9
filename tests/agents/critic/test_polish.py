"""Suggestions for beauty: at most one, of a closed set, compared in both orders, and measured where nobody sees."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from imagewright.agents.critic.polish import IDEA_WORDS, MeasuredPolisher, Suggested, Tone, VLMPolisher
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.intents import Idea, IdeaKind


def noise(low: int, high: int) -> Image.Image:
    """A picture of all levels between two."""
    values = np.random.default_rng(0).integers(low, high, (64, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


DARK, FINE, PALE, FLAT = noise(0, 60), noise(0, 255), noise(225, 255), noise(120, 130)


def test_the_set_is_closed_everywhere() -> None:
    kinds = set(get_args(IdeaKind))
    assert kinds == set(IDEA_WORDS)
    assert set(get_args(Suggested.model_fields["suggestion"].annotation)) >= {"none"}
    text = prompt_file("polish", prompt=["x"]).text
    assert all(f"`{kind}`" in text for kind in kinds)


@pytest.mark.parametrize(
    ("picture", "prompt", "kind"),
    [
        (DARK, "a fox", "brighter"),
        (DARK, "a fox at night", None),
        (PALE, "a fox", "darker"),
        (PALE, "a fox in the snow", None),
        (FLAT, "a fox", "more contrast"),
        (FLAT, "a fox in mist", None),
        (FINE, "a fox", None),
    ],
)
def test_exposure_and_contrast_are_measured_unless_they_are_meant(
    picture: Image.Image, prompt: str, kind: str | None
) -> None:
    idea = MeasuredPolisher().suggest(picture, prompt)
    assert (idea.kind if idea else None) == kind
    assert idea is None or idea.words == IDEA_WORDS[idea.kind]


def test_luminance_is_that_of_the_standard() -> None:
    assert Tone.of(Image.new("RGB", (8, 8), "white")).mean == pytest.approx(1.0)
    assert Tone.of(Image.new("RGB", (8, 8), (0, 255, 0))).mean == pytest.approx(0.7152)
    assert Tone.of(FLAT).spread < Tone.of(FINE).spread


@pytest.mark.parametrize(("after", "better"), [(FINE, True), (DARK, False), (PALE, False), (FLAT, False)])
def test_the_measured_polish_is_kept_where_the_fault_is_gone_and_no_other_came(after: Any, better: bool) -> None:
    idea = Idea(kind="brighter", words="x", decided_by="measure")
    kept, why = MeasuredPolisher().prefers(DARK, after, "a fox", idea)
    assert kept is better
    assert "mean luminance 0.1" in why


def polisher(made: Any) -> VLMPolisher:
    """A polisher that asks the model of a desk."""
    return VLMPolisher(made.asker("critic"), MeasuredPolisher(), made.notes.append)


def test_a_model_suggests_one_of_the_set_and_never_words_of_its_own(desk: Any) -> None:
    made = desk({"suggestion": "add a unicorn", "reason": ""}, {"suggestion": "mist", "reason": "depth"}, sees=True)
    idea = polisher(made).suggest(FINE, "a fox")
    assert idea == Idea(kind="mist", words=IDEA_WORDS["mist"], reason="depth", decided_by="vlm")
    assert polisher(desk({"suggestion": "none"}, sees=True)).suggest(DARK, "a fox") is None


VLM = Idea(kind="mist", words="x", decided_by="vlm")


@pytest.mark.parametrize(
    ("answers", "better"),
    [(("second", "first"), True), (("second", "second"), False), (("second", "neither"), False), (("first",), False)],
)
def test_both_orders_must_agree(answers: tuple[str, ...], better: bool, desk: Any) -> None:
    made = desk(*({"better": answer} for answer in answers), sees=True)
    assert polisher(made).prefers(FINE, DARK, "a fox", VLM)[0] is better
    assert len(made.heard) == len(answers)


def test_a_model_that_gives_no_answer_leaves_it_to_the_measure_and_it_is_told(desk: Any) -> None:
    made = desk("no", "no", "no", sees=True)
    idea = polisher(made).suggest(DARK, "a fox")
    assert idea is not None
    assert (idea.kind, idea.decided_by) == ("brighter", "measure")
    assert made.notes[0].startswith("the picture's beauty was left to the measure of its light")
    made = desk("no", "no", "no", sees=True)
    assert polisher(made).prefers(FINE, DARK, "a fox", VLM) == (False, "nobody compared them")
    assert made.notes[0].startswith("the polished picture was not compared, and is not kept")


def test_a_model_that_does_not_see_is_not_asked(desk: Any) -> None:
    made = desk({"suggestion": "mist"})
    object.__setattr__(made.model, "sees", False)
    idea = polisher(made).suggest(DARK, "a fox")
    assert idea is not None
    assert idea.decided_by == "measure"
    assert made.heard == ()
