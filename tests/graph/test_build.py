"""The wiring: what follows what, as LangGraph draws it, and a file that can be read in a minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from imagewright.graph import build as wiring
from imagewright.graph.state import State, Update, fresh
from imagewright.schemas import DrawRequest


def test_the_diagram_shows_every_way() -> None:
    arrows = {line.strip().rstrip(";") for line in wiring.graph_mermaid().splitlines() if "->" in line}
    assert arrows == {
        "__start__ --> recall", "recall --> interpret", "interpret -.-> categorize", "categorize --> select_flow",
        "select_flow --> plan_layout", "plan_layout --> generate", "generate -.-> critique", "generate -.-> deliver",
        "critique -.-> refine", "critique -.-> deliver", "refine --> generate", "deliver --> __end__",
        "interpret -.-> ask", "ask -.-> interpret", "ask -.-> __end__", "interpret -.-> answer", "answer --> __end__",
    }  # fmt: skip


def test_the_wiring_is_shorter_than_forty_lines() -> None:
    assert len(Path(wiring.__file__).read_text().splitlines()) < 40


def test_nodes_can_set_every_field_but_those_of_the_run() -> None:
    given = {"run", "seed", "out"}  # of the request a node leaves a picture out that a change of a part cannot use
    assert set(Update.__annotations__) == set(State.model_fields) - given


def test_a_new_run_of_a_thread_keeps_nothing_but_its_turns() -> None:
    values = fresh("r", DrawRequest(prompt="p"), 1, "/p.png")
    assert set(values) == set(State.model_fields) - {"turns"}


def test_nodes_cannot_change_the_state_that_they_read() -> None:
    state = State(run="r", request=DrawRequest(prompt="p"), seed=1, out="/p.png")
    with pytest.raises(ValidationError, match="frozen"):
        state.seed = 2  # type: ignore[misc]
