"""The vector index of a large index: one generation, the newer exactly; and damage never ends the process."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from imagewright.retrieval import neighbours, store
from imagewright.retrieval.chroma_mirror import MirrorBusy, lock_mirror
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.serving import read_current


@pytest.fixture
def large(index: FlowIndex, kit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FlowIndex:
    """An index that counts as a large one, served by a folder of its own."""
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 2)
    monkeypatch.setattr(neighbours, "BEHIND", 1.0)
    index.add_many([kit.flow(f"f{n}", steps=n + 1, description=f"castle {n} fox star"[: 8 + n]) for n in range(9)])
    index.neighbours.serving.build()
    return index


def nearest(index: FlowIndex, text: str, k: int = 3) -> list[str]:
    """The ids of the nearest cards, as a search finds them."""
    return [name for name, _ in index.search(text, k)]


def exactly(index: FlowIndex, text: str, k: int = 3) -> list[str]:
    """The same from all vectors."""
    vector = np.asarray(index.embedder.embed([text])[0], dtype=np.float32)
    with index.reading() as db:
        found = {name: float(card @ vector) for name, card in store.vectors(db, "flows").items()}
    return sorted(found, key=lambda name: (-round(found[name], 6), name))[:k]


def test_what_changed_since_is_found_and_what_is_gone_is_not(
    large: FlowIndex, kit: ModuleType, notes: list[str]
) -> None:
    served = read_current(large.neighbours.serving._folder)
    large.add(kit.flow("new", steps=40, description="an owl in a lantern"))
    assert nearest(large, "an owl in a lantern", 1) == ["new"]
    first = nearest(large, "castle 3", 1)[0]
    large.remove(first)
    assert first not in nearest(large, "castle 3", 9)
    assert sorted(nearest(large, "castle fox", 9)) == sorted(exactly(large, "castle fox", 9))
    assert read_current(large.neighbours.serving._folder) == served
    assert notes == []
    large.neighbours.serving.build()
    assert read_current(large.neighbours.serving._folder)[1] == large.generation
    assert nearest(large, "an owl in a lantern", 1) == ["new"]


@pytest.mark.parametrize("harm", ["header", "cut", "removed", "foreign"])
def test_a_damaged_folder_is_not_opened_and_the_answer_is_exact(
    large: FlowIndex, kit: ModuleType, tmp_path: Path, notes: list[str], harm: str
) -> None:
    folder = tmp_path / "chroma" / read_current(tmp_path / "chroma")[0]
    segment = folder / "0000"
    segment.mkdir()
    (segment / "data_level0.bin").write_bytes(bytes(5000))
    from imagewright.retrieval.sound import write_manifest

    write_manifest(folder)
    if harm == "header":
        (segment / "data_level0.bin").write_bytes(b"\xff" * 5000)
    elif harm == "cut":
        (segment / "data_level0.bin").write_bytes(bytes(100))
    elif harm == "removed":
        (segment / "data_level0.bin").unlink()
    else:
        (folder / "chroma.sqlite3").write_bytes(b"something else")
    assert sorted(nearest(large, "castle fox", 9)) == sorted(exactly(large, "castle fox", 9))
    assert len(notes) == 1
    assert "flows reindex" in notes[0]
    nearest(large, "castle fox")
    assert len(notes) == 1


def test_a_folder_that_is_deleted_is_answered_without(large: FlowIndex, tmp_path: Path, notes: list[str]) -> None:
    (tmp_path / "chroma" / "serving.json").unlink()
    assert sorted(nearest(large, "castle fox", 9)) == sorted(exactly(large, "castle fox", 9))
    assert notes == []


def test_a_disk_without_locks_is_said_with_the_remedy(
    index: FlowIndex, kit: ModuleType, notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    index.add(kit.flow("a", description="castle"))
    assert [name for name, _ in index.search("castle")] == ["a"]
    assert len(notes) == 1
    assert "IMAGEWRIGHT_HOME" in notes[0]
    with pytest.raises(MirrorBusy, match="knows no locks"), lock_mirror(tmp_path / "x", 0.0):
        pass


def test_a_damaged_segment_of_the_small_index_is_told_and_not_loaded(
    index: FlowIndex, kit: ModuleType, tmp_path: Path, notes: list[str]
) -> None:
    index.add_many([kit.flow(f"f{n}", steps=n + 1) for n in range(3)])
    index.search("x")
    (inside,) = (tmp_path / "chroma").glob("index-*")
    (inside / "0000").mkdir()
    (inside / "0000" / "data_level0.bin").write_bytes(b"rubbish")
    assert len(index.search("x")) == 3
    assert "damaged" in notes[-1]
    assert "damaged" in index.vector_fault()
    index.reindex()
    assert index.vector_fault() == ""
