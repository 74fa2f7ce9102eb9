"""Another embedder by a setting: its vectors are told from others, and an index is embedded anew where it was left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval import renewing, store
from imagewright.retrieval.any_embedder import open_embedder
from imagewright.retrieval.index import FlowIndex

REINDEX = "imagewright flows reindex"


class Slow:
    """An embedder that is killed after some batches."""

    name, dimension = "slow@1", 8

    def __init__(self, batches: int) -> None:
        self.batches, self.texts = batches, list[str]()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The same for every text, as long as it lives."""
        if self.batches == 0:
            raise KeyboardInterrupt
        self.batches -= 1
        self.texts += texts
        return [[1.0] + [0.0] * 7 for _ in texts]


def test_embedding_anew_goes_on_where_it_was_killed(
    index: FlowIndex, kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "_BATCH", 2)
    index.add_many([kit.flow(f"f{n}", steps=n + 1) for n in range(7)])
    index.add_evidence([kit.score("f1", f"castle {n}", 0.5) for n in range(5)])
    with index.writing() as db:
        store.set_fact(db, store.EMBEDDER, index.embedder.name)
    first, then = Slow(5), Slow(100)
    for slow in (first, then):
        other = FlowIndex(tmp_path / "index.sqlite", tmp_path / "chroma", slow)
        with pytest.raises(BadInput, match="holds vectors of the embedder") as told:
            other.search("f")
        assert REINDEX in told.value.remedy
        with pytest.raises(BadInput, match="holds vectors"), other.hold("here"):
            pass
        if slow is first:
            with pytest.raises(KeyboardInterrupt):
                other.reindex()
    assert len(first.texts) == 9  # 7 cards and a batch of prompts
    other.reindex()
    assert sorted(first.texts + then.texts) == sorted(set(first.texts + then.texts))
    assert len(then.texts) == 3
    assert len(other.search("f", 7)) == 7
    with pytest.raises(BadInput, match="of the embedder slow@1, not of"):
        index.search("f")
    index.reindex()
    assert len(index.search("f", 7)) == 7


def test_a_model_that_is_not_here_or_not_safe_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no embedding model 'nobody/nothing' here"):
        open_embedder(tmp_path / "x.sqlite", "nobody/nothing")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(BadInput, match="no weights in safetensors"):
        open_embedder(tmp_path / "x.sqlite", str(tmp_path / "pickled"))
