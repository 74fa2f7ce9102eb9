"""Boxes that were changed by hand: exact places, kept pixels, what the critic asks, and what is remembered and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imagewright.agents.conversation.box_checks import check_changes
from imagewright.agents.conversation.by_hand import tell_changes
from imagewright.box_changes import BoxChange, BoxOrder, read_changes
from imagewright.errors import BadInput
from imagewright.graph import replay, runner
from imagewright.graph.box_order import boxes_of, describe_base
from imagewright.graph.shown_layout import show_layout
from imagewright.schemas import Box, Region, RunResult

Studio = Callable[..., Any]
FIRST = "a red circle above a blue square on a white background"


def box(caption: str, *sides: float) -> Box:
    """A box of a layout."""
    return Box(caption=caption, object=caption.split()[-1], attributes=tuple(caption.split()[1:-1]),
               **dict(zip(("x", "y", "width", "height"), sides, strict=True)))  # fmt: skip


PLAN = (
    box("a red circle", 0.1, 0.1, 0.3, 0.3),
    box("a blue square", 0.6, 0.6, 0.3, 0.3),
    box("a red circle", 0.6, 0.1, 0.3, 0.3),
)


def made(outcome: runner.Outcome) -> RunResult:
    """The picture of a turn."""
    assert outcome.result is not None, outcome
    return outcome.result


def change(home: Any, base: RunResult, *changes: dict[str, Any], said: str = "", **options: Any) -> RunResult:
    """A turn with boxes changed, as a conversation makes it."""
    there = boxes_of(describe_base(home.runs.trace(base.run))).boxes
    kept = check_changes(read_changes(changes), there)
    order = BoxOrder(base=base.run, changes=kept, said=said)
    return made(home.say(tell_changes(kept, there), boxes=order, **options))


def pixels(home: Any, image: str) -> np.ndarray:
    """A picture of the store."""
    return np.asarray(home.parts.store.open(image).convert("RGB")).astype(int)


# --- what cannot be done ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], "no box is changed"),
        ([{"box": 0, "x": 0.1}], "no box is changed"),
        ([{"box": 3, "x": 0.1}], "has no box 3"),
        ([{"box": -1, "x": 0.1}], "has no box -1"),
        ([{"box": 0, "x": 0.2}, {"box": 0, "y": 0.2}], "box 0 is changed twice"),
        ([{"box": 0, "x": 0.8}], "box 0 reaches outside"),
        ([{"box": 0, "y": -0.1}], "box 0 reaches outside"),
        ([{"box": 0, "x": float("nan")}], "box 0 reaches outside"),
        ([{"box": 0, "width": 0.01}], "box 0 is too small"),
        ([{"box": 0, "caption": " \n "}], "caption of box 0 is empty"),
        ([{"box": 0, "caption": "x" * 201}], "has 201 characters"),
        ([{"box": 0, "caption": "a\x00b"}], "control characters"),
        ([{"caption": "a cup", "x": 0.1, "y": 0.1}], "a new box is not whole"),
        ([{"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}], "a new box is not whole"),
        ([{"delete": True}], "no number"),
        ([{"box": 0, "delete": True, "x": 0.2}], "deleted and changed"),
        ([{"box": 0, "colour": "red"}], "0.colour"),
        ([{"box": "first"}], "0.box"),
        ([{"caption": "a cup", "x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}] * 33, "33 boxes"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(changes: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        check_changes(read_changes(changes), PLAN)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"box": 1, "x": 0.1}, "moved the blue square to the left"),
        ({"box": 1, "y": 0.1}, "moved the blue square up"),
        ({"box": 1, "x": 0.3, "y": 0.3}, "moved the blue square up and to the left"),
        ({"box": 0, "y": 0.3}, "moved the left red circle down"),
        ({"box": 1, "x": 0.605}, "moved the blue square a little"),
        ({"box": 1, "x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5}, "made the blue square larger"),
        ({"box": 1, "x": 0.65, "width": 0.2}, "made the blue square narrower"),
        ({"box": 1, "caption": "a green star"}, "made the blue square a green star"),
        ({"box": 1, "delete": True}, "removed the blue square"),
        ({"caption": "a cup", "x": 0.4, "y": 0.4, "width": 0.1, "height": 0.1}, "added a cup"),
    ],
)
def test_a_change_is_told_in_words(change: dict[str, Any], words: str) -> None:
    assert tell_changes(read_changes([change]), PLAN) == words


def test_many_changes_are_told_in_a_line() -> None:
    many = [BoxChange(caption=f"a cup {n}", x=0.1, y=0.1, width=0.1, height=0.1) for n in range(9)]
    assert tell_changes(many, PLAN).endswith("; added a cup 5; 3 more changes")


# --- drawn ------------------------------------------------------------------------------------


def test_what_no_change_touches_keeps_its_pixels_and_its_box(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST))
    shown = show_layout(home.runs.trace(first.run))
    square = shown.boxes[1]
    second = change(home, first, {"box": 0, "x": 0.62, "y": 0.1, "width": 0.3, "height": 0.3})
    assert second.layout.boxes[0].edges == pytest.approx((0.62, 0.1, 0.92, 0.4))
    assert second.layout.boxes[1].x == pytest.approx(square.x, abs=1e-3)
    assert second.rounds[-1].verdict.accepted
    assert "place" in [check.name for check in second.rounds[-1].verdict.checks]
    before, after = pixels(home, first.image), pixels(home, second.image)
    rows, columns = np.nonzero((before != after).any(axis=2))
    kept = np.ones(before.shape[:2], bool)
    for region in second.rounds[-1].redrawn:
        side = before.shape[0]
        kept[round(region.y * side) : round((region.y + region.height) * side),
             round(region.x * side) : round((region.x + region.width) * side)] = False  # fmt: skip
    assert len(rows)
    assert not kept[rows, columns].any(), "nothing outside the redrawn regions has changed"
    assert kept.mean() > 0.5


def test_all_kinds_of_change_in_one_turn_and_one_line(studio: Studio) -> None:
    home = studio()
    first = made(home.say("a red circle above a blue square and a green star"))
    names = [shown.caption for shown in show_layout(home.runs.trace(first.run)).boxes]
    assert names == ["a red circle", "a blue square", "a green star"]
    second = change(
        home, first,
        {"box": 0, "caption": "a yellow circle"},
        {"box": 1, "delete": True},
        {"caption": "a purple heart", "x": 0.65, "y": 0.1, "width": 0.25, "height": 0.25},
    )  # fmt: skip
    assert [b.caption for b in second.layout.boxes] == ["a yellow circle", "a green star", "a purple heart"]
    assert second.layout.boxes[2].edges == pytest.approx((0.65, 0.1, 0.9, 0.35))
    assert second.rounds[-1].verdict.accepted, [c for c in second.rounds[-1].verdict.checks if not c.passed]
    said = "made the red circle a yellow circle; removed the blue square; added a purple heart"
    assert home.turns()[-1][0] == said
    trace = home.runs.trace(second.run)
    assert (trace.said, trace.intent.decided_by) == (said, "person")
    assert [change.box for change in trace.request.boxes.changes] == [0, 1, None]


def test_overlapping_boxes_stand_where_they_were_put_and_nothing_gives_way(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST))
    circle, square = show_layout(home.runs.trace(first.run)).boxes
    second = change(home, first, {"box": 0, "x": square.x, "y": square.y - 0.1}, use_critic=False)
    assert second.layout.boxes[0].y == pytest.approx(square.y - 0.1, abs=1e-3)
    assert second.layout.boxes[1].edges == pytest.approx(
        (square.x, square.y, square.x + square.width, square.y + square.height), abs=1e-3
    )
    assert "above" not in second.prompt or circle.y < square.y


def test_a_thing_that_is_not_where_it_was_put_is_drawn_again(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST))
    begun = len(home.backend.jobs)

    def elsewhere(job: Any, regions: list[Region]) -> list[Region]:
        late = len(home.backend.jobs) > begun + 1
        return [r if late or "circle" not in r.caption else r.model_copy(update={"x": 0.1}) for r in regions]

    home.backend.flaw = elsewhere
    second = change(home, first, {"box": 0, "x": 0.68, "y": 0.05, "width": 0.26, "height": 0.26})
    faults = [check.name for check in second.rounds[0].verdict.checks if not check.passed]
    assert faults[:1] in (["place"], ["present"], ["count"])
    assert second.rounds[-1].verdict.accepted
    assert len(second.rounds) == 2


def test_a_picture_of_another_conversation_is_gone_on_from_as_its_boxes_were_seen(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST, thread="there"))
    second = change(home, first, {"box": 1, "caption": "a green square"}, thread="here")
    assert second.prompt == "a red circle above a green square on a white background"
    third = made(home.say("make the circle yellow", thread="here"))
    assert third.prompt == "a yellow circle above a green square on a white background"
    assert second.rounds[0].base == first.image, "the rest keeps the pixels of the other conversation's picture"


def test_a_change_in_words_goes_beside(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST))
    both = change(home, first, {"box": 0, "x": 0.6}, said="make the square green")
    assert [b.caption for b in both.layout.boxes] == ["a red circle", "a green square"]
    assert both.layout.boxes[0].x == pytest.approx(0.6)
    with pytest.raises(BadInput, match="no change of this picture"):
        change(home, both, {"box": 0, "x": 0.3}, said="a yellow moon")


def test_it_is_resumed_and_replayed(studio: Studio) -> None:
    home = studio()
    first = made(home.say(FIRST))

    def stop(event: Any) -> None:
        if event.kind == "node" and event.text == "generate":
            raise KeyboardInterrupt

    there = boxes_of(describe_base(home.runs.trace(first.run))).boxes
    order = BoxOrder(base=first.run, changes=check_changes(read_changes([{"box": 0, "x": 0.6}]), there))
    with pytest.raises(BaseException, match="stopped"):
        home.say("moved it", boxes=order, on_event=stop)
    row = home.runs.last_of("thread t")
    assert row.request.boxes == order, "the order is read back from the log"
    home.finish()
    resumed = made(runner.Outcome(run=row.id, result=home.resume(row.id)))
    assert resumed.layout.boxes[0].x == pytest.approx(0.6)
    again = replay.replay(home.parts, home.runs.trace(row.id), lambda event: None)
    assert again.same


# --- shown ------------------------------------------------------------------------------------


def test_the_layout_is_shown_as_it_was_seen_with_the_faults_at_their_boxes(studio: Studio) -> None:
    def all_green(job: Any, regions: list[Region]) -> list[Region]:
        return [r.model_copy(update={"caption": r.caption.replace("red", "green")}) for r in regions]

    home = studio(flaw=all_green)
    home.say(FIRST)
    wrong = made(home.reply("no"))
    shown = show_layout(home.runs.trace(wrong.run))
    assert (shown.accepted, shown.image, shown.thread) == (False, wrong.image, "t")
    assert [b.seen for b in shown.boxes] == [False, True]
    attribute = next(finding for finding in shown.findings if finding.check == "attribute")
    assert attribute.boxes == (0,)
    relation = [finding for finding in shown.findings if finding.check == "relation"]
    assert all(finding.boxes == (0, 1) for finding in relation)
    with pytest.raises(BadInput, match="no run"):
        home.runs.trace("20260101-000000-aaaaaa")
