"""Lone safetensors files: recognised by their header, loaded with the configs that ship with us, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import pytest
import torch
import transformers
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.ports import Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.families.base import CONFIGS
from imagewright.t2i_backends.models.headers import Held, look_into, recognise
from imagewright.t2i_backends.models.model_files import ModelFiles, family_of, look_at

PUBLISHED = {
    "sd15/unet": 859_520_964, "sd15/vae": 83_653_863, "sd15/text_encoder": 123_060_480,
    "sdxl/unet": 2_567_463_684, "sdxl/text_encoder_2": 694_659_840, "sd35-large/transformer": 8_056_627_520,
    "sd35-large/text_encoder_3": 4_762_310_656, "flux-dev/transformer": 11_901_408_320,
    "flux-schnell/transformer": 11_891_178_560,
}  # fmt: skip
"""Parameters of the published models."""


@pytest.fixture(scope="module")
def original(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    return load_module("imagewright_tests_original", Path(__file__).parents[1] / "original.py")


def empty(place: str) -> Any:
    """The model of a shipped config, without memory."""
    config = json.loads((CONFIGS / place / "config.json").read_text())
    with torch.device("meta"):
        if "architectures" in config:
            kind = getattr(transformers, config["architectures"][0])
            return kind(kind.config_class(**config))
        return getattr(diffusers, config["_class_name"]).from_config(config)


@pytest.mark.parametrize("place", PUBLISHED)
def test_the_shipped_configs_describe_the_published_models(place: str) -> None:
    assert sum(parameter.numel() for parameter in empty(place).parameters()) == PUBLISHED[place]


@pytest.mark.parametrize("name", ["sd15", "sdxl", "sdxl-refiner"])
def test_unets_are_recognised(original: ModuleType, name: str) -> None:
    model = empty(f"{name}/unet")
    state = original.prefixed(original.unet(model.state_dict(), model.config), "model.diffusion_model.")
    found = recognise({key: tuple(value.shape) for key, value in state.items()})
    assert (found.kind, found.family, found.config) == ("net", name.split("-")[0], name)
    diffusers_names = recognise({key: tuple(value.shape) for key, value in model.state_dict().items()})
    assert (diffusers_names.family, diffusers_names.config) == (name.split("-")[0], name)


@pytest.mark.parametrize("name", ["flux-dev", "flux-schnell", "sd35-large", "sd35-medium", "sd3-medium"])
def test_transformers_are_recognised(original: ModuleType, name: str) -> None:
    state = empty(f"{name}/transformer").state_dict()
    versions = [state, original.prefixed(original.flux(state), "model.diffusion_model.")] if "flux" in name else [state]
    for version in versions:
        found = recognise({key: tuple(value.shape) for key, value in version.items()})
        assert (found.kind, found.family, found.config) == ("net", name[:4].rstrip("5-"), name)


def test_other_files_are_recognised() -> None:
    def kind(*names: str, shape: tuple[int, ...] = (8, 8)) -> Held:
        return recognise(dict.fromkeys(names, shape))

    assert kind("encoder.block.0.layer.0.SelfAttention.q.weight").config == "t5"
    assert kind("text_model.embeddings.token_embedding.weight", shape=(49408, 768)).config == "clip-l"
    assert kind("text_model.embeddings.token_embedding.weight", shape=(49408, 1280)).config == "clip-g"
    assert kind("decoder.conv_in.weight", shape=(512, 16, 3, 3)).config == "vae-16"
    assert kind("decoder.conv_in.weight", shape=(512, 4, 3, 3)).config == "vae-4"
    assert kind("control_model.input_hint_block.0.weight") == Held("control", "sd15", "control-sd15")
    assert kind("transformer_blocks.0.img_mod.1.weight").family == "qwen-image"
    assert kind("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight") == Held("lora", "flux")
    assert kind("something.else").kind == "unknown"


def lone(root: Path, family_root: Path, family: str, state: dict[str, torch.Tensor]) -> None:
    """A checkpoint of one file, with the config of the tiny pipeline beside it."""
    folder = root / "checkpoints" / "one"
    ignore = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(family_root / "checkpoints" / family, folder, ignore=ignore)
    save_file({name: value.contiguous().clone() for name, value in state.items()}, folder.with_suffix(".safetensors"))


def job(name: str, steps: int = 2) -> Job:
    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    graph = {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name=name),
        "pos": node("CLIPTextEncode", text="", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="a cat", clip=["ckpt", 1]),
        "size": node("EmptyLatentImage", width=16, height=16, batch_size=1),
        "ks": node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0],
                   seed=0, steps=steps, cfg=2.0, sampler_name="euler", scheduler="normal", denoise=1.0),
        "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]), "out": node("SaveImage", images=["dec", 0]),
    }  # fmt: skip
    return Job(Flow(id="f", graph=graph, card=Card(title="f", slots=dict(find_slots(graph)))), "a red circle", seed=7)


def picture(root: Path, name: str) -> bytes:
    return DiffusersBackend([root], device="cpu").draw(job(name), lambda s: None, lambda: False).image.tobytes()


@pytest.mark.parametrize("family", ["sd15", "sdxl", "sd3"])
def test_a_single_file_draws_what_its_folder_draws(
    tmp_path: Path, family_root: Path, tiny: ModuleType, original: ModuleType, family: str
) -> None:
    lone(tmp_path, family_root, family, getattr(original, family)(tiny.BUILD[family]()))
    assert problems(tmp_path, "one.safetensors") == ""
    assert picture(tmp_path, "one.safetensors") == picture(family_root, family)


def test_an_sd35_file_draws_what_its_folder_draws(
    tmp_path: Path, tiny: ModuleType, original: ModuleType, studio_at: Any
) -> None:
    """SD3.5 medium's own: normalised queries and keys, and a second attention in some layers."""
    pipe = tiny.sd3()
    torch.manual_seed(8)
    config = {name: value for name, value in pipe.transformer.config.items() if not name.startswith("_")}
    more = {"qk_norm": "rms_norm", "dual_attention_layers": (0,)}
    pipe.transformer = diffusers.SD3Transformer2DModel(**{**config, **more}).eval()
    pipe.save_pretrained(tmp_path / "checkpoints" / "sd35")
    state = original.sd3(pipe)
    assert "model.diffusion_model.joint_blocks.0.x_block.attn2.qkv.weight" in state
    lone(tmp_path, tmp_path, "sd35", state)
    assert close(tmp_path, "one.safetensors", "sd35", studio_at)


