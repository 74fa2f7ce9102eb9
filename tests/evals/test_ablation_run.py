"""The ablation shared out among processes: each draws its prompts, and nothing is drawn by two."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from imagewright.api import Imagewright
from imagewright.errors import BadInput, ImagewrightError
from imagewright.evals.ablation import hold_out
from imagewright.evals.ablation_run import AblationOrder, arms_of, draw_apart, judge_of, outcomes, workers_for
from imagewright.settings import load_settings
from imagewright.tools.detect import weights_file


@pytest.fixture
def asked(tmp_path: Path) -> AblationOrder:
    return AblationOrder(tuple(hold_out(3)), 1, tmp_path / "images", "mini-few-steps", 1, 1, only=("plain",))


def test_two_processes_draw_every_cell_once(asked: AblationOrder) -> None:
    heard: list[int] = []
    settings = load_settings()
    other = asked.images / "best-fixed" / "0001-0.cell.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    draw_apart(settings, asked, 2, heard.append)
    cells = {path: path.read_bytes() for path in asked.images.glob("plain/*.cell.json")}
    assert len(cells) == 3
    assert heard == sorted(heard)
    assert heard[-1] == 3, "and not what another arm has left in the same folder"
    with contextlib.closing(Imagewright(settings)) as engine:
        found = list(outcomes(engine, arms_of(engine, asked), asked))
    assert {path: path.read_bytes() for path in cells} == cells, "the one that started them draws nothing again"
    assert [(o.arm, o.prompt) for o in found] == [("plain", case.prompt) for case in asked.cases]
    assert sorted(json.loads(text)["outcome"]["score"] for text in cells.values()) == sorted(o.score for o in found)


def test_another_critic_makes_another_measurement(asked: AblationOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(asked, cases=asked.cases[:1])
    with contextlib.closing(Imagewright(load_settings())) as engine:
        list(outcomes(engine, arms_of(engine, asked), asked))
    (before,) = asked.images.rglob("*.cell.json")
    drawn = json.loads(before.read_text("utf-8"))["drawn"]
    monkeypatch.setattr("imagewright.tools.detect.weights_file", lambda name: weights_file("evidence"))
    with contextlib.closing(Imagewright(load_settings())) as engine:
        list(outcomes(engine, arms_of(engine, asked), asked))
    assert json.loads(before.read_text("utf-8"))["drawn"] != drawn


@pytest.mark.parametrize(
    ("arms", "prompts", "base", "device", "cores", "wanted"),
    [
        (12, 300, "mini", "cpu", 2, 2),
        (12, 300, "mini", "cpu/bfloat16", 4, 4),
        (12, 300, "mini", "cpu", 64, 8),
        (12, 300, "flux1", "cpu", 64, 1),
        (1, 30, "mini", "cpu", 64, 1),
        (1, 1, "mini", "cpu", 1, 1),
    ],
)
def test_small_pictures_on_a_cpu_are_shared_out_unasked(
    arms: int, prompts: int, base: str, device: str, cores: int, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    settings = load_settings({**os.environ, "IMAGEWRIGHT_DEVICE": device})
    asked = AblationOrder(tuple(hold_out(300)[:prompts]), 1, Path(), "mini-plain", 6, 4)
    assert workers_for(settings, asked, arms, base) == wanted


def test_what_keeps_one_process_from_drawing_ends_all(asked: AblationOrder) -> None:
    with pytest.raises(ImagewrightError, match="no-such-flow"):
        draw_apart(load_settings(), replace(asked, plain="no-such-flow"), 2, lambda done: None)
    assert not list(asked.images.rglob("*.cell.json"))


def test_what_there_is_not_is_told_before_anything_is_drawn(asked: AblationOrder) -> None:
    with contextlib.closing(Imagewright(load_settings())) as engine:
        with pytest.raises(BadInput, match="no arm is called 'fully'"):
            arms_of(engine, replace(asked, only=("fully",)))
        with pytest.raises(BadInput, match="no-such-flow"):
            arms_of(engine, replace(asked, plain="no-such-flow"))
    with pytest.raises(BadInput, match="nobody"):
        judge_of("nobody")
