"""Every vector made anew from its text, batch by batch: after a change of the embedder, or of what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.retrieval import store
from imagewright.retrieval.card import card_text

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex

_BATCH = 500


def embed_anew(index: FlowIndex) -> None:
    """Give every card and every prompt of evidence the vector that the embedder of today makes of it.

    Raises:
        BadInput: the database cannot be read or written, or a flow in it is damaged.
    """
    flows, texts = index.ids(), sorted(index.prompt_facts())
    for start in range(0, len(flows), _BATCH):
        with index.reading() as db:
            there = [name for name in flows[start : start + _BATCH] if store.has_flow(db, name)]
            words = {name: card_text(store.read_flow(db, name)) for name in there}
        _put(index, "flows", words)
    for start in range(0, len(texts), _BATCH):
        _put(index, "prompts", {store.prompt_id(text): text for text in texts[start : start + _BATCH]})


def _put(index: FlowIndex, space: str, words: dict[str, str]) -> None:
    if not words:
        return
    vectors = index.embedder.embed(list(words.values()))
    with index.writing() as db:
        changed = store.bump(db)
        for key, vector in zip(words, vectors, strict=True):
            store.put_vector(db, space, key, vector, changed)
