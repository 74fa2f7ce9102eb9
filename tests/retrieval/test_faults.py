"""Killed writers, damaged and foreign files, vectors that do not fit, a full disk: told, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from imagewright.errors import BadInput
from imagewright.retrieval import neighbours, store
from imagewright.retrieval.candidates import rank
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.serving import read_current
from imagewright.schemas import Categories, ParsedPrompt, Readiness

Start = Callable[..., "subprocess.Popen[str]"]


def all_of(index: FlowIndex) -> set[str]:
    """Every id that a search through the folder that serves finds, with what is newer."""
    return {name for name, _ in index.search("number", 10_000)}


def test_eight_writers_and_kill_leave_search_and_truth_alike(
    index: FlowIndex, kit: ModuleType, process: Start, monkeypatch: pytest.MonkeyPatch, notes: list[str]
) -> None:
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 2)
    monkeypatch.setattr(neighbours, "BEHIND", 1.0)
    index.add_many([kit.flow(f"first-{n}", steps=500 + n) for n in range(5)])
    index.neighbours.serving.build()
    writers = [process("add", f"w{number}", "12") for number in range(8)]
    rng, killed = random.Random(1), writers[:4]
    for writer in killed:
        time.sleep(rng.random() * 2)
        writer.kill()
    assert [writer.wait() for writer in writers[4:]] == [0] * 4
    assert {writer.wait() for writer in killed} <= {0, -signal.SIGKILL}
    truth = set(index.ids())
    whole = {f"w{number}-{each}" for number in range(4, 8) for each in range(12)}
    assert whole <= truth
    assert truth == {flow.id for flow in index.list()}
    assert all_of(index) == truth
    assert index.mirror_ids("flows") == truth
    index.neighbours.serving.build()
    assert read_current(index.neighbours.serving._folder)[1] == index.generation
    assert all_of(index) == truth
    assert not [note for note in notes if "damaged" in note]


def test_a_writer_that_was_killed_with_the_vector_index_open_costs_a_new_one_and_no_word(
    index: FlowIndex, kit: ModuleType, process: Start, notes: list[str]
) -> None:
    index.add_many([kit.flow(f"f{n}", steps=n + 1) for n in range(5)])
    before = index.search("f1", 5)
    holder = process("open")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    holder.kill()
    holder.wait()
    assert index.vector_fault() == ""
    assert index.search("f1", 5) == before
    assert index.mirror_ids("flows") == set(index.ids())
    assert notes == []


# --- what Chroma's own files can do ---------------------------------------------------------


@pytest.fixture(scope="module")
def served(kit: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of 1,200 flows whose serving folder holds a real HNSW graph."""
    home: Path = tmp_path_factory.mktemp("served")
    index = kit.index(home)
    base = kit.flow("f0")
    with index.writing() as db:
        changed = store.bump(db)
        for number in range(1200):
            flow = base.model_copy(update={"id": f"f{number}"})
            vector = index.embedder.embed([f"word{number} word{number % 40} castle"])[0]
            store.put_flow(db, flow, vector, "user", changed)
    index.neighbours.serving.build()
    return home


HARMS = ["HNSW header", "HNSW data", "HNSW cut", "database pages", "database cut", "database empty", "another's"]
ASK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import writer
from imagewright.retrieval import neighbours
neighbours.EXACT_UP_TO, neighbours.BEHIND = 2, 9.0
index = writer.index(Path(sys.argv[2]), lambda note: print("NOTE", note))
for _ in range(2):
    print("FOUND", *sorted(name for name, _ in index.search("word7 castle", 5)))
