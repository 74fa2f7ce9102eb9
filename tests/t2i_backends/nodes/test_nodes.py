"""What the nodes do, drawn on a tiny FLUX model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

Graph = dict[str, dict[str, Any]]
Latents = Callable[[Job], torch.Tensor]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def job(graph: Graph, **fields: Any) -> Job:
    return Job(
        Flow(id="x", graph=graph, card=Card(title="x", slots=dict(find_slots(graph)))),
        "a red circle",
        **{"seed": 7, **fields},
    )


@pytest.fixture
def graph(make_flow: Callable[..., Flow]) -> Graph:
    return copy.deepcopy(make_flow(ks_cfg=3.0).graph)


def custom(graph: Graph, guider: dict[str, Any], sigmas: list[Any], extra: Graph | None = None) -> Graph:
    """The same picture by a SamplerCustomAdvanced."""
    return {
        **graph,
        "ks": node("SamplerCustomAdvanced", noise=["noise", 0], guider=["guider", 0], sampler=["sampler", 0],
                   sigmas=sigmas, latent_image=["size", 0]),
        "noise": node("RandomNoise", noise_seed=7), "guider": guider,
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["ckpt", 0], scheduler="simple", steps=4, denoise=1.0), **(extra or {}),
    }  # fmt: skip


def test_a_custom_sampler_is_the_ksampler_in_parts(latents_of: Latents, graph: Graph) -> None:
    plain = latents_of(job(graph))
    guided = node("CFGGuider", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], cfg=3.0)
    assert torch.equal(latents_of(job(custom(graph, guided, ["sigmas", 0]))), plain)
    basic = node("BasicGuider", model=["ckpt", 0], conditioning=["pos", 0])
    graph["ks"]["inputs"]["cfg"] = 1.0
    alone = latents_of(job(graph))
    assert torch.equal(latents_of(job(custom(graph, basic, ["sigmas", 0]))), alone)


def test_two_halves_of_a_schedule_are_the_whole(latents_of: Latents, graph: Graph) -> None:
    """By SplitSigmas, and by KSamplerAdvanced with leftover noise."""
    plain = latents_of(job(graph))
    shared = {
        key: graph["ks"]["inputs"][key]
        for key in ("model", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative")
    }
    halves = {
        **graph,
        "first": node("KSamplerAdvanced", add_noise="enable", noise_seed=7, latent_image=["size", 0], start_at_step=0,
                      end_at_step=2, return_with_leftover_noise="enable", **shared),
        "ks": node("KSamplerAdvanced", add_noise="disable", noise_seed=0, latent_image=["first", 0], start_at_step=2,
                   end_at_step=10000, return_with_leftover_noise="disable", **shared),
    }  # fmt: skip
    assert torch.allclose(latents_of(job(halves)), plain, atol=1e-5)
    guider = node("CFGGuider", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], cfg=3.0)
    split = custom(graph, guider, ["split", 0], {"split": node("SplitSigmas", sigmas=["sigmas", 0], step=2)})
    split["rest"] = {**split["ks"], "inputs": {**split["ks"]["inputs"], "sigmas": ["split", 1], "noise": ["none", 0],
                                               "latent_image": ["ks", 0]}}  # fmt: skip
    split["none"] = node("DisableNoise")
    split["dec"]["inputs"]["samples"] = ["rest", 0]
    assert torch.allclose(latents_of(job(split)), plain, atol=1e-5)


def test_model_sampling_changes_the_schedule(latents_of: Latents, graph: Graph) -> None:
    """The tiny model's own shift is 3: the same shift by a node changes nothing, another one does."""
    plain = latents_of(job(graph))
    for shift, same in ((3.0, True), (1.0, False)):
        graph["shift"] = node("ModelSamplingSD3", model=["ckpt", 0], shift=shift)
        graph["ks"]["inputs"]["model"] = ["shift", 0]
        assert torch.equal(latents_of(job(graph)), plain) == same
    graph["shift"] = node(
        "ModelSamplingFlux", model=["ckpt", 0], max_shift=1.15, base_shift=0.5, width=1024, height=1024
    )
    assert not torch.equal(latents_of(job(graph)), plain)


def test_concat_average_range_and_strength(latents_of: Latents, graph: Graph) -> None:
    plain = latents_of(job(graph))
    graph["words"] = node("StringConcatenate", string_a="two", string_b="dog", delimiter=" ")
    graph["dog"] = node("CLIPTextEncode", text=["words", 0], clip=["ckpt", 1])
    found = {}
    for name, made in {
        "concat": node("ConditioningConcat", conditioning_to=["pos", 0], conditioning_from=["dog", 0]),
        "half": node("ConditioningAverage", conditioning_to=["pos", 0], conditioning_from=["dog", 0],
                     conditioning_to_strength=0.5),
        "all": node("ConditioningAverage", conditioning_to=["pos", 0], conditioning_from=["dog", 0],
                    conditioning_to_strength=1.0),
        "early": node("ConditioningSetTimestepRange", conditioning=["pos", 0], start=0.0, end=0.5),
        "always": node("ConditioningSetTimestepRange", conditioning=["pos", 0], start=0.0, end=1.0),
    }.items():  # fmt: skip
        graph["made"] = made
        graph["ks"]["inputs"]["positive"] = ["made", 0]
        found[name] = latents_of(job(graph))
    assert torch.equal(found["all"], plain)
    assert torch.equal(found["always"], plain)
    for name in ("concat", "half", "early"):
        assert not torch.equal(found[name], plain), name


