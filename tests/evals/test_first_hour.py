"""A newcomer's first hour: nothing that is told misleads, in a terminal of 80 or 120 columns or in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pty", reason="this system has no pseudo-terminals")

from imagewright.evals.first_hour import STEPS, Seen, Step, find_faults, record, tell
from imagewright.evals.screen import read_screen

LIGHT = [step for step in STEPS if step.light]
PICTURE = "/home/you/imagewright/pictures/a-blue-house-on-a-white-background-with-a-long-name.png"


def faults(columns: int, folder: Path, steps: list[Step]) -> list[str]:
    """What misleads in ``steps``, each with the line that was typed."""
    found = []
    for seen in record(columns, folder, steps):
        paths = [str(folder), *map(str, folder.rglob("*.png"))]
        found += [f"{seen.step.line}: {fault}\n{seen.text}" for fault in find_faults(seen, columns, paths)]
    return found


@pytest.mark.parametrize("columns", [80, 0])
def test_what_needs_no_picture_misleads_nobody(tmp_path: Path, columns: int) -> None:
    assert len(LIGHT) >= 12
    assert faults(columns, tmp_path, LIGHT) == []


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120, 0])
def test_a_whole_hour_misleads_nobody(tmp_path: Path, columns: int) -> None:
    typed = len(STEPS) + sum(len(step.sayings) for step in STEPS)
    assert typed >= 30
    assert faults(columns, tmp_path, list(STEPS)) == []


# --- what finds it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"picture 1: {PICTURE[:70]}\n{PICTURE[70:]}", "breaks"),
        ("word " * 30, "is wider than the window"),
        ("a bug of ours: ValueError", "tells 'bug of ours'"),
        ("nothing", "does not tell 'picture'"),
    ],
)
def test_what_would_mislead_is_seen(text: str, fault: str) -> None:
    step = Step("imagewright draw", tells=("picture",))
    assert any(found.startswith(fault) for found in find_faults(Seen(step, 0, text), 80, [PICTURE]))


def test_what_is_right_is_no_fault() -> None:
    step = Step("imagewright draw", tells=("picture 1: ",))
    assert find_faults(Seen(step, 0, f"picture 1: {PICTURE}\n"), 80, [PICTURE]) == []
    assert find_faults(Seen(step, 2, f"picture 1: {PICTURE}\n"), 80, [PICTURE]) == ["exit code 2, not 0"]


def test_the_page_shows_what_was_typed_and_how_it_ended() -> None:
    page = tell(80, [Seen(Step("imagewright paint", code=2), 2, "imagewright: No such command\n")])
    assert "$ imagewright paint    (exit 2)\nimagewright: No such command\n```" in page


@pytest.mark.parametrize(
    ("written", "screen"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("step 1\rstep 2\x1b[K\r\x1b[2Kdone\r\n", "done\n"),
        ("one\r\ntwo\r\n\x1b[1A\x1b[2Kthree\r\n", "one\nthree\n"),
        ("\x1b[36mlabel\x1b[0m \x1b[1mbold\x1b[0m\x1b[?25l", "label bold\n"),
        ("abc\b\bX\x1b[3CY", "aXc  Y\n"),
        ("a.png\taccepted", "a.png   accepted\n"),
        ("\x1b]0;title\x07shown\x1b[J", "shown\n"),
    ],
)
def test_a_screen_holds_what_is_left(written: str, screen: str) -> None:
    assert read_screen(written) == screen
