"""What is found in model folders, ComfyUI's extra paths, and the flows made of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models.extra_paths import folders_of
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.t2i_backends.models.scan import default_flows, default_graph, scan


@pytest.fixture
def root(tmp_path: Path, family_root: Path) -> Path:
    shutil.copytree(family_root / "checkpoints", tmp_path / "checkpoints")
    shutil.copytree(family_root / "controlnet", tmp_path / "controlnet")
    (tmp_path / "checkpoints" / "old.ckpt").write_bytes(b"x")
    (tmp_path / "checkpoints" / "cut.safetensors").write_bytes(b"\xff" * 20)
    return tmp_path


def test_a_scan(root: Path) -> None:
    seen = {(model.kind, model.name): model for model in scan(ModelFiles([root]))}
    for family in known_families():
        assert seen["checkpoints", family].family == family
        assert seen["checkpoints", family].holds == "pipeline"
        assert seen["checkpoints", family].bytes > 100_000
        assert not seen["checkpoints", family].problem
        assert seen["controlnet", family].family == family
    assert "pickle" in seen["checkpoints", "old.ckpt"].problem
    assert "no safetensors" in seen["checkpoints", "cut.safetensors"].problem
    assert len(seen) == 5 + 4 + 2


def test_one_flow_for_each_base_model(root: Path) -> None:
    """Each can run here, for real; a refiner, a used and a broken checkpoint get none."""
    made = default_flows(scan(ModelFiles([root])), ["sdxl"])
    assert {name for name, _, _ in made} == {"flux", "sd3", "sd15"}
    backend = DiffusersBackend([root], device="cpu")
    for name, family, graph in made:
        flow = Flow(id=name, graph=graph, card=Card(title=name, family=family, slots=dict(find_slots(graph))))
        assert backend.check(flow).runnable, backend.check(flow).why_not


def test_models_that_cannot_be_used_say_why(tmp_path: Path, tiny: ModuleType) -> None:
    """Editing models by their channels, a ControlNet without a config; an inpainting model can, but gets no flow."""
    pipe = tiny.sd15()
    config = {name: value for name, value in pipe.unet.config.items() if not name.startswith("_")}
    for name, channels in (("editing", 8), ("inpainting", 9)):
        pipe.unet = UNet2DConditionModel(**{**config, "in_channels": channels})
        pipe.save_pretrained(tmp_path / "checkpoints" / name)
    (tmp_path / "controlnet").mkdir()
    save_file({"controlnet_single_blocks.0.weight": torch.zeros(2, 2)}, tmp_path / "controlnet" / "lone.safetensors")
    seen = scan(ModelFiles([tmp_path]))
    problems = {model.name: model.problem for model in seen}
    assert "'editing' (SD1.5) has 8 input channels" in problems["editing"]
    assert "no config lies beside it" in problems["lone.safetensors"]
    assert problems["inpainting"] == ""
    assert {model.name: model.holds for model in seen}["inpainting"] == "inpainting model"
    assert default_flows(seen, []) == []


def test_schnell_takes_four_steps() -> None:
    graph = default_graph("FLUX.1-schnell", "flux")
    assert graph["5"]["inputs"]["steps"] == 4
    assert "FluxGuidance" not in {node["class_type"] for node in graph.values()}


def test_extra_model_paths(tmp_path: Path) -> None:
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text(
        "# a comment\nothers:\n  base_path: /far\n  loras: l\nmine:\n  base_path: here\n  is_default: true\n"
        "  loras: |\n    one\n    two\n  checkpoints: c\nempty:\n"
    )
    assert folders_of(file, ["loras"]) == [
        (tmp_path / "here" / "one").resolve(), (tmp_path / "here" / "two").resolve(), Path("/far/l").resolve()
    ]  # fmt: skip
    file.write_text("- a\n- b\n")
    with pytest.raises(BadInput, match="no list of folders"):
        folders_of(file, ["loras"])
    file.write_text("a: [b\n")
    with pytest.raises(BadInput) as caught:
        ModelFiles([tmp_path]).find("checkpoints", "x")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="is not there"):
        ModelFiles([tmp_path / "gone.yaml"]).find("checkpoints", "x")


def test_objects_in_yaml_are_not_made(tmp_path: Path) -> None:
    (tmp_path / "extra_model_paths.yaml").write_text("a: !!python/object/apply:os.system ['exit 1']\n")
    with pytest.raises(BadInput, match="cannot be read"):
        ModelFiles([tmp_path]).find("checkpoints", "x")
