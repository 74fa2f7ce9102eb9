"""The sheet of failures shows every picture under its cause, with the whole prompt and what is wrong."""

import pytest
from PIL import Image

from imagewright.evals.failure_sheet import ACROSS, Entry, failure_sheet

RED = Image.new("RGB", (128, 128), (200, 10, 10))


def entry(prompt: str = "a circle", wrong: tuple[str, ...] = ("no circle",)) -> Entry:
    return Entry(RED, prompt, wrong)


def test_every_picture_is_on_the_sheet_and_groups_without_any_are_left_out() -> None:
    one = failure_sheet({"drawing": [entry()] * ACROSS})
    two = failure_sheet({"reading": [], "drawing": [entry()] * (ACROSS + 1)})
    assert one.width == two.width
    assert two.height > one.height + 128, "a second row"
    reds = sum(count for count, colour in two.getcolors(1 << 20) or () if colour == (200, 10, 10))
    assert reds == pytest.approx((ACROSS + 1) * 128 * 128, rel=0.01)


def test_prompts_and_complaints_are_told_whole() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    lines = entry(words, ("one thing is missing from a picture that should hold it", "another")).lines()
    assert " ".join(line for line, colour in lines if colour == "black") == words
    assert " ".join(line.strip() for line, colour in lines if colour != "black").endswith("should hold it another")
    assert failure_sheet({"x": [entry(words)]}).height > failure_sheet({"x": [entry()]}).height


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a picture"):
        failure_sheet({"reading": []})
