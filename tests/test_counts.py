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
from imagewright.agents.reading import parse
from imagewright.database import close_connections
from imagewright.flow_format import graph_hash
from imagewright.retrieval import store
from imagewright.retrieval.embed import MiniLMEmbedder
from imagewright.schemas import Flow, ParsedPrompt
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
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


def note_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: Counter[object]) -> None:
    """Count the calls of ``owner.name`` by their last argument."""
    original = getattr(owner, name)

    def noted(*arguments: Any) -> Any:
        last = arguments[-1]
        seen[tuple(last) if isinstance(last, list) else last.id if isinstance(last, Flow) else last] += 1
        return original(*arguments)

    monkeypatch.setattr(owner, name, noted)


def test_a_run_embeds_and_parses_its_prompt_once_and_reads_no_flow_twice(
    engine: Imagewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "a purple star right of an orange square on a white background"
    bare = "a star right of an square on a background"
    embedded, parsed, read, connected = (Counter[object]() for _ in range(4))
    note_calls(monkeypatch, MiniLMEmbedder, "embed_anew", embedded)
    note_calls(monkeypatch, parse, "read_field", parsed)
    flow_from = store.flow_from
    monkeypatch.setattr(store, "flow_from", lambda row: read.update([row["id"]]) or flow_from(row))
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connected.update([threading.current_thread()]) or connect(*a, **k)
    )
    engine.draw(prompt, seed=7, max_images=1)
    assert embedded == {(prompt, bare): 1}
    assert parsed == {prompt: 1}, parsed
    assert all(times == 1 for times in read.values()), read
    assert all(times == 1 for times in connected.values()), connected


def test_planning_again_reads_and_embeds_nothing(engine: Imagewright, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "a white circle below a green star on a blue background"
    embedded, parsed, read, asked = (Counter[object]() for _ in range(4))
    first = engine.plan(prompt)
    note_calls(monkeypatch, MiniLMEmbedder, "embed_anew", embedded)
    note_calls(monkeypatch, parse, "read_field", parsed)
    note_calls(monkeypatch, DiffusersBackend, "check", asked)
    flow_from = store.flow_from
    monkeypatch.setattr(store, "flow_from", lambda row: read.update([row["id"]]) or flow_from(row))
    assert engine.plan(prompt) == first
    assert (embedded, parsed, read, asked) == (Counter(), Counter(), Counter(), Counter())
    assert isinstance(parse.parse_prompt(prompt), ParsedPrompt)
