"""What retrieving loses and what it costs: the short list against the ranking of everything, on one made-up index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagewright.evals.made_up_index import BACKEND, Asked
from imagewright.retrieval.candidates import rank
from imagewright.retrieval.embed import MiniLMEmbedder
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.ready import Ready
from imagewright.schemas import Candidate, Categories

NEAR_ENOUGH = 0.001
"""A first choice whose estimate is that near to the best loses nothing that matters."""


class GivenVectors:
    """An embedder that knows the vectors of some texts and of no others."""

    name = MiniLMEmbedder.name
    """Made-up indexes hold the shipped flows, too, with the shipped embedder's vectors."""

    def __init__(self, asked: Sequence[Asked], dimension: int) -> None:
        self.dimension = dimension
        self._vectors = {each.text: each.vector.tolist() for each in asked}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of ``texts``, which must be known."""
        return [self._vectors[text] for text in texts]


@dataclass(frozen=True)
class Loss:
    """How often retrieving chose as well as ranking everything does."""

    prompts: int
    same: int
    """The same first choice."""
    as_good: int
    """The same, or one whose exhaustive estimate is within ``NEAR_ENOUGH`` of the best."""
    worst: float
    """The most that a first choice fell short by."""


def select(index: FlowIndex, ready: Ready, asked: Asked, everything: bool = False) -> tuple[Candidate, ...]:
    """The short list for a prompt that is parsed and embedded."""
    labels = Categories(labels=asked.labels)
    return rank(index, asked.text, asked.parsed, labels, ready, BACKEND, everything=everything)


def measure_loss(index: FlowIndex, ready: Ready, prompts: Sequence[Asked]) -> Loss:
    """Choose for each prompt twice, among the candidates and among all flows that can run here."""
    same = as_good = 0
    worst = 0.0
    for asked in prompts:
        quick = next(each for each in select(index, ready, asked) if each.runnable)
        best = next(each for each in select(index, ready, asked, everything=True) if each.runnable)
        same += quick.flow == best.flow
        short = 0.0 if quick.flow == best.flow else best.estimate - quick.estimate
        as_good += short <= NEAR_ENOUGH
        worst = max(worst, short)
    return Loss(len(prompts), same, as_good, worst)