def close(root: Path, one: str, other: str, studio_at: Any) -> bool:
    """Whether both checkpoints give the same latents within 1e-4."""
    here = studio_at(root)
    found = [here.latents(here.graph_of(name)) for name in (one, other)]
    return bool((found[0] - found[1]).abs().max() < 1e-4)


@pytest.mark.parametrize("family", ["flux", "sd3", "sdxl", "sd15"])
def test_a_diffusion_model_under_diffusers_names_draws_what_its_folder_draws(
    tmp_path: Path, family_root: Path, tiny: ModuleType, family: str, studio_at: Any
) -> None:
    """A lone UNet or transformer in diffusers' own layout, loaded by UNETLoader."""
    pipe = tiny.BUILD[family]()
    model = getattr(pipe, "transformer", None) or pipe.unet
    folder = tmp_path / "diffusion_models" / "one"
    shutil.copytree(family_root / "checkpoints" / family, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(model.state_dict(), folder.with_suffix(".safetensors"))
    shutil.copytree(family_root / "checkpoints" / family, tmp_path / "checkpoints" / family)
    here = studio_at(tmp_path)
    graph = here.graph_of(family)
    wanted = here.latents(graph)
    graph["unet"] = here.node("UNETLoader", unet_name="one.safetensors", weight_dtype="default")
    graph["ks"]["inputs"]["model"] = ["unet", 0]
    assert here.check(graph) == []
    assert (here.latents(graph) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["sd35-medium", "sd35-large", "sd3-medium"])
def test_sd3_in_its_original_names_fills_the_shipped_config(original: ModuleType, name: str) -> None:
    """Full size and without memory: every parameter finds its place."""
    from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers as convert

    wanted = empty(f"{name}/transformer").state_dict()
    file = original.prefixed(original.sd3_transformer(wanted), "model.diffusion_model.")
    held_there = recognise({key: tuple(value.shape) for key, value in file.items()})
    assert (held_there.family, held_there.config) == ("sd3", name)
    found = convert(file)
    assert {key: value.shape for key, value in found.items()} == {key: value.shape for key, value in wanted.items()}


@pytest.mark.slow
def test_a_flux_file_in_its_original_names_draws_what_its_folder_draws(
    tmp_path: Path, tiny: ModuleType, original: ModuleType, studio_at: Any
) -> None:
    """Of the published width, which the reader is made for, and one layer of each kind: 2 GB on disk."""
    pipe = tiny.flux(shift=3.0)
    torch.manual_seed(9)
    config = {name: value for name, value in pipe.transformer.config.items() if not name.startswith("_")}
    wide = {"attention_head_dim": 128, "num_attention_heads": 24, "axes_dims_rope": (16, 56, 56)}
    pipe.transformer = diffusers.FluxTransformer2DModel(**{**config, **wide}).eval().to(torch.bfloat16)
    pipe.save_pretrained(tmp_path / "checkpoints" / "wide")
    state = original.prefixed(original.flux(pipe.transformer.state_dict()), "model.diffusion_model.")
    folder = tmp_path / "diffusion_models" / "one"
    shutil.copytree(tmp_path / "checkpoints" / "wide", folder, ignore=shutil.ignore_patterns("*.safetensors"))
    save_file({name: value.contiguous() for name, value in state.items()}, folder.with_suffix(".safetensors"))
    here = studio_at(tmp_path)
    here.backend.model_cache = 1
    graph = here.graph_of("wide", cfg=1.0, scheduler="simple")
    wanted = here.latents(graph)
    graph["unet"] = here.node("UNETLoader", unet_name="one.safetensors", weight_dtype="default")
    graph["ks"]["inputs"]["model"] = ["unet", 0]
    assert (here.latents(graph) - wanted).abs().max() < 1e-4


def test_flux_in_its_original_names_fills_the_shipped_config(original: ModuleType) -> None:
    """Full size and without memory: every parameter finds its place (the reader is made for the published width)."""
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers as convert

    wanted = empty("flux-dev/transformer").state_dict()
    found = convert(original.prefixed(original.flux(wanted), "model.diffusion_model."))
    assert {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in wanted.items()}


def test_a_file_without_a_config_gets_ours(tmp_path: Path) -> None:
    """The header of a full-size SDXL UNet, with no weights behind it: found, described, and seen to be cut off."""
    shapes = {name: list(value.shape) for name, value in empty("sdxl/unet").state_dict().items()}
    write_header(tmp_path / "diffusion_models" / "xl.safetensors", shapes)
    found = ModelFiles([tmp_path]).find("diffusion_models", "xl.safetensors")
    assert found is not None
    assert found.config == CONFIGS / "sdxl"
    assert (family_of(found), look_at(found).kind) == ("sdxl", "net")


def write_header(path: Path, shapes: dict[str, list[int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    at, entries = 0, {}
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def problems(root: Path, name: str) -> str:
    return DiffusersBackend([root], device="cpu").check(job(name).flow).why_not


def test_bad_files_are_one_clear_line(
    tmp_path: Path, family_root: Path, tiny: ModuleType, original: ModuleType
) -> None:
    lone(tmp_path, family_root, "sd15", original.sd15(tiny.BUILD["sd15"]()))
    file = tmp_path / "checkpoints" / "one.safetensors"
    whole = file.read_bytes()
    assert problems(tmp_path, "one.safetensors") == ""
    file.write_bytes(whole[: len(whole) // 2])
    assert problems(tmp_path, "one.safetensors") == "one.safetensors is cut off: download it again"
    with pytest.raises(BadInput, match="cut off"):
        picture(tmp_path, "one.safetensors")
    file.write_bytes(b"PK\3\4 a pickle, renamed")
    assert "no safetensors file" in problems(tmp_path, "one.safetensors")
    write_header(tmp_path / "checkpoints" / "qwen.safetensors", {"transformer_blocks.0.img_mod.1.weight": [8, 8]})
    assert "qwen.safetensors is a qwen-image; this backend draws FLUX.1, SD3.5, SDXL, SD1.5" in problems(
        tmp_path, "qwen.safetensors"
    )
    (tmp_path / "checkpoints" / "old.ckpt").write_bytes(b"x")
    assert "pickle" in problems(tmp_path, "old.ckpt")
    assert "missing: put it at" in problems(tmp_path, "gone.safetensors")


def test_weights_that_are_missing_inside_are_noticed(
    tmp_path: Path, family_root: Path, tiny: ModuleType, original: ModuleType
) -> None:
    state = original.sd15(tiny.BUILD["sd15"]())
    for part in ("model.diffusion_model.out.2.weight", "cond_stage_model.transformer.text_model.final_layer_norm.bias"):
        less = {name: value for name, value in state.items() if name != part}
        root = tmp_path / part
        lone(root, family_root, "sd15", less)
        with pytest.raises(BadInput) as caught:
            picture(root, "one.safetensors")
        assert "\n" not in str(caught.value)


def test_look_reads_only_the_header(tmp_path: Path) -> None:
    assert look_into(tmp_path / "gone.safetensors").kind == "unknown"
    (tmp_path / "short.safetensors").write_bytes(b"\xff" * 8)
    assert look_into(tmp_path / "short.safetensors").kind == "unknown"
