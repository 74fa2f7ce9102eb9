"""What was tried is read off the rounds: for which fault, with which repair, and how the score moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.graph.repairs.tried import (
    MOST_TRIED,
    fault_of,
    faults_of,
    list_tried,
    of_rounds,
    target_of,
    vain,
)
from imagewright.intents import Reference, Tried
from imagewright.schemas import Box, Check, Layout, Repair, Round, Verdict

PROMPT = "two red circles above a blue square on a white background"
STAR = Check(name="absent", passed=False, detail="nothing else wanted, purple star seen", wanted="nothing else wanted")
COLOUR = Check(name="attribute", passed=False, detail="blue square: 1 wanted, 0 seen", wanted="blue square: 1 wanted")
BOX = Box(caption="a blue square", object="square", x=0.1, y=0.1, width=0.2, height=0.2)


def made(image: str, score: float, *failed: Check, repair: Repair | None = None, flow: str = "fine") -> Round:
    """One round as the graph keeps it."""
    judged = Verdict(accepted=not failed, score=score, checks=failed)
    return Round(image=image, flow=flow, seed=hash(image) % 99, prompt="p", layout=Layout(boxes=(BOX,)),
                 verdict=judged, repair=repair)  # fmt: skip


def test_a_fault_is_known_again_by_what_was_wanted() -> None:
    other = STAR.model_copy(update={"detail": "nothing else wanted, 2 red circles seen"})
    assert fault_of(STAR) == fault_of(other) == "absent: nothing else wanted"
    assert fault_of(COLOUR.model_copy(update={"wanted": ""})) == "attribute: blue square: 1 wanted, 0 seen"


def test_each_repair_is_kept_with_its_fault_and_the_scores() -> None:
    rounds = (
        made("a", 0.5, STAR, COLOUR),
        made("b", 0.75, STAR, repair=Repair(kind="redraw", reason="r", box=0)),
        made("c", 0.75, STAR, repair=Repair(kind="new_seed", reason="r")),
    )
    first, second = of_rounds(rounds)
    assert (first.kind, first.target, first.before, first.after) == ("redraw", "box 0 (a blue square)", 0.5, 0.75)
    assert first.faults == faults_of(rounds[0].verdict) == (fault_of(STAR), fault_of(COLOUR))
    assert not first.in_vain(fault_of(COLOUR)), "it cured that one"
    assert first.in_vain(fault_of(STAR))
    assert first.tell().endswith(
        "for absent: nothing else wanted: score 0.50 → 0.75, cured attribute: blue square: 1 wanted"
    )
    assert second.tell() == "new seed on fine for absent: nothing else wanted: score 0.75 → 0.75, did not help"


def test_polishing_and_rounds_that_nobody_judged_are_not_kept() -> None:
    unjudged = made("b", 0.5, STAR, repair=Repair(kind="new_seed", reason="r")).model_copy(update={"verdict": None})
    polished = made("c", 1.0, repair=Repair(kind="polish", reason="r"))
    assert of_rounds((made("a", 0.5, STAR), unjudged, polished)) == ()


def test_a_repair_is_in_vain_only_for_the_same_fault_flow_and_target() -> None:
    repair = Repair(kind="redraw", reason="r", box=0)
    memory = of_rounds((made("a", 0.5, STAR), made("b", 0.5, STAR, repair=repair)))
    target = target_of(repair, Layout(boxes=(BOX,)), "fine", "p")
    assert vain(memory, fault_of(STAR), "fine", repair, target) == memory[0]
    assert vain(memory, fault_of(COLOUR), "fine", repair, target) is None
    assert vain(memory, fault_of(STAR), "fast", repair, target) is None
    assert vain(memory, fault_of(STAR), "fine", repair, "box 1 (a red circle)") is None


def test_a_move_of_a_box_to_another_place_is_another_repair() -> None:
    layout = Layout(boxes=(BOX,))
    places = [BOX.model_copy(update={"x": x}) for x in (0.2, 0.3)]
    targets = {target_of(Repair(kind="move_box", reason="r", box=0, moved=to), layout, "f", "p") for to in places}
    assert len(targets) == 2


def test_the_memory_of_the_earlier_turn_comes_first_and_has_an_end() -> None:
    old = Tried(flow="fine", faults=("x",), kind="new_seed", seed=1, before=0.1, after=0.1, left=("x",))
    earlier = Reference(run="r", prompt="p", image="i", flow="fine", seed=1, tried=(old,) * MOST_TRIED)
    repair = Repair(kind="new_seed", reason="r")
    memory = list_tried(earlier, (made("a", 0.5, STAR), made("b", 0.5, STAR, repair=repair)))
    assert len(memory) == MOST_TRIED
    assert memory[0] == old
    assert memory[-1].faults == (fault_of(STAR),)


def test_the_trace_and_why_tell_it_in_a_line_each(studio: Callable[..., Any], kit: ModuleType) -> None:
    from imagewright.graph.why import explain

    home = studio(flaw=kit.always_a_star_too_many)
    result = home.draw(PROMPT)
    trace = json.loads(Path(result.trace).read_text())
    assert [tried["kind"] for tried in trace["tried"]] == [m.repair.kind for m in result.rounds if m.repair]
    lines = [line for line in explain(trace, "verdict").splitlines() if line.startswith("tried: ")]
    assert len(lines) == len(trace["tried"]) == 3
    assert all("did not help" in line for line in lines)


def test_the_next_turn_about_the_picture_does_not_repeat_what_was_in_vain(
    studio: Callable[..., Any], kit: ModuleType
) -> None:
    home = studio(flaw=kit.always_a_star_too_many)
    home.say(PROMPT)
    first = home.reply("no").result
    home.say("one more")
    home.reply("no")
    again = home.runs.list()[0].result
    used = [(m.repair.kind, m.seed) for m in first.rounds if m.repair]
    new = [(m.repair.kind, m.seed) for m in again.rounds if m.repair]
    assert used[0][0] == "new_seed"
    assert "did not help before" in again.rounds[1].repair.reason
    assert any("new seed did not help before" in text for text in home.told("repair"))
    trace = json.loads(Path(again.trace).read_text())
    assert len(trace["tried"]) == len(used) + len(new)
    on_first = [(tried["kind"], tried["target"]) for tried in trace["tried"] if tried["flow"] == first.flow]
    assert len(on_first) == len(set(on_first)) > len(used)


@pytest.mark.parametrize("event", range(2))
def test_the_memory_outlives_a_kill(studio: Callable[..., Any], kit: ModuleType, event: int) -> None:
    whole = studio("whole", flaw=kit.always_a_star_too_many).draw(PROMPT)
    home = studio(flaw=kit.always_a_star_too_many)

    class Killed(BaseException):
        """Stands for the end of the process."""

    def kill(told: Any) -> None:
        if told.kind == "repair" and len(home.told("repair")) == event + 1:
            raise Killed

    with pytest.raises(Killed):
        home.draw(PROMPT, on_event=kill)
    result = studio(flaw=kit.always_a_star_too_many).resume(home.runs.list()[0].id)
    tried = [json.loads(Path(r.trace).read_text())["tried"] for r in (whole, result)]
    assert tried[0] == tried[1]
