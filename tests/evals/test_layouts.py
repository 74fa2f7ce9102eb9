"""The judges of layouts for GenEval and T2I-CompBench, and the rules planner on all of their prompts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.errors import BadInput
from imagewright.evals.layouts import evaluate_sets, geneval, numeracy, spatial, to_singular
from imagewright.schemas import Box


def box(caption: str, x: float = 0.1, y: float = 0.1, name: str = "") -> Box:
    """A small box whose object is the last word of its caption."""
    return Box(caption=caption, object=name or caption.split()[-1], x=x, y=y, width=0.2, height=0.2)


ROW = {
    "prompt": "",
    "include": [
        {"class": "teddy bear", "count": 1},
        {"class": "dog", "count": 1, "color": "red", "position": ["right of", 0]},
    ],
}


@pytest.mark.parametrize(
    ("boxes", "problems"),
    [
        ([box("a teddy bear", name="teddy bear"), box("a red dog", 0.6)], []),
        ([box("a teddy bear", 0.6, name="teddy bear"), box("a red dog")], ["dog is not right of"]),
        ([box("a teddy bear", name="teddy bear"), box("a blue dog", 0.6)], ["0 red dog, not 1"]),
        ([box("a red dog", 0.6)], ["0  teddy bear, not 1"]),
    ],
)
def test_the_judge_of_geneval(boxes: list[Box], problems: list[str]) -> None:
    assert geneval(ROW)(boxes) == problems


@pytest.mark.parametrize(
    ("prompt", "boxes", "holds"),
    [
        ("a girl on the top of a frog", [box("a girl", y=0.1), box("a frog", y=0.6)], True),
        ("a girl on the top of a frog", [box("a girl", y=0.6), box("a frog", y=0.1)], False),
        ("a mouse on side of a key", [box("a mouse"), box("a key", 0.35)], True),
        ("a mouse on side of a key", [box("a mouse"), box("a key", 0.79)], False),
        ("a dog in front of a desk", [box("a dog"), box("a desk")], True),
        ("a dog in front of a desk", [box("a dog")], False),
        ("a dog hidden by a dog", [box("a dog"), box("a dog", 0.3)], True),
        ("a dog hidden by a dog", [box("a dog")], False),
        ("a dog to the left of a cat", [box("a dog"), box("a cat", 0.6), box("a cat", 0.3)], False),
    ],
)
def test_the_judge_of_spatial_prompts(prompt: str, boxes: list[Box], holds: bool) -> None:
    assert (spatial(prompt)(boxes) == []) is holds


def test_the_judge_of_numeracy_prompts() -> None:
    wants = numeracy("two cars stuck on the road, one banana and four mice sang a tune")
    right = [box("a car")] * 2 + [box("a banana")] + [box("a mouse")] * 4
    assert wants(right) == []
    assert wants(right[1:]) == ["1 car, not 2"]
    assert wants([*right, box("a mouse")]) == ["5 mouse, not 4"]


@pytest.mark.parametrize(
    ("noun", "one"), [("buses", "bus"), ("cherries", "cherry"), ("sheep", "sheep"), ("glass", "glass")]
)
def test_singulars(noun: str, one: str) -> None:
    assert to_singular(noun) == one


def test_missing_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        evaluate_sets(tmp_path, RulesLayoutPlanner())
    (tmp_path / "geneval").mkdir()
    (tmp_path / "geneval" / "evaluation_metadata.jsonl").write_text('{"tag": 1}\n')
    with pytest.raises(BadInput, match="cannot read"):
        evaluate_sets(tmp_path, RulesLayoutPlanner())


def test_every_prompt_of_the_benchmarks_is_laid_out_as_asked() -> None:
    data = os.environ.get("IMAGEWRIGHT_DATA")
    if not data:
        pytest.skip("IMAGEWRIGHT_DATA names no benchmark data")
    scores = evaluate_sets(Path(data), RulesLayoutPlanner())
    assert [(score.total, score.failures) for score in scores] == [(553, []), (300, []), (300, []), (300, [])]
