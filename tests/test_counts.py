"""What one picture costs beside its pixels: how often graphs are read and ordered, and files opened."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagewright import Imagewright, flow_format
from imagewright.database import close_connections
from imagewright.flow_format import graph_hash
from imagewright.t2i_backends.execution.program import forget_programs

Counts = dict[str, Counter[object]]


def watch(monkeypatch: pytest.MonkeyPatch, name: str, note: Callable[[Any], None]) -> None:
    """Call ``note`` with the argument of every call of a function of ``flow_format``, whoever imported it."""
    original = getattr(flow_format, name)

    def watched(argument: Any) -> Any:
        note(argument)
        return original(argument)

    for module in [module for key, module in sys.modules.items() if key.startswith("imagewright")]:
        for held, value in list(vars(module).items()):
            if value is original:
                monkeypatch.setattr(module, held, watched)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imagewright]:
    """An engine in a warm process: it has drawn a picture."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(home))
    monkeypatch.chdir(home)
    engine = Imagewright()
    engine.draw("a red circle above a blue square", seed=1)
    yield engine
    engine.close()


@pytest.fixture
def counts(engine: Imagewright, monkeypatch: pytest.MonkeyPatch) -> Counts:
    found: Counts = {"read": Counter(), "ordered": Counter(), "opened": Counter()}
    watch(monkeypatch, "parse_in_order", lambda graph: found["read"].update([graph_hash(graph)]))
    watch(monkeypatch, "order", lambda graph: found["ordered"].update([graph_hash(graph)]))
    connect = sqlite3.connect

    def open_counted(path: Any, **options: Any) -> sqlite3.Connection:
        found["opened"][threading.current_thread(), str(path)] += 1
        connection: sqlite3.Connection = connect(path, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", open_counted)
    return found


def test_a_picture_reads_and_orders_each_flow_once_and_opens_each_file_once_a_thread(
    engine: Imagewright, counts: Counts
) -> None:
    forget_programs()
    close_connections()
    made = engine.draw("a green triangle left of a yellow circle", seed=7)
    flows = {flow.id: graph_hash(flow.graph) for flow in engine.index.list()}
    assert counts["read"][flows[made.flow]] == 1
    assert counts["ordered"][flows[made.flow]] == 1
    assert set(counts["read"]) == set(counts["ordered"]) <= set(flows.values()), "only what is offered is compiled"
    assert max(counts["read"].values()) == max(counts["ordered"].values()) == 1
    assert counts["opened"]
    assert max(counts["opened"].values()) == 1


def test_the_next_picture_reads_and_orders_nothing(engine: Imagewright, counts: Counts) -> None:
    engine.draw("a green triangle left of a yellow circle", seed=8)
    assert (counts["read"], counts["ordered"]) == (Counter(), Counter())
    assert not [name for thread, name in counts["opened"] if thread is threading.main_thread()]  # type: ignore[misc]
