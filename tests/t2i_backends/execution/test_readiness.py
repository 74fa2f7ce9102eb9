"""What ``check`` says, and that it loads nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.schemas import Card, Flow, ParsedPrompt
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.execution import readiness

MakeFlow = Callable[..., Flow]


def said(backend: DiffusersBackend, flow: Flow) -> list[tuple[str, str]]:
    return [(problem.kind, problem.name) for problem in backend.check(flow).problems]


def with_nodes(flow: Flow, **nodes: tuple[str, dict[str, Any]]) -> Flow:
    added = {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}
    return flow.model_copy(update={"graph": {**flow.graph, **added}})


def test_a_flow_that_can_run(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    found = backend.check(make_flow())
    assert found.runnable
    assert found.why_not == ""


def test_nodes_are_reported_by_name(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    flow = with_nodes(make_flow(), x=("UltimateSDUpscale", {}), y=("FaceDetailer", {}))
    assert said(backend, flow) == [("node", "UltimateSDUpscale"), ("node", "FaceDetailer")]
    assert "ComfyUI" in backend.check(flow).why_not


def test_samplers_and_schedulers_are_reported_by_name(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    flow = make_flow(ks_sampler_name="res_2s", ks_scheduler="align_your_steps")
    assert said(backend, flow) == [("node", "sampler res_2s"), ("node", "scheduler align_your_steps")]
    assert "euler, heun, dpm_2, dpmpp_2m" in backend.check(flow).problems[0].remedy


def test_what_every_request_fills_in_is_no_flaw(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    assert said(backend, make_flow(ks_seed=-1, pos_text="")) == []
    assert said(backend, make_flow(ks_steps=-1)) == [("node", "KSampler ks.steps")]


def test_missing_files_with_their_folder(backend: DiffusersBackend, model_root: Path, make_flow: MakeFlow) -> None:
    flow = with_nodes(
        make_flow(ckpt_ckpt_name="FLUX.1-dev", ks_model=["l", 0]),
        l=("LoraLoaderModelOnly", {"model": ["ckpt", 0], "lora_name": "ink.safetensors", "strength_model": 1.0}),
    )
    found = backend.check(flow)
    assert sorted(said(backend, flow)) == [("model", "FLUX.1-dev"), ("model", "ink.safetensors")]
    assert f"put it at {model_root}/checkpoints/FLUX.1-dev/" in found.why_not
    assert f"put it at {model_root}/loras/ink.safetensors" in found.why_not


def test_another_family_is_no_missing_file(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    flow = make_flow(family="qwen-image", ckpt_ckpt_name="qwen_image_fp8_e4m3fn.safetensors")
    assert said(backend, flow) == [("family", "qwen-image")]


def test_the_family_is_what_the_files_say(
    backend: DiffusersBackend, model_root: Path, tmp_path: Path, make_flow: MakeFlow
) -> None:
    assert said(backend, make_flow(family="qwen-image")) == []
    folder = tmp_path / "checkpoints" / "other"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "QwenImagePipeline"}))
    other = DiffusersBackend([tmp_path], device="cpu")
    assert said(other, make_flow(ckpt_ckpt_name="other")) == [("family", "QwenImagePipeline")]


def test_kind_and_slots(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    assert said(backend, make_flow(kind="upscale")) == [("kind", "upscale")]
    assert said(backend, make_flow(drop=("out",))) == [("slot", "SaveImage")]
    mute = with_nodes(make_flow(ks_positive=["zero", 0]), zero=("ConditioningZeroOut", {"conditioning": ["neg", 0]}))
    assert said(backend, mute) == [("slot", "positive")]


def test_broken_graphs_are_problems_not_errors(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    cyclic = backend.check(make_flow(ks_latent_image=["ks", 0]))
    assert "circle" in cyclic.why_not
    assert not backend.check(Flow(id="empty", graph={}, card=Card(title=""))).runnable
    assert not backend.check(make_flow(drop=("dec",))).runnable
    assert said(backend, make_flow(ks_model=["ckpt", 1])) == [("node", "KSampler ks.model")]
    assert not backend.check(make_flow(ckpt_ckpt_name="../tiny")).runnable


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "text_encoder_2"])
def test_weights_that_are_not_safetensors(model_root: Path, tmp_path: Path, make_flow: MakeFlow, part: str) -> None:
    folder = tmp_path / "checkpoints" / "tiny"
    shutil.copytree(model_root / "checkpoints" / "tiny", folder)
    for file in (folder / part).glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    backend = DiffusersBackend([tmp_path], device="cpu")
    assert said(backend, make_flow()) == [("model", f"tiny/{part}")]


def test_a_model_that_brings_code_is_refused(
    model_root: Path, tmp_path: Path, make_flow: MakeFlow, make_job: Callable[..., Any]
) -> None:
    folder = tmp_path / "checkpoints" / "tiny"
    shutil.copytree(model_root / "checkpoints" / "tiny", folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["evil", "Tokenizer"]
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "tokenizer" / "evil.py").write_text("raise SystemExit('code of a model was run')")
    backend = DiffusersBackend([tmp_path], device="cpu")
    assert said(backend, make_flow()) == [("model", "tiny/tokenizer")]
    with pytest.raises(BadInput, match="code of its own"):
        backend.draw(make_job(), lambda step: None, lambda: False)


def test_a_lone_file_needs_its_config(model_root: Path, tmp_path: Path, make_flow: MakeFlow) -> None:
    source = model_root / "checkpoints" / "tiny" / "transformer"
    target = tmp_path / "diffusion_models" / "net.safetensors"
    target.parent.mkdir()
    shutil.copy(source / "diffusion_pytorch_model.safetensors", target)
    flow = with_nodes(make_flow(ks_model=["u", 0]), u=("UNETLoader", {"unet_name": "net.safetensors"}))
    backend = DiffusersBackend([tmp_path, model_root], device="cpu")
    assert said(backend, flow) == [("model", "net.safetensors")]
    assert f"{tmp_path}/diffusion_models/net/" in backend.check(flow).why_not
    shutil.copytree(source, target.with_suffix(""), ignore=shutil.ignore_patterns("*.safetensors"))
    assert said(backend, flow) == []


def test_too_little_memory(backend: DiffusersBackend, make_flow: MakeFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "free_memory", lambda device: 10_000)
    assert [kind for kind, _ in said(backend, make_flow())] == ["memory"]
    monkeypatch.setattr(readiness, "free_memory", lambda device: 10_000_000)
    assert said(backend, make_flow()) == []


def test_models_in_memory_count_as_room(
    backend: DiffusersBackend, make_flow: MakeFlow, make_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.draw(make_job(), lambda step: None, lambda: False)
    monkeypatch.setattr(readiness, "free_memory", lambda device: 0)
    assert said(backend, make_flow()) == []


def test_check_imports_neither_torch_nor_diffusers(model_root: Path, make_flow: MakeFlow) -> None:
    code = (
        "import sys; from pathlib import Path; from imagewright.schemas import Flow;"
        "from imagewright.t2i_backends.diffusers_local import DiffusersBackend;"
        "flow = Flow.model_validate_json(sys.stdin.read());"
        "found = DiffusersBackend([Path(sys.argv[1])], device='cpu').check(flow);"
        "print(found.runnable, *({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(model_root)],
        input=make_flow().model_dump_json(),
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["True"], run.stderr


def test_a_model_without_a_world_has_no_limits(backend: DiffusersBackend, make_flow: MakeFlow) -> None:
    assert backend.limits(make_flow(), "an astronaut", ParsedPrompt()) == ()
    assert backend.limits(make_flow(ckpt_ckpt_name="gone"), "an astronaut", ParsedPrompt()) == ()


def test_a_model_of_a_small_world_says_what_it_cannot_draw(
    model_root: Path, tmp_path: Path, make_flow: MakeFlow
) -> None:
    folder = tmp_path / "checkpoints" / "tiny"
    shutil.copytree(model_root / "checkpoints" / "tiny", folder)
    world = {
        "objects": ["circle"],
        "attributes": ["red"],
        "backgrounds": [],
        "side": 64,
        "most_things": 2,
        "filler": ["a"],
    }
    (folder / "world.json").write_text(json.dumps(world))
    backend = DiffusersBackend([tmp_path], device="cpu")
    assert "horse" in backend.limits(make_flow(), "a red horse", ParsedPrompt())
