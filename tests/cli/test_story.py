"""The story of a run: complete, within 80 columns, and safe in a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from imagewright.cli.runs import result_json
from imagewright.cli.story import canvas, tell_plan, tell_run
from imagewright.cli.terminal.text import clean, emit, emit_json, render
from imagewright.schemas import Box, Candidate, Check, Layout, Plan, Repair, Round, RunResult, Verdict

LEFT = Box(caption="a red circle", object="circle", attributes=("red",), x=0.06, y=0.08, width=0.34, height=0.34)
RIGHT = LEFT.model_copy(update={"x": 0.58})
BELOW = Box(caption="a blue square", object="square", attributes=("blue",), x=0.3, y=0.55, width=0.4, height=0.4)
LAYOUT = Layout(boxes=(LEFT, RIGHT, BELOW), background="a white background", negative="star")
CANDIDATES = (
    Candidate(
        flow="flux-dev", title="FLUX", estimate=0.93, low=0.8, high=0.99, runnable=False, why_not="put flux in vae"
    ),
    Candidate(flow="mini-slow", title="Slow", estimate=0.84, low=0.79, high=0.89, evidence=312, runnable=True),
    Candidate(flow="mini-fast", title="Fast", estimate=0.8, low=0.7, high=0.86, evidence=1, runnable=True),
    Candidate(flow="sdxl", title="SDXL", estimate=0.5, low=0.2, high=0.8, runnable=False, why_not="put sdxl"),
)
FAILED = Check(name="count", passed=False, detail="wanted 2 red circles, saw 1", box=1)
PASSED = FAILED.model_copy(update={"passed": True})
REPAIR = Repair(kind="move_box", reason="the second circle is missing", box=1, moved=RIGHT)
ROUNDS = (
    Round(
        image="0" * 64, flow="mini-slow", seed=7, prompt="x", layout=LAYOUT, seconds=6.2,
        verdict=Verdict(accepted=False, score=0.81, checks=(FAILED, PASSED), repair=REPAIR),
    ),
    Round(
        image="1" * 64, flow="mini-fast", seed=8, prompt="x", layout=LAYOUT, seconds=7, repair=REPAIR,
        verdict=Verdict(accepted=True, score=0.97, checks=(PASSED,)),
    ),
)  # fmt: skip
RESULT = RunResult(
    run="20261121-abc123", prompt="two red circles above a blue square, " * 5, path="out/p.png", image="1" * 64, seed=8,
    flow="mini-slow", categories=("counting", "spatial"), candidates=CANDIDATES, layout=LAYOUT, rounds=ROUNDS, images=2,
    seconds=14.21, notes=("the language model failed; the rules took over",), trace="out/p.json",
)  # fmt: skip


def story(result: RunResult = RESULT) -> str:
    return render(tell_run(result))


@pytest.mark.parametrize(
    "part",
    [
        "categories counting, spatial",
        "mini-slow  0.84 [0.79–0.89]  312 scores",
        "runner-up  mini-fast  0.80 [0.70–0.86]  1 score\n",
        "flux-dev  0.93 [0.80–0.99]  no scores yet\n",
        "it needs: put flux in vae",
        "3 a blue square",
        "30–70  55–95",
        "background a white background",
        "without    star",
        "not accepted, 1 of 2 checks passed, score 0.81  (seed 7, 6.2 s)",
        "✗ count: wanted 2 red circles, saw 1",
        "move box: the second circle is missing",
        "accepted, 1 of 1 check passed, score 0.97  (mini-fast, seed 8, 7.0 s)",
        "the rules took over",
        "2 images, 14.2 s",
        "picture    out/p.png",
        "trace      out/p.json",
    ],
)
def test_the_story_says(part: str) -> None:
    assert part in story() + "\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_story_fits_the_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    widest = max(map(len, story().splitlines()))
    assert widest <= min(columns, 100)
    assert widest > columns * 0.7
    assert not any(line.endswith(" ") for line in story().splitlines())


def test_the_story_is_not_wrapped_and_without_colour_in_a_pipe() -> None:
    assert f"prompt     {RESULT.prompt.strip()}" in story().splitlines()
    assert "\x1b" not in story()
    assert not any(line.endswith(" ") for line in story().splitlines())


def test_a_run_without_layout_and_critic_is_told_too() -> None:
    bare = ROUNDS[0].model_copy(update={"layout": None, "verdict": None})
    text = story(RESULT.model_copy(update={"layout": None, "rounds": (bare,), "candidates": (), "notes": ()}))
    assert "not judged" in text
    assert "mini-slow  as asked" in text
    assert "layout" not in text


def test_a_plan_that_nothing_here_can_draw_says_so() -> None:
    plan = Plan(
        prompt="a horse", categories=("animals",), candidates=CANDIDATES[:1], layout=Layout(), notes=("no horse",)
    )
    text = render(tell_plan(plan))
    assert "none of the index can run here" in text
    assert "it needs: put flux in vae" in text
    assert "no horse" in text


def test_words_of_others_cannot_steer_the_terminal() -> None:
    evil = RESULT.model_copy(update={"prompt": "a\x1b[2J [bold]b[/bold]\r\nc", "notes": ("\x9b31m",)})
    assert "\x1b" not in story(evil)
    assert "\x9b" not in story(evil)
    assert "[bold]b[/bold]" in story(evil)
    assert clean("a\u2028b\x00") == "a b"


def test_the_canvas_has_every_box_where_it_stands() -> None:
    rows = canvas(LAYOUT.boxes)
    assert {len(row) for row in rows} == {28}
    marks = {mark: (column, row) for row, line in enumerate(rows) for column, mark in enumerate(line) if mark in "123"}
    assert marks["1"][0] < marks["3"][0] < marks["2"][0]
    assert marks["1"][1] == marks["2"][1] < marks["3"][1]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0.94, 0.94, 0.06, 0.06), (0, 0.5, 1, 0.06), (0.99, 0, 0.5, 0.5)])
def test_no_box_leaves_the_canvas(box: tuple[float, float, float, float]) -> None:
    x, y, width, height = box
    rows = canvas([LEFT.model_copy(update={"x": x, "y": y, "width": width, "height": height})])
    assert {len(row) for row in rows} == {28}
    assert sum(row.count("1") for row in rows) == 1


def test_many_boxes_and_wide_letters_keep_their_columns() -> None:
    boxes = tuple(
        LEFT.model_copy(update={"caption": "赤い丸 " * number, "x": number % 8 / 8, "y": number // 8 / 8, "width": 0.1})
        for number in range(40)
    )
    text = story(RESULT.model_copy(update={"layout": Layout(boxes=boxes)}))
    assert "* 赤い丸" in text


def test_json_holds_the_contract_first() -> None:
    keys = list(result_json(RESULT))
    want = "prompt categories candidates layout path seed flow rounds images seconds run"
    assert " ".join(keys).startswith(want)
    assert result_json(RESULT.model_copy(update={"layout": None}))["layout"]["boxes"] == []


def test_a_stream_that_is_not_utf8_gets_plain_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    emit(story())
    emit_json({"prompt": "é"})
    stream.seek(0)
    text = stream.read()
    assert "+--------------------------+" in text
    assert '"\\u00e9"' in text


def test_no_color_is_respected_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[36m" in story()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in story()


@pytest.mark.parametrize("columns", range(40, 100, 7))
def test_no_line_ends_within_a_path_with_spaces(columns: int) -> None:
    folder = "/home/a person/my finest pictures of all"
    note = f"red fox 1.png was taken meanwhile by another; the picture is red fox 1-2.png, beside {folder}"
    made = RESULT.model_copy(update={"path": f"{folder}/red fox 1-2.png", "trace": f"{folder}/red fox 1-2.json"})
    lines = [str(line) for line in tell_run(made.model_copy(update={"notes": (note,)})).lines(columns)]
    for whole in ("red fox 1.png", "red fox 1-2.png,", folder, made.path, made.trace):
        assert any(whole in line for line in lines), (whole, lines)
