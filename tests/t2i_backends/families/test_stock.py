"""In the plain euler case each family's loop and text encoding give what its stock diffusers pipeline gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image

from imagewright.t2i_backends.denoising.sampler import draw_noise
from imagewright.t2i_backends.denoising.sigmas import ddim_uniform
from imagewright.t2i_backends.models.loading import quiet
from imagewright.t2i_backends.values.noise_levels import betas_of

SHAPE = (1, 4, 8, 8)
PIPELINES = {
    "flux": ("FluxPipeline", "FluxControlNetPipeline", "FluxImg2ImgPipeline"),
    "sd3": ("StableDiffusion3Pipeline", "StableDiffusion3ControlNetPipeline", "StableDiffusion3Img2ImgPipeline"),
    "sdxl": ("StableDiffusionXLPipeline", "StableDiffusionXLControlNetPipeline", "StableDiffusionXLImg2ImgPipeline"),
    "sd15": ("StableDiffusionPipeline", "StableDiffusionControlNetPipeline", "StableDiffusionImg2ImgPipeline"),
}


def load(root: Path, family: str, which: int = 0, **parts: Any) -> Any:
    with quiet():
        pipe = getattr(diffusers, PIPELINES[family][which]).from_pretrained(root / "checkpoints" / family, **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def start(pipe: Any, family: str, steps: int = 5) -> torch.Tensor:
    """Our first latents, as the stock pipeline wants them: it scales what it is given."""
    noise = draw_noise(7, SHAPE)
    if family == "flux":
        return diffusers.FluxPipeline._pack_latents(noise, *SHAPE)
    if family == "sd3":
        return noise
    sigma = ddim_uniform(betas_of(pipe.scheduler.config), steps)[0]
    return noise * sigma / (sigma**2 + 1) ** 0.5


def call_of(family: str, cfg: float = 3.0) -> dict[str, Any]:
    common = {
        "prompt": "a red circle", "negative_prompt": "a blue cat", "height": 16, "width": 16, "num_inference_steps": 5,
        "output_type": "latent",
    }  # fmt: skip
    if family == "flux":
        return {**common, "true_cfg_scale": cfg, "max_sequence_length": 12}
    return {**common, "guidance_scale": cfg, **({"max_sequence_length": 12} if family == "sd3" else {})}


def latents(found: Any, family: str) -> torch.Tensor:
    return diffusers.FluxPipeline._unpack_latents(found, 8, 8, 1) if family == "flux" else found


@pytest.mark.parametrize("family", PIPELINES)
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_a_flow_equals_the_stock_pipeline(family_root: Path, studio: Any, family: str, cfg: float) -> None:
    pipe = load(family_root, family)
    wanted = pipe(**call_of(family, cfg), latents=start(pipe, family)).images
    found = studio.latents(studio.graph_of(family, cfg=cfg))
    assert (found - latents(wanted, family)).abs().max() < 1e-4


@pytest.mark.parametrize("family", PIPELINES)
def test_a_controlnet_equals_the_stock_pipelines(
    family_root: Path,
    studio: Any,
    picture: Image.Image,
    input_picture: str,
    family: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The VAE's posterior is drawn from in the stock transformers' pipelines: both sides take its mean here."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Posterior

    monkeypatch.setattr(Posterior, "sample", lambda self, generator=None: self.mode())
    kind = {"flux": "FluxControlNetModel", "sd3": "SD3ControlNetModel"}.get(family, "ControlNetModel")
    net = getattr(diffusers, kind).from_pretrained(family_root / "controlnet" / family)
    pipe = load(family_root, family, 1, controlnet=net)
    image = {"image" if family in ("sdxl", "sd15") else "control_image": picture}
    cfg = 1.0 if family == "flux" else 3.0
    wanted = pipe(
        **call_of(family, cfg), **image, latents=start(pipe, family), controlnet_conditioning_scale=0.7
    ).images
    graph = studio.graph_of(family, cfg=cfg)
    graph["load"] = studio.node("LoadImage", image=input_picture)
    graph["net"] = studio.node("ControlNetLoader", control_net_name=family)
    graph["apply"] = studio.node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0],
                                 control_net=["net", 0], image=["load", 0], strength=0.7, start_percent=0.0,
                                 end_percent=1.0, vae=["ckpt", 2])  # fmt: skip
    graph["ks"]["inputs"] |= {"positive": ["apply", 0], "negative": ["apply", 1]}
    found = studio.latents(graph)
    assert (found - latents(wanted, family)).abs().max() < 1e-4
    assert (found - studio.latents(studio.graph_of(family, cfg=cfg))).abs().max() > 1e-3


def test_base_and_refiner_equal_the_stock_pair(family_root: Path, studio: Any) -> None:
    """Three of five steps on the base, two on the refiner, with leftover noise handed over."""
    with quiet():
        base = load(family_root, "sdxl")
        refiner = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(
            family_root / "checkpoints" / "sdxl-refiner"
        )
    refiner.set_progress_bar_config(disable=True)
    call = call_of("sdxl")
    half = base(**call, latents=start(base, "sdxl"), denoising_end=0.6).images
    size = {key: call.pop(key) for key in ("height", "width")}
    wanted = refiner(
        **call, image=half, denoising_start=0.6, original_size=tuple(size.values()), target_size=tuple(size.values()),
        negative_original_size=tuple(size.values()), negative_target_size=tuple(size.values()),
    ).images  # fmt: skip
    graph = studio.graph_of("sdxl")
    shared = graph["ks"]["inputs"]
    for name in ("seed", "denoise"):
        shared.pop(name)
    first = {**shared, "add_noise": "enable", "noise_seed": 7, "start_at_step": 0, "end_at_step": 3,
             "return_with_leftover_noise": "enable"}  # fmt: skip
    second = {**first, "add_noise": "disable", "start_at_step": 3, "end_at_step": 10000, "model": ["ref", 0],
              "positive": ["rpos", 0], "negative": ["rneg", 0], "latent_image": ["ks", 0],
              "return_with_leftover_noise": "disable"}  # fmt: skip
    graph |= {
        "ks": studio.node("KSamplerAdvanced", **first),
        "ref": studio.node("CheckpointLoaderSimple", ckpt_name="sdxl-refiner"),
        "rpos": studio.node("CLIPTextEncode", text="a red circle", clip=["ref", 1]),
        "rneg": studio.node("CLIPTextEncode", text="a blue cat", clip=["ref", 1]),
        "again": studio.node("KSamplerAdvanced", **second),
    }
    graph["dec"]["inputs"]["samples"] = ["again", 0]
    assert (studio.latents(graph) - wanted).abs().max() < 1e-4


def test_the_clip_layer_is_the_stock_one(family_root: Path, studio: Any) -> None:
    """``clip_skip`` counts from SDXL's own layer and leaves the negative prompt alone; ComfyUI counts from the end."""
    pipe = load(family_root, "sdxl")
    wanted = pipe(**call_of("sdxl"), latents=start(pipe, "sdxl"), clip_skip=1).images
    graph = studio.graph_of("sdxl")
    graph["last"] = studio.node("CLIPSetLastLayer", clip=["ckpt", 1], stop_at_clip_layer=-3)
    graph["pos"]["inputs"]["clip"] = ["last", 0]
    assert (studio.latents(graph) - wanted).abs().max() < 1e-4


def test_a_velocity_model_equals_the_stock_pipeline(tmp_path: Path, tiny: Any, studio_at: Any) -> None:
    tiny.sd15(prediction_type="v_prediction").save_pretrained(tmp_path / "checkpoints" / "sd15")
    pipe = load(tmp_path, "sd15")
    wanted = pipe(**call_of("sd15"), latents=start(pipe, "sd15")).images
    here = studio_at(tmp_path)
    assert (here.latents(here.graph_of("sd15")) - wanted).abs().max() < 1e-4
