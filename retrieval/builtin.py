"""The flows and the evidence that ship with the project, brought into a person's index once per release."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.database import transaction
from imagewright.retrieval import store
from imagewright.retrieval.card import card_text
from imagewright.retrieval.embed import MiniLMEmbedder
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts
from imagewright.retrieval.intake import read_flow_file
from imagewright.retrieval.score_matrix import read_scores
from imagewright.schemas import Flow

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex

HERE = Path(__file__).parent
_VERSION = "2"
"""Raised when code here changes what is stored for the same files."""


def load_shipped_flows(folder: Path = HERE / "flows") -> tuple[Flow, ...]:
    """The flows of ``folder``, by id."""
    return tuple(read_flow_file(path).flow for path in sorted(folder.glob("*.json")))


def load_shipped_evidence(folder: Path = HERE / "evidence") -> EvidenceFile:
    """All evidence of ``folder`` as one."""
    files = [read_scores(path) for path in sorted(folder.glob("*.jsonl"))]
    prompts = {text: facts for file in files for text, facts in file.prompts.items()}
    return EvidenceFile(tuple(row for file in files for row in file.rows), prompts)


def content_version(folder: Path, embedder: str) -> str:
    """A hash of the shipped files and of the embedder that their vectors come from."""
    digest = hashlib.sha256(f"{_VERSION}\n{embedder}\n".encode())
    for path in sorted([*folder.glob("flows/*.json"), *folder.glob("evidence/*.jsonl")]):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def ensure(index: FlowIndex, folder: Path = HERE) -> None:
    """Make the index hold what ``folder`` ships: its flows and evidence replace those of an earlier release.

    A person's own flows stay, also one that took the id of a shipped flow. Nothing is done where the vectors are
    another embedder's.
    """
    version = content_version(folder, index.embedder.name)
    with index.reading() as db:
        had, whose = store.fact(db, "built-in"), store.fact(db, store.EMBEDDER)
    if had == version:
        return
    if had and not whose:  # from before it was noted: there was one embedder
        with index.writing() as db:
            store.set_fact(db, store.EMBEDDER, MiniLMEmbedder.name)
        whose = MiniLMEmbedder.name
    if whose not in ("", index.embedder.name):
        return  # whoever asks for vectors is told; ``reindex`` comes first
    flows, evidence = load_shipped_flows(folder / "flows"), load_shipped_evidence(folder / "evidence")
    texts = sorted({row.prompt for row in evidence.rows})
    vectors = index.embedder.embed([*(card_text(flow) for flow in flows), *texts])
    with index.reading() as db, transaction(db):
        changed = store.bump(db)
        known = store.flow_origins(db)
        off = [row["id"] for row in db.execute("SELECT id FROM flow_facts WHERE enabled = 0")]
        for flow_id in sorted(name for name, origin in known.items() if origin == "built-in"):
            store.drop_flow(db, flow_id, changed)
        store.drop_built_in_evidence(db)
        for flow, vector in zip(flows, vectors, strict=False):
            if known.get(flow.id) != "user":
                store.put_flow(db, flow, vector, "built-in", changed)
        for text, vector in zip(texts, vectors[len(flows) :], strict=True):
            store.put_prompt(db, text, evidence.prompts.get(text, PromptFacts()), vector, changed)
        store.put_bulk_evidence(db, evidence.rows, "built-in")
        store.note_bulk(db, changed)
        store.set_fact(db, store.EMBEDDER, index.embedder.name)
        db.executemany("UPDATE flow_facts SET enabled = 0 WHERE id = ?", [(name,) for name in off])
        store.set_fact(db, "built-in", version)
