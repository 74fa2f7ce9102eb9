"""kill -9 in the middle of training, sweep and ablation: the same command goes on; nothing is lost or counted twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import warm

from imagewright.retrieval.score_matrix import parse_matrix
from imagewright.t2i_backends.mini.training.training import load_if_there
from imagewright.tools import mini_flows

LIMIT = 300.0
TRAINING = """
import sys
from pathlib import Path
import torch
from imagewright.t2i_backends.mini.training import train, train_autoencoder
work, cpu = Path(sys.argv[1]), torch.device("cpu")
torch.set_num_threads(1)
train.SAVE_EVERY, train_autoencoder.CALIBRATED_ON = 1, 8
train_autoencoder.train_autoencoder(work, steps=1, batch=2, seed=1, device=cpu)
plan = train.TrainingPlan(steps=6, batch=2, seed=1, shard=12, text_steps=2)
train.train_flow(work, plan, cpu, work / "out", compiled=False)
"""


def killed(command: Sequence[str], ready: Callable[[], bool]) -> None:
    """Run ``command`` until ``ready``, then kill -9 it; it must not have ended by itself."""
    process = warm.Popen(command, stdout=warm.DEVNULL, stderr=warm.DEVNULL)
    until = time.monotonic() + LIMIT
    while not ready():
        assert process.poll() is None, "it ended before there was anything to kill"
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def finished(command: Sequence[str]) -> None:
    """Run ``command`` to its end."""
    done = warm.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr


def test_a_killed_training_ends_with_the_weights_of_one_that_was_let_be(tmp_path: Path) -> None:
    def command(name: str) -> list[str]:
        return [sys.executable, "-c", TRAINING, str(tmp_path / name)]

    checkpoint = tmp_path / "broken" / "mini.pt"
    killed(command("broken"), lambda: checkpoint.is_file() and _step(checkpoint) >= 2)
    assert 2 <= _step(checkpoint) < 6
    for name in ("broken", "whole"):
        finished(command(name))
    found = [load_if_there(tmp_path / name / "mini.pt") for name in ("broken", "whole")]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0]["step"] == found[1]["step"] == 6
    for name, tensor in found[1]["model"].items():
        torch.testing.assert_close(found[0]["model"][name], tensor, rtol=0, atol=1e-6)


def _step(checkpoint: Path) -> int:
    state = load_if_there(checkpoint)
    return int(state["step"]) if state else 0


def test_a_killed_sweep_keeps_every_cell_and_draws_the_rest(tmp_path: Path) -> None:
    mini_flows.main(["--out", str(tmp_path / "flows")])
    store, out = tmp_path / "cells.sqlite", tmp_path / "scores.jsonl"
    command = [
        sys.executable, "-m", "imagewright.evals.matrix", "--flows", str(tmp_path / "flows"), "--count", "20",
        "--only", "mini-quick", "mini-few-steps", "--seeds", "2", "--store", str(store), "--out", str(out),
    ]  # fmt: skip
    killed(command, lambda: len(_cells(store)) > 0)
    before = _cells(store)
    assert 0 < len(before) < 80
    assert not out.exists()
    finished(command)
    after = _cells(store)
    assert len(after) == 80
    assert {key: after[key] for key in before} == before
    rows = parse_matrix(out.read_text().splitlines(), "x").rows
    assert len({(row.flow, row.prompt, row.seed) for row in rows}) == len(rows) == 80


def _cells(store: Path) -> dict[str, tuple[object, ...]]:
    """Every stored cell by its key: a cell that is drawn again would bear another time."""
    if not store.is_file():
        return {}
    try:
        with sqlite3.connect(store) as db:
            return {str(row[0]): tuple(row[1:]) for row in db.execute("SELECT * FROM cells")}
    except sqlite3.OperationalError:
        return {}


def test_a_killed_ablation_keeps_every_cell_and_draws_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path / "home"))
    images = tmp_path / "images"
    command = [
        sys.executable, "-m", "imagewright.cli", "eval", "ablation", "--sample", "4", "--plain", "mini-few-steps",
        "--arm", "plain", "--arm", "full", "--images", str(images), "--json",
    ]  # fmt: skip
    killed(command, lambda: len(list(images.rglob("*.cell.json"))) > 1)
    before = {path: path.read_bytes() for path in images.rglob("*.cell.json")}
    assert 1 < len(before) < 8
    assert not (images / "report.json").exists()
    finished(command)
    after = {path: path.read_bytes() for path in images.rglob("*.cell.json")}
    assert len(after) == 8
    assert {path: after[path] for path in before} == before
    pictures = [path.with_name(path.name.replace(".cell.json", ".png")) for path in after]
    assert all(path.is_file() for path in pictures)
    outcomes = [json.loads(value)["outcome"] for value in after.values()]
    for arm in json.loads((images / "report.json").read_text())["arms"]:
        spent = [outcome["images"] for outcome in outcomes if outcome["arm"] == arm["arm"]]
        assert len(spent) == 4
        assert arm["images_per_prompt"] == sum(spent) / 4
