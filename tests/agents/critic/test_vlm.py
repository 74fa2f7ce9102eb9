"""The critic that asks a model which sees: questions by rules, answers checked, one repair of the closed set."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imagewright.agents.critic.questions import questions
from imagewright.agents.critic.repairs.base import Proposed
from imagewright.agents.critic.verdict import NoCritic, why_unchecked
from imagewright.agents.critic.vlm import VLMCritic
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.schemas import Repair, Verdict
from imagewright.verdicts import load_repairs

PROMPT = "a red cup left of a green bowl"
PLANNED = RulesLayoutPlanner().plan(PROMPT)
ASKED = questions(PROMPT, PLANNED.parsed, PLANNED.layout)
PICTURE = Image.new("RGB", (64, 64), "white")
NONE = {"kind": "none"}


def looked(
    wrong: dict[int, str] | None = None, repair: dict[str, Any] | None = None, sure: float = 0.9
) -> dict[str, Any]:
    """An answer to every question, ``yes`` unless told otherwise."""
    answers = [
        {"question": n, "answer": (wrong or {}).get(n, "yes"), "seen": "it", "confidence": sure}
        for n in range(len(ASKED))
    ]
    return {"answers": answers, "repair": repair or NONE}


def judged(made: Any, *tried: Verdict) -> Verdict:
    """The verdict, before a critic that knows nothing."""
    critic = VLMCritic(made.asker("critic"), NoCritic("nothing else here"), made.notes.append)
    return critic.judge(PICTURE, PROMPT, PLANNED.parsed, PLANNED.layout, tried)


def number(topic: str) -> int:
    """The first question about ``topic``."""
    return next(n for n, asked in enumerate(ASKED) if asked.topic == topic)


def test_a_right_picture_is_accepted_and_was_looked_at_in_parts(desk: Any) -> None:
    made = desk(looked(), sees=True)
    verdict = judged(made)
    assert (verdict.accepted, verdict.score, verdict.decided_by) == (True, 1.0, "vlm")
    assert len(verdict.checks) == len(ASKED)
    assert made.chat.pictures == (3,), "the whole and one part for each box"
    assert made.notes == []


def test_a_wrong_attribute_comes_with_the_models_repair(desk: Any) -> None:
    at = number("attribute")
    repair = {"kind": "redraw", "box": 0, "reason": "the cup is blue"}
    verdict = judged(desk(looked({at: "no"}, repair), sees=True))
    assert not verdict.accepted
    assert verdict.repair == Repair(kind="redraw", box=0, reason="the cup is blue")
    assert verdict.checks[at].box == 0


@pytest.mark.parametrize(
    "proposed",
    [
        {"kind": "none"},
        {"kind": "redraw"},
        {"kind": "move_box", "box": 0},
        {"kind": "move_box", "box": 0, "x": 0.9, "y": 0.9, "width": 0.5, "height": 0.5},
    ],
)
def test_a_repair_that_cannot_be_carried_out_is_replaced(proposed: dict[str, Any], desk: Any) -> None:
    repair = judged(desk(looked({number("attribute"): "no"}, proposed), sees=True)).repair
    assert repair is not None
    assert (repair.kind, repair.box) == ("redraw", 0)


def test_a_repair_that_was_tried_is_not_tried_again(desk: Any) -> None:
    tried = Verdict(accepted=False, score=0.5, repair=Repair(kind="new_seed", reason="?"))
    answer = looked({number("present"): "no"}, {"kind": "new_seed", "reason": "again"})
    repair = judged(desk(answer, sees=True), tried).repair
    assert repair is not None
    assert repair.kind == "reprompt"


def test_a_box_is_moved_inside_the_canvas(desk: Any) -> None:
    repair = {
        "kind": "move_box",
        "box": 1,
        "x": 0.5,
        "y": 0.25,
        "width": 0.25,
        "height": 0.5,
        "reason": "further right",
    }
    verdict = judged(desk(looked({number("relation"): "no"}, repair), sees=True))
    assert verdict.repair is not None
    assert verdict.repair.moved is not None
    moved = verdict.repair.moved
    assert (moved.object, moved.x, moved.y, moved.width, moved.height) == ("bowl", 0.5, 0.25, 0.25, 0.5)


def test_what_it_is_not_sure_of_does_not_count(desk: Any) -> None:
    verdict = judged(desk(looked(dict.fromkeys(range(len(ASKED)), "no"), sure=0.3), sees=True))
    assert verdict.accepted
    assert why_unchecked(verdict)
    assert judged(desk(looked({0: "unsure"}), sees=True)).accepted


@pytest.mark.parametrize(
    "answer",
    [
        {"answers": [], "repair": NONE},
        {"answers": [{"question": 0, "answer": "yes", "confidence": 1}] * 9, "repair": NONE},
        looked(repair={"kind": "run_command", "reason": "rm -rf"}),
        looked(repair={"kind": "redraw", "box": 7, "reason": "?"}),
        looked({0: "perhaps"}),
    ],
)
def test_an_answer_that_cannot_be_used_leaves_it_to_the_other_critic(answer: dict[str, Any], desk: Any) -> None:
    made = desk(*[answer] * 3, sees=True)
    verdict = judged(made)
    assert verdict.decided_by == "none"
    assert why_unchecked(verdict) == "nothing else here"
    [note] = made.notes
    assert note.startswith("the picture was left to the critic without a language model")


def test_a_model_that_sees_nothing_is_not_asked(desk: Any) -> None:
    made = desk(looked(), sees=False)
    assert judged(made).decided_by == "none"
    assert "sees pictures" in made.notes[0]
    assert made.heard == ()


def test_questions_are_derived_once(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(looked({0: "no"}), looked(), sees=True)
    critic = VLMCritic(made.asker("critic"), NoCritic(""), made.notes.append)
    first = critic._questions(PROMPT, PLANNED.parsed, PLANNED.layout)
    moved = PLANNED.layout.boxes[0].model_copy(update={"x": 0.01})
    layout = PLANNED.layout.model_copy(update={"boxes": (moved, *PLANNED.layout.boxes[1:])})
    assert critic._questions(PROMPT, PLANNED.parsed, layout) is first


def test_the_repairs_on_the_wire_are_the_closed_set_and_none() -> None:
    kinds = Proposed.model_json_schema()["properties"]["kind"]["enum"]
    # Beauty is no repair of a fault, the graph brings boxes by itself, and a close-up needs a place that was measured.
    assert set(kinds) == {*load_repairs(), "none"} - {"polish", "boxes", "close_up"}
