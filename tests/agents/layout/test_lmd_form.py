"""The published form of layouts is read as data, and told what is wrong with it where it is not in that form."""

from __future__ import annotations

import pytest

from imagewright.agents.layout.lmd_form import read_lmd

OBJECTS = "[('a green car', [21, 281, 211, 159]), ('2 big dogs', [269.5, 283, 209, 160])]"
GOOD = f"Objects: {OBJECTS}\nBackground prompt: A street"


def test_boxes_become_fractions_with_their_nouns() -> None:
    car, dogs = read_lmd(f"Sure:\n{GOOD}\nNegative prompt: birds\n\nCaption: more").boxes
    assert (car.caption, car.object, car.attributes) == ("a green car", "car", ("green",))
    assert (car.x, car.y, car.width, car.height) == (0.041, 0.5488, 0.4121, 0.3105)
    assert (dogs.object, dogs.attributes) == ("dog", ("big",))


@pytest.mark.parametrize(
    ("negative", "read"),
    [("", ""), ("\nNegative prompt:", ""), ("\nNegative prompt: None", ""), ("\nNegative prompt: cars", "cars")],
)
def test_the_negative_prompt_may_be_missing_or_none(negative: str, read: str) -> None:
    layout = read_lmd(GOOD + negative)
    assert (layout.background, layout.negative) == ("A street", read)


def test_the_first_label_may_be_left_out_as_in_a_completion() -> None:
    assert read_lmd("[('a cat', [1, 2, 99, 99])]\nBackground prompt: A room").boxes[0].object == "cat"
    assert read_lmd("[]\nBackground prompt: A room").boxes == ()


@pytest.mark.parametrize(
    "said",
    [
        "", "no", "Objects: []", "Objects: __import__('os').system('true')\nBackground prompt: x",
        "Objects: [('a cat', [1, 2, 3])]\nBackground prompt: x", "Objects: [('a cat')]\nBackground prompt: x",
        "Objects: [('', [1, 2, 3, 4])]\nBackground prompt: x", "Objects: {'a': 1}\nBackground prompt: x",
        "Objects: [('a cat', [1, 2, 3, 1e999])]\nBackground prompt: x", f"Objects: {'[' * 9000}\nBackground prompt: x",
        "Objects: [('a cat', ['1', 2, 3, 4])]\nBackground prompt: x", "Objects: 3\nBackground prompt: x",
    ],
)  # fmt: skip
def test_what_is_not_in_the_form_is_a_value_error(said: str) -> None:
    with pytest.raises(ValueError, match=r"Objects|is not of the form|no number"):
        read_lmd(said)
