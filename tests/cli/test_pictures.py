"""Own pictures in, more pictures out, and getting rid of them, as they are typed; on the shipped model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.cli import runs as runs_command

PROMPT = "a red circle on a white background"
QUICK = ("--flow", "mini-quick", "--no-critic", "-q")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, typed: Any) -> Run:
    """Run the command in this process, in an empty folder with a home of its own."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    found: Run = typed(capfd)
    return found


def test_many_pictures_more_of_one_of_them_and_away_with_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, launched = tmp_path / "here", list[str]()
    monkeypatch.setattr(runs_command.typer, "launch", lambda path: launched.append(path) or 0)
    code, out, _ = run("draw", PROMPT, "--count", "2", "--seed", "5", "--format", "jpeg", *QUICK, "--open")
    assert code == 0
    folder = here / "a-red-circle-on-a-white-background"
    assert {path.name for path in folder.iterdir()} == {
        "001.jpg", "001.json", "002.jpg", "002.json", "contact-sheet.png", "manifest.json"
    }  # fmt: skip
    assert "2 of 2 pictures" in out
    assert launched == [str(Path(folder.name) / "contact-sheet.png")]
    rows = json.loads((folder / "manifest.json").read_text())["rows"]
    assert [row["seed"] for row in rows] == [5, 6]
    code, out, _ = run("show", rows[0]["run"], "--open")
    assert (code, launched[-1]) == (0, str(folder / "001.jpg"))
    code, out, _ = run("variations", rows[0]["run"], "--count", "2", "--json")
    drawn = json.loads(out)
    assert {row["flow"] for row in drawn["rows"]} == {"mini-quick"}
    assert len({row["seed"] for row in drawn["rows"]} | {5}) == 3
    assert Path(drawn["contact_sheet"]).parent.name == "a-red-circle-on-a-white-background-variations"
    assert run("runs", "delete", *(row["run"] for row in rows), "--yes")[0] == 0
    assert {path.name for path in folder.iterdir()} == {"contact-sheet.png", "manifest.json"}
    assert len(json.loads(run("runs", "list", "--json")[1])["runs"]) == 2
    kinds = json.loads(run("clean", "--dry-run", "--json")[1])["kinds"]
    assert {kind["what"]: kind["number"] for kind in kinds}["copies of delivered pictures"] == 2


def test_a_picture_of_ones_own_keeps_what_its_mask_keeps(run: Run, tmp_path: Path) -> None:
    own = Image.new("RGB", (128, 128), "white")
    own.paste("blue", (80, 40, 120, 100))
    own.save("own.png")
    hole = Image.new("L", (128, 128), 0)
    hole.paste(255, (0, 0, 64, 128))
    hole.save("mask.png")
    code, _, err = run(
        "draw", PROMPT, "--image", "own.png", "--mask", "mask.png", "--seed", "4", "--out", "x.png", *QUICK
    )
    assert code == 0, err
    before, after = (np.asarray(Image.open(name).convert("RGB"), dtype=int) for name in ("own.png", "x.png"))
    assert np.abs(before - after)[:, 64:].max() == 0
    assert np.abs(before - after)[:, :64].mean() > 5
    (tmp_path / "here" / "own.png").unlink()
    found = json.loads(next((tmp_path / "here").glob("x.json")).read_text())
    assert len(found["request"]["image"]) == len(found["request"]["mask"]) == 64
    assert run("runs", "replay", found["run"])[0] == 0
    assert run("draw", PROMPT, "--out", "x.png", *QUICK)[0] == 2


def test_little_strength_keeps_the_picture_and_much_draws_it_anew(run: Run) -> None:
    own = Image.new("RGB", (300, 200), "white")
    own.paste("blue", (100, 50, 200, 150))
    own.save("own.jpg")
    for name, strength in (("low", "0.05"), ("high", "1")):
        asked = ("--image", "own.jpg", "--strength", strength, "--seed", "4", "--out", f"{name}.png")
        assert run("draw", PROMPT, *asked, *QUICK)[0] == 0
    fitted = own.crop((50, 0, 250, 200)).resize((128, 128))
    low, high, start = (
        np.asarray(i.convert("RGB"), dtype=int) for i in (Image.open("low.png"), Image.open("high.png"), fitted)
    )
    assert np.abs(low - start).mean() < 25 < 35 < np.abs(high - start).mean()
