"""Parts of models that are missing, odd or told of: folders, indexes, tokenizers, numbers that are none (kind c)."""

from __future__ import annotations

import importlib.util
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image
from safetensors.torch import load_file, save_file

from imagewright.errors import BadInput
from imagewright.ports import Job
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.loading import load_vae
from imagewright.t2i_backends.models.model_files import ModelFiles


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"imagewright_cases_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_FILES, _LORAS = _load("test_model_files"), _load("test_lora_files")
NEAR, graph_of, flow_of = _FILES.NEAR, _FILES.graph_of, _FILES.flow_of
check, latents, refused, with_config = _FILES.check, _FILES.latents, _FILES.refused, _FILES.with_config
builders, layouts, pipelines, folder = _FILES.builders, _FILES.layouts, _FILES.pipelines, _FILES.folder
KOHYA, UNET_LAYER, PROCESSOR = _LORAS.KOHYA, _LORAS.UNET_LAYER, _LORAS.PROCESSOR
pair, with_lora = _LORAS.pair, _LORAS.with_lora
State = dict[str, torch.Tensor]
Edit = Callable[[Path], object]
NAN = float("nan")


def edit_json(**changes: Any) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return edit


# --- what a folder lacks ---

INDEX = "model_index.json"
LACKING: dict[str, tuple[str, Edit, str]] = {
    "an index without the second text encoder": (INDEX, edit_json(text_encoder_2=[None, None]), "lacks text_encoder_2"),
    "an empty index": (INDEX, lambda file: file.write_text(""), "model_index.json that cannot be read"),
    "an index that is a list": (INDEX, lambda file: file.write_text("[]"), "model_index.json that cannot be read"),
    "no config": ("text_encoder/config.json", Path.unlink, "lacks a config.json"),
    "no tokenizer for few words": ("tokenizer", shutil.rmtree, "holds no tokenizer"),
    "a cut tokenizer": (
        "tokenizer/tokenizer.json", lambda file: file.write_text(file.read_text()[:80]), "which cannot be read",
    ),
    "a tokenizer of more words": ("text_encoder_2/config.json", edit_json(vocab_size=9), "holds a tokenizer of"),
    "a config that contradicts itself": (
        "unet/config.json", edit_json(block_out_channels=[8, "a"]), "has a config that cannot be right",
    ),
    "a config of endless layers": ("unet/config.json", edit_json(layers_per_block=10**9), "asks for more than"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LACKING)
def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path, pipelines: Path, kind: str) -> None:
    place, edit, words = LACKING[kind]
    shutil.copytree(pipelines / "checkpoints" / "sdxl", tmp_path / "checkpoints" / "m")
    edit(tmp_path / "checkpoints" / "m" / place)
    refused(tmp_path, "m", words)


def _rename_first(places: dict[str, str], shards: list[Path]) -> None:
    places[min(places)] = shards[1].name


def _leave_out(places: dict[str, str], shards: list[Path]) -> None:
    del places[min(places)]


def _twice(places: dict[str, str], shards: list[Path]) -> None:
    save_file({**load_file(shards[1]), min(places): torch.zeros(3)}, shards[1])


@pytest.mark.parametrize("disagree", [_rename_first, _leave_out, _twice])
def test_an_index_and_its_shards_must_agree(folder: Path, disagree: Callable[..., None]) -> None:
    stem = "diffusion_pytorch_model"
    shards = _FILES.write_shards(folder / "unet", stem)
    index = folder / "unet" / f"{stem}.safetensors.index.json"
    found = json.loads(index.read_text())
    disagree(found["weight_map"], shards)
    index.write_text(json.dumps(found))
    refused(folder.parents[1], "m", "an index and shards that differ about")


def test_headers_whose_numbers_are_no_whole_ones_are_refused(tmp_path: Path, pipelines: Path, folder: Path) -> None:
    """As the library refuses them when it loads."""
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    found = file.read_bytes()
    length = int.from_bytes(found[:8], "little")
    header = json.loads(found[8 : 8 + length])
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [float(side) for side in header[name]["shape"]]
    text = json.dumps(header).encode()
    for start in (text, b"\xef\xbb\xbf" + found[8 : 8 + length]):
        file.write_bytes(struct.pack("<Q", len(start)) + start + found[8 + length :])
        refused(folder.parents[1], "m", "is no safetensors file")


# --- shapes that a library would make fit ---


