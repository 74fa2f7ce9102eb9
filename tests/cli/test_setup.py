"""What this machine could draw with: each way that is built, told in a pipe and gone in a terminal, nothing unasked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright import registry
from imagewright.api import Imagewright, Machine, Way
from imagewright.cli.setup import OFFER, is_new_here
from imagewright.errors import BadInput
from imagewright.settings import load_settings

LARGE = Machine("x86_64, 8 cores", "", None, 32_000_000_000, 100_000_000_000)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A person types and looks."""
    monkeypatch.delenv("MAKELEVEL", raising=False)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    return monkeypatch


def test_in_a_pipe_the_ways_are_told_and_nothing_is_asked(typed: Any, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = typed(capfd)("setup")
    assert (code, err) == (0, "")
    told = ("stay with mini", "SD 1.5", "4.3 GB", "CreativeML Open RAIL-M", "models pull sd15-base", "a language model")
    assert [part for part in told if part not in out] == []
    value = json.loads(typed(capfd)("setup", "--json")[1])
    assert set(value["machine"]) == {"processor", "gpu", "gpu_memory", "memory", "disk"}
    assert [way["name"] for way in value["ways"]] == ["mini", "fetch", "comfyui", "language-model"]


def test_a_backend_is_offered_once_it_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {"diffusers": registry.BUILT_IN["backends"]["diffusers"]}

    def ways(backends: dict[str, str]) -> dict[str, Way]:
        monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, "backends": backends})
        return {way.name: way for way in Imagewright().onward.list(LARGE)}

    assert set(ways(alone)) == {"mini", "fetch", "language-model"}
    more = ways({**alone, "comfyui": "nowhere:Comfy", "painter": "nowhere:Painter"})
    assert "IMAGEWRIGHT_COMFYUI" in more["comfyui"].how
    assert "painter" in more["service"].title


def test_what_a_small_machine_lacks_is_said() -> None:
    small = LARGE._replace(memory=2_000_000_000)
    way = next(way for way in Imagewright().onward.list(small) if way.name == "fetch")
    assert not way.ready
    assert "too little memory here: 2.0 of 6.0 GB" in way.gives


def test_models_on_the_disk_are_found_and_kept(tmp_path: Path, load_module: Callable[[str, Path], ModuleType]) -> None:
    tiny = load_module("imagewright_tests_tiny", Path(__file__).parents[1] / "t2i_backends" / "tiny.py")
    folder = Path(os.environ["HOME"]) / "ComfyUI" / "models"
    tiny.BUILD["sd15"]().save_pretrained(folder / "checkpoints" / "tiny")
    engine = Imagewright()
    way = next(way for way in engine.onward.list(LARGE) if way.name == "disk")
    assert way.gives == f"1 base model in {folder}"
    assert engine.onward.keep_folder(folder).is_file()
    assert folder in load_settings().model_roots
    with pytest.raises(BadInput, match="is there already") as caught:
        engine.onward.keep_folder(tmp_path)
    assert caught.value.remedy == f'add to it: models = ["{tmp_path}"]'


@pytest.mark.slow
def test_models_on_the_disk_become_flows(tmp_path: Path, load_module: Callable[[str, Path], ModuleType]) -> None:
    tiny = load_module("imagewright_tests_tiny", Path(__file__).parents[1] / "t2i_backends" / "tiny.py")
    tiny.BUILD["sd15"]().save_pretrained(tmp_path / "checkpoints" / "tiny")
    engine = Imagewright()
    assert engine.onward.use_folder(tmp_path) == ("tiny",)
    assert "tiny" in engine.index.ids()


# --- the offer ------------------------------------------------------------------------------


def test_setup_is_offered_to_a_person_who_is_new(watched: pytest.MonkeyPatch) -> None:
    assert "imagewright setup" in OFFER
    assert is_new_here(load_settings())
    watched.setenv("MAKELEVEL", "1")
    assert not is_new_here(load_settings())


def test_it_is_not_offered_in_a_pipe_or_to_who_has_been_here(watched: pytest.MonkeyPatch) -> None:
    home = load_settings()
    home.database.parent.mkdir(parents=True, exist_ok=True)
    home.database.touch()
    assert not is_new_here(home)
    home.database.unlink()
    watched.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert not is_new_here(home)
