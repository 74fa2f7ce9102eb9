"""A request's limits: the same words for every caller, and requests of earlier versions still open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagewright import limits
from imagewright.errors import BadInput
from imagewright.memory.runs import RunLog, new_run_id
from imagewright.schemas import DrawRequest

WRONG = [
    ({"seed": -1}, "the seed -1 cannot be used"),
    ({"seed": limits.MAX_SEED + 1}, "the seed 18446744073709551616 cannot be used"),
    ({"width": limits.SIDES[0] - limits.SIDE_STEP}, "the width 8 cannot be used"),
    ({"height": limits.SIDES[1] + limits.SIDE_STEP}, "the height 8200 cannot be used"),
    ({"width": 65}, "the width 65 cannot be used"),
    ({"max_images": -1}, "-1 images cannot be allowed"),
    ({"max_images": limits.MAX_IMAGES + 1}, "10001 images cannot be allowed"),
    ({"max_seconds": -1.0}, "-1.0 is not a number of seconds"),
    ({"max_seconds": float("nan")}, "nan is not a number of seconds"),
    ({"max_tokens": -1}, "-1 tokens cannot be allowed"),
    ({"max_tokens": limits.MAX_TOKENS + 1}, "tokens cannot be allowed"),
    ({"max_money": -0.01}, "-0.01 is no sum"),
    ({"max_money": float("inf")}, "inf is no sum"),
    ({"thread": ""}, "thread's name"),
    ({"thread": " \n"}, "thread's name"),
    ({"thread": "x" * (limits.MAX_THREAD + 1)}, "thread's name"),
    ({"prompt": ""}, "the prompt is empty"),
    ({"prompt": "a\x00b"}, "is not text"),
    ({"prompt": "\ud800"}, "is not text"),
    ({"prompt": "x" * (limits.MAX_PROMPT + 1)}, "20,001 characters; at most 20,000"),
    ({"seed": "one"}, "seed"),
    ({"colour": "red"}, "colour"),
]
RIGHT: list[dict[str, Any]] = [
    {"seed": 0}, {"seed": limits.MAX_SEED}, {"width": 16, "height": 8192}, {"max_images": 0}, {"max_seconds": 0.0},
    {"max_images": limits.MAX_IMAGES}, {"max_tokens": 0}, {"max_money": 0.0}, {"thread": "x" * limits.MAX_THREAD},
    {"prompt": "x" * limits.MAX_PROMPT}, {"prompt": "two\nlines\tof it"},
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), WRONG)
def test_whoever_makes_a_request_hears_the_same(change: dict[str, Any], says: str) -> None:
    for make in (lambda: DrawRequest(**{"prompt": "a", **change}), lambda: DrawRequest(prompt="a").revise(**change)):
        with pytest.raises(BadInput) as caught:
            make()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.remedy


@pytest.mark.parametrize("change", RIGHT)
def test_the_ends_of_each_range_belong_to_it(change: dict[str, Any]) -> None:
    request = DrawRequest(**{"prompt": "a", **change})
    assert DrawRequest.model_validate_json(request.model_dump_json()) == request


def test_a_row_of_an_earlier_version_opens_whatever_the_limits_are_now(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "db.sqlite", tmp_path / "locks")
    run = new_run_id()
    old = DrawRequest.recall({"prompt": "a", "width": 65, "thread": "x" * 500, "gone": 1})
    log.start(run, "t", old, 1, tmp_path / "a.png")
    assert log.get(run).request == old
    assert old.max_images == 4, "what was not stored is as by default"


def test_a_new_name_of_a_conversation_is_checked(tmp_path: Path) -> None:
    from imagewright.api import Imagewright
    from imagewright.settings import load_settings

    talk = Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(tmp_path)})).chat("a")
    with pytest.raises(BadInput, match="thread's name"):
        talk.with_thread("x" * 300)
