"""Inpainting models of SD1.5 and SDXL: nine channels, as the stock pipelines and ComfyUI feed them."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.ports import Redraw
from imagewright.schemas import Region
from imagewright.t2i_backends.denoising.sampler import draw_noise
from imagewright.t2i_backends.denoising.sigmas import ddim_uniform
from imagewright.t2i_backends.models.headers import recognise
from imagewright.t2i_backends.models.loading import quiet
from imagewright.t2i_backends.values.noise_levels import betas_of

Graph = dict[str, dict[str, Any]]
FAMILIES = {"sd15": "StableDiffusionInpaintPipeline", "sdxl": "StableDiffusionXLInpaintPipeline"}


def nine(model: Any) -> Any:
    """The same UNet with nine input channels."""
    torch.manual_seed(6)
    config = {name: value for name, value in model.config.items() if not name.startswith("_")}
    return diffusers.UNet2DConditionModel(**{**config, "in_channels": 9}).eval()


@pytest.fixture(scope="session")
def inpaint_root(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> Path:
    root = tmp_path_factory.mktemp("inpaint")
    for family in FAMILIES:
        pipe = tiny.BUILD[family]()
        pipe.unet = nine(pipe.unet)
        pipe.save_pretrained(root / "checkpoints" / family)
    folder = root / "input"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    mask = np.zeros((16, 16, 3), dtype=np.uint8)
    mask[4:, 6:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return root


@pytest.fixture
def here(inpaint_root: Path, studio_at: Callable[[Path], Any]) -> Any:
    return studio_at(inpaint_root)


def filled(here: Any, family: str, keep: bool = False, **sampling: Any) -> Graph:
    graph: Graph = here.graph_of(family, **sampling)
    graph["load"] = here.node("LoadImage", image="noise.png")
    graph["hole"] = here.node("LoadImageMask", image="mask.png", channel="red")
    graph["told"] = here.node("InpaintModelConditioning", positive=["pos", 0], negative=["neg", 0], vae=["ckpt", 2],
                              pixels=["load", 0], mask=["hole", 0], noise_mask=keep)  # fmt: skip
    graph["ks"]["inputs"] |= {"positive": ["told", 0], "negative": ["told", 1], "latent_image": ["told", 2]}
    return graph


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fill_equals_the_stock_pipeline(
    inpaint_root: Path, here: Any, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pictures at once. The stock pipeline draws from the VAE's posterior: both sides take its mean. At full
    strength it starts from noise alone, as an empty canvas does here."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Posterior

    monkeypatch.setattr(Posterior, "sample", lambda self, generator=None: self.mode())
    with quiet():
        pipe = getattr(diffusers, FAMILIES[family]).from_pretrained(inpaint_root / "checkpoints" / family)
    pipe.set_progress_bar_config(disable=True)
    sigma = ddim_uniform(betas_of(pipe.scheduler.config), 5)[0]
    noise = draw_noise(7, (2, 4, 8, 8))
    image, mask = (Image.open(inpaint_root / "input" / name).convert("RGB") for name in ("noise.png", "mask.png"))
    wanted = pipe(
        prompt="a red circle", negative_prompt="a blue cat", image=image, mask_image=mask.convert("L"), height=16,
        width=16, num_inference_steps=5, guidance_scale=3.0, strength=1.0, output_type="latent",
        latents=noise * sigma / (sigma**2 + 1) ** 0.5, num_images_per_prompt=2,
    ).images  # fmt: skip
    graph = filled(here, family)
    graph["size"]["inputs"]["batch_size"] = 2
    graph["ks"]["inputs"]["latent_image"] = ["size", 0]
    assert (here.latents(graph) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_around_the_hole_is_kept_and_seen(here: Any, family: str) -> None:
    """The kept part is the picture's; what the hole becomes follows picture and mask, not only the text."""
    graph = filled(here, family, keep=True)
    found = here.latents(graph)
    still = copy.deepcopy(graph)
    still["ks"]["inputs"]["denoise"] = 0.0
    original = here.latents(still)
    assert torch.allclose(found[:, :, :2], original[:, :, :2], atol=1e-5)
    assert (found[:, :, 3:, 4:] - original[:, :, 3:, 4:]).abs().mean() > 0.05
    other = copy.deepcopy(graph)
    other["load"] = here.node("LoadImage", image="mask.png")
    other["ks"]["inputs"]["latent_image"] = graph["ks"]["inputs"]["latent_image"]
    assert not torch.allclose(here.latents(other)[:, :, 3:, 4:], found[:, :, 3:, 4:], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_vae_encode_for_inpaint_tells_the_model_too(here: Any, family: str) -> None:
    """Without an InpaintModelConditioning the sampler's own latents and mask are what the model sees, as in ComfyUI."""
    graph = filled(here, family, keep=True)
    graph["enc"] = here.node("VAEEncodeForInpaint", pixels=["load", 0], vae=["ckpt", 2], mask=["hole", 0],
                             grow_mask_by=0)  # fmt: skip
    plain = {"positive": ["pos", 0], "negative": ["neg", 0], "latent_image": ["enc", 0]}
    told = copy.deepcopy(graph)
    told["ks"]["inputs"]["latent_image"] = ["enc", 0]
    graph["ks"]["inputs"] |= plain
    assert torch.allclose(here.latents(graph), here.latents(told), atol=1e-5)


def test_text_to_image_on_an_inpainting_model_fills_a_grey_canvas(here: Any) -> None:
    graph = here.graph_of("sd15")
    found = here.latents(graph)
    grey = copy.deepcopy(graph)
    Image.new("RGB", (16, 16), (128, 128, 128)).save(here.backend.files.roots[0] / "input" / "grey.png")
    Image.new("RGB", (16, 16), (255, 255, 255)).save(here.backend.files.roots[0] / "input" / "white.png")
    grey["load"] = here.node("LoadImage", image="grey.png")
    grey["hole"] = here.node("LoadImageMask", image="white.png", channel="red")
    grey["told"] = here.node("InpaintModelConditioning", positive=["pos", 0], negative=["neg", 0], vae=["ckpt", 2],
                             pixels=["load", 0], mask=["hole", 0], noise_mask=False)  # fmt: skip
    grey["ks"]["inputs"] |= {"positive": ["told", 0], "negative": ["told", 1]}
    assert torch.allclose(here.latents(grey), found, atol=5e-3)


def test_areas_regions_and_redraws_work_on_an_inpainting_model(here: Any, picture: Image.Image) -> None:
    box = Region(caption="a cat", x=0.5, y=0, width=0.5, height=1)
    graph = filled(here, "sd15")
    assert not torch.equal(here.latents(graph), here.latents(graph, regions=(box,)))
    graph["area"] = here.node(
        "ConditioningSetArea", conditioning=["told", 0], width=8, height=8, x=8, y=8, strength=1.0
    )
    graph["both"] = here.node("ConditioningCombine", conditioning_1=["told", 0], conditioning_2=["area", 0])
    graph["ks"]["inputs"]["positive"] = ["both", 0]
    assert torch.isfinite(here.latents(graph)).all()
    after = np.asarray(here.draw(here.graph_of("sd15"), redraw=Redraw(picture, (box,))).image)
    assert np.array_equal(after[:, :6], np.asarray(picture)[:, :6])
    assert not np.array_equal(after[:, 8:], np.asarray(picture)[:, 8:])


def test_a_mask_of_another_shape_is_stretched_and_told(here: Any, inpaint_root: Path) -> None:
    Image.new("RGB", (40, 8), "white").save(inpaint_root / "input" / "wide.png")
    graph = filled(here, "sd15")
    assert "fallbacks" not in here.draw(graph).facts
    graph["hole"]["inputs"]["image"] = "wide.png"
    assert "mask of 40 x 8 pixels was stretched over a picture of 16 x 16" in here.draw(graph).facts["fallbacks"]


def test_a_plain_model_ignores_what_it_cannot_see(
    family_root: Path, studio: Any, inpaint_root: Path, here: Any
) -> None:
    del family_root
    studio.backend.files.roots = (*studio.backend.files.roots, inpaint_root)
    graph = filled(here, "sd15")
    plain = copy.deepcopy(graph)
    plain["ks"]["inputs"] |= {"positive": ["pos", 0], "negative": ["neg", 0]}
    assert torch.equal(studio.latents(graph), studio.latents(plain))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_single_file_is_recognised_and_drawn(
    tmp_path: Path, inpaint_root: Path, here: Any, studio_at: Any, load_module: Any, family: str
) -> None:
    """The config beside the file says four channels, as ours do: the header's nine count."""
    original = load_module("imagewright_tests_original", Path(__file__).parents[1] / "original.py")
    files = load_module("imagewright_tests_files", Path(__file__).parents[1] / "models" / "test_single_files.py")
    with quiet():
        pipe = diffusers.DiffusionPipeline.from_pretrained(inpaint_root / "checkpoints" / family)
    files.lone(tmp_path, inpaint_root, family, getattr(original, family)(pipe))
    config = tmp_path / "checkpoints" / "one" / "unet" / "config.json"
    config.write_text(config.read_text().replace('"in_channels": 9', '"in_channels": 4'))
    there = studio_at(tmp_path)
    shutil.copytree(inpaint_root / "input", tmp_path / "input")
    graph = filled(there, family)
    graph["ckpt"]["inputs"]["ckpt_name"] = "one.safetensors"
    assert there.check(graph) == []
    assert (there.latents(graph) - here.latents(filled(here, family))).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("name", "stem", "label", "context", "config"),
    [("sd15", 9, 0, 768, "sd15"), ("sdxl", 9, 2816, 2048, "sdxl"), ("sd15", 8, 0, 768, "")],
)
def test_published_shapes_are_recognised(name: str, stem: int, label: int, context: int, config: str) -> None:
    block = "input_blocks.1.1" if name == "sd15" else "input_blocks.4.1"
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, stem, 3, 3),
        "model.diffusion_model.out.2.weight": (4, 320, 3, 3),
        f"model.diffusion_model.{block}.transformer_blocks.0.attn2.to_k.weight": (320, context),
    }
    if label:
        shapes["model.diffusion_model.label_emb.0.0.weight"] = (1280, label)
    found = recognise(shapes)
    assert (found.family, found.config, found.channels) == (name, config, (stem, 4))


