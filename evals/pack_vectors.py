"""Writes the vectors of the texts that ship: ``python -m imagewright.evals.pack_vectors``.

To be run when a shipped flow's card, the evidence or a category's examples change; a text that is not among them is
embedded when it comes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from imagewright.agents.categorizer.examples import EXAMPLES
from imagewright.retrieval.builtin import load_shipped_evidence, load_shipped_flows
from imagewright.retrieval.card import card_text
from imagewright.retrieval.embed import SHIPPED, MiniLMEmbedder, vector_key


def list_shipped_texts() -> list[str]:
    """The texts that a new home embeds: a card's for each shipped flow, the evidence's prompts, the examples."""
    prompts = {row.prompt for row in load_shipped_evidence().rows}
    examples = {text for texts in EXAMPLES.values() for text in texts}
    return [*(card_text(flow) for flow in load_shipped_flows()), *sorted(prompts | examples)]


def main(target: Path = SHIPPED) -> None:
    """Embed them and write ``target``: ``keys``, n × 32 bytes, in their order, and ``vectors``, n × 384 floats."""
    texts = list_shipped_texts()
    with tempfile.TemporaryDirectory() as folder:
        vectors = MiniLMEmbedder(Path(folder) / "store.sqlite").embed_anew(texts)
    rows = sorted(zip((vector_key(MiniLMEmbedder.name, text) for text in texts), vectors, strict=True), key=_key)
    keys = np.frombuffer(b"".join(key for key, _ in rows), dtype=np.uint8).reshape(len(rows), -1)
    save_file({"keys": keys, "vectors": np.array([vector for _, vector in rows], dtype=np.float32)}, target)


def _key(row: tuple[bytes, object]) -> bytes:
    return row[0]


if __name__ == "__main__":
    main()
