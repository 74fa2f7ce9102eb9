"""The judge of the LMD benchmark's layout stage, and the rules planner on all 400 prompts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from imagewright.agents.layout.llm import LLMLayoutPlanner
from imagewright.agents.layout.lmd_form import read_lmd
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.scripted import ScriptedChatModel
from imagewright.errors import BadInput
from imagewright.evals.lmd import NamedBox, evaluate_lmd, filter_boxes, judge_stage_one, main, name_boxes, task_of

PREFIX = "A realistic photo of a scene"
THINGS = np.array(["backpack", "book", "bottle", "bowl", "car", "cat", "chair", "cup", "dog", "laptop"], dtype=object)
COLOURS = np.array(
    ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"], dtype=object
)
SIDES = (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top"))


def an(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def published_prompts() -> list[tuple[str, str]]:
    """Task and prompt of all 400, made by the benchmark's published rule."""
    prompts = [("negation", f"{PREFIX} without {thing}s") for thing in THINGS for _ in range(10)]
    for n, word in enumerate(("one", "two", "three", "four", "five"), start=1):
        prompts += [("numeracy", f"{PREFIX} with {word} {thing}{'s' * (n > 1)}") for thing in THINGS for _ in range(2)]
    for seed in range(100):
        random = np.random.RandomState(seed)
        (c1, c2), (o1, o2) = random.choice(COLOURS, 2, replace=False), random.choice(THINGS, 2, replace=False)
        prompts.append(("attribution", f"{PREFIX} with {an(c1)} {o1} and {an(c2)} {o2}"))
    for seed in range(25):
        random = np.random.RandomState(seed)
        for first, second in SIDES:
            o1, o2 = random.choice(THINGS, 2, replace=False)
            prompts.append(("spatial", f"{PREFIX} with {an(o1)} on the {first} and {an(o2)} on the {second}"))
    return prompts


@pytest.fixture
def prompts_file(tmp_path: Path) -> Path:
    file = tmp_path / "lmd" / "prompts.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps({"prompt": p}) + "\n" for _, p in published_prompts()), encoding="utf-8")
    return file


def test_the_task_is_told_from_the_wording() -> None:
    assert [task_of(prompt) for _, prompt in published_prompts()] == [task for task, _ in published_prompts()]


def test_every_published_prompt_is_laid_out_as_asked(prompts_file: Path) -> None:
    report = evaluate_lmd(prompts_file, RulesLayoutPlanner())
    assert report.failures == []
    assert sum(report.total.values()) == 400


def test_the_users_copy_holds_the_same_prompts() -> None:
    data = os.environ.get("IMAGEWRIGHT_DATA")
    if not data:
        pytest.skip("IMAGEWRIGHT_DATA names no benchmark data")
    lines = (Path(data) / "lmd" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [prompt for _, prompt in published_prompts()]


def box(name: str, x: float = 10, y: float = 10, width: float = 100, height: float = 100) -> NamedBox:
    return NamedBox(name, x, y, width, height)


@pytest.mark.parametrize(
    ("prompt", "boxes", "passes"),
    [
        (f"{PREFIX} without dogs", [box("a cat")], True),
        (f"{PREFIX} without dogs", [box("a brown dog")], False),
        (f"{PREFIX} with two cups", [box("a cup"), box("a blue cup")], True),
        (f"{PREFIX} with two cups", [box("two cups")], False),
        (f"{PREFIX} with one cup", [box("a cup"), box("a cup")], False),
        (
            f"{PREFIX} with a blue dog and an orange bowl",
            [box("a blue dog"), box("an orange bowl"), box("a cat")],
            True,
        ),
        (f"{PREFIX} with a blue dog and an orange bowl", [box("blue dog"), box("an orange bowl")], False),
        (f"{PREFIX} with a cup on the left and a dog on the right", [box("a cup", x=0), box("a dog", x=200)], True),
        (f"{PREFIX} with a cup on the left and a dog on the right", [box("a cup", x=200), box("a dog", x=200)], False),
        (f"{PREFIX} with a cup on the bottom and a dog on the top", [box("a cup", y=200), box("a dog", y=0)], True),
        (f"{PREFIX} with a cup on the bottom and a dog on the top", [box("a dog", y=0)], False),
    ],
)
def test_the_judge(prompt: str, boxes: list[NamedBox], passes: bool) -> None:
    assert judge_stage_one(prompt, boxes) is passes


def test_the_filter_drops_empty_full_and_outside_boxes() -> None:
    dropped = [box("a", width=0), box("b", height=-1), box("c", 0, 0, 512, 512), box("d", x=513), box("e", y=600)]
    kept = [box("f", 0, 0, 512, 300), box("g", x=512)]
    assert filter_boxes([*dropped, *kept]) == kept


def test_the_command_prints_a_table_and_names_what_is_missing(
    prompts_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(prompts_file.parents[1])]) == 0
    assert "400 / 400" in capsys.readouterr().out
    assert main(["--data", str(tmp_path / "nowhere")]) == 2
    assert "cannot read the prompts" in capsys.readouterr().err


