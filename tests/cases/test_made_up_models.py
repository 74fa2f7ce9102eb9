"""Made-up model files, folders and LoRAs: what a check calls ready draws, what it does not is refused in one line."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from imagewright.errors import ImagewrightError
from imagewright.ports import Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.first_names import rename_first

HERE = Path(__file__).parents[1] / "t2i_backends"
State = dict[str, torch.Tensor]
Graph = dict[str, dict[str, Any]]
QUICK = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
FAMILIES = ("sd15", "sdxl", "sd3", "flux")


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"imagewright_made_up_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TINY, ORIGINAL = _load("tiny"), _load("original")


@cache
def pipeline(family: str) -> tuple[Any, Path]:
    """A tiny pipeline of the family, and its folder."""
    pipe = TINY.BUILD[family]()
    folder = Path(tempfile.mkdtemp(prefix="made-up-")) / family
    pipe.save_pretrained(folder)
    return pipe, folder


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    yield
    for family in FAMILIES:
        shutil.rmtree(pipeline(family)[1].parent, ignore_errors=True)
    pipeline.cache_clear()


def net_of(family: str) -> Any:
    pipe, _ = pipeline(family)
    return getattr(pipe, "transformer", None) or pipe.unet


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def graph_of(name: str) -> Graph:
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name=name),
        "pos": node("CLIPTextEncode", text="a red circle", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="a blue cat", clip=["ckpt", 1]),
        "size": node("EmptyLatentImage", width=16, height=16, batch_size=1),
        "ks": node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0],
                   seed=7, steps=1, cfg=1.0, sampler_name="euler", scheduler="normal", denoise=1.0),
        "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
        "out": node("SaveImage", images=["dec", 0], filename_prefix="x"),
    }  # fmt: skip


def outcome(root: Path, graph: Graph) -> tuple[str, bytes | None, str]:
    """What the check says, the picture where one is drawn, and what drawing says. Any other error is the test's."""
    backend = DiffusersBackend([root], device="cpu")
    flow = Flow(id="made-up", graph=graph, card=Card(title="made up", slots=dict(find_slots(graph))))
    said = backend.check(flow).why_not
    try:
        drawn = backend.draw(Job(flow, "a red circle", seed=7), lambda step: None, lambda: False)
    except ImagewrightError as error:
        return said, None, f"{error}: {error.remedy}"
    return said, drawn.image.tobytes(), drawn.facts.get("fallbacks", "")


def insist_on_truth(root: Path, graph: Graph, spare: str = "") -> tuple[str, bytes | None]:
    """Ready draws; refused is refused, in one line each; ``spare``, which nothing reads, is told."""
    said, picture, told = outcome(root, graph)
    assert "\n" not in said + told
    assert (said == "") == (picture is not None), (said, told)
    assert picture is None or spare in told
    return said, picture


# --- models with something wrong ---

FORMATS = (torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.bool, torch.int64, torch.uint8)
NET = "model.diffusion_model."
COPIES = ((NET, ""), ("first_stage_model.", "vae."), (NET, "diffusion_model."))


def spoil(draw: Any, state: State) -> str:
    """Drop some weights, give one another shape or number format, add one that is not known, or a part once more.

    What nothing reads now, by a part of its name.
    """
    names = sorted(name for name in state if "position_ids" not in name)
    for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        del state[name]
    kind = draw(st.sampled_from(["none", "none", "shape", "format", "more", "copy"]))
    left = sorted(state)
    if kind == "shape" and left:
        name = draw(st.sampled_from(left))
        state[name] = (
            torch.zeros((*state[name].shape[:-1], state[name].shape[-1] + 1)) if state[name].dim() else state[name]
        )
    if kind == "format" and left:
        name = draw(st.sampled_from(left))
        state[name] = state[name].to(draw(st.sampled_from(FORMATS)))
    if kind == "more":
        state["something.else"] = torch.zeros(2)
        return "something.else"
    if kind == "copy":
        old, new = draw(st.sampled_from(COPIES))
        copied = {new + name.removeprefix(old): state[name] + 1 for name in left if name.startswith(old)}
        state |= copied
        return "that nothing here reads" if copied else ""
    return ""


