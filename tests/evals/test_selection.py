"""Held-out prediction: nothing of a fold is seen, a gain by kind is found, and intervals are as wide as they say."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagewright.cli.app import app
from imagewright.errors import BadInput
from imagewright.evals.selection import by_prompt, by_things, folds_of, predict, report_selection
from imagewright.retrieval.builtin import load_shipped_evidence
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts
from imagewright.schemas import Card, Evidence, Flow, ParsedGroup, ParsedPrompt

THINGS = ("circle", "square", "star", "house", "tree", "boat")


class Letters:
    """An embedder by letters: enough to tell the prompts apart."""

    name = "letters"
    dimension = 26

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        found = []
        for text in texts:
            counts = [text.lower().count(chr(97 + i)) + 0.01 for i in range(26)]
            norm = sum(c * c for c in counts) ** 0.5
            found.append([c / norm for c in counts])
        return found


def flow(name: str) -> Flow:
    graph = {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": name}},
        "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": name}},
    }
    return Flow(id=name, graph=graph, card=Card.model_validate({"title": name, "base_model": "mini", "slots": {
        "positive": [{"node": "1", "input": "text"}]}}))  # fmt: skip


def measured(spread: float, seeds: int = 4) -> EvidenceFile:
    """``one`` is good at single things and ``many`` at several."""
    rng, rows, facts = random.Random(5), [], {}
    for count in (1, 2, 3, 4):
        for thing in THINGS:
            prompt = f"{count} red {thing}"
            facts[prompt] = PromptFacts(
                ParsedPrompt(groups=(ParsedGroup(object=thing, count=count),)), ("Counting",) if count > 1 else ("One",)
            )
            for name in ("one", "many"):
                good = (name == "one") == (count == 1)
                rows += [
                    Evidence(flow=name, prompt=prompt, backend="b", scorer="s", seed=seed, graph_hash="",
                             when="2026-01-01", value=min(1.0, max(0.0, rng.gauss(0.7 if good else 0.4, spread))))
                    for seed in range(seeds)
                ]  # fmt: skip
    return EvidenceFile(tuple(rows), facts)


def test_folds_part_every_prompt_once_and_keep_alike_ones_together() -> None:
    facts = measured(0.1).prompts
    single = folds_of(facts, 5, by_prompt)
    assert sorted(len(part) for part in single) == [4, 5, 5, 5, 5]
    assert set().union(*single) == set(facts)
    coloured = {**facts, **{prompt.replace("red", "blue"): fact for prompt, fact in facts.items()}}
    for part in folds_of(coloured, 5, by_things):
        assert {prompt.replace("red", "blue") for prompt in part} <= part
    assert folds_of(facts, 5, by_prompt, seed=1) != single


def test_a_flow_that_is_better_at_a_kind_is_chosen_there(tmp_path: Path) -> None:
    evidence = measured(0.05)
    cells, outcomes = predict(evidence, [flow("one"), flow("many")], Letters(), tmp_path)
    assert len(cells) == 48
    result = report_selection(cells, outcomes, evidence)
    scores = {arm.arm: arm.overall for arm in result.arms}
    assert scores["selected"] == pytest.approx(0.7, abs=0.03)
    assert scores["best-fixed"] == pytest.approx(0.62, abs=0.03)
    assert scores["random"] == pytest.approx(0.55, abs=0.03)
    assert scores["random"] < scores["best-fixed"] < scores["selected"] <= scores["best in hindsight"]
    better = next(pair for pair in result.pairs if pair.b == "best-fixed")
    assert better.low > 0
    text = result.table()
    assert "selected over best-fixed: +0." in text
    assert "of 48 held-out cells" in text
    assert result.ceiling is not None
    assert result.ceiling.low > 0
    assert result.ceiling.recovered == pytest.approx(1.0, abs=0.15)
    assert "recover" in text


def test_there_is_no_ceiling_without_two_seeds(tmp_path: Path) -> None:
    evidence = measured(0.05, seeds=1)
    result = report_selection(*predict(evidence, [flow("one"), flow("many")], Letters(), tmp_path), evidence)
    assert result.ceiling is None
    assert "no ceiling" in result.table()


def test_a_held_out_score_changes_no_estimate_of_its_own_prompt(tmp_path: Path) -> None:
    evidence = measured(0.05)
    prompt = "3 red boat"
    lied = tuple(row.model_copy(update={"value": 0.0}) if row.prompt == prompt else row for row in evidence.rows)
    flows = [flow("one"), flow("many")]
    found = [
        {cell.flow: cell for cell in predict(file, flows, Letters(), tmp_path / name)[0] if cell.prompt == prompt}
        for name, file in (("true", evidence), ("lied", EvidenceFile(lied, evidence.prompts)))
    ]
    for name in ("one", "many"):
        assert found[0][name].estimate == found[1][name].estimate
        assert found[1][name].value == 0


def test_intervals_hold_about_nine_in_ten(tmp_path: Path) -> None:
    evidence = measured(0.15)
    cells, outcomes = predict(evidence, [flow("one"), flow("many")], Letters(), tmp_path)
    assert 0.85 <= report_selection(cells, outcomes, evidence).covered <= 1.0
    narrow = [cell for cell in cells if cell.high - cell.low < 0.9]
    assert len(narrow) > 40


def test_too_little_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too few prompts"):
        predict(measured(0.1), [flow("other")], Letters(), tmp_path)


def test_the_command_reports_what_ships() -> None:
    done = CliRunner().invoke(app, ["eval", "selection", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert result["cells"] > 100
    paired = len({row.seed for row in load_shipped_evidence().rows}) > 1
    assert (result["ceiling"]["best_per_cell"] > 0) if paired else result["ceiling"] is None
    assert {"selected", "best-fixed", "random"} <= {arm["arm"] for arm in result["arms"]}


@pytest.mark.parametrize("folds", ["1", "none"])
def test_folds_are_a_number_from_two(folds: str) -> None:
    result = CliRunner().invoke(app, ["eval", "selection", "--folds", folds])
    assert isinstance(result.exception, BadInput)
    assert "--folds" in str(result.exception)
