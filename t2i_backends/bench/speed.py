"""Our denoising loop against the stock diffusers pipeline on the same loaded weights, at each offload level:
interleaved, medians, peaks of memory."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.bench.random_models import RandomModels
from imagewright.t2i_backends.denoising.denoise import Conditioned, Denoiser
from imagewright.t2i_backends.denoising.sampler import draw_noise, run_loop
from imagewright.t2i_backends.families.base import CONFIGS, Inputs, Net
from imagewright.t2i_backends.families.table import find_family, known_families
from imagewright.t2i_backends.models import loading
from imagewright.t2i_backends.models.devices import pick_device, pick_dtype
from imagewright.t2i_backends.models.memory import LEVELS, Level
from imagewright.t2i_backends.models.model_files import ModelFiles, ModelPath, architecture, family_of
from imagewright.t2i_backends.models.model_store import ModelStore, quiet
from imagewright.t2i_backends.text.encode import encode_texts, texts_for
from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning, ModelHandle, Sampling, Shape, VaeHandle

RANDOM = "random:"
_PROMPT = "a red circle"


@dataclass(frozen=True)
class Compared:
    """Seconds a step and peak bytes of both, with the models placed by one offload level."""

    level: Level
    ours: float = 0.0
    stock: float = 0.0
    overhead: float = 0.0
    """The median of ``ours / stock - 1`` over the pairs."""
    low: float = 0.0
    high: float = 0.0
    """Its quartiles."""
    ours_peak: int = 0
    stock_peak: int = 0
    """On a GPU of the denoising with all that the level keeps there; elsewhere of the process so far."""
    text_peak: int = 0
    """The same while the prompt is encoded."""
    problem: str = ""
    """Why nothing was measured."""


@dataclass(frozen=True)
class SpeedOrder:
    """What is measured."""

    checkpoint: str
    size: int
    steps: int
    repeats: int


class BackendSpeed(NamedTuple):
    """Our denoising loop beside the stock pipeline on one machine."""

    order: SpeedOrder
    machine: dict[str, Any]
    levels: tuple[Compared, ...]


def levels_of(text: str, device: str) -> tuple[Level, ...]:
    """The offload levels named in ``text``, apart by commas; where it is empty all of them on a GPU, else ``none``.

    Raises:
        BadInput: there is no such level, or no such device.
    """
    if not text:
        return tuple(LEVELS) if pick_device(device).type == "cuda" else ("none",)
    named = [name.strip() for name in text.split(",")]
    if unknown := [name for name in named if name not in LEVELS]:
        raise BadInput(f"{unknown[0][:40]!r} is no offload level", f"there are: {', '.join(LEVELS)}")
    return tuple(level for level in LEVELS if level in named)


def compare(roots: Sequence[Path], device: str, asked: SpeedOrder, levels: Sequence[Level]) -> list[Compared]:
    """Measure a diffusers folder, or ``random:NAME``, random weights in the shape of one or of a published model.

    Raises:
        BadInput: there is no such folder, or the size does not fit the model.
    """
    here = pick_device(device)
    source = _source(roots, asked.checkpoint)
    loader = RandomModels() if asked.checkpoint.startswith(RANDOM) else loading
    return [_at_level(ModelStore(here, pick_dtype(device), 1, loader), level, source, asked) for level in levels]


def _source(roots: Sequence[Path], checkpoint: str) -> ModelPath:
    name = checkpoint.removeprefix(RANDOM)
    shipped = CONFIGS / name
    source = ModelFiles(roots).find("checkpoints", name)
    if source is None and name != checkpoint and (shipped / "model_index.json").is_file():
        source = ModelPath(shipped, shipped)
    if source is None or not source.is_pipeline or source.path.is_file():
        known = sorted(RANDOM + path.parent.name for path in CONFIGS.glob("*/model_index.json"))
        raise BadInput(f"{checkpoint[:60]!r} is no diffusers folder in the model folders",
                       f"name one, or mini, or one of {', '.join(known)}")  # fmt: skip
    family = find_family(family_of(source))
    if family is None or architecture(source) != family.pipeline:
        raise BadInput(f"{checkpoint[:60]!r} is a {architecture(source)}", "only text to image is measured")
    return source


def _at_level(store: ModelStore, level: Level, source: ModelPath, asked: SpeedOrder) -> Compared:
    """Both loops with the models placed by ``level``; where memory is too small for it, that is what is found."""
    store.place(level)
    try:
        with quiet():
            return _measured(store, level, source, asked)
    except torch.OutOfMemoryError:
        return Compared(level, problem="too little memory")
    finally:
        store.clear()


def _measured(store: ModelStore, level: Level, source: ModelPath, asked: SpeedOrder) -> Compared:
    handle = ClipHandle((source,))
    unit = known_families()[family_of(source)].unit
    encoders = store.text(handle)
    found, text_peak = _peak(partial(encode_texts, encoders, handle, texts_for(_PROMPT)), store.device)
    del encoders
    net, vae = store.net(ModelHandle(source)), store.vae(VaeHandle(source))
    if asked.size % (unit * net.scale):
        raise BadInput(f"{asked.size} pixels do not fit this model", f"use a multiple of {unit * net.scale}")
    shape: Shape = (1, net.channels, asked.size // net.scale, asked.size // net.scale)
    ours = _ours(net, found, shape, store.device, asked.steps)
    stock = _theirs(_stock(source, net, vae.model), net, found, asked, store.device)
    return _in_turns(level, ours, stock, store.device, asked, text_peak)


def _stock(source: ModelPath, net: Net, coder: Any) -> Any:
    """The stock pipeline around the same diffusion model where it lies, fed with ready embeddings."""
    left_out: dict[str, Any] = dict.fromkeys(net.family.encoders.values())
    left_out |= {name.replace("text_encoder", "tokenizer"): None for name in net.family.encoders.values()}
    parts = {net.family.net_folder: net.model, "vae": coder, **left_out, **net.family.stock_parts}
    pipe = net.family.stock().from_pretrained(str(source.path), local_files_only=True, use_safetensors=True, **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _ours(net: Net, found: Conditioning, shape: Shape, device: torch.device, steps: int) -> Callable[[], object]:
    """One picture's denoising by our loop, over evenly spaced sigmas: only their number matters here."""
    family = net.family
    table = family.table(net, Sampling(), shape)
    given = family.inputs(net, found, shape, False)
    dtype = net.dtype

    def there(value: torch.Tensor | None) -> torch.Tensor | None:
        return None if value is None else value.to(device, dtype)

    inputs = Inputs(given.embeds.to(device, dtype), there(given.pooled), given.guidance, there(given.sizes))
    denoiser = Denoiser(family, net, table, (Conditioned(inputs),))
    top = float(table.sigmas()[-1])
    sigmas = [top * (1 - i / steps) for i in range(steps)] + [0.0]
    start = draw_noise(0, shape).to(device)
    return lambda: run_loop(denoiser, "euler", sigmas, start, lambda *step: None)


