"""``imagewright eval``: what it refuses, before anything is loaded."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagewright.cli_eval import app
from imagewright.errors import BadInput


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sample", "none"], "--sample"),
        (["--seeds", "0"], "--seeds"),
        (["--draws", "-1"], "--draws"),
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
