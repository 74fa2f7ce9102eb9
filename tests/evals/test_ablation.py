"""The ablation: every arm asks for what its name says, and a stopped run goes on with nothing drawn twice."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.evals.ablation import (
    PAIRS,
    PROMPT_KINDS,
    Arm,
    CellSetting,
    FlowMeans,
    arms,
    cells,
    hold_out,
    judge_exactly,
    table_of,
    write_prompts,
)
from imagewright.evals.ablation_prompts import read_cases
from imagewright.evals.ablation_report import ablation_table, plot
from imagewright.evals.exact_checker import Piece, Seen
from imagewright.evals.mini_report import ReportCase, complaints
from imagewright.evals.paired import ArmOutcome, arm_rows, pair_row
from imagewright.schemas import DrawRequest, Evidence, Round, RunResult, Verdict
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import Scene

TABLE = FlowMeans(
    {"calm": 0.6, "bold": 0.7}, {"Counting": {"calm": 0.9, "bold": 0.5}, "Colours": {"calm": 0.5, "bold": 0.6}}, {}
)
SETTING = CellSetting(judge_exactly)


class Engine:
    """Draws the right picture where a request asks for the critic or ``good`` is its flow, an empty one elsewhere."""

    def __init__(self, made: list[ReportCase], stop_after: int = 10_000) -> None:
        self.scenes = {case.prompt: case.scene for case in made}
        self.requests: list[DrawRequest] = []
        self.stop_after = stop_after

    def draw(self, prompt: DrawRequest) -> RunResult:
        if len(self.requests) >= self.stop_after:
            raise KeyboardInterrupt
        self.requests.append(prompt)
        right = prompt.use_critic and len(self.requests) % 2 == 0
        scene = self.scenes[prompt.prompt]
        empty = Scene((), None, None, scene.background, (), 0.5)
        path = Path(prompt.out or "")
        draw_scene(scene if right else empty).save(path)
        path.with_suffix(".json").write_text("{}")
        verdict = Verdict(accepted=right, score=float(right)) if prompt.use_critic else None
        rounds = (Round(image="x", flow="f", seed=1, prompt=prompt.prompt, layout=None, verdict=verdict),)
        return RunResult(
            run="r", prompt=prompt.prompt, path=str(path), image="x", seed=1, flow="f", categories=(), candidates=(),
            layout=None, rounds=rounds, images=1, seconds=0.5,
        )  # fmt: skip


@pytest.fixture
def made() -> list[ReportCase]:
    return hold_out(4)


def test_the_prompts_are_fixed_and_from_all_rows(made: list[ReportCase]) -> None:
    many = hold_out(300)
    assert many == hold_out(300)
    assert len({case.prompt for case in many}) > 290
    assert {case.kind for case in many} == {row.name for row in PROMPT_KINDS}
    assert hold_out(4) == made


def test_another_seed_makes_other_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.evals.ablation.PROMPT_KINDS", (replace(PROMPT_KINDS[0], prompts=8),))
    first, second = ([case.prompt for case in hold_out(8, seed)] for seed in (1, 2))
    assert len(first) == len(second) == 8
    assert len({*first} & {*second}) < 4


def test_every_arm_asks_for_what_its_name_says() -> None:
    found = {arm.name: arm for arm in arms(TABLE, "plain-flow", images=4, draws=3)}
    case = hold_out(1)[0]
    assert found["plain"].flow(case) == "plain-flow"
    assert found["best-fixed"].flow(case) == found["best-of-n"].flow(case) == "bold"
    assert found["random"].flow(case) in TABLE.means
    assert found["selected"].flow(case) is None
    settings = {name: (arm.layout, arm.critic, arm.images, arm.draws) for name, arm in found.items()}
    assert settings["selected"] == settings["best-fixed"] == (True, False, 1, 1)
    assert settings["selected+layout"] == ("always", False, 1, 1)
    assert settings["full"] == (True, True, 4, 1)
    assert settings["best-of-n"] == (True, True, 1, 3)
    assert settings["full without layout"] == (False, True, 4, 1)
    assert [name for name, arm in found.items() if not arm.categories] == ["full without categorizer"]
    assert {name for pair in PAIRS for name in pair} <= set(found)


def test_the_table_of_categories_is_what_the_evidence_says() -> None:
    def row(flow: str, prompt: str, value: float) -> Evidence:
        return Evidence(flow=flow, prompt=prompt, backend="b", scorer="s", value=value, seed=0, when="2026")

    rows = [
        row("calm", "two cups", 1.0),
        row("bold", "two cups", 0.2),
        row("calm", "a cup", 0.1),
        row("bold", "a cup", 1.0),
    ]
    found = table_of(rows, {"two cups": ("Counting",)}, {"three cups": ("Counting",), "a fish": ("Animals",)})
    assert found.best == "bold"
    assert found.best_for("three cups") == "calm"
    assert found.best_for("a fish") == "bold"
    with pytest.raises(BadInput, match="no evidence"):
        table_of([], {}, {})


def test_a_stopped_run_goes_on_and_draws_nothing_twice(made: list[ReportCase], tmp_path: Path) -> None:
    wanted = arms(TABLE, "plain-flow", images=4, draws=3)
    with pytest.raises(KeyboardInterrupt):
        list(cells(Engine(made, stop_after=9), wanted, made, range(2), SETTING, tmp_path))
    finished = len(list(tmp_path.rglob("*.cell.json")))
    assert finished
    engine = Engine(made)
    outcomes = list(cells(engine, wanted, made, range(2), SETTING, tmp_path))
    assert len(outcomes) == len(wanted) * 4 * 2
    assert len({(o.arm, o.prompt, o.seed) for o in outcomes}) == len(outcomes)
    assert len(engine.requests) >= len(outcomes) - finished
    again = Engine(made)
    assert list(cells(again, wanted, made, range(2), SETTING, tmp_path)) == outcomes
    assert again.requests == []


def test_a_cell_of_another_flow_or_evidence_is_drawn_anew(made: list[ReportCase], tmp_path: Path) -> None:
    def drawn(arm: Arm, setting: CellSetting) -> int:
        engine = Engine(made)
        list(cells(engine, [arm], made, range(1), setting, tmp_path))
        return len(engine.requests)

    calm, bold = Arm("random", lambda case: "calm"), Arm("random", lambda case: "bold")
    assert [drawn(calm, SETTING), drawn(calm, SETTING), drawn(bold, SETTING)] == [4, 0, 4]
    assert drawn(bold, replace(SETTING, measured="more evidence")) == 4
    (tmp_path / "random" / f"{made[0].seed:04d}-0.cell.json").write_text("{half")
    assert drawn(bold, replace(SETTING, measured="more evidence")) == 1


def test_another_judge_looks_again_at_the_same_pictures(made: list[ReportCase], tmp_path: Path) -> None:
    arm = Arm("plain", lambda case: "calm")
    assert {o.score for o in cells(Engine(made), [arm], made, range(1), SETTING, tmp_path)} == {0.0}
    engine, kind = Engine(made), CellSetting(lambda case, image: 0.75, "kind")
    assert {o.score for o in cells(engine, [arm], made, range(1), kind, tmp_path)} == {0.75}
    assert {o.score for o in cells(engine, [arm], made, range(1), SETTING, tmp_path)} == {0.0}
    assert engine.requests == []


def test_best_of_n_stops_at_the_critics_word_and_keeps_its_picture(made: list[ReportCase], tmp_path: Path) -> None:
    arm = Arm("best-of-n", lambda case: "bold", critic=True, draws=3)
    engine = Engine(made[:1])
    (outcome,) = cells(engine, [arm], made[:1], range(1), SETTING, tmp_path)
    assert (outcome.images, outcome.score) == (2, 1.0)
    assert engine.requests[0].seed != engine.requests[1].seed
    assert sorted(p.suffix for p in (tmp_path / "best-of-n").iterdir()) == [".json", ".png"]


def test_the_prompts_lie_beside_the_pictures_and_are_read_back(made: list[ReportCase], tmp_path: Path) -> None:
    write_prompts(made, tmp_path)
    found = read_cases(tmp_path / "prompts.jsonl")
    assert [(c.prompt, c.kind, c.scene.groups, c.scene.relation) for c in found] == [
        (c.prompt, c.kind, c.scene.groups, c.scene.relation) for c in made
    ]
    (tmp_path / "bad.jsonl").write_text(json.dumps({"prompt": "x"}) + "\n")
    for path, words in ((tmp_path / "bad.jsonl", "line 1"), (tmp_path / "none", "cannot read")):
        with pytest.raises(BadInput, match=words):
            read_cases(path)


def test_what_a_line_leaves_out_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "my.jsonl"
    lines = [
        '{"prompt": "a red circle on a blue background", "groups": [[1, "red", "circle"]]}',
        "",
        '{"prompt": "a red circle on a blue background", "groups": [[1, "red", "circle"]], "background": "blue"}',
    ]
    path.write_text("\n".join(lines))
    open_, told = read_cases(path)
    seen = Seen("green", (Piece("circle", "red", 0.4, 0.4, 0.2, 0.2, 1.0),))
    assert complaints(open_, seen) == ()
    assert complaints(told, seen) == ("background green instead of blue",)


def test_the_documented_line_is_judged(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/evals.md").read_text()
    line = text.split("A line of your own `--prompts`:")[1].split("```json\n")[1].split("\n")[0]
    (tmp_path / "my.jsonl").write_text(line)
    (case,) = read_cases(tmp_path / "my.jsonl")
    seen = Seen("white", tuple(Piece("cup", "red", x, 0.4, 0.2, 0.2, 1.0) for x in (0.2, 0.6)))
    assert complaints(case, seen) == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"groups": [[1, "red", "circle"]]}, "no prompt"),
        ({"prompt": "x", "groups": []}, "no groups"),
        ({"prompt": "x", "groups": [[1, "red", "dragon"]]}, "no shape 'dragon'"),
        ({"prompt": "x", "groups": [[1, "mauve", "circle"]]}, "no colour 'mauve'"),
        ({"prompt": "x", "groups": [[1.5, "red", "circle"]]}, "not .count, colour, shape"),
        ({"prompt": "x", "groups": [["2", "red", "circle"]]}, "not .count, colour, shape"),
        ({"prompt": "x", "groups": [[1, "red", "circle"]], "relation": "behind"}, "no relation 'behind'"),
        ({"prompt": "x", "groups": [[1, "red", "circle"]], "relation": "left"}, "between two groups"),
        ({"prompt": "x", "groups": [[1, "red", "circle"]], "background": "sky"}, "no background 'sky'"),
        ({"prompt": "x", "groups": [[1, "red", "circle"]], "backround": "blue"}, "'backround' is none of"),
        ({"prompt": "x", "groups": [[1, "red", "circle"]], "number": 0}, "an earlier line's too"),
        ([1], "no prompt"),
    ],
)
def test_a_line_that_cannot_be_judged_is_refused_by_its_number(tmp_path: Path, line: Any, says: str) -> None:
    path = tmp_path / "my.jsonl"
    good = {"prompt": "a red circle", "groups": [[1, "red", "circle"]]}
    path.write_text("\n".join(map(json.dumps, [good, line])))
    with pytest.raises(BadInput, match=rf"^line 2 of .*{says}"):
        read_cases(path)


def test_a_scorer_needs_the_prompt_alone(tmp_path: Path) -> None:
    path = tmp_path / "my.jsonl"
    path.write_text('{"prompt": "a dragon"}\n{"prompt": "two elves", "groups": [[2, "green", "elf"]]}')
    assert [case.prompt for case in read_cases(path, "hpsv2")] == ["a dragon", "two elves"]


def test_table_and_plot_hold_every_arm() -> None:
    outcomes = [
        ArmOutcome(arm, f"p{i}", 0, float(i % 3 > n), 2, 1.5, "c") for n, arm in enumerate("ab") for i in range(30)
    ]
    rows = arm_rows(outcomes)
    text = ablation_table(rows, [pair_row(outcomes, "a", "b")])
    assert "66.7%" in text
    assert "a - b:  +33.3" in text
    assert plot(rows).height > plot(rows[:1]).height