print("FAULT", index.vector_fault())
"""


@pytest.mark.parametrize("harm", HARMS)
def test_damage_to_the_vector_index_ends_no_process_and_changes_no_answer(
    harm: str, served: Path, kit: ModuleType, tmp_path: Path
) -> None:
    shutil.copytree(served, tmp_path / "home")
    folder = tmp_path / "home" / "chroma" / read_current(tmp_path / "home" / "chroma")[0]
    (data,) = folder.glob("*/data_level0.bin")
    _damage(harm, folder, data)
    command = [sys.executable, "-c", ASK, str(Path(__file__).parent), str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line for line in done.stdout.splitlines() if line.startswith("NOTE")]
    found = {line for line in done.stdout.splitlines() if line.startswith("FOUND")}
    assert len(said) >= 1
    assert all("imagewright flows reindex" in line for line in said)
    exact = kit.index(tmp_path / "home")
    vector = np.asarray(exact.embedder.embed(["word7 castle"])[0], dtype=np.float32)
    with exact.reading() as db:
        cosines = {name: round(float(card @ vector), 6) for name, card in store.vectors(db, "flows").items()}
    best = sorted(cosines, key=lambda name: (-cosines[name], name))[:5]
    assert found == {" ".join(["FOUND", *sorted(best)])}
    if harm != "another's":
        assert "flows reindex" in done.stdout.split("FAULT")[1]


def _damage(harm: str, folder: Path, data: Path) -> None:
    rng, database = random.Random(2), folder / "chroma.sqlite3"
    if harm == "HNSW header":
        (data.parent / "header.bin").write_bytes(b"\xff" * 100)
    elif harm == "HNSW data":
        data.write_bytes(rng.randbytes(data.stat().st_size))
    elif harm == "HNSW cut":
        os.truncate(data, data.stat().st_size // 2)
    elif harm == "database pages":
        whole = bytearray(database.read_bytes())
        for _ in range(60):
            page = rng.randrange(1, len(whole) // 4096) * 4096
            whole[page : page + 4096] = rng.randbytes(4096)
        database.write_bytes(whole)
    elif harm == "database cut":
        os.truncate(database, 9000)
    elif harm == "database empty":
        database.write_bytes(b"")
    else:
        with sqlite3.connect(database) as db:
            db.execute("DELETE FROM collections")
        db.close()


# --- vectors that do not fit ----------------------------------------------------------------


def ranked(index: FlowIndex) -> list[str]:
    ready = {name: Readiness() for name in index.ids()}
    return [c.flow for c in rank(index, "castle 3", ParsedPrompt(), Categories(labels=()), ready, "here")]


@pytest.mark.parametrize(
    "vector", [b"", b"\0\0", bytes(4 * 63), b"\0\0\xc0\x7f" * 64], ids=["empty", "odd", "short", "NaN"]
)
def test_a_vector_that_does_not_fit_is_said_and_embedding_anew_cures_it(
    vector: bytes, index: FlowIndex, kit: ModuleType, notes: list[str]
) -> None:
    index.add_many([kit.flow(f"f{n}", steps=n + 1, description=f"castle {n}") for n in range(6)])
    index.add_evidence([kit.score("f1", "castle one", 0.5), kit.score("f2", "castle two", 0.5)])
    first, whole = index.search("castle 3", 6), ranked(index)
    with index.writing() as db:
        changed = store.bump(db)
        db.execute("UPDATE flows SET vector = ?, changed = ? WHERE id = 'f3'", (vector, changed))
        db.execute("UPDATE flow_facts SET changed = ? WHERE id = 'f3'", (changed,))
        db.execute("UPDATE prompts SET vector = ?, changed = ? WHERE text = 'castle one'", (vector, changed))
    assert set(ranked(index)) == set(whole)
    assert "2 stored vectors do not fit" in notes[-1]
    assert "flows reindex" in notes[-1]
    assert {name for name, _ in index.search("castle 3", 6)} == {"f0", "f1", "f2", "f4", "f5"}
    index.reindex()
    notes.clear()
    assert index.search("castle 3", 6) == first
    assert ranked(index) == whole
    assert index.vector_fault() == ""
    assert notes == []


class Other:
    """Another embedder, of other dimensions."""

    name = "other"
    dimension = 8

    def embed(self, texts: list[str]) -> list[list[float]]:
        """All the same."""
        return [[1.0] + [0.0] * 7 for _ in texts]


def test_an_index_of_another_embedder_answers_with_a_note_until_it_is_embedded_anew(
    index: FlowIndex, kit: ModuleType, tmp_path: Path, notes: list[str]
) -> None:
    index.add_many([kit.flow(f"f{n}", steps=n + 1) for n in range(4)])
    index.search("f", 1)
    other = FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", Other(), notes.append)
    assert other.search("f") == ()
    assert len(ranked(other)) == 4
    assert all("flows reindex" in note for note in notes)
    assert "4 stored vectors do not fit" in other.vector_fault()
    other.reindex()
    notes.clear()
    assert len(other.search("f")) == 4
    assert notes == []


# --- the database, and the disk -------------------------------------------------------------


def test_a_row_that_is_no_flow_any_more_is_named_with_the_remedy(index: FlowIndex, kit: ModuleType) -> None:
    index.add_many([kit.flow("a"), kit.flow("b", steps=2)])
    with index.writing() as db:
        db.execute("UPDATE flows SET card = '{' WHERE id = 'a'")
    with pytest.raises(BadInput, match="flow 'a' is damaged") as caught:
        index.list()
    assert caught.value.remedy.startswith("imagewright flows remove a,")
    index.remove("a")
    assert index.ids() == ("b",)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on files here")
def test_a_full_disk_while_a_folder_is_added_loses_nothing(index: FlowIndex, kit: ModuleType, tmp_path: Path) -> None:
    """No file may grow beyond a bound: that is what a full disk looks like to SQLite."""
    made = tmp_path / "made"
    made.mkdir()
    for number in range(60):
        (made / f"{number:02}.json").write_text(json.dumps(kit.graph(steps=number + 1, text=f"{number} " * 400)))
    index.add(kit.flow("before", steps=900))
    size = max(file.stat().st_size for file in tmp_path.glob("index.sqlite*")) + 150_000
    command = [sys.executable, str(Path(__file__).with_name("writer.py")), str(tmp_path), "folder", str(made)]

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    full = subprocess.run(command, capture_output=True, text=True, preexec_fn=little_room, check=False)
    assert full.returncode != 0
    assert full.stderr.splitlines()[-1].startswith("imagewright.errors.")
    assert "the disk" in full.stderr.splitlines()[-1]
    told = full.stdout.split()
    assert 0 < len(told) < 60
    assert {Path(name).stem for name in told} <= set(index.ids())
    with index.reading() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert set(index.ids()) == {"before", *(f"{number:02}" for number in range(60))}
    assert index.mirror_ids("flows") == set(index.ids())
