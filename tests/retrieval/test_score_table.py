"""The table of scores by category: what is counted, what comes first, and what came after the fit."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval import shelf
from imagewright.retrieval.evidence import PromptFacts
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.score_table import ScoreTable, tabulate_scores
from imagewright.schemas import Evidence, Flow, Problem, Readiness

PROMPTS = {
    "two cats": PromptFacts(categories=("Animals", "Counting")),
    "a red cat": PromptFacts(categories=("Animals",)),
}
LACKS = Readiness(problems=(Problem(kind="model", name="x", remedy="x is missing"),))


class Here:
    """Runs all but what is named."""

    name = "diffusers"

    def __init__(self, *lacking: str) -> None:
        self._lacking = lacking

    def check(self, flow: Flow) -> Readiness:
        return LACKS if flow.id in self._lacking else Readiness()


def row(flow: str, prompt: str, value: float, seed: int) -> Evidence:
    return Evidence(flow=flow, prompt=prompt, backend="diffusers", scorer="exact", value=value, seed=seed, when="2026")


@pytest.fixture
def index(tmp_path: Path, kit: ModuleType) -> FlowIndex:
    made = FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", kit.WordEmbedder())
    made.add_many([kit.flow(name, steps) for name, steps in (("good", 8), ("bad", 9), ("new", 10))])
    rows = [row("good", "two cats", 0.9, 1), row("good", "two cats", 0.8, 2), row("good", "a red cat", 0.9, 1)]
    made.add_evidence([*rows, row("bad", "two cats", 0.2, 1)], PROMPTS)
    return made


def tabulate(index: FlowIndex, *lacking: str, most: int = 9, flow: str = "") -> ScoreTable:
    return tabulate_scores(index, Here(*lacking), "diffusers", False, most, flow)  # type: ignore[arg-type]


def counts(table: ScoreTable) -> dict[str, list[int]]:
    return {each.flow: [each.overall.scores, *(cell.scores for cell in each.cells)] for each in table.rows}


def test_what_was_scored_is_told_by_category_the_best_first(index: FlowIndex) -> None:
    table = tabulate(index)
    assert (table.categories, table.measured) == (("Animals", "Counting"), 2)
    assert counts(table) == {"good": [3, 3, 2], "bad": [1, 1, 1]}
    assert [each.flow for each in table.rows] == ["good", "bad"]
    good, bad = table.rows
    assert good.overall.mean > bad.overall.mean
    assert all(0.0 <= cell.low <= cell.mean <= cell.high <= 1.0 for each in table.rows for cell in each.cells)


def test_what_runs_here_goes_first_and_what_is_named_alone(index: FlowIndex) -> None:
    assert [each.flow for each in tabulate(index, "good").rows] == ["bad", "good"]
    assert [each.flow for each in tabulate(index, "good", most=1).rows] == ["bad"]
    [new] = tabulate(index, flow="new").rows
    assert (new.overall.scores, [cell.scores for cell in new.cells]) == (0, [0, 0])
    with pytest.raises(BadInput, match="nope"):
        tabulate(index, flow="nope")


def test_a_score_that_came_after_the_fit_counts(index: FlowIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "SMALL_ROWS", 0)  # a large index is not fitted anew for one score
    before = counts(tabulate(index))
    index.add_evidence([row("bad", "two cats", 0.9, 5), row("new", "a red cat", 0.9, 1)])
    with index.hold("diffusers") as (_, _, fit):
        assert fit.extra
    after = counts(tabulate(index))
    assert after == before | {"bad": [2, 2, 2], "new": [1, 1, 0]}


def test_an_index_without_scores_gives_an_empty_table(tmp_path: Path, kit: ModuleType) -> None:
    made = FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", kit.WordEmbedder())
    made.add(kit.flow("new"))
    table = tabulate(made)
    assert (table.categories, table.rows, table.measured) == ((), (), 0)
