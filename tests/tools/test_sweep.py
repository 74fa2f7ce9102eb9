"""The sweep: every cell once, killed or not, and the same file every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from imagewright.errors import BadInput, CannotDraw
from imagewright.flow_format import graph_hash
from imagewright.ports import Drawn, IsCancelled, Job, OnStep, Picture, Step
from imagewright.retrieval.builtin import shipped_flows
from imagewright.retrieval.evidence import EvidenceFile, dump_evidence
from imagewright.schemas import Flow, ParsedPrompt, Problem, Readiness
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES
from imagewright.tools.sweep import SIZES, CellStore, Progress, load_prompts, main, measure, world_prompts

MINI = [flow for flow in shipped_flows() if flow.card.base_model == "mini"][:2]


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


def sweep(store: Path, backend: GreyBackend, progress: Callable[[Progress], Any] = print, **options: Any) -> list[Any]:
    options = {"flows": MINI, "prompts": world_prompts(3), "seeds": range(2)} | options
    return measure(backend=backend, scorer=Brightness(), store=CellStore(store), progress=progress, **options)


def test_every_cell_is_drawn_once_flow_by_flow(tmp_path: Path) -> None:
    backend, seen = GreyBackend(), []
    rows = sweep(tmp_path / "s.sqlite", backend, seen.append)
    assert len(rows) == len(backend.drawn) == len(set(backend.drawn)) == 2 * 3 * 2
    assert [name for name, _, _ in backend.drawn] == [MINI[0].id] * 6 + [MINI[1].id] * 6
    assert [state.done for state in seen] == list(range(1, 13))
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
        sweep(tmp_path / "s.sqlite", backend, flows=[*MINI, *(f for f in shipped_flows() if f.id == "flux1-dev")])
    assert backend.drawn == []


def test_the_file_is_the_same_bytes_after_a_restart(tmp_path: Path) -> None:
    prompts = world_prompts(3)
    texts = []
    for _ in range(2):
        rows = sweep(tmp_path / "s.sqlite", GreyBackend())
        texts.append(dump_evidence(EvidenceFile(tuple(reversed(rows)), prompts)))
    assert texts[0] == texts[1]


def test_measuring_prompts_are_mini_s_world_and_always_the_same() -> None:
    prompts = world_prompts()
    assert len(prompts) == 60
    assert prompts == world_prompts()
    assert list(world_prompts(5)) == list(prompts)[:5]
    for text, facts in prompts.items():
        assert facts.parsed is not None
        for group in facts.parsed.groups:
            assert group.object in SHAPES
            assert group.object in text
            assert group.attributes[-1] in COLOURS
            assert set(group.attributes) <= {*COLOURS, *SIZES} & set(text.split())
        assert ("Counting" in facts.categories) == any(group.count > 1 for group in facts.parsed.groups)
        assert ("Attribute binding" in facts.categories) == (len(facts.parsed.groups) == 2)


def test_prompts_are_written_where_absent_and_read_where_there(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    assert load_prompts(path, 4) == world_prompts(4)
    before = path.read_text()
    assert load_prompts(path, 9) == world_prompts(4)
    assert path.read_text() == before
    path.write_text('{"prompt": "a red star"}\n{"text": 1}\n')
    with pytest.raises(BadInput, match="line 2"):
        load_prompts(path, 4)
    path.write_text("")
    with pytest.raises(BadInput, match="no prompt"):
        load_prompts(path, 4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--flows", "mini-none"], "no shipped flow is called 'mini-none'"),
        (["--seeds", "0"], "--seeds and --count"),
        (["--backend", "none"], "no backend is called 'none'"),
    ],
)
def test_the_command_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["--out", str(tmp_path / "e.jsonl"), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") <= 3
    assert not list(tmp_path.iterdir())
