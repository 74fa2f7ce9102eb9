"""Model files as people have them: what a check calls ready draws, and what it refuses says why in one true line."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imagewright.errors import BadInput
from imagewright.ports import Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.t2i_backends.models.scan import scan
from imagewright.t2i_backends.values.handles import Latent

NEAR = {"rtol": 1e-4, "atol": 1e-3}
"""Sums in another order: how tensors lie in memory decides it."""
HERE = Path(__file__).parents[1] / "t2i_backends"
Graph = dict[str, dict[str, Any]]
State = dict[str, torch.Tensor]
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


@pytest.fixture(scope="session")
def builders(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    return load_module("imagewright_cases_tiny", HERE / "tiny.py")


@pytest.fixture(scope="session")
def layouts(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    return load_module("imagewright_cases_original", HERE / "original.py")


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory, builders: ModuleType) -> Path:
    """``checkpoints/`` with a tiny pipeline folder of each family."""
    root = tmp_path_factory.mktemp("pipelines")
    for name in ("sd15", "sdxl", "sd3"):
        builders.BUILD[name]().save_pretrained(root / "checkpoints" / name)
    return root


@pytest.fixture
def folder(tmp_path: Path, pipelines: Path) -> Path:
    """A copy of the tiny SD1.5 pipeline, called ``m``."""
    target = tmp_path / "checkpoints" / "m"
    shutil.copytree(pipelines / "checkpoints" / "sd15", target)
    return target


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def graph_of(name: str, **sampling: Any) -> Graph:
    settings = {"seed": 7, "steps": 2, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    return {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name=name),
        "pos": node("CLIPTextEncode", text="a red circle", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="a blue cat", clip=["ckpt", 1]),
        "size": node("EmptyLatentImage", width=16, height=16, batch_size=1),
        "ks": node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0],
                   **{**settings, **sampling}),
        "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
        "out": node("SaveImage", images=["dec", 0], filename_prefix="x"),
    }  # fmt: skip


def flow_of(graph: Graph) -> Flow:
    return Flow(id="case", graph=graph, card=Card(title="case", slots=dict(find_slots(graph))))


def check(root: Path, graph: Graph | str) -> str:
    """Why it does not run here; empty when it is ready."""
    graph = graph_of(graph) if isinstance(graph, str) else graph
    return DiffusersBackend([root], device="cpu").check(flow_of(graph)).why_not


def latents(root: Path, graph: Graph | str) -> torch.Tensor:
    """The sampler's latents of a flow that is ready."""
    graph = graph_of(graph) if isinstance(graph, str) else graph
    backend = DiffusersBackend([root], device="cpu")
    assert backend.check(flow_of(graph)).why_not == ""
    backend.draw(Job(flow_of(graph), "a red circle", seed=7), lambda step: None, lambda: False)
    kept = [entry[0][0] for entry in backend._cache._kept.values() if isinstance(entry, tuple)]
    return [value.samples for value in kept if isinstance(value, Latent) and value.samples is not None][-1]


def refused(root: Path, graph: Graph | str, *words: str) -> None:
    """That the check says it in one line, and that drawing all the same is the person's error, not ours."""
    said = check(root, graph)
    assert "\n" not in said
    for word in words:
        assert word in said, said
    graph = graph_of(graph) if isinstance(graph, str) else graph
    job = Job(flow_of(graph), "a red circle", seed=7)
    with pytest.raises(BadInput) as caught:
        DiffusersBackend([root], device="cpu").draw(job, lambda step: None, lambda: False)
    assert "\n" not in str(caught.value)


def scanned(root: Path) -> dict[str, str]:
    """Name of each model → its problem."""
    return {model.name: model.problem for model in scan(ModelFiles([root]))}


def use_variant(folder: Path, variant: str = "fp16") -> None:
    """Rename every weights file to that of one variant."""
    for file in list(folder.rglob("*.safetensors")):
        file.rename(file.with_name(f"{file.name.removesuffix('.safetensors')}.{variant}.safetensors"))


def write_shards(folder: Path, stem: str, variant: str = "") -> list[Path]:
    """The weights in ``folder`` in two shards with their index."""
    whole = folder / f"{stem}.safetensors"
    state = load_file(whole)
    whole.unlink()
    names, places, files = sorted(state), {}, []
    for i, part in enumerate((names[::2], names[1::2]), 1):
        file = folder / f"{stem}{variant}-0000{i}-of-00002.safetensors"
        save_file({name: state[name] for name in part}, file, metadata={"format": "pt"})
        places.update(dict.fromkeys(part, file.name))
        files.append(file)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / f"{stem}.safetensors.index{variant}.json").write_text(json.dumps(index))
    return files


