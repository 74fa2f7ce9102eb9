"""``imagewright eval``: what it refuses, before anything is loaded."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagewright.cli.eval import app
from imagewright.errors import BadInput


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sample", "none"], "--sample"),
        (["--seeds", "0"], "--seeds"),
        (["--draws", "-1"], "--draws"),
        (["--workers", "0"], "--workers"),
        (["--workers", ""], "--workers"),
        (["--prompt-seed", "x"], "--prompt-seed"),
        (["--prompt-seed", "5", "--prompts", "my.jsonl"], "both say which prompts"),
    ],
)
def test_nonsense_numbers_are_refused(options: list[str], words: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ablation", "--images", str(tmp_path), *options])
    assert isinstance(result.exception, BadInput)
    assert words in str(result.exception)


def test_a_fresh_run_wants_a_folder_without_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "0001-0.cell.json").write_text("{}")
    result = CliRunner().invoke(app, ["ablation", "--images", str(tmp_path), "--fresh"])
    assert isinstance(result.exception, BadInput)
    assert "earlier run" in str(result.exception)


def test_the_arms_are_drawn_judged_and_compared(tmp_path: Path) -> None:
    options = ["--sample", "1", "--plain", "mini-quick", "--max-images", "1", "--arm", "plain", "--arm", "full"]
    first = CliRunner().invoke(app, ["ablation", "--images", str(tmp_path), "--json", *options])
    assert first.exit_code == 0, first.output
    result = json.loads(first.stdout)
    assert [(arm["arm"], arm["images_per_prompt"]) for arm in result["arms"]] == [("plain", 1.0), ("full", 1.0)]
    assert [(pair["a"], pair["b"]) for pair in result["pairs"]] == [("full", "plain")]
    assert len(list(tmp_path.glob("*/*.png"))) == 2
    assert (tmp_path / "plot.png").is_file()
    again = CliRunner().invoke(app, ["ablation", "--images", str(tmp_path), "--json", *options])
    assert json.loads(again.stdout) == result


@pytest.mark.parametrize(("option", "value", "words"), [("--backend", "none", "none"), ("--arm", "half", "half")])
def test_what_is_not_there_is_named(option: str, value: str, words: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ablation", "--images", str(tmp_path), "--sample", "1", option, value])
    assert isinstance(result.exception, BadInput)
    assert words in str(result.exception)
