"""Another sentence embedder than the shipped one: a folder, or a name in Hugging Face's cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from imagewright.database import database, transaction
from imagewright.errors import BadInput
from imagewright.retrieval.embed import OWNER, TABLES, SentenceEmbedder

_EDGE = 64 * 1024
"""Bytes hashed at each end of a file."""


def open_embedder(store: Path, wanted: str) -> SentenceEmbedder:
    """The embedder that ``wanted`` names; nothing is fetched. Its vectors and its dimension are kept in ``store``.

    The first time it is loaded, to see how long its vectors are.

    Raises:
        BadInput: there is no such model here, or it has no weights in safetensors.
    """
    folder = _find_folder(wanted)
    if not any(folder.rglob("*.safetensors")):
        raise BadInput(f"the embedder {wanted} has no weights in safetensors", "use one that has")
    label = Path(wanted).name if Path(wanted).expanduser().is_dir() else wanted
    name = f"{label}@{_digest(folder)}"
    with database(store, OWNER, TABLES) as db:
        row = db.execute("SELECT dimension FROM embedders WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return SentenceEmbedder(store, folder, name, int(row["dimension"]))
    found = SentenceEmbedder(store, folder, name, 0)
    found.dimension = len(found.embed_anew(["a"])[0])
    with database(store, OWNER, TABLES) as db, transaction(db):
        db.execute("INSERT OR REPLACE INTO embedders VALUES (?, ?)", (name, found.dimension))
    return found


def _find_folder(wanted: str) -> Path:
    folder = Path(wanted).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for name in (wanted,) if "/" in wanted else (f"sentence-transformers/{wanted}", wanted):
        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            continue
    remedy = "name its folder, or fetch it first: huggingface-cli download NAME"
    raise BadInput(f"there is no embedding model {wanted[:80]!r} here", remedy)


def _digest(folder: Path) -> str:
    """Eight digits that tell one model's files from another's, wherever they lie."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json", ".txt")):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)} {size}\n".encode())
        with file.open("rb") as data:
            digest.update(data.read(_EDGE))
            data.seek(max(0, size - _EDGE))
            digest.update(data.read(_EDGE))
    return digest.hexdigest()[:8]
