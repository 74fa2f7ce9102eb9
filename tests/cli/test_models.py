"""``imagewright models`` and ``imagewright bench``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from imagewright.cli.app import app
from imagewright.errors import BadInput


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, load_module: Callable[[str, Path], ModuleType]) -> Path:
    tiny = load_module("imagewright_tests_tiny", Path(__file__).parents[1] / "t2i_backends" / "tiny.py")
    found = tmp_path_factory.mktemp("models")
    for family in ("sd15", "sdxl"):
        tiny.BUILD[family]().save_pretrained(found / "checkpoints" / family)
    return found


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_scan_adds_one_flow_a_model_once(root: Path) -> None:
    first = json.loads(said("models", "scan", "--models", str(root), "--json"))
    assert [(m["name"], m["family"], m["problem"]) for m in first["models"]] == [
        ("sd15", "sd15", ""), ("sdxl", "sdxl", "")
    ]  # fmt: skip
    assert len(first["flows"]) == 2
    assert json.loads(said("models", "scan", "--models", str(root), "--json"))["flows"] == []
    listed = json.loads(said("flows", "list", "--models", str(root), "--json"))["flows"]
    assert {flow["id"] for flow in listed if flow["runnable"]} >= set(first["flows"])


def test_a_scan_only_looks_when_told(root: Path) -> None:
    assert json.loads(said("models", "scan", "--no-flows", "--models", str(root), "--json"))["flows"] == []
    assert "ok" in said("models", "scan", "--no-flows", "--models", str(root))


def test_a_list_says_what_is_missing() -> None:
    rows = json.loads(said("models", "list", "--json"))["models"]
    state = {row["name"]: row["here"] for row in rows}
    assert state["mini"]
    assert not state["FLUX.1-dev"]
    flux = next(row for row in rows if row["name"] == "FLUX.1-dev")
    assert flux["flows"] == ["flux1-dev"]
    assert flux["place"].endswith("checkpoints/FLUX.1-dev/")


def test_nothing_is_pulled_unasked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that lacks nothing fetches nothing; one that lacks a file is asked about, and without an answer stays."""
    from imagewright.t2i_backends.models import download

    fetched: list[str] = []
    monkeypatch.setattr(
        download.Hub, "look", lambda self, url, target: [download.Remote(url, target / "x.safetensors", 5)]
    )
    monkeypatch.setattr(download.Hub, "fetch", lambda self, remote, on_bytes: fetched.append(remote.url))
    assert "every model is here" in said("models", "pull", "mini-quick")
    with pytest.raises(BadInput, match="unasked"):
        CliRunner().invoke(app, ["models", "pull", "flux1-dev"], catch_exceptions=False)
    assert fetched == []
    assert "fetched" in said("models", "pull", "flux1-dev", "--yes")
    assert fetched == ["https://huggingface.co/black-forest-labs/FLUX.1-dev"]


def test_a_gate_is_named_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    from imagewright.t2i_backends.models import download

    monkeypatch.setattr(download.Hub, "look", lambda self, url, target: [download.Remote(url, target, gated=True)])
    with pytest.raises(BadInput, match="gated") as caught:
        CliRunner().invoke(app, ["models", "pull", "flux1-dev", "--yes"], catch_exceptions=False)
    assert "accept its licence at https://huggingface.co/black-forest-labs/FLUX.1-dev" in caught.value.remedy


def test_the_backends_bench(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "checkpoints", tmp_path / "checkpoints")
    found = json.loads(
        said(
            "bench",
            "backend",
            "sd15",
            "--size",
            "16",
            "--steps",
            "2",
            "--repeats",
            "3",
            "--models",
            str(tmp_path),
            "--json",
        )
    )
    (level,) = found["levels"]
    assert (level["level"], found["device"], found["dtype"]) == ("none", "cpu", "float32")
    assert level["ours"] > 0
    assert level["stock"] > 0
    assert level["low"] <= level["overhead"] <= level["high"]
    plain = said("bench", "backend", "random:sd15", "--size", "16", "--steps", "2", "--repeats", "3",
                 "--levels", "none,group", "--models", str(tmp_path))  # fmt: skip
    assert [line.split()[0] for line in plain.splitlines()[1:3]] == ["none", "group"]
    assert "medians of 3 in turns" in plain
    with pytest.raises(BadInput, match="no diffusers folder"):
        CliRunner().invoke(app, ["bench", "backend", "gone"], catch_exceptions=False)
