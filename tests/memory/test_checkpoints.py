"""Checkpoints hold our values, come back as they were, and never run what a stranger put into them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

from imagewright import box_changes, intents, schemas, verdicts
from imagewright.errors import BadInput
from imagewright.graph.state import OWN_TYPES, Attempt, Spent, State
from imagewright.memory.checkpoints import STATE_TYPES, open_checkpoints, strict_serializer

BOX = schemas.Box(caption="a red circle", object="circle", attributes=("red",), x=0.1, y=0.1, width=0.3, height=0.3)
LAYOUT = schemas.Layout(boxes=(BOX,), background="white", negative="star")
REPAIR = schemas.Repair(kind="move_box", reason="too near", box=0, moved=BOX)
CHECK = schemas.Check(name="count", passed=False, detail="2 wanted, 1 seen", box=0)
VERDICT = schemas.Verdict(accepted=False, score=0.5, checks=(CHECK,), repair=REPAIR)
ROUND = schemas.Round(image="a" * 64, flow="f", seed=2**64 - 1, prompt="p", layout=LAYOUT, verdict=VERDICT)
CANDIDATE = schemas.Candidate(flow="f", title="F", estimate=0.5, low=0.4, high=0.6, runnable=True)
GROUP = schemas.ParsedGroup(object="circle", attributes=("red",), count=2, caption="a red circle", position="top")
RELATION = schemas.ParsedRelation(subject=0, relation="above", object=0)
PARSED = schemas.ParsedPrompt(groups=(GROUP,), relations=(RELATION,), negative=("star",))
CHANGE = box_changes.BoxChange(box=0, x=0.5, caption="a red circle")
ORDER = box_changes.BoxOrder(base="r", changes=(CHANGE,), said="at night")
SPOT = box_changes.Spot(x=0.1, y=0.2, width=0.3, height=0.4)
REQUEST = schemas.DrawRequest(prompt="p", seed=1, boxes=ORDER)
RESULT = schemas.RunResult(
    run="r", prompt="p", path="/p.png", image="a" * 64, seed=1, flow="f", categories=("Counting",),
    candidates=(CANDIDATE,), layout=LAYOUT, rounds=(ROUND,), images=1, seconds=0.5,
)  # fmt: skip
REPAIRS = tuple(
    schemas.Repair(kind=kind, reason="r", box=0, moved=BOX, prompt="p", flow="f") for kind in verdicts.load_repairs()
)
"""One of each kind; what a kind has no use for is left out."""
REGION = schemas.Region(caption="a red circle", x=0.1, y=0.1, width=0.3, height=0.3)
EDIT = intents.Edit(op="move", boxes=(0,), down=-0.2, place="above", beside=1)
OPS = ("recolour", "resize", "move", "swap", "flip", "add", "remove", "replace", "background", "style")
EDITS = tuple(intents.Edit(op=op, boxes=(0,), text="t", count=2, factor=2.0) for op in OPS)
EXACT = (intents.PlaceEdit(boxes=(0,), spot=SPOT), intents.PutEdit(text="t", spot=SPOT))
PREFERENCE = intents.Preference(kind="style", text="watercolour")
INTENT = intents.Intent(kind="edit", base="r", parsed=PARSED, edits=(EDIT,), preference=PREFERENCE)
KINDS = ("create", "edit", "vary", "undo", "branch", "question", "feedback", "preference", "command", "unclear")
INTENTS = tuple(
    intents.Intent(kind=kind, prompt="p", parsed=PARSED, base="r", edits=(EDIT,), seed=1, thumb="up", topic="flow",
                   preference=PREFERENCE, reason="why", choices=("a", "b"),
                   decided_by="llm", **({"name": "help"} if kind == "command" else {}))
    for kind in KINDS
)  # fmt: skip
TRIED = intents.Tried(flow="f", faults=("x",), kind="redraw", seed=1, before=0.5, after=0.6, left=("x",))
IDEA = intents.Idea(kind="mist", words="w")
REFERENCE = intents.Reference(
    run="r", prompt="p", image="a" * 64, flow="f", seed=1, parsed=PARSED, layout=LAYOUT, tried=(TRIED,)
)
SETTLED = intents.Settled(prompt="p", parsed=PARSED, layout=LAYOUT, redraw=(REGION,))
ANSWER = intents.Answer(text="back at the owl", back_to="r")
CATEGORIES = schemas.Categories(labels=("Counting", "Spatial"))
CHOICE = schemas.Choice(flow="f", reason="best")
PLANNED = schemas.Planned(parsed=PARSED, layout=LAYOUT)
ATTEMPT = Attempt(flow="f", seed=1, prompt="p", layout=LAYOUT, repair=REPAIR, base="b" * 64, regions=(REGION,))
SPENT = Spent(seconds=1.5, tokens_in=3, tokens_out=4)
STATE = State(
    run="r", request=REQUEST, seed=1, out="/p.png", turns=(REFERENCE,), references=(REFERENCE,), intent=INTENT,
    categories=CATEGORIES, generation=3, candidates=(CANDIDATE,), able=("f",), choice=CHOICE, planned=PLANNED,
    attempt=ATTEMPT, rounds=(ROUND,), keys=("k",), spent=SPENT, notes=("n",), stopped="s", result=RESULT,
    preferences=(PREFERENCE,), settled=SETTLED, answer=ANSWER,
)  # fmt: skip
DETECTION = schemas.Detection(object="circle", attributes=("red",), score=0.9, x=0.1, y=0.1, width=0.2, height=0.2)
VALUES = (
    DETECTION, BOX, LAYOUT, REPAIR, CHECK, VERDICT, ROUND, CANDIDATE, GROUP, RELATION, PARSED, REQUEST, RESULT, INTENT,
    REFERENCE, REGION, EDIT, PREFERENCE, SETTLED, ANSWER, CATEGORIES, CHOICE, PLANNED, ATTEMPT, SPENT, STATE,
    TRIED, IDEA, CHANGE, ORDER, SPOT, *REPAIRS, *EDITS, *EXACT, *INTENTS,
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_type_of_the_state_comes_back_as_it_was(value: Any) -> None:
    serializer = strict_serializer(OWN_TYPES)
    back = serializer.loads_typed(serializer.dumps_typed(value))
    assert type(back) is type(value)
    assert back == value


def test_every_type_that_the_state_can_hold_is_tried_above() -> None:
    def types_in(model: type[Any], seen: set[type]) -> set[type]:
        if model is schemas.Repair:
            return seen.union(*(types_in(kind, seen) for kind in verdicts.load_repairs().values()))
        seen.add(model)
        for field in model.model_fields.values():
            for found in flat(field.annotation):
                if found not in seen:
                    types_in(found, seen)
        return seen

    def flat(annotation: Any) -> list[type]:
        if isinstance(annotation, type) and issubclass(annotation, schemas.Value):
            return [annotation]
        return [found for part in getattr(annotation, "__args__", ()) for found in flat(part)]

    assert types_in(State, set()) == {type(value) for value in VALUES}


class Probe:
    """A value whose reading would call a function of the standard library."""

    @staticmethod
    def poisoned(module: str, name: str, code: int, argument: Any) -> tuple[str, bytes]:
        """What a stranger who can write into the database would put there."""
        packed = ormsgpack.packb((module, name, argument))
        return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, packed))


@pytest.mark.parametrize("code", [0, 1, 2, 5])
def test_a_poisoned_checkpoint_calls_nothing(code: int, tmp_path: Path) -> None:
    victim = tmp_path / "made-by-the-probe"
    argument: Any = {0: str(victim), 1: [str(victim)], 2: {"name": str(victim)}, 5: {"name": str(victim)}}[code]
    data = Probe.poisoned("os", "mkdir", code, argument)
    strict_serializer(OWN_TYPES).loads_typed(data)
    assert not victim.exists()


def test_the_probe_would_work_on_a_lax_serializer(tmp_path: Path) -> None:
    """Without this the test above could not fail: the default of LangGraph does call the function."""
    code = (
        "import sys, ormsgpack\n"
        "from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer\n"
        "data = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(('os', 'mkdir', sys.argv[1]))))\n"
        "JsonPlusSerializer().loads_typed(('msgpack', data))\n"
    )
    victim = tmp_path / "made-by-the-probe"
    lax = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": "false"}
    subprocess.run([sys.executable, "-c", code, str(victim)], check=True, env=lax, capture_output=True)
    assert victim.exists()


def test_a_program_that_imported_langgraph_before_us_is_strict_too(tmp_path: Path) -> None:
    code = (
        "import sys, langgraph.checkpoint.serde.jsonplus, ormsgpack\n"
        "from pathlib import Path\n"
        "from imagewright.graph.build import build\n"
        "from imagewright.memory.checkpoints import open_checkpoints\n"
        "data = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(('os', 'mkdir', sys.argv[1]))))\n"
        "with open_checkpoints(Path(sys.argv[2])) as saver:\n"
        "    build().compile(checkpointer=saver).checkpointer.serde.loads_typed(('msgpack', data))\n"
    )
    victim = tmp_path / "made-by-the-probe"
    lax = {**os.environ, "LANGGRAPH_STRICT_MSGPACK": ""}
    command = [sys.executable, "-c", code, str(victim), str(tmp_path / "c.sqlite")]
    subprocess.run(command, check=True, env=lax, capture_output=True)
    assert not victim.exists()


def test_the_file_waits_for_others_and_writes_ahead(tmp_path: Path) -> None:
    with open_checkpoints(tmp_path / "c.sqlite") as saver:
        saver.setup()
        assert saver.conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert saver.conn.execute("PRAGMA busy_timeout").fetchone()[0] >= 10_000


def test_a_file_that_is_no_database_is_the_persons_to_mend(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"not a database, and long enough to be looked at as one" * 40)
    with pytest.raises(BadInput, match="not a database"), open_checkpoints(tmp_path / "c.sqlite"):
        pass


def test_a_database_that_breaks_while_in_use_is_told_in_words(tmp_path: Path) -> None:
    def fill_it() -> None:
        with open_checkpoints(tmp_path / "c.sqlite") as saver:
            saver.setup()
            saver.conn.execute("PRAGMA max_page_count = 1")
            saver.conn.execute("CREATE TABLE big AS SELECT zeroblob(1000000)")

    with pytest.raises(BadInput, match="disk is full"):
        fill_it()


def test_mistakes_of_ours_are_not_told_as_the_persons(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), open_checkpoints(tmp_path / "c.sqlite") as saver:
        saver.conn.execute("SELECT * FROM nowhere")


def test_all_schema_types_are_plain_values() -> None:
    assert set(STATE_TYPES) >= {type(value) for value in VALUES} - set(OWN_TYPES)
    assert all(issubclass(found, schemas.Value) for found in STATE_TYPES)