def test_a_prompt_of_no_template_is_bad_input() -> None:
    with pytest.raises(BadInput):
        task_of("a dog")


# --- layouts in the published form ------------------------------------------------------------

CELLS = [(10, 10), (190, 10), (370, 10), (100, 300), (300, 300)]
HALVES = {"left": (20, 180), "right": (350, 180), "top": (190, 20), "bottom": (190, 350)}


def in_the_published_form(task: str, prompt: str, flaw: bool = False) -> str:
    """What a language model answers to ``prompt`` in LMD's form; with ``flaw``, a layout that is not as asked."""
    words = prompt.removeprefix(f"{PREFIX} ").split()
    boxes: list[tuple[str, tuple[int, int]]] = []
    if task == "negation":
        boxes = [(an(words[-1].removesuffix("s")), CELLS[0])] if flaw else []
    elif task == "numeracy":
        number = ("one", "two", "three", "four", "five").index(words[1]) + 1
        noun = words[2] if number == 1 else words[2].removesuffix("s")
        boxes = [(an(noun), cell) for cell in CELLS[: number - flaw]]
    elif task == "attribution":
        boxes = [(" ".join(words[1:4]), CELLS[0]), (" ".join(words[5:8]), CELLS[4])][: 2 - flaw]
    else:
        first, second = (words[11], words[5]) if flaw else (words[5], words[11])
        boxes = [(an(words[2]), HALVES[first]), (an(words[8]), HALVES[second])]
    listed = ", ".join(f"('{name}', [{x}, {y}, 130, 130])" for name, (x, y) in boxes)
    negative = words[-1] if task == "negation" else ""
    return f"Objects: [{listed}]\nBackground prompt: A realistic scene\nNegative prompt: {negative}"


@pytest.mark.parametrize("flaw", [False, True])
def test_layouts_in_the_published_form_go_through_the_same_judge(flaw: bool) -> None:
    judged = [
        judge_stage_one(prompt, name_boxes(read_lmd(in_the_published_form(task, prompt, flaw)).boxes))
        for task, prompt in dict.fromkeys(published_prompts())
    ]
    assert len(judged) > 200
    assert judged == [not flaw] * len(judged)


def test_a_scripted_model_in_the_published_form_plans_every_prompt(prompts_file: Path) -> None:
    prompts = published_prompts()
    notes: list[str] = []
    chat = ScriptedChatModel(answers=[in_the_published_form(task, prompt) for task, prompt in prompts])
    asker = Asker("lmd", (LanguageModel(chat),), Line(on_note=notes.append))
    report = evaluate_lmd(prompts_file, LLMLayoutPlanner(asker, RulesLayoutPlanner(), notes.append, lmd=True))
    assert report.failures == []
    assert notes == [], "none was left to the rules"
    assert len(chat.heard) == 400
