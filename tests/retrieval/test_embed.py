"""MiniLM from its package: what it sees as alike, the cache, and the check of its weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from imagewright import Imagewright, doctor
from imagewright.errors import BadInput, Fault
from imagewright.evals.pack_vectors import list_shipped_texts
from imagewright.retrieval import embed
from imagewright.retrieval.any_embedder import open_embedder
from imagewright.retrieval.embed import (
    MiniLMEmbedder,
    SentenceEmbedder,
    load_shipped_vectors,
    pack_vector,
    read_vector,
    vector_key,
)
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.minilm import MiniLM
from imagewright.settings import Settings, load_settings


def test_like_texts_are_near_and_vectors_are_units(tmp_path: Path) -> None:
    texts = ["a red circle", "a crimson disc", "the stock market fell on Tuesday", "\udcff🦊 " * 400]
    vectors = np.array(MiniLMEmbedder(tmp_path / "x.sqlite").embed(texts))
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


OFFLINE = """
import sys
from pathlib import Path
from imagewright.retrieval.embed import MiniLMEmbedder
MiniLMEmbedder(Path(sys.argv[1])).embed(["a red circle", "a red circle", "a blue star"])
print("torch" in sys.modules or "sentence_transformers" in sys.modules)
"""


def test_known_texts_need_no_model(tmp_path: Path) -> None:
    store = tmp_path / "x.sqlite"
    first = MiniLMEmbedder(store).embed(["a blue star", "a red circle"])
    found = subprocess.run([sys.executable, "-c", OFFLINE, str(store)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
    assert MiniLMEmbedder(store).embed(["a red circle"]) == [first[1]]


def test_what_ships_has_its_vectors_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = list_shipped_texts()
    keys = [vector_key(MiniLMEmbedder.name, text) for text in texts]
    assert set(load_shipped_vectors()) == set(keys), "write them with evals.pack_vectors"
    few = texts[::40]
    anew = np.array(MiniLM(embed._model_folder()).embed(few))
    monkeypatch.setattr(MiniLMEmbedder, "embed_anew", None)
    embedder = MiniLMEmbedder(tmp_path / "x.sqlite")
    assert np.abs(np.array(embedder.embed(few)) - anew).max() < 1e-5
    monkeypatch.setattr(embed, "load_shipped_vectors", None)
    assert MiniLMEmbedder(tmp_path / "x.sqlite").embed(few) == embedder.embed(few), "the home has them now"


def test_shipped_vectors_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "load_shipped_vectors", load_shipped_vectors.__wrapped__)
    monkeypatch.setattr(embed, "SHIPPED", tmp_path / "vectors.safetensors")
    embedder = MiniLMEmbedder(tmp_path / "x.sqlite")
    for _ in range(2):
        with pytest.raises(Fault, match="missing or damaged"):
            embedder.embed(["a red circle"])
        embed.SHIPPED.write_bytes(b"cut")


def test_weights_that_are_not_upstreams_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    monkeypatch.setattr(embed, "_model_folder", lambda: folder)
    embedder = MiniLMEmbedder(tmp_path / "x.sqlite")
    with pytest.raises(Fault, match="is missing"):
        embedder.embed(["a red circle"])
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(Fault, match="not the upstream file") as caught:
        embedder.embed(["a red circle"])
    assert embed.PACKAGE in caught.value.remedy


def test_verified_weights_are_verified_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = embed._model_folder()
    embedder = MiniLMEmbedder(tmp_path / "x.sqlite")
    copy = tmp_path / "model.safetensors"
    shutil.copy(real / "model.safetensors", copy)
    embedder._verify(copy)
    monkeypatch.setattr(embed.hashlib, "file_digest", None)
    embedder._verify(copy)
    monkeypatch.undo()
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    with pytest.raises(Fault, match="not the upstream file"):
        embedder._verify(copy)


def test_vectors_survive_packing() -> None:
    vector = np.array([0.5, -0.25, 1e-8], dtype=np.float32)
    found = read_vector(pack_vector(vector), 3)
    assert found is not None
    assert (found == vector).all()
    assert read_vector(pack_vector(vector), 4) is None


TEXTS = (
    "", "a", "a red circle left of a blue square", "Ünïcode 🦊 und ein Fuchs", "word " * 300, "x" * 3000,
    *(f"{number} brass lanterns beside a quiet harbour, watercolour, {'very ' * number}calm" for number in range(40)),
)  # fmt: skip


def test_the_shipped_model_gives_the_vectors_of_sentence_transformers(tmp_path: Path) -> None:
    other = SentenceEmbedder(tmp_path / "other.sqlite", embed._model_folder(), "the same model", 384)
    theirs = np.array(other.embed(TEXTS), dtype=np.float64)
    mine = np.array(MiniLMEmbedder(tmp_path / "x.sqlite").embed(TEXTS), dtype=np.float64)
    assert mine.shape == theirs.shape == (len(TEXTS), 384)
    cosine = (mine * theirs).sum(axis=1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() >= 1 - 1e-6


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    model = MiniLM(embed._model_folder())
    together = model.embed(list(TEXTS))
    for text, vector in zip(TEXTS[:4], together, strict=False):
        assert float(model.embed([text])[0] @ vector) > 1 - 1e-6


def test_embedding_a_new_text_imports_neither_torch_nor_transformers(tmp_path: Path) -> None:
    code = OFFLINE.replace('"torch" in', '"transformers" in sys.modules or "torch" in')
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.sqlite")], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no embedding model"):
        SentenceEmbedder(tmp_path / "x.sqlite", tmp_path / "none", "none", 8).embed(["a red circle"])


def test_a_model_of_sentence_transformers_is_named_by_the_settings(kit: ModuleType, tmp_path: Path) -> None:
    folder, home = tmp_path / "my-model", tmp_path / "home"
    shutil.copytree(embed._model_folder(), folder)
    settings = load_settings({"IMAGEWRIGHT_EMBEDDER": str(folder), "IMAGEWRIGHT_HOME": str(home)})
    found = Imagewright(settings).container.index_embedder
    assert found.name.startswith("my-model@")
    assert found.dimension == 384
    again = open_embedder(settings.database, str(folder))
    assert (again.name, again.dimension, again._encode) == (found.name, 384, None)  # known without loading it
    index = FlowIndex(settings.database, settings.chroma_dir, found)
    index.add_many([kit.flow(f"f{n}", steps=n + 1, description=text) for n, text in enumerate(("a castle", "a fox"))])
    index.reindex()
    assert index.search("an old castle", 1)[0][0] == "f0"
    shipped = Imagewright(Settings(data_dir=home, model_roots=(), device="cpu"))
    with pytest.raises(BadInput, match="of the embedder my-model@"):
        shipped.plan("a red circle")
    with pytest.raises(BadInput, match="of the embedder my-model@"):
        doctor._embedder(shipped.container)
