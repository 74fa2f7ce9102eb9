"""Plain prompts beside named ones: every cell is drawn once, judged, kept, and told with what stays below half."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagewright.cli.eval import app
from imagewright.errors import BadInput
from imagewright.evals.plain_prompts import NAMED, PLAIN, PlainCell, report_plain, tell_report


def cell(arm: str, thing: str, seed: int, *, right: bool) -> PlainCell:
    return PlainCell(
        arm, thing, "a", seed, f"a {thing}", f"a red {thing}", "mini-plain", 0.9, right, right, right, 1, 1.0
    )


def test_a_plain_prompt_is_drawn_and_judged_and_a_second_run_draws_nothing(tmp_path: Path) -> None:
    options = ["plain", "--images", str(tmp_path), "--things", "1", "--forms", "a", "--json"]
    first = CliRunner().invoke(app, options)
    assert first.exit_code == 0, first.output
    made = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.cell.json"))]
    assert {each["prompt"] for each in made} == {"a circle", "a red circle on a white background"}
    assert {each["drawn_from"] for each in made} == {"a red circle on a white background"}
    assert len({each["right"] for each in made}) == 1, "both arms ask for the same picture"
    report = json.loads(first.stdout)
    assert (report["difference"]["difference"], report["arms"][0]["total"]) == (0.0, 1)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert json.loads(CliRunner().invoke(app, options).stdout) == report
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_what_comes_out_right_too_seldom_is_named() -> None:
    cells = [cell(arm, "cup", seed, right=True) for arm in (PLAIN, NAMED) for seed in range(2)]
    cells += [cell(PLAIN, "boat", seed, right=seed == 0) for seed in range(3)]
    cells += [cell(NAMED, "boat", seed, right=True) for seed in range(3)]
    report = report_plain(cells)
    assert report.below == ("boat",)
    assert report.difference.difference == pytest.approx(-0.4)
    told = tell_report(report)
    assert "boat                 1/3         3/3" in told
    assert "right less than half of the time: boat" in told
    assert "first pictures: 60.0% right, 90.0% expected" in told


@pytest.mark.parametrize(
    ("options", "words"), [(["--forms", "some"], "no form is called 'some'"), (["--things", "0"], "from 1")]
)
def test_what_cannot_be_swept_is_refused(options: list[str], words: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["plain", "--images", str(tmp_path), *options])
    assert isinstance(result.exception, BadInput)
    assert words in str(result.exception)
