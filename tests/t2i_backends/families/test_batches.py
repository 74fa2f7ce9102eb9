"""Several pictures at once: the stock pipelines' in every family, ComfyUI's noise, and nothing lost on the way."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.ports import Job, Redraw
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow, Region
from imagewright.t2i_backends.denoising.sampler import draw_noise
from imagewright.t2i_backends.families.table import known_families

SHAPE = (2, 4, 8, 8)
Graph = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def stock(load_module: Any) -> ModuleType:
    return load_module("imagewright_tests_stock", Path(__file__).with_name("test_stock.py"))


def start(stock: ModuleType, pipe: Any, family: str) -> torch.Tensor:
    noise = draw_noise(7, SHAPE)
    if family == "flux":
        return diffusers.FluxPipeline._pack_latents(noise, *SHAPE)
    if family == "sd3":
        return noise
    sigma = stock.ddim_uniform(stock.betas_of(pipe.scheduler.config), 5)[0]
    return noise * sigma / (sigma**2 + 1) ** 0.5


def batched(studio: Any, family: str, count: int = 2, **sampling: Any) -> Graph:
    graph = studio.graph_of(family, **sampling)
    graph["size"]["inputs"]["batch_size"] = count
    return graph


@pytest.mark.parametrize("family", known_families())
def test_a_batch_equals_the_stock_pipelines(family_root: Path, studio: Any, stock: ModuleType, family: str) -> None:
    pipe = stock.load(family_root, family)
    wanted = pipe(**stock.call_of(family), latents=start(stock, pipe, family), num_images_per_prompt=2).images
    found = studio.latents(batched(studio, family))
    assert found.shape == SHAPE
    assert (found - stock.latents(wanted, family)).abs().max() < 1e-4


@pytest.mark.parametrize("family", known_families())
def test_a_batch_with_a_controlnet_equals_the_stock_pipelines(
    family_root: Path, studio: Any, stock: ModuleType, picture: Image.Image, input_picture: str, family: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each picture of the batch with a control picture of its own."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Posterior

    monkeypatch.setattr(Posterior, "sample", lambda self, generator=None: self.mode())
    kind = {"flux": "FluxControlNetModel", "sd3": "SD3ControlNetModel"}.get(family, "ControlNetModel")
    net = getattr(diffusers, kind).from_pretrained(family_root / "controlnet" / family)
    pipe = stock.load(family_root, family, 1, controlnet=net)
    negative = Image.fromarray(255 - np.asarray(picture))
    name = "image" if family in ("sdxl", "sd15") else "control_image"
    call = {**stock.call_of(family, 1.0), "prompt": ["a red circle"] * 2, "negative_prompt": None}
    wanted = pipe(**call, **{name: [picture, negative]}, latents=start(stock, pipe, family)).images
    graph = batched(studio, family, cfg=1.0)
    graph["load"] = studio.node("LoadImage", image=input_picture)
    graph["inverted"] = studio.node("ImageInvert", image=["load", 0])
    graph["two"] = studio.node("ImageBatch", image1=["load", 0], image2=["inverted", 0])
    graph["net"] = studio.node("ControlNetLoader", control_net_name=family)
    graph["apply"] = studio.node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0],
                                 control_net=["net", 0], image=["two", 0], strength=1.0, start_percent=0.0,
                                 end_percent=1.0, vae=["ckpt", 2])  # fmt: skip
    graph["ks"]["inputs"] |= {"positive": ["apply", 0], "negative": ["apply", 1]}
    assert (studio.latents(graph) - stock.latents(wanted, family)).abs().max() < 1e-4


@pytest.mark.parametrize("family", known_families())
def test_regions_and_masks_hold_in_every_picture_of_a_batch(studio: Any, family: str, input_picture: str) -> None:
    """Each picture of a batch is what it would be alone with its noise, under regions and under a mask too."""
    box = Region(caption="two dog", x=0.5, y=0, width=0.5, height=1)
    graph = batched(studio, family)
    together = studio.latents(graph, regions=(box,))
    graph["load"] = studio.node("LoadImageMask", image="mask.png", channel="red")
    graph["only"] = studio.node("ConditioningSetMask", conditioning=["pos", 0], mask=["load", 0], strength=1.0,
                                set_cond_area="mask bounds")  # fmt: skip
    masked = {**graph, "ks": {**graph["ks"], "inputs": {**graph["ks"]["inputs"], "positive": ["only", 0]}}}
    under_mask = studio.latents(masked)
    for place in range(2):
        graph["one"] = studio.node("LatentFromBatch", samples=["zeros", 0], batch_index=place, length=1)
        graph["zeros"] = studio.node("RepeatLatentBatch", samples=["size", 0], amount=1)
        alone = {**graph, "ks": {**graph["ks"], "inputs": {**graph["ks"]["inputs"], "latent_image": ["one", 0]}}}
        assert (studio.latents(alone, regions=(box,)) - together[place]).abs().max() < 1e-4
        alone["ks"]["inputs"]["positive"] = ["only", 0]
        assert (studio.latents(alone) - under_mask[place]).abs().max() < 1e-4


def test_noise_of_a_batch_comes_from_one_generator() -> None:
    """By hand: one draw for a batch in order; one draw a place, up to the last, where places are picked."""
    generator = torch.Generator().manual_seed(5)
    assert torch.equal(draw_noise(5, (3, 4, 2, 2)), torch.randn(3, 4, 2, 2, generator=generator))
    generator = torch.Generator().manual_seed(5)
    one_by_one = [torch.randn(1, 4, 2, 2, generator=generator) for _ in range(3)]
    assert torch.equal(draw_noise(5, (3, 4, 2, 2), (2, 0, 2)), torch.cat([one_by_one[i] for i in (2, 0, 2)]))
    assert not draw_noise(None, (3, 4, 2, 2), (2, 0, 2)).any()


def test_every_picture_comes_out(studio: Any) -> None:
    drawn = studio.draw(batched(studio, "sd15", 3))
    assert len(drawn.more) == 2
    assert len({image.tobytes() for image in (drawn.image, *drawn.more)}) == 3
    assert drawn.facts["batch"].startswith("3 pictures at once")
    again = studio.draw(batched(studio, "sd15", 3))
    assert [image.tobytes() for image in again.more] == [image.tobytes() for image in drawn.more]
    assert studio.draw(studio.graph_of("sd15")).more == ()


def test_batches_of_several_jobs_are_drawn_together(studio: Any) -> None:
    """Two jobs of two pictures each, in step: the pictures of each are those that it draws alone, up to rounding."""
    graph = batched(studio, "sd15")
    flow = Flow(id="plain", graph=graph, card=Card(title="plain", slots=dict(find_slots(graph))))
    jobs = [Job(flow, "a red circle", seed=seed) for seed in (7, 8)]
    alone = [studio.backend.draw(job, lambda step: None, lambda: False) for job in jobs]
    studio.backend._cache._kept.clear()
    for one, other in zip(alone, studio.backend.draw_many(jobs, lambda: False), strict=True):
        assert len(other.more) == 1
        for before, after in zip((one.image, *one.more), (other.image, *other.more), strict=True):
            assert np.abs(np.asarray(before, dtype=int) - np.asarray(after, dtype=int)).max() <= 1


def test_a_redraw_of_a_batch_is_of_the_one_picture(studio: Any, picture: Image.Image) -> None:
    box = Region(caption="a cat", x=0.5, y=0, width=0.5, height=1)
    drawn = studio.draw(batched(studio, "sd15"), redraw=Redraw(picture, (box,)))
    alone = studio.draw(studio.graph_of("sd15"), redraw=Redraw(picture, (box,)))
    assert drawn.more == ()
    assert drawn.image.tobytes() == alone.image.tobytes()


def test_masks_of_a_batch_go_with_their_pictures(studio: Any, input_picture: str) -> None:
    """Two masks: the first keeps the left half, the second the right one."""
    graph = studio.graph_of("sd15")
    graph["load"] = studio.node("LoadImage", image="mask.png")
    graph["inverted"] = studio.node("ImageInvert", image=["load", 0])
    graph["both"] = studio.node("ImageBatch", image1=["load", 0], image2=["inverted", 0])
    graph["masks"] = studio.node("ImageToMask", image=["both", 0], channel="red")
    graph["noise"] = studio.node("LoadImage", image=input_picture)
    graph["enc"] = studio.node("VAEEncode", pixels=["noise", 0], vae=["ckpt", 2])
    graph["twice"] = studio.node("RepeatLatentBatch", samples=["enc", 0], amount=2)
    graph["masked"] = studio.node("SetLatentNoiseMask", samples=["twice", 0], mask=["masks", 0])
    graph["again"] = studio.node("RepeatLatentBatch", samples=["masked", 0], amount=2)
    graph["ks"]["inputs"]["latent_image"] = ["again", 0]
    found = studio.latents(graph)
    kept = studio.latents({**graph, "ks": {**graph["ks"], "inputs": {**graph["ks"]["inputs"], "denoise": 0.0}}})
    same = [(found[i] - kept[i]).abs().amax(dim=(0, 1)) < 1e-5 for i in range(4)]
    for i in (0, 2):
        assert same[i][:3].all()
        assert not same[i][5:].any()
    for i in (1, 3):
        assert same[i][5:].all()
        assert not same[i][:3].any()


def batch_nodes(studio: Any) -> Graph:
    graph = batched(studio, "sd15", 3)
    graph["some"] = studio.node("LatentFromBatch", samples=["ks", 0], batch_index=1, length=9)
    graph["joined"] = studio.node("LatentBatch", samples1=["some", 0], samples2=["ks", 0])
    graph["dec"]["inputs"]["samples"] = ["joined", 0]
    return graph


def test_batches_are_taken_apart_and_put_together(studio: Any) -> None:
    plain = studio.draw(batched(studio, "sd15", 3))
    three = [image.tobytes() for image in (plain.image, *plain.more)]

    def pictures(graph: Graph) -> list[bytes]:
        drawn = studio.draw(graph)
        return [image.tobytes() for image in (drawn.image, *drawn.more)]

    graph = batch_nodes(studio)
    assert pictures(graph) == [*three[1:], *three]
    graph["last"] = studio.node("ImageFromBatch", image=["dec", 0], batch_index=99, length=4)
    graph["out"]["inputs"]["images"] = ["last", 0]
    assert pictures(graph) == three[2:]
    graph["many"] = studio.node("RepeatImageBatch", image=["last", 0], amount=2)
    graph["small"] = studio.node("ImageScaleBy", image=["last", 0], upscale_method="area", scale_by=0.5)
    graph["all"] = studio.node("ImageBatch", image1=["many", 0], image2=["small", 0])
    graph["out"]["inputs"]["images"] = ["all", 0]
    found = studio.draw(graph)
    assert [image.size for image in (found.image, *found.more)] == [(16, 16)] * 3
    assert found.image.tobytes() == found.more[0].tobytes() == three[2]


def test_a_batch_that_is_too_large_is_one_line(studio: Any) -> None:
    graph = batched(studio, "sd15", 64)
    graph["more"] = studio.node("RepeatLatentBatch", samples=["size", 0], amount=2)
    graph["ks"]["inputs"]["latent_image"] = ["more", 0]
    with pytest.raises(BadInput, match="a batch of 128 is not made"):
        studio.draw(graph)
    for count in (0, 65, "two"):
        assert "must be a whole number from 1 to 64" in studio.check(batched(studio, "sd15", count))[0][1]


def test_an_empty_canvas_beside_drawn_latents_is_refused(studio: Any) -> None:
    graph = batch_nodes(studio)
    graph["joined"]["inputs"]["samples2"] = ["size", 0]
    with pytest.raises(BadInput, match="empty canvas"):
        studio.draw(graph)
