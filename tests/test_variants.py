"""Repairs, intents and edits: each has the fields of its kind, and what was written before there were kinds is read."""

from __future__ import annotations

from typing import Any

import ormsgpack
import pytest
from pydantic import ValidationError

from imagewright import intents, schemas
from imagewright.flow_format import graph_hash
from imagewright.graph.draw import attempt_key
from imagewright.graph.state import OWN_TYPES, Attempt, State
from imagewright.memory.artifacts import content_key
from imagewright.memory.checkpoints import strict_serializer
from imagewright.verdicts import load_repairs

PLACE = {"caption": "a red circle", "object": "circle", "attributes": ["red"], "x": 0.1, "y": 0.1, "width": 0.3,
         "height": 0.3}  # fmt: skip
OLD_REPAIR = {"box": None, "moved": None, "prompt": None, "flow": None}
OLD_EDIT = {"boxes": [0], "text": "", "count": 1, "factor": 1.0, "across": 0.0, "down": 0.0, "place": "",
            "beside": None}  # fmt: skip
OLD_INTENT = {"prompt": "", "parsed": {}, "base": "r", "edits": [], "seed": None, "thumb": "", "topic": "",
              "preference": None, "reason": "", "choices": [], "decided_by": "llm"}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"kind": "redraw", "box": 0}, {"box", "moved"}),
        ({"kind": "move_box", "box": 1, "moved": PLACE}, {"box", "moved"}),
        ({"kind": "new_seed"}, set()),
        ({"kind": "reprompt"}, {"prompt"}),
        ({"kind": "next_flow"}, set()),
        ({"kind": "boxes"}, set()),
        ({"kind": "close_up", "moved": PLACE, "prompt": "p", "flow": "f"}, {"moved", "prompt", "flow"}),
        ({"kind": "polish", "prompt": "p"}, {"prompt"}),
    ],
)
def test_a_repair_of_an_old_trace_is_read_as_its_kind(fields: dict[str, Any], kept: set[str]) -> None:
    old = {**OLD_REPAIR, "reason": "r", **fields}
    verdict = schemas.Verdict.model_validate({"accepted": False, "score": 0.5, "repair": old})
    assert type(verdict.repair) is load_repairs()[fields["kind"]] is type(schemas.Repair(**old))
    assert set(type(verdict.repair).model_fields) == {"kind", "reason", *kept}
    new = verdict.model_dump(mode="json")["repair"]
    assert {name: value for name, value in old.items() if value is not None} == {
        name: value for name, value in new.items() if value is not None
    }
    assert schemas.Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "redraw", "reason": "r"},
        {"kind": "move_box", "reason": "r", "box": 0, "moved": None},
        {"kind": "new_seed", "reason": "r", "code": "os.system"},
        {"kind": "new_seed"},
        {"reason": "r"},
    ],
)
def test_what_is_no_repair_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schemas.Verdict.model_validate({"accepted": False, "score": 0.5, "repair": wrong})


@pytest.mark.parametrize("op", ["recolour", "resize", "move", "add", "remove", "replace", "background", "style"])
def test_an_old_edit_is_read_as_its_kind(op: str) -> None:
    intent = intents.Intent(**{**OLD_INTENT, "kind": "edit", "edits": [{**OLD_EDIT, "op": op}]})
    assert type(intent) is intents.EditIntent
    (edit,) = intent.edits
    assert type(edit).__name__ == f"{op.capitalize()}Edit"
    assert edit == intents.Edit(op=op, **OLD_EDIT)
    assert set(type(edit).model_fields) - {"also"} < {"op", *OLD_EDIT}, "it may have more than one thing to go beside"


def test_no_other_intents_and_edits_are_let_in() -> None:
    for wrong in ({"op": "run"}, {"op": "move", "code": 1}, {"op": "add", "count": 99}, {}):
        with pytest.raises(ValidationError):
            intents.EditIntent(edits=(wrong,))
        with pytest.raises(ValidationError):
            intents.Edit(**wrong)
    for wrong in ({"kind": "run"}, {"kind": "undo", "code": 1}, {}):
        with pytest.raises(ValidationError):
            intents.Intent(**wrong)


def pack(module: str, name: str, fields: dict[str, Any]) -> tuple[str, bytes]:
    """A value as LangGraph wrote it before."""
    packed = ormsgpack.packb((module, name, fields, "model_validate_json"))
    return "msgpack", ormsgpack.packb(ormsgpack.Ext(5, packed))


@pytest.mark.parametrize(
    ("module", "name", "fields", "now"),
    [
        ("intents", "Intent", {**OLD_INTENT, "kind": "undo"}, "UndoIntent"),
        ("intents", "Edit", {**OLD_EDIT, "op": "move"}, "MoveEdit"),
        ("schemas", "Repair", {**OLD_REPAIR, "kind": "redraw", "reason": "r", "box": 0}, "RedrawBox"),
        ("schemas", "Check", {"name": "count", "passed": True, "detail": "d", "wanted": "", "box": None}, "Check"),
        ("schemas", "Verdict", {"accepted": True, "score": 1.0, "repair": None, "nearer": None}, "Verdict"),
    ],
)
def test_an_old_checkpoint_is_read(module: str, name: str, fields: dict[str, Any], now: str) -> None:
    value = strict_serializer(OWN_TYPES).loads_typed(pack(f"imagewright.{module}", name, fields))
    assert type(value).__name__ == now


def test_an_old_attempt_keeps_the_repair_that_led_to_it() -> None:
    fields = {
        "flow": "f",
        "seed": 1,
        "prompt": "p",
        "repair": {**OLD_REPAIR, "kind": "redraw", "reason": "r", "box": 1},
    }
    value = strict_serializer(OWN_TYPES).loads_typed(pack("imagewright.graph.state", "Attempt", fields))
    assert value == Attempt(flow="f", seed=1, prompt="p", repair=schemas.Repair(kind="redraw", reason="r", box=1))


def test_the_key_of_a_picture_made_before_is_the_same() -> None:
    flow = schemas.Flow(id="f", graph={}, card=schemas.Card(title="F"))
    repair = {**OLD_REPAIR, "kind": "redraw", "box": 1}
    attempt = Attempt(flow="f", seed=1, prompt="p", repair=schemas.Repair(**repair, reason="r"))
    state = State(run="r", request=schemas.DrawRequest(prompt="p"), seed=1, out="/p.png")
    old = {**attempt.model_dump(mode="json"), "repair": repair}
    facts = {"run": "r", "round": 0, "backend": "b", "graph": graph_hash(flow.graph), "size": [None, None]}
    assert attempt_key(state, attempt, flow, "b") == content_key({**facts, "attempt": old})
