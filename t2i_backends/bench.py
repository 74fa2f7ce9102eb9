"""Our denoising loop against the stock diffusers pipeline on the same loaded weights: interleaved, medians, memory."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoise import Denoiser, Part
from imagewright.t2i_backends.devices import pick_device, pick_dtype
from imagewright.t2i_backends.families.base import Inputs, Net
from imagewright.t2i_backends.families.facts import FAMILIES
from imagewright.t2i_backends.families.table import LOOPS
from imagewright.t2i_backends.handles import ClipHandle, Conditioning, ModelHandle, Sampling, Shape
from imagewright.t2i_backends.model_files import (
    CONFIGS,
    ModelFiles,
    ModelPath,
    family_of,
    read_config,
    vae_scale,
)
from imagewright.t2i_backends.model_store import ModelStore, quiet
from imagewright.t2i_backends.sampler import draw_noise, run_loop
from imagewright.t2i_backends.text.encode import encode, texts_for

_PIPELINES = {
    "flux": "FluxPipeline", "sd3": "StableDiffusion3Pipeline", "sdxl": "StableDiffusionXLPipeline",
    "sd15": "StableDiffusionPipeline",
}  # fmt: skip


RANDOM = "random:"


@dataclass(frozen=True)
class Compared:
    """Seconds a step and peak bytes of both."""

    ours: float
    stock: float
    overhead: float
    """The median of ``ours / stock - 1`` over the pairs."""
    low: float
    high: float
    """Its quartiles."""
    ours_peak: int
    stock_peak: int
    """On a GPU of the loop alone; elsewhere of the process so far."""
    device: str
    dtype: str


def compare(roots: Sequence[Path], device: str, checkpoint: str, size: int, steps: int, repeats: int) -> Compared:
    """Measure on the diffusers folder ``checkpoint``, or on ``random:NAME``, random weights in a published shape.

    Raises:
        BadInput: there is no such folder, or the size does not fit the model.
    """
    here = pick_device(device)
    if checkpoint.startswith(RANDOM):
        return _compare_random(here, checkpoint.removeprefix(RANDOM), size, steps, repeats)
    source = ModelFiles(roots).find("checkpoints", checkpoint)
    if source is None or not source.is_pipeline or source.path.is_file():
        raise BadInput(f"{checkpoint!r} is no diffusers folder in the model folders", "name one, or mini")
    store = ModelStore(here, pick_dtype(here), 1)
    with quiet():
        net = store.net(ModelHandle(source))
        found = _encoded(store, source)
        pipe = _stock(source, net, here)
    return _run(net, found, pipe, here, size, steps, repeats)


def _run(
    net: Net, found: Conditioning, pipe: Any, device: torch.device, size: int, steps: int, repeats: int
) -> Compared:
    unit = net.scale * net.facts.unit
    if size % unit:
        raise BadInput(f"{size} pixels do not fit this model", f"use a multiple of {unit}")
    shape: Shape = (1, net.channels, size // net.scale, size // net.scale)
    ours, stock = _ours(net, found, shape, device, steps), _theirs(pipe, net, found, size, steps, device)
    return _measure(ours, stock, device, net.dtype, steps, repeats)


def _compare_random(device: torch.device, name: str, size: int, steps: int, repeats: int) -> Compared:
    """The same on random weights in the shape of a published model: speed and memory do not depend on their values."""
    folder = CONFIGS / name
    if not name.isascii() or "/" in name or not (folder / "model_index.json").is_file():
        known = sorted(path.parent.name for path in CONFIGS.glob("*/model_index.json"))
        raise BadInput(f"there are no configs for {name[:40]!r}", f"there are: {', '.join(known)}")
    source = ModelPath(folder, folder)
    facts = FAMILIES[family_of(source)]
    with quiet():
        model = _random(folder / facts.net_folder, device)
        coder = _random(folder / "vae", device)
    scheduler = read_config(folder / "scheduler" / "scheduler_config.json")
    net = Net(model, facts, scheduler, vae_scale(source), facts.channels)
    config = model.config
    width = config.get("joint_attention_dim") or config.get("cross_attention_dim")
    pooled = config.get("pooled_projection_dim") or (1280 if facts.name == "sdxl" else None)
    found = Conditioning(torch.randn(1, 77, width), None if pooled is None else torch.randn(1, pooled), ClipHandle(()))
    pipe = _stock(source, net, device, vae=coder)
    return _run(net, found, pipe, device, size, steps, repeats)


def _random(folder: Path, device: torch.device) -> Any:
    """A model with random weights, made where it is used."""
    config = read_config(folder / "config.json")
    kind = getattr(diffusers, str(config["_class_name"]))
    before = torch.get_default_dtype()
    torch.set_default_dtype(pick_dtype(device))
    try:
        with torch.device(device):
            return kind.from_config(config).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def _encoded(store: ModelStore, source: ModelPath) -> Conditioning:
    clip = ClipHandle((source,))
    return encode(store.text(clip), clip, texts_for("a red circle"))


def _stock(source: ModelPath, net: Net, device: torch.device, **given: Any) -> Any:
    """The stock pipeline around the same diffusion model, fed with ready embeddings."""
    kind = getattr(diffusers, _PIPELINES[net.facts.name])
    left_out: dict[str, Any] = dict.fromkeys(net.facts.encoders.values())
    left_out |= {name.replace("text_encoder", "tokenizer"): None for name in net.facts.encoders.values()}
    if net.facts.name == "sd15":
        left_out |= {"safety_checker": None, "requires_safety_checker": False}
    parts = {net.facts.net_folder: net.model, **left_out, **given}
    pipe = kind.from_pretrained(str(source.path), local_files_only=True, use_safetensors=True, **parts)
    pipe.vae.to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _ours(net: Net, found: Conditioning, shape: Shape, device: torch.device, steps: int) -> Callable[[], object]:
    """One picture's denoising by our loop, over evenly spaced sigmas: only their number matters here."""
    family = LOOPS[net.facts.name]
    table = family.table(net, Sampling(), shape)
    given = family.inputs(net, found, shape, False)
    dtype = net.dtype

    def there(value: torch.Tensor | None) -> torch.Tensor | None:
        return None if value is None else value.to(device, dtype)

    inputs = Inputs(given.embeds.to(device, dtype), there(given.pooled), given.guidance, there(given.sizes))
    denoiser = Denoiser(family, net, table, (Part(inputs),))
    top = float(table.sigmas()[-1])
    sigmas = [top * (1 - i / steps) for i in range(steps)] + [0.0]
    start = draw_noise(0, shape).to(device)
    return lambda: run_loop(denoiser, "euler", sigmas, start, lambda *step: None)


