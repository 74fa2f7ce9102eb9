"""ControlNets of one file, drawn from."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import save_file

from imagewright.t2i_backends.models.headers import recognise


@pytest.fixture(scope="module")
def original(load_module: Any) -> ModuleType:
    found: ModuleType = load_module("imagewright_tests_original", Path(__file__).parents[1] / "original.py")
    return found


CASES = [
    *((family, layout) for family in ("sd15", "sdxl") for layout in ("original", "bare", "diffusers")),
    *((family, layout) for family in ("flux", "sd3") for layout in ("diffusers", "wrapped")),
]


@pytest.mark.parametrize(("family", "layout"), CASES)
def test_a_controlnet_of_one_file_draws_what_its_folder_draws(
    tmp_path: Path, family_root: Path, tiny: ModuleType, original: ModuleType, studio_at: Any, family: str, layout: str
) -> None:
    """Under the names of the first release, with and without their prefix, and under diffusers'."""
    model = tiny.control(family)
    state = model.state_dict()
    if layout in ("original", "bare"):
        state = original.control(state, model.config)
    if layout == "bare":
        state = {name.removeprefix("control_model."): value for name, value in state.items()}
    assert recognise({name: tuple(value.shape) for name, value in state.items()}).family == family
    if layout == "wrapped":
        state = {f"module.{name}": value for name, value in state.items()}
    folder = tmp_path / "controlnet" / "one"
    folder.mkdir(parents=True)
    shutil.copy(family_root / "controlnet" / family / "config.json", folder)
    save_file({name: value.contiguous() for name, value in state.items()}, folder.with_suffix(".safetensors"))
    for kind in ("checkpoints", "controlnet"):
        shutil.copytree(family_root / kind / family, tmp_path / kind / family)
    (tmp_path / "input").mkdir()
    Image.effect_noise((16, 16), 90).convert("RGB").save(tmp_path / "input" / "noise.png")
    here = studio_at(tmp_path)
    found = {}
    for name in (family, "one.safetensors"):
        graph = here.graph_of(family)
        graph["load"] = here.node("LoadImage", image="noise.png")
        graph["net"] = here.node("ControlNetLoader", control_net_name=name)
        given = {"positive": ["pos", 0], "negative": ["neg", 0], "image": ["load", 0], "control_net": ["net", 0]}
        given |= {"vae": ["ckpt", 2]} if family in ("flux", "sd3") else {}
        settings = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
        graph["apply"] = here.node("ControlNetApplyAdvanced", **given, **settings)
        graph["ks"]["inputs"] |= {"positive": ["apply", 0], "negative": ["apply", 1]}
        assert here.check(graph) == []
        found[name] = here.latents(graph)
    assert (found[family] - found["one.safetensors"]).abs().max() < 1e-4
    assert (found[family] - here.latents(here.graph_of(family))).abs().max() > 1e-3
    lost = sorted(state)[-1]
    save_file(
        {name: value.contiguous() for name, value in state.items() if name != lost}, folder.with_suffix(".safetensors")
    )
    assert "lacks weights" in str(here.check(graph))
