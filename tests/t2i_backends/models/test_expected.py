"""The weights that a config means are those of the libraries' own models, and their first names those of lone files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import pytest
import torch
import transformers

from imagewright import untrusted
from imagewright.t2i_backends.families.base import CONFIGS
from imagewright.t2i_backends.models.expected import find_gap, list_weights
from imagewright.t2i_backends.models.first_names import join_first, rename_first

TEXT = {"t5": ("T5EncoderModel",), "clip_text_model": ("CLIPTextModel", "CLIPTextModelWithProjection")}
SHIPPED = sorted(file.parent.relative_to(CONFIGS).as_posix() for file in CONFIGS.rglob("config.json"))


def shapes_of(model: Any) -> dict[str, tuple[int, ...]]:
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found.pop("encoder.embed_tokens.weight", None)
    if "CLIP" not in type(model).__name__:
        return found
    return {n if n.startswith(("text_model.", "text_projection")) else f"text_model.{n}": s for n, s in found.items()}


def build(config: Mapping[str, Any], kind: str) -> Any:
    with torch.device("meta"):
        if hasattr(transformers, kind):
            made = getattr(transformers, kind)
            return made(made.config_class(**{k: v for k, v in config.items() if k != "model_type"}))
        return getattr(diffusers, kind).from_config(dict(config))


FEW = ("sd15", "sdxl-refiner", "sd35-medium", "flux-dev", "control-sdxl", "clip-l", "t5")


@pytest.mark.parametrize("folder", [name for name in SHIPPED if name.split("/")[0] in FEW])
def test_shipped_configs(folder: str) -> None:
    config = untrusted.load_object(CONFIGS / folder / "config.json")
    kinds = [str(config["_class_name"])] if "_class_name" in config else TEXT[str(config["model_type"])]
    for kind in kinds:
        assert list_weights(config, kind) == shapes_of(build(config, kind)), kind


@pytest.mark.slow
@pytest.mark.parametrize("folder", SHIPPED)
def test_all_shipped_configs(folder: str) -> None:
    test_shipped_configs(folder)


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3", "flux"])
def test_tiny_models_in_both_layouts(tiny: ModuleType, load_module: Any, family: str) -> None:
    original = load_module("imagewright_tests_expected_original", Path(__file__).parents[1] / "original.py")
    pipe = tiny.BUILD[family]()
    net = getattr(pipe, "transformer", None) or pipe.unet
    turn = {"sd3": original.sd3_transformer, "flux": original.flux}.get(family)
    lone = turn(net.state_dict()) if turn else original.unet(net.state_dict(), net.config)
    for model, there in ((net, lone), (pipe.vae, original.vae(pipe.vae.state_dict(), 2))):
        kind, config = type(model).__name__, dict(model.config)
        wanted = list_weights(config, kind)
        assert wanted == shapes_of(model)
        assert set(rename_first(wanted, kind, config).values()) == set(there)
        if model is net:
            assert join_first(wanted, kind, config) == {name: tuple(value.shape) for name, value in there.items()}


def test_controlnets_in_both_layouts(tiny: ModuleType, load_module: Any) -> None:
    original = load_module("imagewright_tests_expected_original", Path(__file__).parents[1] / "original.py")
    for family in ("sd15", "sdxl"):
        model = tiny.control(family)
        wanted = list_weights(dict(model.config), "ControlNetModel")
        assert wanted == shapes_of(model)
        there = original.control(model.state_dict(), model.config)
        assert {f"control_model.{n}" for n in rename_first(wanted, "ControlNetModel", dict(model.config)).values()} == {
            name if name.startswith("control_model.") else f"control_model.{name}" for name in there
        }


SAID = {
    "modes": {"num_mode": 3, "guidance_embeds": True},
    "pixels": {"conditioning_embedding_channels": 4},
    "twice": {"qk_norm": "rms_norm", "dual_attention_layers": [0], "extra_conditioning_channels": 1},
    "alone": {"joint_attention_dim": None, "use_pos_embed": False},
    "without places": {"pos_embed_type": None},
}


@pytest.mark.parametrize(
    "case", ["flux", "flux modes", "flux pixels", "sd3", "sd3 twice", "sd3 alone", "sd3 without places"]
)
def test_controlnets_of_transformers(tiny: ModuleType, case: str) -> None:
    family, _, more = case.partition(" ")
    like = tiny.control(family)
    config = {name: value for name, value in like.config.items() if not name.startswith("_")} | SAID.get(more, {})
    kind = type(like).__name__
    assert list_weights(config, kind) == shapes_of(build(config, kind))


def test_gaps_in_words() -> None:
    wanted = {"a.weight": (2, 3), "a.bias": (2,)}
    assert find_gap(wanted, wanted) == ""
    assert "lacks weights (a.bias)" in find_gap({"a.weight": (2, 3)}, wanted)
    assert "holds a.weight as 2 x 4, not 2 x 3" in find_gap({"a.weight": (2, 4), "a.bias": (2,)}, wanted)


def test_parts_that_are_not_known_are_not_judged() -> None:
    assert list_weights({"_class_name": "UNet2DConditionModel", "class_embed_type": "timestep"}) is None
    assert list_weights({"_class_name": "WanTransformer3DModel"}) is None
    assert list_weights({"_class_name": "AutoencoderKL", "block_out_channels": "many"}) is None
