"""The rest of a trace in words."""

from __future__ import annotations

from typing import Any

from imagewright.cli.story import tell_trace
from imagewright.cli.terminal.text import render

TRACE: dict[str, Any] = {
    "choice": {"flow": "a", "reason": "best estimate", "decided_by": "rules"},
    "rejected": {"big": "x is missing: put it at models/x; y is missing: put it at models/y", "odd": "no node Z"},
    "rounds": [{"prompt": "a fox", "seed": 7, "flow": "a"}, {"prompt": "a red fox", "seed": 8, "flow": "a"}],
    "facts": [{"backend": "diffusers", "device": "cpu", "dtype": "float32", "model mini": "0123456789abcdef"}],
    "versions": {"imagewright": "0.1.0", "torch": "2.13.0", "platform": "Linux"},
    "spent": {"tokens_in": 12, "tokens_out": 3, "money": 0.5},
    "image": "fedcba9876543210",
}


def test_every_part_is_told() -> None:
    told = render(tell_trace(TRACE))
    for words in (
        "a: best estimate (decided by rules)", "big: x is missing: put it at models/x (and 1 more)", "odd: no node Z",
        "1  a fox  (seed 7, a)", "2  a red fox  (seed 8, a)", "mini  0123456789ab", "diffusers cpu float32",
        "imagewright 0.1.0, torch 2.13.0", "12 tokens read, 3 written, 0.5000 in money", "fedcba987654",
    ):  # fmt: skip
        assert words in told, words
    assert "0123456789abc\n" not in told


def test_an_older_trace_and_what_others_wrote_do_no_harm() -> None:
    told = render(tell_trace({"choice": None, "rejected": {"e\x1b[2Jvil": "x\ny"}, "facts": []}))
    assert "\x1b" not in told
    assert "rejected" in told
