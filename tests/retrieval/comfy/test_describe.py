"""What a card says of flows from ComfyUI: slots through all that people put between, kinds, models, packs."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.retrieval.comfy.catalogue import Catalogue
from imagewright.retrieval.comfy.convert import convert
from imagewright.retrieval.comfy.describe import describe_workflow
from imagewright.retrieval.comfy.slots import find_slots

Graph = dict[str, dict[str, Any]]
BASE: Graph = {
    "ckpt": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_base_1.0.safetensors"}},
    "pos": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["ckpt", 1]}},
    "neg": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["ckpt", 1]}},
    "size": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 512, "batch_size": 1}},
    "ks": {"class_type": "KSampler", "inputs": {
        "seed": 1, "steps": 20, "cfg": 6, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
        "model": ["ckpt", 0], "positive": ["pos", 0], "negative": ["neg", 0], "latent_image": ["size", 0]}},
    "dec": {"class_type": "VAEDecode", "inputs": {"samples": ["ks", 0], "vae": ["ckpt", 2]}},
    "save": {"class_type": "SaveImage", "inputs": {"images": ["dec", 0], "filename_prefix": "x"}},
}  # fmt: skip


def changed(more: Graph, **inputs: Any) -> Graph:
    """The base flow with more nodes and other inputs of its sampler."""
    sampler = {"class_type": "KSampler", "inputs": {**BASE["ks"]["inputs"], **inputs}}
    return {**BASE, "ks": sampler, **more}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def places(graph: Graph, slot: str) -> list[str]:
    found: dict[str, Any] = dict(find_slots(graph, ["save"]))
    return [f"{place.node}.{place.input}" for place in found.get(slot, ())]


@pytest.mark.parametrize(
    ("more", "link", "wanted"),
    [
        ({}, "pos", "pos.text"),
        (
            {
                "c": node("ConditioningCombine", conditioning_1=["pos", 0], conditioning_2=["o", 0]),
                "o": node("CLIPTextEncode", text="x", clip=["ckpt", 1]),
            },
            "c",
            "pos.text o.text",
        ),
        ({"c": node("ConditioningConcat", conditioning_to=["pos", 0], conditioning_from=["pos", 0])}, "c", "pos.text"),
        ({"c": node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0], strength=1)}, "c", "pos.text"),
        ({"c": node("FluxGuidance", conditioning=["pos", 0], guidance=3.5)}, "c", "pos.text"),
        ({"c": node("Odd Conditioning Node", conditioning=["pos", 0])}, "c", "pos.text"),
        (
            {
                "pos": node("CLIPTextEncode", text=["p", 0], clip=["ckpt", 1]),
                "p": node("PrimitiveString", value="a fox"),
            },
            "pos",
            "p.value",
        ),
        (
            {
                "pos": node("CLIPTextEncode", text=["j", 0], clip=["ckpt", 1]),
                "j": node("StringConcatenate", string_a=["p", 0], string_b="best", delimiter=", "),
                "p": node("PrimitiveStringMultiline", value="a fox in the snow"),
            },
            "pos",
            "p.value",
        ),
        (
            {
                "pos": node("CLIPTextEncode", text=["j", 0], clip=["ckpt", 1]),
                "j": node(
                    "CR Text Concatenate", text1="You are an assistant that draws well.", text2="a fox", separator=" "
                ),
            },
            "pos",
            "j.text2",
        ),
        (
            {"pos": node("CLIPTextEncodeSDXL", text_g="a fox", text_l="a fox", width=1, height=1, clip=["ckpt", 1])},
            "pos",
            "pos.text_g pos.text_l",
        ),
        (
            {"pos": node("CLIPTextEncodeLumina2", system_prompt="superior", user_prompt="a fox", clip=["ckpt", 1])},
            "pos",
            "pos.user_prompt",
        ),
        ({"c": node("ComfySwitchNode", switch=False, on_true=["neg", 0], on_false=["pos", 0])}, "c", "pos.text"),
    ],
)
def test_the_prompt_behind(more: Graph, link: str, wanted: str) -> None:
    assert places(changed(more, positive=[link, 0]), "positive") == wanted.split()


def test_the_sides_of_a_controlnet_stay_apart() -> None:
    net = {"c": node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0])}
    graph = changed(net, positive=["c", 0], negative=["c", 1])
    assert (places(graph, "positive"), places(graph, "negative")) == (["pos.text"], ["neg.text"])


def test_a_zeroed_negative_is_none() -> None:
    assert (
        places(changed({"z": node("ConditioningZeroOut", conditioning=["pos", 0])}, negative=["z", 0]), "negative")
        == []
    )


def test_custom_sampling() -> None:
    parts = {
        "ks": node("SamplerCustomAdvanced", noise=["n", 0], guider=["g", 0], sampler=["s", 0],
                   sigmas=["split", 1], latent_image=["size", 0]),
        "n": node("RandomNoise", noise_seed=["i", 0]),
        "i": node("PrimitiveInt", value=5),
        "g": node("CFGGuider", cfg=4, positive=["pos", 0], negative=["neg", 0]),
        "s": node("KSamplerSelect", sampler_name="euler"),
        "split": node("SplitSigmas", sigmas=["sig", 0], step=3),
        "sig": node("BasicScheduler", scheduler="simple", steps=12, denoise=1),
        "size": node("EmptySD3LatentImage", width=["w", 0], height=["w", 0], batch_size=1),
        "w": node("PrimitiveInt", value=1024),
    }  # fmt: skip
    graph = {**BASE, **parts}
    names = ("positive", "negative", "seed", "steps", "guidance", "width", "denoise")
    assert [places(graph, name) for name in names] == [
        ["pos.text"], ["neg.text"], ["i.value"], ["sig.steps"], ["g.cfg"], ["w.value"], ["sig.denoise"],
    ]  # fmt: skip


def test_only_what_an_output_needs_counts() -> None:
    other = {"k2": node("KSampler", **{**BASE["ks"]["inputs"], "seed": 2, "positive": ["p2", 0]}),
             "p2": node("CLIPTextEncode", text="stray", clip=["ckpt", 1])}  # fmt: skip
    assert places({**BASE, **other}, "seed") == ["ks.seed"]


@pytest.mark.parametrize(
    ("more", "inputs", "kind"),
    [
        ({}, {}, "text-to-image"),
        ({"i": node("LoadImage", image="a.png"), "e": node("VAEEncode", pixels=["i", 0])},
         {"latent_image": ["e", 0]}, "image-to-image"),
        ({"i": node("LoadImage", image="a.png"), "e": node("VAEEncodeForInpaint", pixels=["i", 0], mask=["i", 1])},
         {"latent_image": ["e", 0]}, "inpaint"),
        ({"save": node("SaveVideo", video=["dec", 0])}, {}, "video"),
        ({"save": node("SaveAudio", audio=["dec", 0])}, {}, "audio"),
        ({"save": node("SaveGLB", mesh=["dec", 0])}, {}, "3d"),
        ({"g": node("GeminiImage2Node", prompt="x")}, {}, "api"),
    ],
)  # fmt: skip
def test_kinds(more: Graph, inputs: dict[str, Any], kind: str, catalogue: Catalogue) -> None:
    assert describe_workflow(changed(more, **inputs), None, catalogue).kind == kind


def test_upscaling_has_no_prompt(catalogue: Catalogue) -> None:
    graph = {
        "m": node("UpscaleModelLoader", model_name="4x.pth"), "i": node("LoadImage", image="a.png"),
        "u": node("ImageUpscaleWithModel", upscale_model=["m", 0], image=["i", 0]),
        "save": node("SaveImage", images=["u", 0]),
    }  # fmt: skip
    found = describe_workflow(graph, None, catalogue)
    assert found.kind == "upscale"
    assert [(model.name, model.folder) for model in found.models] == [("4x.pth", "upscale_models")]


def test_models_packs_and_words(plain_flow: Any, catalogue: Catalogue) -> None:
    made = plain_flow().json()
    made["nodes"][0]["properties"] = {"cnr_id": "comfy-core", "models": [
        {"name": "a.safetensors", "directory": "checkpoints", "url": "https://example.org/a.safetensors"},
        {"name": "evil", "directory": "../../etc", "url": "https://example.org/evil"},
        {"name": "b.safetensors", "directory": "vae", "url": "file:///etc/passwd"}]}  # fmt: skip
    made["nodes"][1]["properties"] = {"aux_id": "someone/sparkles"}
    made["nodes"][-1]["title"] = "Night\nfoxes\x1b[31m"
    made["extra"] = {"info": {"description": "Draws foxes\nat night"}}
    done = convert(made, catalogue)
    found = describe_workflow(done.graph, made, catalogue)
    assert [(m.name, m.folder, m.url) for m in found.models] == [
        ("a.safetensors", "checkpoints", "https://example.org/a.safetensors")
    ]
    assert found.packs == {"CLIPTextEncode": "someone/sparkles"}
    assert (found.title, found.description) == ("Night foxes [31m", "Draws foxes at night")
    assert found.samplers == ("euler/normal",)


@pytest.mark.parametrize(
    ("name", "base", "family"),
    [
        ("flux1-dev-fp8.safetensors", "FLUX.1-dev", "flux"), ("flux1-schnell.safetensors", "FLUX.1-schnell", "flux"),
        ("sub\\qwen_image_fp8.safetensors", "Qwen-Image", "qwen-image"), ("v1-5-pruned.safetensors", "SD 1.5", "sd15"),
        ("ponyDiffusionV6XL.safetensors", "ponyDiffusionV6XL", "sdxl"), ("odd.safetensors", "odd", ""),
    ],
)  # fmt: skip
def test_families(name: str, base: str, family: str, catalogue: Catalogue) -> None:
    graph = {**BASE, "ckpt": node("CheckpointLoaderSimple", ckpt_name=name)}
    found = describe_workflow(graph, None, catalogue)
    assert (found.base_model, found.family) == (base, family)