def _theirs(pipe: Any, net: Net, found: Conditioning, asked: SpeedOrder, device: torch.device) -> Callable[[], object]:
    """One picture's denoising by the stock pipeline, without text encoding and decoding."""
    call: dict[str, Any] = {
        "prompt_embeds": found.embeds.to(device, net.dtype), "height": asked.size, "width": asked.size,
        "num_inference_steps": asked.steps, "output_type": "latent", **net.family.stock_call,
    }  # fmt: skip
    if found.pooled is not None:
        call["pooled_prompt_embeds"] = found.pooled.to(device, net.dtype)
    return lambda: pipe(**call, generator=torch.Generator("cpu").manual_seed(0))


def _in_turns(
    level: Level, ours: Callable[[], object], stock: Callable[[], object], device: torch.device, asked: SpeedOrder,
    text_peak: int,
) -> Compared:  # fmt: skip
    """Both in turns, the first of each unmeasured; who goes first changes with every pair."""
    ours(), stock()
    times: dict[str, list[float]] = {"ours": [], "stock": []}
    peaks = {"ours": 0, "stock": 0}
    for number in range(asked.repeats):
        pair = [("ours", ours), ("stock", stock)]
        for name, work in pair if number % 2 else reversed(pair):
            start = time.perf_counter()
            _, peak = _peak(work, device)
            times[name].append((time.perf_counter() - start) / asked.steps)
            peaks[name] = max(peaks[name], peak)
    ratios = [a / b - 1 for a, b in zip(times["ours"], times["stock"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    ours_step, stock_step = statistics.median(times["ours"]), statistics.median(times["stock"])
    return Compared(level, ours_step, stock_step, middle, low, high, peaks["ours"], peaks["stock"], text_peak)


def _peak(work: Callable[[], Any], device: torch.device) -> tuple[Any, int]:
    """What ``work`` gives when the device has done it, and the peak of memory: the device's, or the process's."""
    if device.type != "cuda":
        return work(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    found = work()
    torch.cuda.synchronize(device)
    return found, int(torch.cuda.max_memory_allocated(device))


def machine(device: str) -> dict[str, str]:
    """What the figures depend on: the device and its name, the number format, the versions."""
    here = pick_device(device)
    name = torch.cuda.get_device_name(here) if here.type == "cuda" else ""
    return {"device": str(here), "gpu": name, "dtype": str(pick_dtype(device)).removeprefix("torch."),
            "torch": torch.__version__, "diffusers": diffusers.__version__}  # fmt: skip
