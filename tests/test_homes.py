"""A home that an earlier release left goes on: its conversation, its question, its run cut off, its traces."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import EXT_PYDANTIC_V2

from imagewright import Imagewright
from imagewright.errors import BadInput
from imagewright.graph.state import OWN_TYPES
from imagewright.memory.checkpoints import strict_serializer
from imagewright.schemas import RunEvent
from imagewright.settings import load_settings

PACKED = Path(__file__).parent / "homes" / "open-asked-cut.tar.xz"
MADE_IN = "/tmp/imagewright-before"
"""Where the home was made: runs name their files by absolute paths."""
ANY_KEY = ormsgpack.OPT_NON_STR_KEYS


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder with the home and its pictures, unpacked, with the paths of here in its databases."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    with sqlite3.connect(tmp_path / "home" / "imagewright.sqlite") as db:
        for table, column in (("runs", "out"), ("runs", "request"), ("deliveries", "result"), ("deliveries", "trace")):
            db.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (MADE_IN, str(tmp_path)))
    with sqlite3.connect(tmp_path / "home" / "checkpoints.sqlite") as db:
        for table, column in (("checkpoints", "checkpoint"), ("writes", "value")):
            for row, blob in db.execute(f"SELECT rowid, {column} FROM {table} WHERE type = 'msgpack'").fetchall():
                moved = repack(blob, MADE_IN, str(tmp_path))
                db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (moved, row))
    return tmp_path


def repack(blob: bytes, old: str, new: str) -> bytes:
    """The packed value with ``new`` for ``old`` in each of its texts, at any depth."""

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(old, new)
        if isinstance(value, dict):
            return {inside(key): inside(held) for key, held in value.items()}
        return [inside(held) for held in value] if isinstance(value, list) else value

    def nested(code: int, data: bytes) -> ormsgpack.Ext:
        return ormsgpack.Ext(code, repack(data, old, new))

    return ormsgpack.packb(inside(ormsgpack.unpackb(blob, ext_hook=nested, option=ANY_KEY)), option=ANY_KEY)


@pytest.fixture
def engine(place: Path, monkeypatch: pytest.MonkeyPatch) -> Imagewright:
    """An engine of today on the home."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(place / "home"))
    return Imagewright(load_settings())


def run_called(engine: Imagewright, status: str) -> str:
    """The id of the run that the home holds with ``status``."""
    return next(row.id for row in engine.runs.list() if row.status == status)


def test_the_conversation_goes_on_with_the_pictures_of_before(engine: Imagewright, place: Path) -> None:
    chat = engine.chat("open", seed=7, out=str(place))
    assert [picture.said for picture in chat.pictures] == [
        "a red circle left of a blue square on a white background", "make the square green", "one more",
    ]  # fmt: skip
    assert "circle" in chat.say("why?").text
    assert chat.say("undo").text
    reply = chat.say("make the circle yellow")
    reply = chat.say("no") if reply.question else reply
    assert reply.result is not None
    assert reply.result.prompt == "a yellow circle to the left of a green square on a white background"
    assert Path(reply.result.path).parent == place


def test_the_question_is_asked_again_and_its_answer_is_heard(engine: Imagewright, place: Path) -> None:
    chat = engine.chat("asked", out=str(place))
    asked = chat.resume()
    assert asked is not None
    assert asked.question is not None
    assert asked.question.text.startswith("another picture would pass your limit of 1 image")
    done = chat.say("no").result
    assert done is not None
    assert done.images == 1
    assert Path(done.path).exists()


def test_the_run_that_was_cut_off_resumes_with_the_picture_that_it_had(engine: Imagewright, place: Path) -> None:
    run = run_called(engine, "interrupted")
    drawn: list[str] = []

    def listen(event: RunEvent) -> None:
        drawn.extend([event.text] if event.kind == "image" else [])

    result = engine.resume(run, listen)
    assert result.rounds[0].seed == 7
    assert result.rounds[0].repair is None
    assert result.rounds[1].repair is not None
    assert result.rounds[1].repair.kind == "new_seed"
    assert drawn
    assert not drawn[0].startswith("picture 1,"), "the first picture was made before the kill"
    assert Path(result.path) == place / "cut.png"


def test_what_was_delivered_is_drawn_again_from_its_trace(engine: Imagewright) -> None:
    for run in [row.id for row in engine.runs.list() if row.status == "delivered"]:
        found = engine.replay(run)
        assert found.mean_difference is not None, run
        assert found.mean_difference < 0.1, "the number of threads alone may move a value by one"


def test_every_value_of_its_checkpoints_is_one_of_ours(place: Path) -> None:
    """Nothing comes back as the bare dictionary that a name not let in leaves."""
    serializer = strict_serializer(OWN_TYPES)
    with sqlite3.connect(place / "home" / "checkpoints.sqlite") as db:
        rows = db.execute("SELECT channel, type, value FROM writes").fetchall()
    typed = {"request", "attempt", "settled", "intent", "categories", "choice", "planned", "result", "spent"}
    found = [(channel, serializer.loads_typed((kind, value))) for channel, kind, value in rows if kind == "msgpack"]
    assert {channel for channel, _ in found} >= typed
    assert [(channel, value) for channel, value in found if channel in typed and isinstance(value, dict)] == []


def test_a_name_that_is_none_of_ours_and_fields_that_do_not_fit_are_not_let_in() -> None:
    def packed(module: str, name: str, fields: dict[str, object]) -> tuple[str, bytes]:
        data = ormsgpack.packb((module, name, fields, "model_validate_json"))
        return "msgpack", ormsgpack.packb(ormsgpack.Ext(EXT_PYDANTIC_V2, data))

    serializer = strict_serializer(OWN_TYPES)
    stranger = serializer.loads_typed(packed("imagewright.settings", "Settings", {"a": 1}))
    assert stranger == {"a": 1}
    with pytest.raises(BadInput, match="a checkpoint holds a Choice that this release cannot read"):
        serializer.loads_typed(packed("imagewright.schemas", "Choice", {"flow": 3}))
