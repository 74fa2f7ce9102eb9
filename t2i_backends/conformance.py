"""What every backend must do, as tests: a package that brings one inherits from ``BackendConformance``.

::

    from imagewright.t2i_backends.conformance import BackendConformance

    class TestMine(BackendConformance):
        @pytest.fixture
        def backend(self):
            return MyBackend(...)

        @pytest.fixture
        def flow(self):
            return ...          # a flow that it can run, whose pictures are small and quick

It needs pytest, and nothing else that the backend does not bring.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagewright.errors import Cancelled, ImagewrightError
from imagewright.needing import read_need
from imagewright.ports import AnswersNeeds, Backend, Drawn, DrawsTogether, Job, KnowsWorlds, Redraw, Redraws, Step
from imagewright.schemas import Card, Flow, ParsedPrompt, Readiness, Region


def nobody_stops() -> bool:
    """The ``is_cancelled`` of a job that nobody stops."""
    return False


def draw_one(backend: Backend, job: Job, steps: list[Step] | None = None) -> Drawn:
    """One picture; ``steps`` takes what is told meanwhile."""
    told: list[Step] = [] if steps is None else steps
    return backend.draw(job, told.append, nobody_stops)


class BackendConformance:
    """The tests. What a backend cannot do is skipped; ``prompt`` and ``steps`` may be set by whoever inherits."""

    prompt = "a red circle"
    steps_told = True
    """Whether steps are told while a picture is drawn."""

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend, ready to draw."""
        raise NotImplementedError("give the backend as a fixture")

    @pytest.fixture
    def flow(self) -> Flow:
        """A flow that it can run."""
        raise NotImplementedError("give a flow as a fixture")

    @pytest.fixture
    def job(self, flow: Flow) -> Job:
        """One small picture."""
        return Job(flow=flow, prompt=self.prompt, seed=7)

    @pytest.fixture
    def foreign(self, flow: Flow) -> Flow:
        """A flow that nobody can run."""
        graph = copy.deepcopy(flow.graph)
        graph["nobody has this"] = {"class_type": "NoSuchNode", "inputs": {}}
        return Flow(id="foreign", graph=graph, card=Card(title="Foreign", slots=flow.card.slots))

    # --- what can run -----------------------------------------------------------------------

    def test_it_has_a_name_and_the_methods(self, backend: Backend) -> None:
        """The protocol."""
        assert isinstance(backend, Backend)
        assert backend.name
        assert backend.name == backend.name.strip()

    def test_what_it_calls_ready_it_says_without_a_reason(self, backend: Backend, flow: Flow) -> None:
        """``check`` of what runs."""
        told = backend.check(flow)
        assert isinstance(told, Readiness)
        assert told.runnable, told.why_not

    def test_what_it_cannot_run_is_named_with_a_remedy(self, backend: Backend, foreign: Flow) -> None:
        """``check`` of what does not."""
        told = backend.check(foreign)
        assert not told.runnable
        assert any("NoSuchNode" in f"{problem.name}{problem.remedy}" for problem in told.problems)
        assert all(problem.remedy and "\n" not in problem.remedy for problem in told.problems)

    def test_needs_agree_with_check_and_are_the_same_until_they_change(
        self, backend: Backend, flow: Flow, foreign: Flow
    ) -> None:
        """``missing``, where there is such an answer."""
        if not isinstance(backend, AnswersNeeds):
            pytest.skip("it is asked flow by flow")
        needs = (read_need(flow), read_need(foreign))
        told = backend.missing(needs)
        assert [each.runnable for each in told] == [True, False]
        assert backend.missing(needs) is told

    def test_limits_are_words(self, backend: Backend, flow: Flow) -> None:
        """``limits``, and whether the model knows only some words."""
        words = backend.limits(flow, self.prompt, ParsedPrompt())
        assert all(isinstance(word, str) for word in words)
        if isinstance(backend, KnowsWorlds):
            assert backend.is_closed(flow) in (True, False)

    # --- pictures ---------------------------------------------------------------------------

    def test_it_draws_and_says_how(self, backend: Backend, job: Job) -> None:
        """A picture, its time, its facts, its steps."""
        steps: list[Step] = []
        drawn = draw_one(backend, job, steps)
        assert isinstance(drawn.image, Image.Image)
        assert min(drawn.image.size) > 0
        assert drawn.seconds >= 0
        assert all(isinstance(item, str) for pair in drawn.facts.items() for item in pair)
        told = [(step.step, step.total) for step in steps if not step.text]
        assert all(0 < step <= total for step, total in told)
        assert [step for step, _ in told] == sorted(step for step, _ in told)
        assert told or not self.steps_told

    def test_the_same_job_gives_the_same_picture(self, backend: Backend, job: Job) -> None:
        """A seed decides."""
        first, second = (draw_one(backend, job).image for _ in range(2))
        assert first.tobytes() == second.tobytes()

    def test_another_seed_gives_another_picture(self, backend: Backend, job: Job) -> None:
        """And so does another one."""
        first, second = (draw_one(backend, replace(job, seed=seed)).image for seed in (7, 8))
        assert first.tobytes() != second.tobytes()

    def test_a_key_does_not_change_the_picture(self, backend: Backend, job: Job) -> None:
        """A content key is how a job is known again, no matter what it is."""
        first, second = (draw_one(backend, replace(job, key=key)).image for key in ("a" * 64, ""))
        assert first.tobytes() == second.tobytes()

    def test_the_flow_is_left_as_it_is(self, backend: Backend, job: Job) -> None:
        """Nothing is written into the graph that was handed over."""
        before = copy.deepcopy(job.flow.graph)
        draw_one(backend, replace(job, steps=2))
        assert job.flow.graph == before

    def test_a_stop_ends_it_between_two_steps(self, backend: Backend, job: Job) -> None:
        """``Cancelled``, at the latest after the step that is under way; the next job is drawn."""
        with pytest.raises(Cancelled):
            backend.draw(job, lambda step: None, lambda: True)
        stop = threading.Event()
        if self.steps_told:
            with pytest.raises(Cancelled):
                backend.draw(replace(job, seed=9), lambda step: stop.set(), stop.is_set)
        assert draw_one(backend, replace(job, seed=9)).image.size

    def test_what_cannot_be_drawn_is_an_error_in_words(self, backend: Backend, foreign: Flow) -> None:
        """An error of ours with a message of one line."""
        with pytest.raises(ImagewrightError) as caught:
            draw_one(backend, Job(flow=foreign, prompt=self.prompt))
        assert str(caught.value)
        assert "\n" not in str(caught.value)

    def test_regions_are_drawn_or_left_out_without_harm(self, backend: Backend, job: Job) -> None:
        """A layout is obeyed, or the facts say that it was not."""
        region = Region(caption="a blue square", x=0.0, y=0.0, width=0.5, height=0.5)
        assert draw_one(backend, replace(job, regions=(region,))).image.size

    def test_a_redraw_keeps_what_lies_far_from_its_box(self, backend: Backend, job: Job) -> None:
        """Pixels far from the box are the picture's own."""
        if not isinstance(backend, Redraws) or not backend.can_redraw(job.flow):
            pytest.skip("it redraws nothing")
        base = draw_one(backend, job).image.convert("RGB")
        box = Region(caption="a blue square", x=0.0, y=0.0, width=0.25, height=0.25)
        drawn = draw_one(backend, replace(job, seed=8, redraw=Redraw(base, (box,))))
        assert drawn.image.size == base.size
        far: tuple[Any, ...] = tuple(np.asarray(image.convert("RGB"))[-2:, -2:] for image in (base, drawn.image))
        assert np.array_equal(*far)

    def test_several_at_once_are_those_of_one_by_one(self, backend: Backend, job: Job, foreign: Flow) -> None:
        """``draw_many``, where there is one: as many answers as jobs, in their order."""
        if not isinstance(backend, DrawsTogether):
            pytest.skip("it draws one by one")
        jobs = [replace(job, seed=seed) for seed in (1, 2, 3)]
        found = backend.draw_many(jobs, nobody_stops)
        assert len(found) == len(jobs)
        for one, each in zip(jobs, found, strict=True):
            assert isinstance(each, Drawn), str(each)
            apart = np.abs(_numbers(each.image) - _numbers(draw_one(backend, one).image))
            assert apart.mean() < 2


def _numbers(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB"), dtype=np.float64)
