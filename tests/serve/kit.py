"""A home that is served: a backend that costs nothing, or so many seconds a step, and a server in a thread.

Run as a script it serves a home in a process of its own, so that a test can kill it: ``kit.py HOME PORT DELAY [LEASE
[content]]``; ``content`` finds every sheet right, so that no detector is loaded.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from imagewright import Imagewright
from imagewright.errors import Cancelled
from imagewright.needs import Need
from imagewright.ports import Drawn, IsCancelled, Job, OnStep, Step
from imagewright.schemas import Flow, ParsedPrompt, Readiness, Verdict
from imagewright.serve.jobs import LEASE_SECONDS
from imagewright.serve.server import PictureServer, ServeOptions
from imagewright.settings import Settings

STEPS = 4


class Paper:
    """Colours a sheet by the seed, in four steps; ``delay`` seconds each. Writes down what it begins and ends."""

    name = "diffusers"

    def __init__(self, log: Path | None = None, delay: float = 0.0) -> None:
        self.log, self.delay = log, delay
        self.drawn = 0
        self._ready: dict[Sequence[Need], tuple[Readiness, ...]] = {}

    def check(self, flow: Flow) -> Readiness:
        """Everything runs."""
        return Readiness()

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """Nothing is."""
        if needs not in self._ready:
            self._ready = {needs: tuple(Readiness() for _ in needs)}
        return self._ready[needs]

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """It knows every word."""
        return ()

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """A sheet of paper."""
        colour = (job.seed % 256, job.seed // 256 % 256, len(job.prompt) % 256)
        self._write("begin", job)
        for step in range(1, STEPS + 1):
            time.sleep(self.delay)
            if is_cancelled():
                self._write("cancelled", job)
                raise Cancelled("stopped between two steps")
            on_step(Step(step, STEPS, Image.new("RGB", (8, 8), colour) if self.delay or step == 2 else None))
        self.drawn += 1
        self._write("done", job)
        return Drawn(Image.new("RGB", (job.width or 64, job.height or 64), colour), 0.0, {"device": "paper"})

    def _write(self, what: str, job: Job) -> None:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{what} {job.seed}\n")


class Content:
    """A critic that is content with what it is shown, whatever it is."""

    def judge(self, *shown: object) -> Verdict:
        """It is right."""
        return Verdict(accepted=True, score=1.0)


def engine_on(home: Path, backend: Paper) -> Imagewright:
    """The product on a home, with that backend."""
    engine = Imagewright(Settings(data_dir=home, model_roots=(home / "models",), device="cpu"))
    engine.use_backend("diffusers", backend)
    return engine


@contextmanager
def serving(engine: Imagewright, tell: Any = None, **options: Any) -> Iterator[PictureServer]:
    """A server in a thread of this process, at a port of its own."""
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if tell is not None:
            tell(line)

    server = PictureServer([engine], ServeOptions(**{"port": 0, "grace": 5.0, **options}), hear)
    thread = threading.Thread(target=server.serve_until_stopped, daemon=True)
    thread.start()
    wait_until(lambda: server.started and bool(lines))
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(60)


def wait_until(true: Any, seconds: float = 60.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def secret_of(home: Path) -> str:
    """The owner's token."""
    return str(json.loads((home / "server.json").read_text())["secret"])


if __name__ == "__main__":
    from imagewright.serve.desk import QueueLimits

    folder, port, delay = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    lease = float(sys.argv[4]) if len(sys.argv) > 4 else LEASE_SECONDS
    asked = ServeOptions(port=port, limits=QueueLimits(lease=lease), grace=5.0)
    served = engine_on(folder, Paper(folder / "log.txt", delay))
    if sys.argv[5:] == ["content"]:
        served.container.critic_for = lambda flow: Content()
    PictureServer([served], asked, print).serve_until_stopped()
