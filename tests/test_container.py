"""The wiring: which critic knows a picture, and what a run is given."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from PIL import Image

from imagewright import Imagewright
from imagewright.comfy_settings import ServerSettings
from imagewright.retrieval import shelf
from imagewright.schemas import DrawRequest, ParsedPrompt
from imagewright.settings import Settings, load_settings

PROMPT = "a red circle above a blue square"


def test_only_pictures_that_the_critic_knows_are_judged(tmp_path: Path) -> None:
    """Its detector was trained on mini's pictures; on a photograph it would see things that are not there."""
    image = Image.new("RGB", (64, 64), "white")
    engine = Imagewright(Settings(data_dir=tmp_path / "home", model_roots=(tmp_path / "models",), device="cpu"))
    flux = engine.index.get("flux1-dev")
    verdict = engine.container.critic_for(flux).judge(image, PROMPT, ParsedPrompt(), None, ())
    assert verdict.accepted
    assert verdict.checks[0].detail.startswith("not judged: no critic here knows the pictures of FLUX.1-dev; OWLv2 or")


def test_polishing_is_wired_where_it_is_asked_for(tmp_path: Path) -> None:
    from imagewright.agents.critic.polish import MeasuredPolisher, VLMPolisher

    engine = Imagewright()
    assert engine.container.parts(DrawRequest(prompt="a fox")).polisher is None
    assert isinstance(engine.container.parts(DrawRequest(prompt="a fox", polish=True)).polisher, MeasuredPolisher)
    (tmp_path / "a.json").write_text("[]")
    seeing = DrawRequest(prompt="a fox", polish=True, llm=f"critic=scripted-vlm:{tmp_path / 'a.json'}")
    assert isinstance(engine.container.parts(seeing).polisher, VLMPolisher)
    always = Imagewright(load_settings({"IMAGEWRIGHT_POLISH": "1", "IMAGEWRIGHT_HOME": str(tmp_path)}))
    assert isinstance(always.container.parts(DrawRequest(prompt="a fox")).polisher, MeasuredPolisher)


def test_a_large_index_is_read_before_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Settings(data_dir=tmp_path / "home", model_roots=(tmp_path / "models",), device="cpu")
    new = Imagewright(home)
    new.read_ahead().join()
    assert not home.database.exists()  # there is nothing to read, and nothing is made
    assert len(new.index.ids()) > 20
    small = Imagewright(home)
    small.read_ahead().join()
    assert small.index._shelf.generation < 0
    monkeypatch.setattr(shelf, "SMALL_FLOWS", 20)
    large = Imagewright(home)
    large.read_ahead().join()
    assert large.index._shelf.generation == large.index.generation


def test_a_closed_engine_lets_go_of_all_its_backends(tmp_path: Path) -> None:
    servers = (ServerSettings(name="desk", url="http://127.0.0.1:9"),)
    container = Imagewright(Settings(data_dir=tmp_path, model_roots=(), device="cpu", comfyui=servers)).container
    together, one = (weakref.ref(container.backend(name)) for name in (None, "comfyui"))
    assert together() is not None
    container.close()
    gc.collect()
    assert (together(), one()) == (None, None)