def test_latents_and_pictures_are_scaled(draw: Callable[[Job], Drawn], graph: Graph) -> None:
    graph["up"] = node("LatentUpscaleBy", samples=["ks", 0], upscale_method="bislerp", scale_by=1.5)
    graph["dec"]["inputs"]["samples"] = ["up", 0]
    assert draw(job(graph)).image.size == (24, 24)
    graph["up"] = node("LatentUpscale", samples=["ks", 0], upscale_method="nearest-exact", width=32, height=16,
                       crop="center")  # fmt: skip
    graph["scaled"] = node("ImageScale", image=["dec", 0], upscale_method="lanczos", width=0, height=8, crop="disabled")
    graph["out"]["inputs"]["images"] = ["scaled", 0]
    assert draw(job(graph)).image.size == (16, 8)
    graph["scaled"] = node("ImageScaleBy", image=["dec", 0], upscale_method="area", scale_by=2.0)
    assert draw(job(graph)).image.size == (64, 32)


def test_a_preview_is_a_result_where_nothing_is_saved(draw: Callable[[Job], Drawn], graph: Graph) -> None:
    wanted = draw(job(graph)).image.tobytes()
    graph["out"] = node("PreviewImage", images=["dec", 0])
    assert draw(job(graph)).image.tobytes() == wanted


def test_values_come_over_links(draw: Callable[[Job], Drawn], graph: Graph) -> None:
    graph["n"] = node("PrimitiveInt", value=2)
    graph["ks"]["inputs"]["steps"] = ["n", 0]
    assert draw(job(graph)).facts["sigmas"] == "3"
    graph["n"]["inputs"]["value"] = 100_000
    with pytest.raises(BadInput, match="steps"):
        draw(job(graph))
    graph["n"] = node("PrimitiveString", value="2")
    with pytest.raises(BadInput, match="INT"):
        draw(job(graph))


def test_fp8_weights_draw_nearly_the_same(model_root: Path, tmp_path: Path, latents_of: Latents, graph: Graph) -> None:
    """UNETLoader's weight_dtype keeps the weights in 8 bits; the facts say so."""
    import shutil

    shutil.copytree(model_root / "checkpoints" / "tiny", tmp_path / "diffusion_models" / "tiny")
    shutil.copytree(model_root / "checkpoints" / "tiny", tmp_path / "checkpoints" / "tiny")
    backend = DiffusersBackend([tmp_path], device="cpu")

    def drawn(kind: str) -> Drawn:
        graph["unet"] = node("UNETLoader", unet_name="tiny", weight_dtype=kind)
        graph["ks"]["inputs"]["model"] = ["unet", 0]
        return backend.draw(job(graph), lambda step: None, lambda: False)

    exact, rough = drawn("default"), drawn("fp8_e4m3fn")
    assert rough.facts["weights"] == "fp8_e4m3fn"
    difference = np.abs(np.asarray(exact.image, dtype=int) - np.asarray(rough.image, dtype=int))
    assert 0 < difference.mean() < 12
    stored = backend.store._parts["net"].values()
    assert any(p.dtype == torch.float8_e4m3fn for net in stored for p in net.model.parameters())


@pytest.mark.parametrize("name", ["../secret.png", "gone.png", "notes.txt", "broken.png", "huge.png"])
def test_pictures_that_are_refused(model_root: Path, draw: Callable[[Job], Drawn], graph: Graph, name: str) -> None:
    folder = model_root / "input"
    folder.mkdir(exist_ok=True)
    (folder / "notes.txt").write_text("no picture")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    Image.new("1", (6000, 6000)).save(folder / "huge.png")
    graph["load"] = node("LoadImage", image=name)
    graph["enc"] = node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2])
    graph["ks"]["inputs"]["latent_image"] = ["enc", 0]
    with pytest.raises(BadInput) as caught:
        draw(job(graph))
    assert "\n" not in str(caught.value)


def test_a_changed_picture_is_read_again(model_root: Path, draw: Callable[[Job], Drawn], graph: Graph) -> None:
    folder = model_root / "input"
    folder.mkdir(exist_ok=True)
    graph["load"] = node("LoadImage", image="one.png")
    graph["enc"] = node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2])
    graph["ks"]["inputs"] |= {"latent_image": ["enc", 0], "denoise": 0.3}
    found = []
    for colour in ("red", "blue"):
        Image.new("RGB", (16, 16), colour).save(folder / "one.png")
        found.append(draw(job(graph)).image.tobytes())
    assert found[0] != found[1]
