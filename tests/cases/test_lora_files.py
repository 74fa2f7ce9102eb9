"""LoRA files as people have them (c05, c07, c08): every spelling draws, other kinds are refused by name."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"imagewright_cases_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_FILES = _load("test_model_files")
NEAR, node, graph_of = _FILES.NEAR, _FILES.node, _FILES.graph_of
latents, refused, scanned = _FILES.latents, _FILES.refused, _FILES.scanned
builders, pipelines = _FILES.builders, _FILES.pipelines
Graph = dict[str, dict[str, Any]]
State = dict[str, torch.Tensor]

UNET_LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
FIRST_LAYER = "input_blocks.1.1.transformer_blocks.0.attn1.to_q"
KOHYA = f"lora_unet_{UNET_LAYER.replace('.', '_')}"
TEXT_LAYER = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def pair(layer: str, down: str = ".lora_down.weight", up: str = ".lora_up.weight", width: int = 8) -> State:
    made = torch.Generator().manual_seed(3)
    low, high = torch.randn((2, width), generator=made), torch.randn((width, 2), generator=made)
    return {layer + down: low, layer + up: high}


def with_lora(
    root: Path, pipelines: Path, weights: State, *, text: bool = False, family: str = "sd15"
) -> tuple[Path, Graph]:
    """A flow with one LoRA on a tiny model, and the folder of models that it runs on."""
    if not (root / "checkpoints").exists():
        shutil.copytree(pipelines / "checkpoints" / family, root / "checkpoints" / "m")
    (root / "loras").mkdir(exist_ok=True)
    save_file(weights, root / "loras" / "l.safetensors")
    graph = graph_of("m")
    graph["lora"] = node("LoraLoaderModelOnly", model=["ckpt", 0], lora_name="l.safetensors", strength_model=1.0)
    graph["ks"]["inputs"]["model"] = ["lora", 0]
    if text:
        graph["lora"]["class_type"] = "LoraLoader"
        graph["lora"]["inputs"].update(clip=["ckpt", 1], strength_clip=1.0)
        graph["pos"]["inputs"]["clip"] = ["lora", 1]
    return root, graph


A_B = (".lora_A.weight", ".lora_B.weight")
OLD = (".down.weight", ".up.weight")
PROCESSOR = UNET_LAYER.replace(".to_q", ".processor.to_q_lora")
SPELLINGS: dict[str, State] = {
    "peft": pair(f"base_model.model.{UNET_LAYER}", *A_B),
    "peft, in the unet": pair(f"base_model.model.unet.{UNET_LAYER}", *A_B),
    "diffusers": pair(f"unet.{UNET_LAYER}", *A_B),
    "diffusers without prefix": pair(UNET_LAYER, *A_B),
    "native": pair(f"diffusion_model.{FIRST_LAYER}"),
    "native, A and B": pair(f"diffusion_model.{FIRST_LAYER}", *A_B),
    "native, of the whole checkpoint": pair(f"model.diffusion_model.{FIRST_LAYER}"),
    "old processor": pair(f"unet.{PROCESSOR}", *OLD),
    "old processor without prefix": pair(PROCESSOR, *OLD),
    "wrapped": pair(f"state_dict.unet.{UNET_LAYER}", *A_B),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_lora_draws_the_same(tmp_path: Path, pipelines: Path, spelling: str) -> None:
    right = latents(*with_lora(tmp_path, pipelines, pair(KOHYA)))
    assert not torch.equal(right, latents(pipelines, "sd15"))
    found = latents(*with_lora(tmp_path, pipelines, SPELLINGS[spelling]))
    torch.testing.assert_close(found, right, **NEAR)


FACTORS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
OTHER_KINDS: dict[str, tuple[State, str]] = {
    "LoHa": ({f"{KOHYA}.{name}": torch.zeros(8, 8) for name in FACTORS}, "is a LoHa"),
    "LoKr": ({f"{KOHYA}.lokr_w1": torch.zeros(2, 2), f"{KOHYA}.lokr_w2": torch.zeros(4, 4)}, "is a LoKr"),
    "LoRA and LoHa": (pair(KOHYA) | {f"{KOHYA}2.{name}": torch.zeros(8, 8) for name in FACTORS}, "is a LoHa"),
    "DoRA": (pair(KOHYA) | {f"{KOHYA}.dora_scale": torch.ones(8, 1)}, "is a DoRA"),
    "OFT": ({f"{KOHYA}.oft_blocks": torch.zeros(2, 4, 4)}, "is an OFT"),
    "Tucker": (pair(KOHYA) | {f"{KOHYA}.lora_mid.weight": torch.zeros(2, 2, 3, 3)}, "Tucker"),
    "whole weights": (pair(KOHYA) | {f"{KOHYA}.diff_b": torch.zeros(8)}, "whole weights"),
    "something beside": (pair(KOHYA) | {"hello.weight": torch.zeros(8)}, "hello.weight"),
    "one side": ({f"{KOHYA}.lora_down.weight": torch.zeros(2, 8)}, "lacks one side"),
    "no LoRA": ({"hello": torch.zeros(2)}, "no plain LoRA weights"),
    "a layer that is not there": (pair(KOHYA.replace("blocks_0_att", "blocks_7_att")), "does not have"),
    "one of its layers": (pair(KOHYA) | pair(KOHYA.replace("blocks_0_att", "blocks_7_att")), "does not have"),
    "another width": (pair(KOHYA, width=12), "another width"),
    "another family": (pair("transformer.single_transformer_blocks.0.attn.to_q", *A_B), "is a LoRA of FLUX.1"),
    "text encoders alone": (pair(TEXT_LAYER, width=32), "text encoders alone"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_what_is_no_lora_of_this_model_is_refused_with_the_reason(tmp_path: Path, pipelines: Path, kind: str) -> None:
    weights, word = OTHER_KINDS[kind]
    refused(*with_lora(tmp_path, pipelines, weights), word)


def test_other_kinds_are_not_ok_in_a_scan(tmp_path: Path, pipelines: Path) -> None:
    root, _ = with_lora(tmp_path, pipelines, OTHER_KINDS["LoHa"][0])
    assert "is a LoHa" in scanned(root)["l.safetensors"]
    with_lora(tmp_path, pipelines, pair(KOHYA))
    assert scanned(root)["l.safetensors"] == ""


def test_a_lora_of_text_encoders_alone_changes_the_picture(tmp_path: Path, pipelines: Path) -> None:
    found = latents(*with_lora(tmp_path, pipelines, pair(TEXT_LAYER, width=32), text=True))
    assert not torch.equal(found, latents(pipelines, "sd15"))


def test_an_sd3_lora_in_its_first_names_is_refused(tmp_path: Path, pipelines: Path) -> None:
    weights = pair("lora_unet_joint_blocks_0_x_block_attn_qkv", width=32)
    refused(*with_lora(tmp_path, pipelines, weights, family="sd3"), "names SD3's layers as its first release does")


@pytest.mark.parametrize(
    ("layer", "spelling"),
    [
        ("transformer_blocks.0.attn.to_out.0", "lora_transformer_transformer_blocks_0_attn_to_out_0"),
        ("transformer_blocks.0.attn.to_out.0", "lora_unet_double_blocks_0_img_attn_proj"),
        ("context_embedder", "lora_transformer_context_embedder"),
        ("context_embedder", "diffusion_model.txt_in"),
        ("transformer_blocks.0.attn.to_out.0", "diffusion_model.double_blocks.0.img_attn.proj"),
    ],
)
def test_a_flux_lora_in_kohyas_names_draws_what_diffusers_names_draw(
    tmp_path: Path, builders: ModuleType, layer: str, spelling: str
) -> None:
    """Without an alpha it is that of the rank."""
    home = tmp_path / "home"
    builders.BUILD["flux"]().save_pretrained(home / "checkpoints" / "flux")
    given = pair(f"transformer.{layer}", ".lora_A.weight", ".lora_B.weight", 32)
    plain = latents(*with_lora(tmp_path, home, given, family="flux"))
    found = latents(*with_lora(tmp_path, home, pair(spelling, width=32), family="flux"))
    assert torch.allclose(found, plain, **NEAR)
    assert not torch.allclose(found, latents(home, graph_of("flux")), **NEAR)


def test_an_upsampler_in_the_first_names_is_no_attention(tmp_path: Path, pipelines: Path) -> None:
    """Where no attention stands before it, it has the place that an attention has elsewhere."""
    low, high = torch.randn(2, 16, 3, 3), torch.randn(16, 2, 1, 1)
    found = []
    for layer in ("lora_unet_up_blocks_0_upsamplers_0_conv", "diffusion_model.output_blocks.1.1.conv"):
        weights = {f"{layer}.lora_down.weight": low, f"{layer}.lora_up.weight": high}
        found.append(latents(*with_lora(tmp_path, pipelines, weights)))
    torch.testing.assert_close(found[1], found[0], **NEAR)
    assert not torch.allclose(found[0], latents(pipelines, "sd15"), **NEAR)