def test_other_channels_are_one_clear_line(tmp_path: Path, tiny: ModuleType, studio_at: Any) -> None:
    """FLUX.1 Fill, as a folder and as a file; a UNet for editing with eight channels."""
    pipe = tiny.BUILD["flux"]()
    pipe.transformer = diffusers.FluxTransformer2DModel(**{**_config(pipe.transformer), "in_channels": 96,
                                                          "out_channels": 16}).eval()  # fmt: skip
    pipe.save_pretrained(tmp_path / "checkpoints" / "fill")
    (tmp_path / "diffusion_models").mkdir()
    weights = {"img_in.weight": torch.zeros(8, 384), "final_layer.linear.weight": torch.zeros(64, 8),
               "double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(8)}  # fmt: skip
    save_file(weights, tmp_path / "diffusion_models" / "fill.safetensors")
    here = studio_at(tmp_path)
    graph = here.graph_of("fill")
    said = "'fill' (FLUX.1) has 96 input channels: it is a model for filling, editing or control"
    assert any(said in remedy for _, remedy in here.check(graph))
    with pytest.raises(BadInput, match="96 input channels"):
        here.draw(graph)
    graph["unet"] = here.node("UNETLoader", unet_name="fill.safetensors", weight_dtype="default")
    graph["ks"]["inputs"]["model"] = ["unet", 0]
    assert any("384 input channels" in remedy for _, remedy in here.check(graph))


def _config(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.config.items() if not name.startswith("_")}