# --- folders: variants, shards, pointers (c03, c10, c16, d32, d34) ---


@pytest.mark.parametrize("variant", ["fp16", "bf16", "ema"])
def test_a_folder_with_one_variant_alone_draws_it(pipelines: Path, folder: Path, variant: str) -> None:
    use_variant(folder, variant)
    assert scanned(folder.parents[1])["m"] == ""
    assert torch.equal(latents(folder.parents[1], "m"), latents(pipelines, "sd15"))


def test_a_folder_with_plain_weights_draws_them_whatever_lies_beside(pipelines: Path, folder: Path) -> None:
    for file in list(folder.rglob("*.safetensors")):
        other = {name: torch.zeros_like(value) for name, value in load_file(file).items()}
        save_file(other, file.with_name(f"{file.stem}.fp16.safetensors"), metadata={"format": "pt"})
    (folder / "unet" / "x.bin").write_text(POINTER)
    (folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_text(POINTER)
    assert torch.equal(latents(folder.parents[1], "m"), latents(pipelines, "sd15"))


@pytest.mark.parametrize("variant", ["", ".fp16"])
@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_shards_draw_and_a_missing_one_is_named(pipelines: Path, folder: Path, part: str, variant: str) -> None:
    stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
    files = write_shards(folder / part, stem, variant)
    assert torch.equal(latents(folder.parents[1], "m"), latents(pipelines, "sd15"))
    files[1].unlink()
    refused(folder.parents[1], "m", files[1].name, "missing")
    assert files[1].name in scanned(folder.parents[1])["m"]


def test_shards_without_their_index_are_refused(folder: Path) -> None:
    write_shards(folder / "unet", "diffusion_pytorch_model")
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").unlink()
    refused(folder.parents[1], "m", "lacks diffusion_pytorch_model.safetensors.index.json")


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
                                  "vae/config.json", "model_index.json", "tokenizer/tokenizer.json"])  # fmt: skip
def test_an_lfs_pointer_in_a_folder_says_git_lfs_pull(folder: Path, name: str) -> None:
    (folder / name).write_text(POINTER)
    refused(folder.parents[1], "m", "git lfs pull")
    assert "git lfs pull" in scanned(folder.parents[1])["m"]


def test_a_folder_of_pickles_is_not_ok_in_a_scan(folder: Path) -> None:
    for file in list(folder.rglob("*.safetensors")):
        file.rename(file.with_suffix(".bin"))
    refused(folder.parents[1], "m", "no safetensors weights")
    assert "no safetensors weights" in scanned(folder.parents[1])["m"]


def test_weights_under_another_name_are_refused_with_the_right_one(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "my-net.safetensors")
    refused(folder.parents[1], "m", "my-net.safetensors", "diffusion_pytorch_model.safetensors")


def test_a_quantised_folder_is_refused(folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "unet" / "config.json").write_text(json.dumps(config))
    refused(folder.parents[1], "m", "quantised")


# --- lone files that are no whole safetensors file (d30, d33, d34) ---


def with_config(root: Path, pipelines: Path, family: str, state: State, name: str = "one") -> Path:
    """A lone checkpoint with the configs of the tiny pipeline beside it."""
    folder = root / "checkpoints" / name
    if not folder.exists():
        ignore = shutil.ignore_patterns("*.safetensors")
        shutil.copytree(pipelines / "checkpoints" / family, folder, ignore=ignore)
    file = folder.with_suffix(".safetensors")
    save_file({key: value.contiguous().clone() for key, value in state.items()}, file)
    return file


