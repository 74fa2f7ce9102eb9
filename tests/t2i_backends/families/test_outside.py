"""A family of another package: recognised, checked, drawn, given a flow and known to the converter, by one file and
one entry point."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AuraFlowPipeline, AuraFlowTransformer2DModel, FlowMatchEulerDiscreteScheduler
from PIL import Image
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.t2i_backends.models.scan import scan

HERE = Path(__file__).parent
LOOK = """
import json, sys
from pathlib import Path
from imagewright.retrieval.intake import build_flow
from imagewright.t2i_backends.execution.readiness import check_flow
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.t2i_backends.models.scan import default_flows, scan

files, graphs = ModelFiles([Path(sys.argv[1])]), json.loads(sys.argv[2])
seen = scan(files)
flows = [build_flow(graph, name, {"family": family}) for name, family, graph in default_flows(seen, [])]
cards = {name: build_flow(graph, name, {}).card for name, graph in graphs.items()}
print(json.dumps({
    "seen": [(model.name, model.family, model.holds, model.problem) for model in seen],
    "ready": {flow.id: check_flow(flow, files, "cpu").why_not for flow in flows},
    "cards": {name: (card.base_model, card.family) for name, card in cards.items()},
    "heavy": sorted({"torch", "diffusers", "transformers"} & set(sys.modules)),
}))
"""
DRAW = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from imagewright.cli.app import app
from imagewright.ports import Job
from imagewright.retrieval.intake import build_flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.scan import default_graph

root = Path(sys.argv[1])
backend = DiffusersBackend([root], device="cpu")
facts = []
for name in ("one.safetensors", "two"):
    flow = build_flow(default_graph(name, "made-up"), name, {})
    drawn = backend.draw(Job(flow, "a red circle", seed=7), lambda step: None, lambda: False)
    drawn.image.save(root / f"{name}.png")
    facts.append(drawn.facts)
scanned = CliRunner().invoke(app, ["models", "scan", "--models", str(root), "--json"])
print(json.dumps({"facts": facts, "flows": json.loads(scanned.stdout)["flows"]}))
"""
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def original(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    return load_module("imagewright_tests_original", HERE.parent / "original.py")


@pytest.fixture(scope="module")
def stock(tiny: ModuleType) -> AuraFlowPipeline:
    torch.manual_seed(6)
    net = AuraFlowTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32, out_channels=4, pos_embed_max_size=64,
    ).eval()  # fmt: skip
    schedule = FlowMatchEulerDiscreteScheduler(shift=1.73)
    return AuraFlowPipeline(tiny.word_tokenizer(), tiny.t5(), tiny.vae(shift=None, quant=True), net, schedule)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, stock: AuraFlowPipeline) -> Path:
    """An installed package: its one module, its configs, its entry point."""
    found = tmp_path_factory.mktemp("site")
    shutil.copy(HERE / "made_up.py", found / "made_up.py")
    stock.save_pretrained(found / "configs" / "made-up-one")
    for file in (found / "configs").rglob("*.safetensors"):
        file.unlink()
    told = found / "made_up-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[imagewright.families]\nmade-up = made_up:MadeUp\n")
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, stock: AuraFlowPipeline, original: ModuleType) -> Path:
    """A whole checkpoint in one file, and the same as a diffusers folder."""
    root = tmp_path_factory.mktemp("models")
    state = {
        **original.prefixed(stock.transformer.state_dict(), "model.diffusion_model."),
        **original.prefixed(original.vae(stock.vae.state_dict(), 2), "first_stage_model."),
        **original.prefixed(stock.text_encoder.state_dict(), "text_encoders.t5xxl.transformer."),
    }
    state.pop("text_encoders.t5xxl.transformer.encoder.embed_tokens.weight", None)
    stock.save_pretrained(root / "checkpoints" / "two")
    save_file({name: value.contiguous() for name, value in state.items()}, root / "checkpoints" / "one.safetensors")
    return root


@pytest.fixture
def run(site: Path) -> Run:
    """Runs a script where that package is installed; its JSON."""

    def run_there(script: str, *words: str) -> Any:
        env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{Path(__file__).parents[3]}"}
        done = subprocess.run([sys.executable, "-c", script, *words], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run_there


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def test_it_is_recognised_checked_and_known_to_the_converter(run: Run, models: Path) -> None:
    """By a header and by a folder; a model's file, a loader's type and a node's class tell it, each alone. Nothing
    heavy is loaded for that."""
    end = {"9": node("SaveImage", images=["1", 0], filename_prefix="x")}
    graphs = {
        "file": {"1": node("UNETLoader", unet_name="made_up_v1.safetensors", weight_dtype="default"), **end},
        "type": {"1": node("CLIPLoader", clip_name="t5.safetensors", type="made_up"), **end},
        "class": {"1": node("MadeUpDecode"), **end},
    }
    found = run(LOOK, str(models), json.dumps(graphs))
    assert found["seen"] == [
        ["one.safetensors", "made-up", "checkpoint", ""], ["two", "made-up", "pipeline", ""]
    ]  # fmt: skip
    assert found["ready"] == {"one": "", "two": ""}
    assert found["cards"] == {"file": ["Made-up 1", "made-up"], "type": ["", "made-up"], "class": ["", "made-up"]}
    assert found["heavy"] == []


def test_it_is_drawn_and_a_scan_adds_its_flows(run: Run, models: Path) -> None:
    """The lone file draws what the folder draws."""
    found = run(DRAW, str(models))
    assert [facts["family"] for facts in found["facts"]] == ["made-up", "made-up"]
    one, two = (np.asarray(Image.open(models / f"{name}.png")) for name in ("one.safetensors", "two"))
    assert one.shape == (16, 16, 3)
    assert one.std() > 0
    assert (one == two).all()
    assert found["flows"] == ["one", "two"]


def test_without_its_package_it_is_another_family(models: Path) -> None:
    assert [model.problem for model in scan(ModelFiles([models]))] == [
        "its architecture is not known", "its architecture is not known"
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), [
    ("class MadeUp: pass\n", "is no Family"),
    ("from imagewright.t2i_backends.families.base import Family\nclass MadeUp(Family): name = 'x'\n", "lacks title"),
    ("import a_package_that_is_not_there\n", "cannot be imported"),
])  # fmt: skip
def test_a_broken_package_is_one_line(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    shutil.copytree(site / "made_up-1.0.dist-info", tmp_path / "made_up-1.0.dist-info")
    (tmp_path / "made_up.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up", raising=False)
    with pytest.raises(BadInput, match=words):
        known_families.__wrapped__()
    monkeypatch.delitem(sys.modules, "made_up", raising=False)