def test_what_a_check_refuses_is_not_loaded_either(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType
) -> None:
    """The library cuts this weight to its first cell."""
    state = layouts.sd15(builders.BUILD["sd15"]())
    name = "first_stage_model.decoder.mid.attn_1.proj_out.weight"
    with_config(tmp_path, pipelines, "sd15", {**state, name: torch.zeros((*state[name].shape[:3], 2))})
    refused(tmp_path, "one.safetensors", "as 4 x 4 x 1 x 2, not 4 x 4")
    source = ModelFiles([tmp_path]).find("checkpoints", "one.safetensors")
    assert source is not None
    with pytest.raises(BadInput, match="as 4 x 4 x 1 x 2"):
        load_vae(source, torch.float32, "sd15")


# --- numbers that are none ---


def draw(root: Path, graph: Any) -> Any:
    job = Job(flow_of(graph), "a red circle", seed=7)
    return DiffusersBackend([root], device="cpu").draw(job, lambda step: None, lambda: False)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_no_numbers_are_refused_on_loading(folder: Path, part: str) -> None:
    file = next((folder / part).glob("*.safetensors"))
    state = load_file(file)
    name = max(state, key=lambda name: state[name].numel())
    state[name].view(-1)[-1] = NAN
    save_file(state, file)
    with pytest.raises(BadInput, match="holds weights that are no numbers"):
        draw(folder.parents[1], graph_of("m"))


@pytest.mark.parametrize("spelling", [KOHYA, f"base_model.model.{UNET_LAYER}"])
@pytest.mark.parametrize("where", ["weight", "alpha"])
def test_a_lora_of_no_numbers_is_refused(tmp_path: Path, pipelines: Path, spelling: str, where: str) -> None:
    weights = pair(spelling)
    if where == "alpha":
        weights[f"{spelling}.alpha"] = torch.tensor(NAN)
    else:
        weights[f"{spelling}.lora_up.weight"][0, 0] = NAN
    with pytest.raises(BadInput, match="holds weights that are no numbers"):
        draw(*with_lora(tmp_path, pipelines, weights))


# --- alphas ---


@pytest.mark.parametrize("alpha", [0.0, -1.0, 8.0])
@pytest.mark.parametrize(
    ("layer", "ends"),
    [
        (f"base_model.model.{UNET_LAYER}", (".lora_A.weight", ".lora_B.weight")),
        (f"unet.{UNET_LAYER}", (".lora_down.weight", ".lora_up.weight")),
        (f"unet.{PROCESSOR}", (".down.weight", ".up.weight")),
    ],
)
def test_an_alpha_counts_in_every_spelling(
    tmp_path: Path, pipelines: Path, layer: str, ends: tuple[str, str], alpha: float
) -> None:
    """The stock readers pass it over by its name in these."""
    right = latents(*with_lora(tmp_path, pipelines, pair(KOHYA) | {f"{KOHYA}.alpha": torch.tensor(alpha)}))
    name = f"{layer.removesuffix('_lora')}.alpha"
    found = latents(*with_lora(tmp_path, pipelines, pair(layer, *ends) | {name: torch.tensor(alpha)}))
    torch.testing.assert_close(found, right, **NEAR)


@pytest.mark.parametrize("alpha", [torch.zeros(0), torch.ones(2)])
def test_an_alpha_is_one_number(tmp_path: Path, pipelines: Path, alpha: torch.Tensor) -> None:
    refused(*with_lora(tmp_path, pipelines, pair(KOHYA) | {f"{KOHYA}.alpha": alpha}), "an alpha that is not one number")


# --- what nothing reads ---


def test_weights_that_nothing_reads_are_told(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType
) -> None:
    plain = layouts.sd15(builders.BUILD["sd15"]())
    left = {
        "model_ema.decay": torch.zeros(1),
        "alphas_cumprod": torch.zeros(9),
        "cond_stage_model.logit_scale": torch.zeros(1),
    }
    with_config(tmp_path, pipelines, "sd15", plain | left, "plain")
    with_config(tmp_path, pipelines, "sd15", plain | {"something.else": torch.zeros(2)}, "more")
    told = [draw(tmp_path, graph_of(f"{name}.safetensors")).facts.get("fallbacks", "") for name in ("plain", "more")]
    assert told == ["", "more.safetensors holds a weight that nothing here reads (something.else)"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model.diffusion_model.", "diffusion_model."),
        ("model.diffusion_model.", ""),
        ("first_stage_model.", "vae."),
        ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer."),
    ],
)
def test_a_second_copy_of_a_part_is_told(
    tmp_path: Path, pipelines: Path, builders: ModuleType, layouts: ModuleType, old: str, new: str
) -> None:
    state = layouts.sd15(builders.BUILD["sd15"]())
    copy = {new + name.removeprefix(old): value + 1 for name, value in state.items() if name.startswith(old)}
    with_config(tmp_path, pipelines, "sd15", state | copy)
    told = draw(tmp_path, graph_of("one.safetensors")).facts["fallbacks"]
    assert f"one.safetensors holds {len(copy)} weights that nothing here reads" in told