def spoil_small_file(draw: Any, folder: Path) -> None:
    """A config, an index or a tokenizer's file that is gone, empty, cut, or a list."""
    file = draw(st.sampled_from(sorted(each for each in folder.rglob("*") if each.suffix in (".json", ".txt"))))
    content = file.read_bytes()
    file.unlink()
    ways = {"gone": None, "empty": b"", "cut": content[: len(content) // 2], "a list": b"[1, 2]"}
    left = ways[draw(st.sampled_from(sorted(ways)))]
    if left is not None:
        file.write_bytes(left)


def _folder_is_told_truly(data: st.DataObject) -> None:
    draw = data.draw
    family = draw(st.sampled_from(FAMILIES))
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "checkpoints" / "m"
        shutil.copytree(pipeline(family)[1], target)
        spare = ""
        if draw(st.integers(0, 3)) == 0:
            spoil_small_file(draw, target)
        else:
            file = draw(st.sampled_from(sorted(target.rglob("*.safetensors"))))
            state = load_file(file)
            spare = spoil(draw, state)
            save_file({key: value.clone().contiguous() for key, value in state.items()}, file)
        insist_on_truth(Path(name), graph_of("m"), spare)


def _file_is_told_truly(data: st.DataObject) -> None:
    draw = data.draw
    family = draw(st.sampled_from(["sd15", "sdxl", "sd3"]))
    pipe, folder = pipeline(family)
    with tempfile.TemporaryDirectory() as name:
        beside = Path(name) / "checkpoints" / "m"
        shutil.copytree(folder, beside, ignore=shutil.ignore_patterns("*.safetensors"))
        state = dict(getattr(ORIGINAL, family)(pipe))
        spare = spoil(draw, state)
        save_file({key: value.clone().contiguous() for key, value in state.items()}, beside.with_suffix(".safetensors"))
        insist_on_truth(Path(name), graph_of("m.safetensors"), spare)


@QUICK
@given(st.data())
def test_a_made_up_folder_is_told_truly(data: st.DataObject) -> None:
    _folder_is_told_truly(data)


@pytest.mark.slow
@LONG
@given(st.data())
def test_many_made_up_folders(data: st.DataObject) -> None:
    _folder_is_told_truly(data)


@QUICK
@given(st.data())
def test_a_made_up_file_is_told_truly(data: st.DataObject) -> None:
    _file_is_told_truly(data)


@pytest.mark.slow
@LONG
@given(st.data())
def test_many_made_up_files(data: st.DataObject) -> None:
    _file_is_told_truly(data)


# --- LoRAs ---


def lora_names(draw: Any, family: str) -> tuple[str, tuple[int, ...]]:
    """A layer of a LoRA in some spelling, and the shape of the layer that it names; empty for one that is not there."""
    model = net_of(family)
    layers = {name.removesuffix(".weight"): tuple(value.shape) for name, value in model.state_dict().items()
              if name.endswith(".weight") and value.dim() in (2, 4)}  # fmt: skip
    layer = draw(st.sampled_from(sorted(layers)))
    shape = layers[layer]
    part = "unet" if family in ("sd15", "sdxl") else "transformer"
    spelling = draw(st.sampled_from(["kohya", "diffusers", "bare", "peft", "native", "native kohya"]))
    if spelling.startswith("native"):
        first = rename_first([f"{layer}.weight"], type(model).__name__, dict(model.config))[f"{layer}.weight"]
        layer = first.removesuffix(".weight")
        if family in ("flux", "sd3") and ("qkv" in layer or "linear1" in layer):
            shape = ()
    if draw(st.integers(0, 9)) == 0:
        layer, shape = layer.replace("0", "7"), ()
    return {
        "kohya": f"lora_{part}_{layer.replace('.', '_')}", "diffusers": f"{part}.{layer}", "bare": layer,
        "peft": f"base_model.model.{layer}", "native": f"diffusion_model.{layer}",
        "native kohya": f"lora_unet_{layer.replace('.', '_')}",
    }[spelling], shape  # fmt: skip


def _lora_is_told_truly(data: st.DataObject) -> None:
    draw = data.draw
    family = draw(st.sampled_from(FAMILIES))
    made = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    state: State = {}
    for _ in range(draw(st.integers(1, 2))):
        layer, shape = lora_names(draw, family)
        shape = shape or (32, 32)
        wrong = draw(st.integers(0, 9)) == 0
        low = torch.randn((2, shape[1] + wrong, *shape[2:]), generator=made)
        high = torch.randn((shape[0], 2, *(1 for _ in shape[2:])), generator=made)
        ends = draw(st.sampled_from([(".lora_A.weight", ".lora_B.weight"), (".lora_down.weight", ".lora_up.weight")]))
        if draw(st.integers(0, 19)) == 0:
            high = torch.randn((shape[0], 3, *high.shape[2:]))
        state |= {layer + ends[0]: low, layer + ends[1]: high}
        alpha = draw(st.sampled_from([None, None, 0.0, 1.0, 5.0, (1.0, 2.0)]))
        state |= {} if alpha is None else {f"{layer}.alpha": torch.tensor(alpha)}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "loras").mkdir()
        (root / "checkpoints").mkdir()
        one = "m"
        if family != "flux" and draw(st.booleans()):
            one = "m.safetensors"
            pipe, folder = pipeline(family)
            shutil.copytree(folder, root / "checkpoints" / "m", ignore=shutil.ignore_patterns("*.safetensors"))
            save_file(
                {key: value.clone() for key, value in getattr(ORIGINAL, family)(pipe).items()},
                root / "checkpoints" / one,
            )
        else:
            shutil.copytree(pipeline(family)[1], root / "checkpoints" / "m")
        save_file(state, root / "loras" / "l.safetensors")
        graph = graph_of(one)
        graph["lora"] = node("LoraLoaderModelOnly", model=["ckpt", 0], lora_name="l.safetensors", strength_model=1.0)
        graph["ks"]["inputs"]["model"] = ["lora", 0]
        insist_on_truth(root, graph)


@QUICK
@given(st.data())
def test_a_made_up_lora_is_told_truly(data: st.DataObject) -> None:
    _lora_is_told_truly(data)


@pytest.mark.slow
@LONG
@given(st.data())
def test_many_made_up_loras(data: st.DataObject) -> None:
    _lora_is_told_truly(data)
