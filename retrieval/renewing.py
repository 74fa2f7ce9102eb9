"""Whose vectors an index holds, and making every one of them anew: after a change of the embedder, or of what does not
fit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.retrieval import store
from imagewright.retrieval.card import card_text
from imagewright.retrieval.chroma_mirror import MirrorBusy

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex

_BATCH = 500
_SO_FAR = "embedding anew"
"""The fact that says how far the present making has come."""


def insist_on_embedder(db: sqlite3.Connection, name: str) -> None:
    """See that the vectors are of the embedder called ``name``; those of an index that does not say may be.

    Raises:
        BadInput: they are another's.
    """
    known = store.fact(db, store.EMBEDDER)
    if known and known != name:
        remedy = "imagewright flows reindex embeds it anew, and goes on where it was stopped; or name that embedder"
        raise BadInput(f"the index holds vectors of the embedder {known}, not of {name}", remedy)


def embed_anew(index: FlowIndex) -> None:
    """Give every card and every prompt of evidence the vector that the embedder of today makes of it.

    Killed on the way it goes on where it was, when it is called again with the same embedder.

    Raises:
        BadInput: the database cannot be read or written, or a flow in it is damaged.
    """
    name = index.embedder.name
    with index.reading() as db:
        space, last = _so_far(store.fact(db, _SO_FAR), name)
    if space == "flows":
        _embed_flows(index, [flow for flow in index.ids() if flow > last])
        last = ""
    texts = [text for text in sorted(index.prompt_facts()) if text > last]
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        _put(index, "prompts", {store.prompt_id(text): text for text in batch}, batch[-1])
    with index.writing() as db:
        store.set_fact(db, store.EMBEDDER, name)
        store.set_fact(db, _SO_FAR, "")


def _so_far(said: str, name: str) -> tuple[str, str]:
    """The space that is at work and the last of it that is done, by the embedder called ``name``."""
    found = untrusted.parse_line(said, "the index", 1, "imagewright flows reindex") if said else {}
    return (str(found["space"]), str(found["last"])) if found.get("embedder") == name else ("flows", "")


def _embed_flows(index: FlowIndex, flows: list[str]) -> None:
    for start in range(0, len(flows), _BATCH):
        batch = flows[start : start + _BATCH]
        with index.reading() as db:
            words = {name: card_text(store.read_flow(db, name)) for name in batch if store.has_flow(db, name)}
        _put(index, "flows", words, batch[-1])


def _put(index: FlowIndex, space: str, words: dict[str, str], last: str) -> None:
    vectors = index.embedder.embed(list(words.values())) if words else []
    with index.writing() as db:
        changed = store.bump(db)
        for key, vector in zip(words, vectors, strict=True):
            store.put_vector(db, space, key, vector, changed)
        so_far = {"embedder": index.embedder.name, "space": space, "last": last}
        store.set_fact(db, _SO_FAR, json.dumps(so_far))


def rebuild_vectors(rebuild: Callable[[], None]) -> None:
    """Build the vector index.

    Raises:
        BadInput: another process holds it for more than half a minute, or the folder cannot be written.
    """
    try:
        rebuild()
    except (MirrorBusy, OSError) as error:
        raise BadInput(f"cannot rebuild the vector index: {error}", "try again when it is free") from error