# --- ControlNets of another model ---


@pytest.mark.parametrize(("family", "control"), [("sd15", "sdxl"), ("sdxl", "sd15"), ("sd15", "sd3"), ("sd3", "sdxl")])
def test_a_controlnet_of_another_family_is_refused(
    tmp_path: Path, pipelines: Path, builders: ModuleType, family: str, control: str
) -> None:
    refused(*with_control(tmp_path, pipelines, family, builders.control(control)), "is a ControlNet of")


def test_a_controlnet_of_another_width_is_refused(tmp_path: Path, pipelines: Path, builders: ModuleType) -> None:
    wide = ControlNetModel.from_unet(builders.unet(48), conditioning_embedding_out_channels=(4, 8))
    refused(*with_control(tmp_path, pipelines, "sd15", wide), "is made for another model (cross_attention_dim is 48")


# --- parts of several models ---


def in_parts(root: Path, pipelines: Path, family: str, texts: tuple[str, ...], vae: Any = None) -> tuple[Path, Any]:
    """A flow on a checkpoint whose text encoders, and VAE where there is one, come from loaders of their own."""
    shutil.copytree(pipelines / "checkpoints" / family, root / "checkpoints" / "m")
    graph = graph_of("m")
    if vae is not None:
        vae.save_pretrained(root / "vae" / "v")
        graph["vae"] = _FILES.node("VAELoader", vae_name="v")
        graph["dec"]["inputs"]["vae"] = ["vae", 0]
    for i, name in enumerate(texts):
        shutil.copytree(pipelines / "checkpoints" / "sdxl" / name, root / "text_encoders" / str(i))
        tokenizer = pipelines / "checkpoints" / "sdxl" / name.replace("text_encoder", "tokenizer")
        shutil.copytree(tokenizer, root / "text_encoders" / str(i), dirs_exist_ok=True)
    if texts:
        graph["clip"] = _FILES.node("DualCLIPLoader", clip_name1="0", clip_name2="1", type="sdxl")
        for name in ("pos", "neg"):
            graph[name]["inputs"]["clip"] = ["clip", 0]
    return root, graph


@pytest.mark.parametrize("family", ["sd15", "sd3"])
def test_text_encoders_of_another_family_are_refused(tmp_path: Path, pipelines: Path, family: str) -> None:
    texts = ("text_encoder", "text_encoder_2")
    refused(*in_parts(tmp_path, pipelines, family, texts), "holds text encoders of SDXL, and m is")


def test_a_vae_of_other_latents_is_refused(tmp_path: Path, pipelines: Path, builders: ModuleType) -> None:
    refused(*in_parts(tmp_path, pipelines, "sd15", (), builders.vae(16)), "reads latents of 16 channels, and m draws 4")


def test_a_vae_of_the_same_latents_draws(tmp_path: Path, pipelines: Path, builders: ModuleType) -> None:
    latents(*in_parts(tmp_path, pipelines, "sd15", (), builders.vae(4)))


def with_control(root: Path, pipelines: Path, family: str, control: Any) -> tuple[Path, Any]:
    shutil.copytree(pipelines / "checkpoints" / family, root / "checkpoints" / "m")
    control.save_pretrained(root / "controlnet" / "c")
    (root / "input").mkdir()
    Image.new("RGB", (16, 16), (90, 10, 200)).save(root / "input" / "a.png")
    graph = graph_of("m")
    graph["cl"] = _FILES.node("ControlNetLoader", control_net_name="c")
    graph["load"] = _FILES.node("LoadImage", image="a.png")
    graph["cn"] = _FILES.node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0],
                              control_net=["cl", 0], image=["load", 0], strength=0.8, start_percent=0.0,
                              end_percent=1.0)  # fmt: skip
    graph["ks"]["inputs"].update(positive=["cn", 0], negative=["cn", 1])
    return root, graph
