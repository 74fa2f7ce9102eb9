"""Arms that ask for the same picture of a prompt share it: drawn once, and its seconds counted for each of them."""

from __future__ import annotations

import hashlib

from imagewright.api import Imagewright
from imagewright.flow_format import graph_hash
from imagewright.ports import Backend, Drawn, IsCancelled, Job, KnowsWorlds, OnStep, Redraws, StatesWorlds
from imagewright.schemas import DrawRequest, Flow, ParsedPrompt, Readiness, RunResult
from imagewright.worlds import World


class Remembering:
    """A backend that draws no job twice; ``saved`` are the seconds that this spared."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.name = backend.name
        self.saved = 0.0
        self._made: dict[str, Drawn] = {}

    def check(self, flow: Flow) -> Readiness:
        """As the backend says."""
        return self._backend.check(flow)

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """As the backend says."""
        return self._backend.limits(flow, prompt, parsed)

    def is_closed(self, flow: Flow) -> bool:
        """As the backend says; not where it knows no worlds."""
        return isinstance(self._backend, KnowsWorlds) and self._backend.is_closed(flow)

    def state_world(self, flow: Flow) -> World | None:
        """As the backend says; None where it states no worlds."""
        return self._backend.state_world(flow) if isinstance(self._backend, StatesWorlds) else None

    def can_redraw(self, flow: Flow) -> bool:
        """As the backend says; not where it knows no redraw."""
        return isinstance(self._backend, Redraws) and self._backend.can_redraw(flow)

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """The picture of ``job``, drawn now or before; raises what the backend raises."""
        key = share_key(job)
        if key in self._made:
            self.saved += self._made[key].seconds
        else:
            self._made[key] = self._backend.draw(job, on_step, is_cancelled)
        return self._made[key]

    def forget(self) -> None:
        """Let go of all pictures."""
        self._made.clear()


def share_key(job: Job) -> str:
    """A digest of all that decides a job's picture."""
    parts: list[object] = [
        graph_hash(job.flow.graph),
        job.prompt,
        job.negative,
        job.seed,
        job.width,
        job.height,
        job.steps,
        job.guidance,
        job.regions,
        job.region_share,
    ]
    if job.redraw is not None:
        image = job.redraw.image
        parts += [job.redraw.regions, job.redraw.strength, image.mode, image.size, image.tobytes()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class SharingEngine:
    """An engine whose runs of one prompt share pictures; a run's seconds are what it would have taken by itself."""

    def __init__(self, engine: Imagewright, backend: str) -> None:
        self._engine = engine
        self._backend = Remembering(engine.backend(backend))
        self._prompt = ""
        engine.use_backend(backend, self._backend)

    def draw(self, prompt: DrawRequest) -> RunResult:
        """Draw one request; raises what the engine raises."""
        if prompt.prompt != self._prompt:
            self._backend.forget()
            self._prompt = prompt.prompt
        before = self._backend.saved
        result = self._engine.draw(prompt)
        return result.model_copy(update={"seconds": round(result.seconds + self._backend.saved - before, 3)})
