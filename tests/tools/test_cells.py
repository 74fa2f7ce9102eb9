"""Measured cells: each drawn once, killed or not, together where a backend can do that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from imagewright.errors import CannotDraw, ImagewrightError
from imagewright.flow_format import graph_hash
from imagewright.ports import Drawn, IsCancelled, Job, OnStep, Picture, Step
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.evidence import EvidenceFile, dump_evidence
from imagewright.schemas import Flow, ParsedPrompt, Problem, Readiness
from imagewright.tools.cells import CellStore, SweepProgress, measure
from imagewright.tools.sweep import world_prompts

MINI = [flow for flow in load_shipped_flows() if flow.card.base_model == "mini"][:2]


class GreyBackend:
    """Draws a plain grey picture whose brightness is the number of steps and the seed."""

    name = "grey"

    def __init__(self, stop_after: int = 10_000) -> None:
        self.drawn: list[tuple[str, str, int]] = []
        self.stop_after = stop_after

    def check(self, flow: Flow) -> Readiness:
        if "KSampler" in flow.card.node_classes and flow.card.base_model == "mini":
            return Readiness()
        return Readiness(problems=(Problem(kind="model", name="m", remedy="put m into checkpoints/"),))

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        return ()

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        if len(self.drawn) >= self.stop_after:
            raise KeyboardInterrupt
        self.drawn.append((job.flow.id, job.prompt, job.seed))
        on_step(Step(1, 1))
        grey = 4 * int(job.flow.graph["5"]["inputs"]["steps"]) + job.seed
        return Drawn(Image.new("RGB", (8, 8), (grey, grey, grey)), 0.25)


class Brightness:
    """The mean of a picture."""

    name = "brightness"

    def score(self, prompt: str, parsed: ParsedPrompt, image: Picture) -> float:
        return ImageStat.Stat(image).mean[0] / 255


def sweep(
    store: Path, backend: GreyBackend, progress: Callable[[SweepProgress], Any] = print, **options: Any
) -> list[Any]:
    options = {"flows": MINI, "prompts": world_prompts(3), "seeds": range(2)} | options
    return measure(backend=backend, scorer=Brightness(), store=CellStore(store), progress=progress, **options)


def test_every_cell_is_drawn_once_flow_by_flow(tmp_path: Path) -> None:
    backend, seen = GreyBackend(), []
    rows = sweep(tmp_path / "s.sqlite", backend, seen.append)
    assert len(rows) == len(backend.drawn) == len(set(backend.drawn)) == 2 * 3 * 2
    assert [name for name, _, _ in backend.drawn] == [MINI[0].id] * 6 + [MINI[1].id] * 6
    assert [state.done for state in seen] == [*range(7), *range(6, 13)]
    first = rows[0]
    assert (first.flow, first.backend, first.scorer, first.seed) == (MINI[0].id, "grey", "brightness", 0)
    assert first.graph_hash == graph_hash(MINI[0].graph)
    assert first.value == pytest.approx(4 * MINI[0].graph["5"]["inputs"]["steps"] / 255, abs=1e-5)
    assert first.seconds == 0.25


def test_a_stopped_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    first = GreyBackend(stop_after=7)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path / "s.sqlite", first)
    second, seen = GreyBackend(), []
    rows = sweep(tmp_path / "s.sqlite", second, seen.append)
    assert len(first.drawn) + len(second.drawn) == len(rows) == 12
    assert not set(first.drawn) & set(second.drawn)
    assert seen[-1].reused == 7


class GreyTogether(GreyBackend):
    """Draws several at once, and refuses one prompt."""

    def __init__(self, refuse: str = "") -> None:
        super().__init__()
        self.refuse, self.batches = refuse, list[int]()

    def draw_many(self, jobs: Sequence[Job], is_cancelled: IsCancelled) -> list[Drawn | ImagewrightError]:
        self.batches.append(len(jobs))
        return [
            CannotDraw("too hard", "draw another") if job.prompt == self.refuse
            else self.draw(job, lambda step: None, is_cancelled)
            for job in jobs
        ]  # fmt: skip


def test_a_backend_that_can_draws_a_flows_cells_together(tmp_path: Path) -> None:
    backend = GreyTogether()
    rows = sweep(tmp_path / "s.sqlite", backend, seeds=range(6))
    assert backend.batches == [16, 2, 16, 2]
    for row, alone in zip(rows, sweep(tmp_path / "other.sqlite", GreyBackend(), seeds=range(6)), strict=True):
        assert row.model_copy(update={"when": ""}) == alone.model_copy(update={"when": ""})


def test_what_was_drawn_beside_a_failure_is_kept(tmp_path: Path) -> None:
    prompts = world_prompts(3)
    refused = list(prompts)[1]
    with pytest.raises(CannotDraw, match="too hard"):
        sweep(tmp_path / "s.sqlite", GreyTogether(refused), prompts=prompts)
    backend = GreyTogether()
    sweep(tmp_path / "s.sqlite", backend, prompts=prompts)
    assert backend.batches == [2, 6]
    assert {prompt for _, prompt, _ in backend.drawn[:2]} == {refused}


def test_an_edited_flow_a_new_model_and_more_seeds_are_measured_and_no_more(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    sweep(store, GreyBackend())
    graph = json.loads(json.dumps(MINI[0].graph))
    graph["5"]["inputs"]["steps"] += 1
    edited = [MINI[0].model_copy(update={"graph": graph}), MINI[1]]
    for options, count in (({"flows": edited}, 6), ({"seeds": range(3)}, 6), ({"model": lambda flow: "new"}, 12)):
        backend = GreyBackend()
        sweep(store, backend, **options)
        assert len(backend.drawn) == count


def test_a_renamed_flow_keeps_its_cells_under_its_new_name(tmp_path: Path) -> None:
    sweep(tmp_path / "s.sqlite", GreyBackend())
    backend = GreyBackend()
    rows = sweep(tmp_path / "s.sqlite", backend, flows=[MINI[0].model_copy(update={"id": "renamed"})])
    assert backend.drawn == []
    assert {row.flow for row in rows} == {"renamed"}


def test_nothing_is_drawn_when_a_flow_cannot_run(tmp_path: Path) -> None:
    backend = GreyBackend()
    with pytest.raises(CannotDraw, match="'flux1-dev' cannot run here"):
        sweep(tmp_path / "s.sqlite", backend, flows=[*MINI, *(f for f in load_shipped_flows() if f.id == "flux1-dev")])
    assert backend.drawn == []


def test_the_file_is_the_same_bytes_after_a_restart(tmp_path: Path) -> None:
    prompts = world_prompts(3)
    texts = []
    for _ in range(2):
        rows = sweep(tmp_path / "s.sqlite", GreyBackend())
        texts.append(dump_evidence(EvidenceFile(tuple(reversed(rows)), prompts)))
    assert texts[0] == texts[1]
