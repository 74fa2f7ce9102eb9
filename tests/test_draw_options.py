"""The keyword arguments of Python are the fields of a request, with their types; wrong ones are told with the right."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

from imagewright import Imagewright
from imagewright.draw_request import ChatOptions, DrawOptions, DrawRequest
from imagewright.errors import BadInput


def test_the_options_are_the_fields_of_a_request() -> None:
    assert set(DrawOptions.__annotations__) == set(DrawRequest.model_fields) - {"prompt"}
    assert set(ChatOptions.__annotations__) == set(DrawOptions.__annotations__) - {"thread"}


def test_each_option_takes_what_its_field_takes() -> None:
    options, fields = get_type_hints(DrawOptions), get_type_hints(DrawRequest)
    files = ("out", "image", "mask")
    assert {name: options[name] for name in options if name not in files} == {
        name: fields[name] for name in fields if name in options and name not in files
    }
    assert all(options[name] == str | Path | None for name in files)


def test_every_option_that_is_not_plain_is_told() -> None:
    source = inspect.getsource(ChatOptions)
    for name in ("seed", "width", "image", "mask", "strength", "format", "taken", "steps", "guidance", "negative"):
        after = source.split(f"    {name}: ", 1)[1].split("\n")[1]
        assert after.strip().startswith('"""'), name


@pytest.mark.parametrize("way", ["draw", "plan"])
def test_a_size_is_answered_with_width_and_height(way: str) -> None:
    with pytest.raises(BadInput, match="no option 'size'") as caught:
        getattr(Imagewright(), way)("a red circle", size=64)
    assert "width" in caught.value.remedy
    assert "height" in caught.value.remedy


def test_paths_are_taken_as_text() -> None:
    request = DrawRequest(prompt="a", out=Path("b.png"), image=Path("c.png"))  # type: ignore[arg-type]
    assert (request.out, request.image) == ("b.png", "c.png")
