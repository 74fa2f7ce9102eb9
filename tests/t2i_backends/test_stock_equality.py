"""In the plain euler case our loop draws what the stock ``FluxPipeline`` draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline

from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Flow
from imagewright.t2i_backends.denoising.denoise import Conditioned, Denoiser
from imagewright.t2i_backends.denoising.sampler import draw_noise, run_loop
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.families.base import Inputs
from imagewright.t2i_backends.families.flux import Flux, pack_latents, unpack_latents
from imagewright.t2i_backends.text.encode import encode_texts, texts_for
from imagewright.t2i_backends.values.handles import ClipHandle, ModelHandle
from imagewright.t2i_backends.values.noise_levels import Shift

LENGTH = 12


def noise(seed: int) -> torch.Tensor:
    return draw_noise(seed, (1, 4, 8, 8))


def stock(folder: Path, **call: Any) -> Any:
    pipe = FluxPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    common = {"height": 16, "width": 16, "max_sequence_length": LENGTH, "latents": pack_latents(noise(7))}
    return pipe(**{**common, **call}).images


@pytest.mark.parametrize("checkpoint", ["tiny", "dynamic", "dev"])
@pytest.mark.parametrize("negative", [None, "a blue cat"])
def test_a_flow_equals_the_stock_pipeline(
    model_root: Path,
    latents_of: Callable[[Job], torch.Tensor],
    draw: Callable[[Job], Drawn],
    make_flow: Callable[..., Flow],
    checkpoint: str,
    negative: str | None,
) -> None:
    """Static shift, dynamic shift and embedded guidance; 4 steps divide the sigma tables, so ``simple`` is stock's."""
    cfg = 1.0 if negative is None else 3.0
    job = Job(make_flow(ckpt_ckpt_name=checkpoint, ks_cfg=cfg), "a red circle", negative=negative, seed=7)
    call = {"prompt": "a red circle", "negative_prompt": negative, "true_cfg_scale": cfg, "num_inference_steps": 4}
    folder = model_root / "checkpoints" / checkpoint
    wanted = unpack_latents(stock(folder, output_type="latent", **call), 8, 8)
    assert (latents_of(job) - wanted).abs().max() < 1e-4
    picture = np.asarray(draw(job).image, dtype=int)
    assert np.abs(picture - np.asarray(stock(folder, **call)[0], dtype=int)).max() <= 1


@pytest.mark.parametrize("checkpoint", ["tiny", "dynamic"])
def test_the_loop_equals_stock_on_any_sigmas(model_root: Path, backend: DiffusersBackend, checkpoint: str) -> None:
    """Seven steps do not divide the tables: the loop is given the stock scheduler's own sigmas."""
    folder = model_root / "checkpoints" / checkpoint
    found = backend.files.find("checkpoints", checkpoint)
    assert found is not None
    pipe = FluxPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    wanted = pipe(
        "a red circle", height=16, width=16, max_sequence_length=LENGTH, latents=pack_latents(noise(7)),
        num_inference_steps=7, output_type="latent",
    ).images  # fmt: skip
    clip = ClipHandle((found,))
    text = encode_texts(backend.store.text(clip), clip, texts_for("a red circle"))
    part = Conditioned(Inputs(text.embeds, text.pooled, 3.5))
    denoiser = Denoiser(Flux(), backend.store.net(ModelHandle(found)), Shift(1.0), (part,))
    ours = run_loop(denoiser, "euler", pipe.scheduler.sigmas.tolist(), noise(7), lambda *a: None)
    assert (ours - unpack_latents(wanted, 8, 8)).abs().max() < 1e-4


def test_stock_draws_its_noise_as_we_do(
    model_root: Path, draw: Callable[[Job], Drawn], make_flow: Callable[..., Flow]
) -> None:
    """The noise is one CPU draw of the unpacked latents in float32: stock with a CPU generator draws the same."""
    folder = model_root / "checkpoints" / "tiny"
    generator = torch.Generator("cpu").manual_seed(11)
    image = stock(folder, prompt="a red circle", num_inference_steps=4, latents=None, generator=generator)[0]
    ours = draw(Job(make_flow(), "a red circle", seed=11)).image
    assert np.abs(np.asarray(image, dtype=int) - np.asarray(ours, dtype=int)).max() <= 1


def test_guidance_reaches_a_model_that_embeds_it(
    model_root: Path, latents_of: Callable[[Job], torch.Tensor], make_flow: Callable[..., Flow]
) -> None:
    flow = make_flow(ckpt_ckpt_name="dev", ks_positive=["guide", 0])
    guide = {"class_type": "FluxGuidance", "inputs": {"conditioning": ["pos", 0], "guidance": 1.0}}
    graph = {**flow.graph, "guide": guide}
    card = flow.card.model_copy(update={"slots": dict(find_slots(graph))})
    flow = flow.model_copy(update={"graph": graph, "card": card})
    found = latents_of(Job(flow, "a red circle", seed=7, guidance=9.0))
    folder = model_root / "checkpoints" / "dev"
    call = {"prompt": "a red circle", "num_inference_steps": 4, "output_type": "latent"}
    assert (found - unpack_latents(stock(folder, guidance_scale=9.0, **call), 8, 8)).abs().max() < 1e-4
    assert (found - unpack_latents(stock(folder, guidance_scale=1.0, **call), 8, 8)).abs().max() > 1e-4
