"""The layout stage of the LLM-grounded Diffusion benchmark: 400 prompts on negation, numeracy, attribution and space.

Rules: Lian et al., "LLM-grounded Diffusion" (TMLR 2024), stage 1 of the authors' evaluation. The task is re-derived
from the prompt's wording; a layout is judged by the names of its boxes and, for space, by their centres. Only the
layout is judged, no picture is drawn.

Run it with ``python -m imagewright.evals.lmd --data DIR``, where ``DIR/lmd/prompts.jsonl`` holds the prompts.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from imagewright import untrusted
from imagewright.errors import BadInput, ImagewrightError
from imagewright.ports import LayoutPlanner
from imagewright.schemas import Box, Layout

Task = Literal["negation", "numeracy", "attribution", "spatial"]
TASKS: tuple[Task, ...] = ("negation", "numeracy", "attribution", "spatial")
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_SIDES = ("left", "right", "top", "bottom")
_CANVAS = 512
_ATTRIBUTION = re.compile(r"with ((?:a|an) \w+ \w+) and ((?:a|an) \w+ \w+)$")
_SPATIAL = re.compile(r"with (?:a|an) (\w+) on the (\w+) and (?:a|an) (\w+) on the (\w+)$")


@dataclass(frozen=True)
class NamedBox:
    """A box as the benchmark sees it: a name, and x, y, width, height in pixels of a 512 by 512 canvas."""

    name: str
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, in pixels."""
        return (self.x + self.width / 2, self.y + self.height / 2)


@dataclass
class Report:
    """How many prompts of each task were laid out as asked, and which were not."""

    passed: dict[Task, int] = field(default_factory=lambda: dict.fromkeys(TASKS, 0))
    total: dict[Task, int] = field(default_factory=lambda: dict.fromkeys(TASKS, 0))
    failures: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """The share of all prompts that passed, in [0, 1]."""
        return sum(self.passed.values()) / max(1, sum(self.total.values()))

    def table(self) -> str:
        """One line a task, then the overall figure."""
        lines = [f"{task:<12} {self.passed[task]:>4} / {self.total[task]}" for task in TASKS]
        return "\n".join(
            [
                *lines,
                f"{'overall':<12} {sum(self.passed.values()):>4} / {sum(self.total.values())}  {self.accuracy:.1%}",
            ]
        )


def task_of(prompt: str) -> Task:
    """The task that the wording of ``prompt`` implies.

    Raises:
        BadInput: the prompt follows none of the benchmark's templates.
    """
    if "without" in prompt:
        return "negation"
    if any(f"on the {side}" in prompt for side in _SIDES):
        return "spatial"
    if "and" in prompt.split("with", 1)[-1]:
        return "attribution"
    if "with" in prompt:
        return "numeracy"
    raise BadInput(
        f"not a prompt of this benchmark: {prompt!r}",
        "its templates say with, without, or on the left, right, top, bottom",
    )


def filter_boxes(boxes: Iterable[NamedBox]) -> list[NamedBox]:
    """The benchmark's filter: without empty boxes, boxes as large as the canvas, and boxes outside it."""
    return [
        box
        for box in boxes
        if box.width > 0
        and box.height > 0
        and not (box.width >= _CANVAS and box.height >= _CANVAS)
        and not (box.x > _CANVAS or box.y > _CANVAS)
    ]


def judge_stage_one(prompt: str, boxes: Sequence[NamedBox]) -> bool:
    """Whether the boxes show what ``prompt`` asks for, by the published stage-1 rules."""
    task = task_of(prompt)
    kept = filter_boxes(boxes)
    if task == "negation":
        return _count(prompt.rsplit(" ", 1)[1].removesuffix("s"), kept) == 0
    if task == "numeracy":
        number, noun = prompt.rsplit(" ", 2)[1:]
        wanted = _NUMBERS[number]
        return _count(noun if wanted == 1 else noun.removesuffix("s"), kept) == wanted
    if task == "attribution":
        found = _ATTRIBUTION.search(prompt)
        return found is not None and all(_count(name, kept) >= 1 for name in found.groups())
    return _spatial(prompt, kept)


def _count(name: str, boxes: Iterable[NamedBox]) -> int:
    return sum(name in box.name for box in boxes)


def _spatial(prompt: str, boxes: Sequence[NamedBox]) -> bool:
    """Strict comparison of the centres of the first box of each name."""
    found = _SPATIAL.search(prompt)
    if found is None:
        return False
    first, side, second, _ = found.groups()
    a, b = _first(first, boxes), _first(second, boxes)
    if a is None or b is None:
        return False
    axis = 0 if side in {"left", "right"} else 1
    if side in {"left", "top"}:
        return a.centre[axis] < b.centre[axis]
    return a.centre[axis] > b.centre[axis]


def _first(name: str, boxes: Iterable[NamedBox]) -> NamedBox | None:
    return next((box for box in boxes if f"{name} " in box.name or box.name.endswith(name)), None)


def name_boxes(boxes: Iterable[Box]) -> list[NamedBox]:
    """A layout's boxes in the benchmark's pixels."""
    return [NamedBox(b.caption, *(side * _CANVAS for side in (b.x, b.y, b.width, b.height))) for b in boxes]


def evaluate_lmd(prompts_file: Path, planner: LayoutPlanner) -> Report:
    """Lay out every prompt of ``prompts_file`` (JSON lines with ``prompt``) and judge each.

    Raises:
        BadInput: the file cannot be read or is not of this benchmark.
    """
    report = Report()
    for prompt in _read_prompts(prompts_file):
        task = task_of(prompt)
        layout: Layout = planner.plan(prompt.strip().rstrip(".")).layout
        report.total[task] += 1
        if judge_stage_one(prompt, name_boxes(layout.boxes)):
            report.passed[task] += 1
        else:
            report.failures.append(prompt)
    return report


def _read_prompts(prompts_file: Path) -> list[str]:
    """The ``prompt`` of each line.

    Raises:
        BadInput: the file is missing or a line is not a JSON object with a prompt.
    """
    try:
        return [
            str(untrusted.parse_json(line, str(prompts_file))["prompt"])
            for line in prompts_file.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
    except (BadInput, OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"cannot read the prompts in {prompts_file}: {error}", "--data is the folder that holds lmd/prompts.jsonl"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for the rules planner; the exit code is 0 when the benchmark could be run."""
    from imagewright.agents.layout.rules import RulesLayoutPlanner

    parser = argparse.ArgumentParser(
        prog="python -m imagewright.evals.lmd", description="LMD benchmark, layout stage, rules planner."
    )
    parser.add_argument("--data", type=Path, help="folder that holds lmd/prompts.jsonl")
    parser.add_argument("--failures", action="store_true", help="also print the prompts that failed")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.data is None:
            raise BadInput("no benchmark data", "give --data DIR or set IMAGEWRIGHT_DATA")
        report = evaluate_lmd(Path(chosen.data) / "lmd" / "prompts.jsonl", RulesLayoutPlanner())
    except ImagewrightError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        return error.exit_code
    print(report.table())
    if chosen.failures:
        print("\n".join(report.failures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