def rewrite_header(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "bytes after the last tensor": (lambda f: f.write_bytes(f.read_bytes() + bytes(8)), "8 bytes after its last"),
    "cut off": (lambda f: f.write_bytes(f.read_bytes()[:-9]), "cut off"),
    "a pointer": (lambda f: f.write_text(POINTER), "git lfs pull"),
    "a web page": (lambda f: f.write_text("<!DOCTYPE html><html></html>"), "web page"),
    "GGUF": (lambda f: f.write_bytes(b"GGUF" + bytes(60)), "GGUF"),
    "empty": (lambda f: f.write_bytes(b""), "empty"),
    "metadata only": (lambda f: save_file({}, f, metadata={"a": "b"}), "no tensors"),
    "metadata that is no text": (lambda f: rewrite_header(f, lambda h: h.update(__metadata__={"a": 1})), "metadata"),
    "an unknown number format": (
        lambda f: rewrite_header(f, lambda h: h[sorted(h)[0]].update(dtype="F4")), "format F4"),
    "a tensor of another size": (
        lambda f: rewrite_header(f, lambda h: h[sorted(h)[0]].update(shape=[1, 2, 3])), "broken header"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_found_by_the_check_and_the_scan(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType, kind: str
) -> None:
    file = with_config(tmp_path, pipelines, "sd15", layouts.sd15(builders.BUILD["sd15"]()))
    breaks, word = BROKEN[kind]
    breaks(file)
    refused(tmp_path, "one.safetensors", word)
    assert word in scanned(tmp_path)["one.safetensors"]


def test_gguf_files_are_named_by_check_and_scan(tmp_path: Path) -> None:
    (tmp_path / "diffusion_models").mkdir()
    (tmp_path / "diffusion_models" / "net.gguf").write_bytes(b"GGUF" + bytes(60))
    assert "GGUF" in scanned(tmp_path)["net.gguf"]
    graph = copy.deepcopy(graph_of("m"))
    graph["unet"] = node("UNETLoader", unet_name="net.gguf", weight_dtype="default")
    graph["ks"]["inputs"]["model"] = ["unet", 0]
    assert "GGUF file, which is not read here" in check(tmp_path, graph)


# --- marks: v-prediction and zero-terminal SNR (c01) ---


@pytest.fixture
def sdxl_state(builders: ModuleType, layouts: ModuleType) -> State:
    return layouts.sdxl(builders.BUILD["sdxl"]())  # type: ignore[no-any-return]


def with_sampling(graph: Graph, sampling: str, zsnr: bool) -> Graph:
    graph["ms"] = node("ModelSamplingDiscrete", model=["ckpt", 0], sampling=sampling, zsnr=zsnr)
    graph["ks"]["inputs"]["model"] = ["ms", 0]
    return graph


@pytest.mark.parametrize(
    ("marks", "sampling", "zsnr"),
    [(("v_pred", "ztsnr"), "v_prediction", True), (("v_pred",), "v_prediction", False), (("ztsnr",), "eps", True)],
)
def test_the_marks_of_a_file_mean_what_the_node_means(
    tmp_path: Path, pipelines: Path, sdxl_state: State, marks: tuple[str, ...], sampling: str, zsnr: bool
) -> None:
    with_config(tmp_path, pipelines, "sdxl", sdxl_state, "plain")
    with_config(tmp_path, pipelines, "sdxl", sdxl_state | {mark: torch.zeros(0) for mark in marks}, "marked")
    plain = graph_of("plain.safetensors")
    right = latents(tmp_path, with_sampling(copy.deepcopy(plain), sampling, zsnr))
    assert torch.equal(latents(tmp_path, "marked.safetensors"), right)
    assert not torch.equal(latents(tmp_path, plain), right)


def test_a_node_counts_before_the_marks_of_a_file(tmp_path: Path, pipelines: Path, sdxl_state: State) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    with_config(tmp_path, pipelines, "sdxl", sdxl_state, "plain")
    with_config(tmp_path, pipelines, "sdxl", sdxl_state | marks, "marked")
    stated = with_sampling(graph_of("marked.safetensors"), "eps", False)
    assert torch.equal(latents(tmp_path, stated), latents(tmp_path, "plain.safetensors"))


@pytest.mark.parametrize("mark", ["edm_mean", "edm_vpred.sigma_max"])
def test_edm_marks_are_refused(tmp_path: Path, pipelines: Path, sdxl_state: State, mark: str) -> None:
    with_config(tmp_path, pipelines, "sdxl", sdxl_state | {mark: torch.zeros(1)})
    refused(tmp_path, "one.safetensors", "EDM")
    assert "EDM" in scanned(tmp_path)["one.safetensors"]


# --- scaled 8-bit weights (c02) ---


def scale_weights(state: State, spelling: str, rows: bool = False) -> tuple[State, State]:
    """``state`` with the two-dimensional weights of its net as scaled fp8, and with their products in float32."""
    stored, right = dict(state), dict(state)
    for name, value in state.items():
        if value.ndim == 2 and name.endswith(".weight") and name.startswith("model.diffusion_model."):
            size = value.abs().amax(1, keepdim=True) if rows else value.abs().max().reshape(1)
            scale = size / 100
            small = (value / scale).to(torch.float8_e4m3fn)
            stored[name], right[name] = small, small.float() * scale
            stored[f"{name.removesuffix('.weight')}.{spelling}"] = scale if rows or "_w" in spelling else scale[0]
    marks = {"scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn)} if spelling == "scale_weight" else {}
    return stored | marks, right


@pytest.mark.parametrize("spelling", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_scaled_8_bit_weights_draw_what_their_products_draw(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType, family: str, spelling: str
) -> None:
    stored, right = scale_weights(getattr(layouts, family)(builders.BUILD[family]()), spelling)
    with_config(tmp_path, pipelines, family, stored, "scaled")
    with_config(tmp_path, pipelines, family, right, "right")
    torch.testing.assert_close(latents(tmp_path, "scaled.safetensors"), latents(tmp_path, "right.safetensors"), **NEAR)


def test_scales_by_rows_are_applied(tmp_path: Path, pipelines: Path, sdxl_state: State) -> None:
    stored, right = scale_weights(sdxl_state, "weight_scale", rows=True)
    with_config(tmp_path, pipelines, "sdxl", stored, "scaled")
    with_config(tmp_path, pipelines, "sdxl", right, "right")
    torch.testing.assert_close(latents(tmp_path, "scaled.safetensors"), latents(tmp_path, "right.safetensors"), **NEAR)


NAME = "model.diffusion_model.input_blocks.1.1.proj_in"
PACKED: dict[str, tuple[State, str]] = {
    "whole numbers": ({f"{NAME}.weight": torch.zeros(8, 8, dtype=torch.int8)}, "whole numbers"),
    "bitsandbytes": ({f"{NAME}.weight.absmax": torch.zeros(4)}, "quantised"),
    "gptq": ({f"{NAME}.qweight": torch.zeros(4, 4, dtype=torch.int32)}, "quantised"),
    "blocks": ({f"{NAME}.weight_scale": torch.zeros(2, 2)}, "by blocks"),
    "a scale alone": ({f"{NAME}.gone.scale_weight": torch.zeros(1)}, "lacks"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_other_small_weights_are_refused(tmp_path: Path, pipelines: Path, sdxl_state: State, kind: str) -> None:
    more, word = PACKED[kind]
    with_config(tmp_path, pipelines, "sdxl", sdxl_state | more)
    refused(tmp_path, "one.safetensors", word)


# --- names in front of all names (c10) ---


def rename(state: State, *pairs: tuple[str, str]) -> State:
    found = {}
    for name, value in state.items():
        old, new = next((pair for pair in pairs if name.startswith(pair[0])), ("", ""))
        found[new + name.removeprefix(old)] = value
    return found


@pytest.mark.parametrize("pairs", [
    [("", "state_dict.")], [("", "module.")], [("", "model.")], [("", "a.b.")],
    [("model.diffusion_model.", "diffusion_model.")],
], ids=lambda pairs: pairs[0][1])  # fmt: skip
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_words_before_all_names_are_read_over(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType, family: str, pairs: Any
) -> None:
    state = getattr(layouts, family)(builders.BUILD[family]())
    with_config(tmp_path, pipelines, family, rename(state, *pairs))
    torch.testing.assert_close(latents(tmp_path, "one.safetensors"), latents(pipelines, family), **NEAR)


def test_the_parts_of_a_folder_in_one_file_are_refused(tmp_path: Path, pipelines: Path, builders: ModuleType) -> None:
    pipe = builders.BUILD["sd15"]()
    parts = {"unet": pipe.unet, "vae": pipe.vae, "text_encoder": pipe.text_encoder}
    state = {f"{part}.{name}": value for part, model in parts.items() for name, value in model.state_dict().items()}
    with_config(tmp_path, pipelines, "sd15", state)
    refused(tmp_path, "one.safetensors", "parts of a diffusers folder in one file")


@pytest.mark.parametrize(
    "lost", ["sd15 first_stage", "sd15 cond_stage", "sd15 model.diffusion", "sdxl conditioner.embedders.0"]
)
def test_a_checkpoint_without_one_of_its_parts_is_refused(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType, lost: str
) -> None:
    family, part = lost.split()
    state = getattr(layouts, family)(builders.BUILD[family]())
    with_config(tmp_path, pipelines, family, {k: v for k, v in state.items() if not k.startswith(part)})
    refused(tmp_path, "one.safetensors", "one.safetensors")
