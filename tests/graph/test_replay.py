"""A trace is enough to draw its picture again, edits and repairs included, and to say what differs here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.graph.replay import replay
from imagewright.trace import Replay

Studio = Callable[..., Any]


def again(home: Any, run: str, **changes: Any) -> Replay:
    """Replay a run from its trace."""
    return replay(home.parts, {**home.runs.show(run), **changes}, lambda event: None)


def test_a_conversation_replays_to_the_same_pixels(studio: Studio) -> None:
    home = studio()
    for said in ("two red circles above a blue square", "make the left one green", "one more", "without the square"):
        run = home.say(said).run
        found = again(home, run)
        assert (found.same, found.mean_difference, found.differences) == (True, 0.0, ())


def test_repaired_pictures_replay_to_the_same_pixels(studio: Studio, kit: Any) -> None:
    home = studio(flaw=kit.always_a_star_too_many)
    result = home.draw("a yellow star above a green house")
    assert result.images > 1
    assert again(home, result.run).same


def test_slots_come_from_the_trace_and_in_an_older_one_from_the_graph(studio: Studio) -> None:
    home = studio()
    run = home.say("a yellow star").run
    trace = home.runs.show(run)
    drawn: list[Any] = []
    paint = home.parts.backend.draw
    home.parts.backend.draw = lambda job, *rest: (drawn.append(job.flow.card.slots), paint(job, *rest))[1]
    older = {name: {k: v for k, v in facts.items() if k != "slots"} for name, facts in trace["flows"].items()}
    assert again(home, run).same
    assert again(home, run, flows=older).same
    assert drawn[0] == drawn[1]
    assert {"positive", "seed"} <= drawn[0].keys()


def test_what_differs_here_is_said(studio: Studio) -> None:
    home = studio()
    run = home.say("a yellow star").run
    trace = home.runs.show(run)
    trace["flows"]["fine"]["graph_hash"] = "0" * 64
    changed = {**trace["versions"], "torch": "1.0"}
    found = again(home, run, versions=changed, flows=trace["flows"])
    assert any(line.startswith("torch: 1.0 then") for line in found.differences)
    assert "flow fine has changed since; its graph was taken from the trace" in found.differences


def test_other_pixels_are_measured(studio: Studio) -> None:
    home = studio()
    run = home.say("a yellow star").run
    trace = json.loads(json.dumps(home.runs.show(run)).replace("a yellow star", "a purple star"))
    found = replay(home.parts, trace, lambda event: None)
    assert not found.same
    assert found.mean_difference is not None
    assert found.mean_difference > 1


def test_what_has_no_picture_and_what_is_newer_is_refused(studio: Studio) -> None:
    home = studio()
    home.say("a yellow star")
    answered = home.say("why?").run
    with pytest.raises(BadInput, match="no picture"):
        again(home, answered)
    with pytest.raises(BadInput, match="newer version"):
        again(home, answered, imagewright=99)


def test_a_picture_is_replayed_by_the_rules_that_its_trace_names(studio: Studio) -> None:
    """A trace from before the rules were noted means the first ones; rules that differ now are said."""
    home = studio()
    run = home.say("a yellow star").run
    trace = home.runs.show(run)
    drawn: list[str] = []
    paint = home.parts.backend.draw
    home.parts.backend.draw = lambda job, *rest: (drawn.append(job.rules), paint(job, *rest))[1]
    bare = [{name: said for name, said in facts.items() if name != "rules"} for facts in trace["facts"]]
    assert again(home, run, facts=bare).same
    named = [{**facts, "rules": "2 text=stock"} for facts in bare]
    found = again(home, run, facts=named)
    assert drawn == ["1", "2 text=stock"]
    assert "rules: 2 text=stock then, none now" in found.differences
