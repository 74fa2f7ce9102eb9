"""Arms share pictures of one prompt: nothing else is shared, and nobody's seconds are lost."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from PIL import Image

from imagewright.api import Imagewright
from imagewright.evals.sharing import Remembering, SharingEngine
from imagewright.ports import Backend, Drawn, IsCancelled, Job, OnStep, Redraw, Redraws
from imagewright.schemas import Card, DrawRequest, Flow, Region, RunResult

FLOW = Flow(id="f", graph={"1": {"class_type": "KSampler", "inputs": {"steps": 4}}}, card=Card(title="F"))
OTHER = Flow(id="g", graph={"1": {"class_type": "KSampler", "inputs": {"steps": 5}}}, card=Card(title="G"))
BOX = Region(caption="a cup", x=0.1, y=0.1, width=0.5, height=0.5)
JOB = Job(FLOW, "a red cup", seed=1)


class Counting:
    """A backend whose pictures take two seconds each."""

    name = "counting"

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        self.jobs.append(job)
        return Drawn(Image.new("RGB", (4, 4), (len(self.jobs), 0, 0)), 2.0)


class Engine:
    """Draws one picture a request, and says that it took no time of its own."""

    def __init__(self) -> None:
        self.inner = Counting()
        self.used = cast(Backend, self.inner)

    def backend(self, name: str) -> Backend:
        return self.used

    def use_backend(self, name: str, backend: Backend) -> None:
        self.used = backend

    def draw(self, prompt: DrawRequest) -> RunResult:
        before = len(self.inner.jobs)
        self.used.draw(Job(FLOW, prompt.prompt, seed=prompt.seed or 0), lambda step: None, lambda: False)
        seconds = 2.0 * (len(self.inner.jobs) - before)
        return RunResult(
            run="r", prompt=prompt.prompt, path="p", image="x", seed=1, flow="f", categories=(), candidates=(),
            layout=None, rounds=(), images=1, seconds=seconds,
        )  # fmt: skip


def draw(backend: Remembering, job: Job) -> Drawn:
    return backend.draw(job, lambda step: None, lambda: False)


def test_the_same_job_is_drawn_once() -> None:
    inner = Counting()
    backend = Remembering(cast(Backend, inner))
    first, again = draw(backend, JOB), draw(backend, replace(JOB))
    assert first is again
    assert (len(inner.jobs), backend.saved, backend.name) == (1, 2.0, "counting")
    assert isinstance(backend, Redraws)
    assert not backend.can_redraw(FLOW)


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, flow=OTHER),
        replace(JOB, prompt="a blue cup"),
        replace(JOB, negative="blur"),
        replace(JOB, seed=2),
        replace(JOB, width=64),
        replace(JOB, steps=9),
        replace(JOB, guidance=2.0),
        replace(JOB, regions=(BOX,)),
        replace(JOB, regions=(BOX,), region_share=0.5),
        replace(JOB, redraw=Redraw(Image.new("RGB", (4, 4)), (BOX,))),
    ],
)
def test_any_other_job_is_drawn(other: Job) -> None:
    inner = Counting()
    backend = Remembering(cast(Backend, inner))
    assert draw(backend, JOB) is not draw(backend, other)
    assert backend.saved == 0


def test_a_redraw_of_another_picture_is_another_job() -> None:
    backend = Remembering(cast(Backend, Counting()))
    dark, light = (Redraw(Image.new("RGB", (4, 4), shade), (BOX,)) for shade in ("black", "white"))
    assert draw(backend, replace(JOB, redraw=dark)) is not draw(backend, replace(JOB, redraw=light))


def test_runs_of_one_prompt_share_and_each_counts_the_whole_time() -> None:
    engine = Engine()
    sharing = SharingEngine(cast(Imagewright, engine), "counting")
    found = [sharing.draw(DrawRequest(prompt=text, seed=1)) for text in ("a cup", "a cup", "a fish", "a cup")]
    assert [result.seconds for result in found] == [2.0] * 4
    assert [job.prompt for job in engine.inner.jobs] == ["a cup", "a fish", "a cup"]
