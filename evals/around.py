"""What a request costs around its picture: from the prompt to the first step of drawing, and from the last to delivery.

``imagewright bench request`` runs it, and ``imagewright eval scale`` for each size. Drawing is timed inside the
backend, and the critic's looking between its node's beginning and its verdict; both are taken off. What is left is
reading, choosing, planning, checkpoints, storing the picture and delivering it.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from imagewright.api import DEFAULT_BACKEND, Imagewright
from imagewright.ports import Drawn, IsCancelled, Job, OnStep
from imagewright.schemas import RunEvent
from imagewright.t2i_backends.diffusers_local import DiffusersBackend

_WARM = 3
"""Pictures before the first that counts: models are loaded and connections are open afterwards."""
_COLOURS = "red green blue yellow purple orange white black".split()
_SHAPES = "circle square triangle star".split()
_BETWEEN = ("above", "below", "left of", "right of")


@dataclass(frozen=True)
class Around:
    """Milliseconds of warm requests, without drawing and looking."""

    requests: int
    p50: float
    p95: float
    busy_p50: float
    """The processor's time of the same, which a busy machine does not lengthen much."""
    busy_p95: float
    nodes: Mapping[str, float]
    """The median of each node; ``start`` is what comes before the first one, ``end`` what comes after delivery."""
    drawing: float
    """The median of what was taken off for drawing."""
    looking: float
    """The median of what was taken off for the critic."""


def measure_around(engine: Imagewright, requests: int = 20, seed: int = 1) -> Around:
    """Draw ``requests`` prompts that were never asked for, one picture each, and time what is around the pictures.

    The pictures go to a folder that is deleted; the engine's home keeps its runs.

    Raises:
        ImagewrightError: a picture could not be drawn.
    """
    settings = engine.settings
    backend = _TimedBackend(settings.model_roots, settings.device, settings.model_cache)
    engine.use_backend(DEFAULT_BACKEND, backend)
    with TemporaryDirectory(prefix="imagewright-") as folder:
        prompts = enumerate(invent_prompts(requests + _WARM, seed))
        every = [_one(engine, backend, text, Path(folder, f"{number}.png")) for number, text in prompts]
    counted = every[_WARM:]
    p50, p95 = np.percentile([1e3 * each.around for each in counted], (50, 95)).tolist()
    busy = np.percentile([1e3 * each.busy for each in counted], (50, 95)).round(1).tolist()
    nodes = {name: round(1e3 * median(each.nodes[name] for each in counted), 1) for name in counted[0].nodes}
    drawing, looking = (1e3 * median(part) for part in zip(*((e.drawing, e.looking) for e in counted), strict=True))
    return Around(
        len(counted), round(p50, 1), round(p95, 1), busy[0], busy[1], nodes, round(drawing, 1), round(looking, 1)
    )


def format_around(found: Around) -> str:
    """Lines for a terminal."""
    parts = "  ".join(f"{name} {each:.0f}" for name, each in found.nodes.items())
    return "\n".join((
        f"around the picture: {found.p50:.0f} ms (p50), {found.p95:.0f} ms (p95) of {found.requests} requests",
        f"the processor's time of that: {found.busy_p50:.0f} ms, {found.busy_p95:.0f} ms",
        f"by node: {parts}",
        f"not counted: drawing {found.drawing:.0f} ms, looking {found.looking:.0f} ms",
    ))  # fmt: skip


@dataclass(frozen=True)
class _Timed:
    """One request, in seconds."""

    around: float
    busy: float
    nodes: Mapping[str, float]
    drawing: float
    looking: float


class _TimedBackend(DiffusersBackend):
    """The backend, with a clock that runs while it draws."""

    seconds = busy = 0.0

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """As ``DiffusersBackend.draw``."""
        start, busy = time.perf_counter(), time.process_time()
        try:
            return super().draw(job, on_step, is_cancelled)
        finally:
            self.seconds += time.perf_counter() - start
            self.busy += time.process_time() - busy


def _one(engine: Imagewright, backend: _TimedBackend, prompt: str, out: Path) -> _Timed:
    backend.seconds = backend.busy = 0.0
    begin = time.process_time()
    marks: list[tuple[str, float]] = [("start", time.perf_counter())]
    looking: list[float] = []
    looked: list[float] = []

    def hear(event: RunEvent) -> None:
        if event.kind == "node":
            marks.append((event.text, time.perf_counter()))
            looked.append(time.process_time())
        elif event.kind == "verdict":
            looking.append(time.perf_counter() - marks[-1][1])
            backend.busy += time.process_time() - looked[-1]
        elif event.kind == "delivered":
            marks.append(("end", time.perf_counter()))

    engine.draw(prompt, seed=1, max_images=1, out=str(out), on_event=hear)
    end, busy = time.perf_counter(), time.process_time() - begin - backend.busy
    nodes: dict[str, float] = defaultdict(float)
    for (name, start), (_, after) in zip(marks, [*marks[1:], ("", end)], strict=True):
        nodes[name] += after - start
    nodes["generate"] -= backend.seconds
    nodes["critique"] -= sum(looking)
    return _Timed(sum(nodes.values()), busy, nodes, backend.seconds, sum(looking))


def invent_prompts(count: int, seed: int) -> Iterator[str]:
    """Prompts that mini can draw, each another one."""
    rng, known = random.Random(seed), set[str]()
    while len(known) < count:
        first, second = rng.sample(_COLOURS, 2)
        one, other = rng.choice(_SHAPES), rng.choice(_SHAPES)
        text = f"a {first} {one} {rng.choice(_BETWEEN)} a {second} {other}"
        if text not in known:
            known.add(text)
            yield text
