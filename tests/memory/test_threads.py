"""Threads are listed, titled, searched, exported and deleted with all that they made, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.memory.threads import Threads
from imagewright.thread_files import delete, write_thread


class Home:
    """What ``thread_files`` needs of an engine."""

    def __init__(self, studio: Any) -> None:
        self.studio, self.runs, self.store = studio, studio.runs, studio.store
        self.threads = Threads(studio.runs.path)
        self.settings = self
        self.checkpoints, self.data_dir = studio.checkpoints, studio.home


@pytest.fixture(scope="module")
def talked(load_module: Callable[[str, Path], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two conversations; both have drawn the same star."""
    kit = load_module("imagewright_graph_kit", Path(__file__).parent.parent / "graph" / "kit.py")
    studio = kit.Studio(tmp_path_factory.mktemp("home"))
    for thread, said in (("sky", "a yellow star"), ("sky", "make it red"), ("sky", "why?"), ("sea", "a yellow star")):
        studio.say(said, thread)
    return Home(studio)


def test_they_are_listed_newest_first_and_searched(talked: Home) -> None:
    rows = talked.threads.list()
    assert [(row.name, row.turns, row.pictures, row.last) for row in rows] == [
        ("sea", 1, 1, "a yellow star"), ("sky", 3, 2, "why?")
    ]  # fmt: skip
    assert [row.name for row in talked.threads.list("RED STAR")] == ["sky"]
    talked.threads.entitle("sea", "Under water")
    assert [row.name for row in talked.threads.list("water")] == ["sea"]
    assert talked.threads.list("whale") == ()


def test_what_was_said_and_what_came_of_it_is_kept(talked: Home) -> None:
    turns = talked.threads.turns("sky")
    assert [(turn.said, turn.status, bool(turn.path)) for turn in turns] == [
        ("a yellow star", "delivered", True), ("make it red", "delivered", True), ("why?", "answered", False)
    ]  # fmt: skip
    assert "was chosen by" in turns[2].reply
    assert [picture.number for picture in talked.threads.pictures("sky")] == [1, 2]
    assert [turn.picture for turn in turns] == [1, 2, 0], "the same numbers, and none where no picture was made"


def test_a_thread_that_is_not_there_is_refused(talked: Home) -> None:
    with pytest.raises(BadInput, match="no thread"):
        talked.threads.entitle("nowhere", "x")


def test_an_export_holds_words_pictures_and_traces(talked: Home, tmp_path: Path) -> None:
    assert write_thread(talked, "sky", tmp_path / "out") == 2  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "001.json", "001.png", "002.json", "002.png", "thread.json"
    ]  # fmt: skip
    whole = json.loads((tmp_path / "out" / "thread.json").read_text())
    assert [turn["said"] for turn in whole["turns"]] == ["a yellow star", "make it red", "why?"]
    with pytest.raises(BadInput, match="not an empty folder"):
        write_thread(talked, "sky", tmp_path / "out")  # type: ignore[arg-type]


def test_a_deleted_thread_takes_its_pictures_along_and_no_others(talked: Home) -> None:
    shared, own = (turn.image for turn in talked.threads.turns("sky")[:2])
    files = [Path(turn.path) for turn in talked.threads.turns("sky") if turn.path]
    assert delete(talked, "sky") == 1  # type: ignore[arg-type]
    assert (talked.store.has(shared), talked.store.has(own)) == (True, False)
    assert not any(path.exists() or path.with_suffix(".json").exists() for path in files)
    assert [row.name for row in talked.threads.list()] == ["sea"]
    assert talked.studio.line("sky") == []
    assert talked.studio.line("sea") == ["a yellow star"]
    assert "sky" not in str(talked.studio.runs.list())
