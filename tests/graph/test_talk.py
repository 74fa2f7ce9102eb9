"""A conversation: each saying changes, varies, goes back or is answered, and the present line says where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imagewright.errors import BadInput
from imagewright.graph import lines
from imagewright.graph.runner import Outcome
from imagewright.schemas import Box, RunResult

Studio = Callable[..., Any]
FIRST = "two red circles above a blue square on a white background"


def made(outcome: Outcome) -> RunResult:
    """The picture of a turn."""
    assert outcome.result is not None, outcome
    return outcome.result


def boxes(outcome: Outcome) -> tuple[Box, ...]:
    """Where its things are."""
    layout = made(outcome).layout
    assert layout is not None
    return layout.boxes


def said(outcome: Outcome) -> str:
    """What was answered."""
    assert outcome.answer is not None, outcome
    return outcome.answer.text


def test_an_edit_redraws_its_region_and_keeps_the_other_pixels(studio: Studio) -> None:
    home = studio()
    first, second = home.say(FIRST), home.say("make the left one green")
    assert [box.caption for box in boxes(second)] == ["a green circle", "a red circle", "a blue square"]
    old, new = (np.asarray(home.store.open(made(o).image)).astype(int) for o in (first, second))
    box = boxes(first)[0]
    changed = np.abs(old - new).sum(axis=2) > 0
    rows, columns = np.nonzero(changed)
    side = new.shape[0]
    assert changed.any()
    assert columns.max() / side <= box.x + box.width + 0.05
    assert columns.min() / side >= box.x - 0.05
    assert rows.max() / side <= box.y + box.height + 0.05
    assert made(second).seed == made(first).seed
    assert made(second).flow == made(first).flow


def test_one_more_has_another_seed_and_the_same_layout(studio: Studio) -> None:
    home = studio()
    first, more, again = home.say(FIRST), home.say("one more"), home.say("one more")
    assert boxes(more) == boxes(first)
    assert len({made(o).seed for o in (first, more, again)}) == 3


def test_undo_goes_back_and_the_next_edit_starts_from_there(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    home.say("make it red")
    home.say("make it blue")
    assert said(home.say("undo")).startswith("back to picture 2")
    assert home.line() == ["a yellow star", "a red star"]
    bigger = home.say("bigger")
    assert made(bigger).prompt == "a red star"
    assert home.line() == ["a yellow star", "a red star", "a red star"]
    assert said(home.say("undo twice")).startswith("back to picture 1")
    assert home.line() == ["a yellow star"]


def test_a_picture_left_behind_can_be_gone_back_to(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    home.say("a green house")
    home.say("undo")
    assert said(home.say("go back to the house")) == "back to picture 2: a green house"
    assert home.line() == ["a yellow star", "a green house"]
    assert made(home.say("like the first one")).prompt == "a yellow star"


def test_what_is_not_clear_is_asked_and_the_answer_goes_on(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)
    asked = home.say("make the circle green")
    assert asked.question is not None
    assert len(asked.question.choices) == 2
    assert home.runs.get(asked.run).status == "asked"
    done = home.reply("the right one")
    assert done.run == asked.run
    assert [box.caption for box in boxes(done)] == ["a red circle", "a green circle", "a blue square"]


def test_a_question_back_can_be_let_be_or_answered_with_something_else(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)
    home.say("make the circle green")
    assert said(home.reply("never mind")) == "all right, nothing is changed"
    home.say("make the circle green")
    assert [box.caption for box in boxes(home.reply("without the square"))] == ["a red circle", "a red circle"]


def test_a_program_is_not_asked_and_the_assumption_is_told(studio: Studio) -> None:
    home = studio()
    home.draw(FIRST, thread="t")
    result = home.draw("make the circle green", thread="t", seed=None)
    assert result.layout.boxes[0].caption == "a green circle"
    assert any("assumed: make the left red circle green" in note for note in result.notes)


def test_a_program_that_asks_for_no_picture_is_told_where_to_say_it(studio: Studio) -> None:
    home = studio()
    home.draw("a yellow star", thread="t")
    home.draw("a red star", thread="t")
    with pytest.raises(BadInput, match="asks for no picture"):
        home.draw("undo", thread="t")


def test_why_is_answered_from_the_trace(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    answer = said(home.say("why this flow?"))
    assert answer.startswith("fine was chosen by the measured scores")
    assert "big.safetensors" in answer
    assert home.runs.get(home.runs.list()[0].id).status == "answered"


def test_a_thumb_becomes_evidence(studio: Studio) -> None:
    kept: list[Any] = []
    home = studio(learn=kept.append)
    drawn = made(home.say("a yellow star"))
    home.say("thumbs down")
    assert [(row.flow, row.prompt, row.value, row.source) for row in kept] == [
        (drawn.flow, "a yellow star", 0.0, "person")
    ]


def test_nothing_to_undo_is_said(studio: Studio) -> None:
    home = studio()
    assert said(home.say("undo")) == "there is nothing to undo yet"


def test_repairs_of_an_edit_keep_what_was_not_named(studio: Studio) -> None:
    """A square that never becomes green is never accepted; what lies outside is kept in every round."""
    home = studio()
    first = home.say(FIRST)
    home.backend.flaw = lambda job, regions: [
        region.model_copy(update={"caption": region.caption.replace("green", "black")}) for region in regions
    ]
    assert home.say("make the square green").question is not None
    second = made(home.reply("no"))
    assert second.images > 1
    assert all(job.redraw is not None for job in home.backend.jobs[-second.images :])
    base = np.asarray(home.store.open(made(first).image)).astype(int)
    square = boxes(first)[2]
    for round_ in second.rounds:
        rows, columns = np.nonzero(np.abs(np.asarray(home.store.open(round_.image)).astype(int) - base).sum(axis=2))
        assert rows.min() / len(base) >= square.y - 0.05
        assert columns.min() / len(base) >= square.x - 0.05


def test_a_backend_that_cannot_redraw_draws_the_whole_and_says_so(studio: Studio) -> None:
    home = studio()
    home.say(FIRST)
    home.backend.can_redraw = lambda flow: False
    second = made(home.say("make the square green"))
    assert any("the whole picture is drawn anew" in note for note in second.notes)
    assert home.backend.jobs[-1].redraw is None


def test_a_kill_between_a_node_s_result_and_its_checkpoint_is_made_good(studio: Studio, monkeypatch: Any) -> None:
    """The narrowest gap: the delivery is written and its result stored beside the checkpoint, not yet in one."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    class Killed(BaseException):
        """Stands for the end of the process."""

    home = studio()
    home.say("a yellow star")
    put, lost = SqliteSaver.put, []

    def die_at_the_end(self: Any, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        result = checkpoint["channel_values"].get("result")
        if result is not None and result.prompt == "a red star" and not lost:
            lost.append(1)
            raise Killed
        return put(self, config, checkpoint, metadata, versions)

    monkeypatch.setattr(SqliteSaver, "put", die_at_the_end)
    with pytest.raises(Killed):
        home.say("make it red")
    assert lines.find_unfinished(home.checkpoints, "thread t") == home.runs.list()[0].id
    home.finish()
    assert lines.find_unfinished(home.checkpoints, "thread t") == ""
    assert home.line() == ["a yellow star", "a red star"]
    assert [status for _, status, _ in home.turns()] == ["delivered", "delivered"]