def _theirs(
    pipe: Any, net: Net, found: Conditioning, size: int, steps: int, device: torch.device
) -> Callable[[], object]:
    """One picture's denoising by the stock pipeline, without text encoding and decoding."""
    call: dict[str, Any] = {
        "prompt_embeds": found.embeds.to(device, net.dtype), "height": size, "width": size,
        "num_inference_steps": steps, "output_type": "latent",
    }  # fmt: skip
    if found.pooled is not None:
        call["pooled_prompt_embeds"] = found.pooled.to(device, net.dtype)
    if net.facts.name != "flux":
        call["guidance_scale"] = 1.0
    return lambda: pipe(**call, generator=torch.Generator("cpu").manual_seed(0))


def _measure(
    ours: Callable[[], object], stock: Callable[[], object], device: torch.device, dtype: torch.dtype, steps: int,
    repeats: int,
) -> Compared:  # fmt: skip
    """Both in turns, the first of each unmeasured; who goes first changes with every pair."""
    ours(), stock()
    times: dict[str, list[float]] = {"ours": [], "stock": []}
    peaks = {"ours": 0, "stock": 0}
    for number in range(repeats):
        pair = [("ours", ours), ("stock", stock)]
        for name, work in pair if number % 2 else reversed(pair):
            seconds, peak = _timed(work, device)
            times[name].append(seconds / steps)
            peaks[name] = max(peaks[name], peak)
    ratios = [a / b - 1 for a, b in zip(times["ours"], times["stock"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Compared(
        statistics.median(times["ours"]), statistics.median(times["stock"]), middle, low, high, peaks["ours"],
        peaks["stock"], str(device), str(dtype).removeprefix("torch."),
    )  # fmt: skip


def _timed(work: Callable[[], object], device: torch.device) -> tuple[float, int]:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter() - start, int(torch.cuda.max_memory_allocated(device))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
