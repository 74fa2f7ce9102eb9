"""What a person thinks of a picture, kept as evidence: the same picture judged twice counts once, the last time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from imagewright.retrieval.store import prompt_id
from imagewright.schemas import Evidence

if TYPE_CHECKING:
    from imagewright.retrieval.index import FlowIndex

_SCORER = "thumb"
"""The name under which a person's thumb is kept."""
Thumbed = Literal["up", "down", ""]


class Judged(NamedTuple):
    """What a thumb is about."""

    flow: str
    prompt: str
    seed: int


def thumb_evidence(flow: str, prompt: str, backend: str, seed: int, thumb: Thumbed) -> Evidence:
    """A thumb for the picture that ``flow`` drew with ``seed``, given now."""
    return Evidence(
        flow=flow,
        prompt=prompt,
        backend=backend,
        scorer=_SCORER,
        seed=seed,
        value=1.0 if thumb == "up" else 0.0,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        source="person",
    )


def find_thumbs(index: FlowIndex, pictures: Sequence[Judged]) -> Iterator[Thumbed]:
    """For each of ``pictures`` the thumb that it has, of its flow as that is now; empty for none.

    Raises:
        BadInput: the database cannot be read.
    """
    with index.reading() as db:
        for picture in pictures:
            key = (picture.flow, prompt_id(picture.prompt), _SCORER, picture.seed)
            row = db.execute(_NEWEST, key).fetchone()
            yield "" if row is None else "up" if row["value"] > 0.5 else "down"


_NEWEST = """SELECT e.value FROM flows f JOIN evidence e ON e.flow = f.id AND e.graph_hash = f.graph_hash
    WHERE f.id = ? AND e.prompt = ? AND e.scorer = ? AND e.seed = ? AND e.source = 'person'
    ORDER BY e.at DESC LIMIT 1"""
