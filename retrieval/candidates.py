"""From a prompt to a short list of flows: estimates, what can run here, and what would be chosen otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval.embed import Vector
from imagewright.retrieval.estimate import Combined, Estimates, FloatArray, Scores, Setting, combine_scores, estimate
from imagewright.retrieval.evidence import PromptFacts
from imagewright.retrieval.features import Features, features, prompt_similarity
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Candidate, Card, Categories, Evidence, Flow, ParsedPrompt, Readiness

SHORT_LIST = 8
"""How many flows are offered for a prompt, whatever the size of the index."""
_NEAR = 64
"""How many of the most similar prompts with evidence are weighed."""
REACHED = 512
"""How many of the nearest by embedding are looked at for those: an embedding does not see what prompts are alike in."""
OTHERS = 2
"""How many flows that cannot run here are listed at least, where there are any."""
FIT_WIDTH = 0.15
"""How much nearer (cosine) a card must be to the prompt than every measured flow's card for the whole bonus."""
FIT_FROM, FIT_WHOLE = 0.2, 0.4
"""A card whose cosine to the prompt is below the first does not speak of it at all; from the second on it does."""
_WEIGHTS = {"sweep": 1.0, "person": 3.0, "critic": 1.0}
"""How many scores one row counts for, by who gave it: a person looked; a sweep's row is one seed of several."""


def rank(
    index: FlowIndex,
    prompt: str,
    parsed: ParsedPrompt,
    categories: Categories,
    readiness: Mapping[str, Readiness],
    backend: str,
    k: int = SHORT_LIST,
    limits: Mapping[str, tuple[str, ...]] | None = None,
    learn_critic: bool = False,
    named: str | None = None,
) -> tuple[Candidate, ...]:
    """Up to ``k`` text-to-image flows for ``prompt``, best first by estimated score on ``backend``.

    Flows whose model cannot draw some of the prompt's words (``limits``: flow id to words) come after all others.
    Equal estimates are ordered by published benchmarks, then by id. The list holds runnable flows and, where there are
    any, at least the best two that cannot run here, with the reason: first of those that files or memory would cure.
    The flow called ``named`` is on it in any case. Only flows in ``readiness`` are looked at.
    """
    flows = [flow for flow in index.list() if flow.id in readiness and _draws_text(flow.card)]
    if not flows:
        return ()
    vector = np.asarray(index.embedder.embed([prompt])[0], dtype=np.float32)
    ids = tuple(flow.id for flow in flows)
    known = index.derive(
        ("measured", ids, backend, learn_critic), lambda: _measured(index, ids, backend, learn_critic)
    )  # fmt: skip
    found = _estimate(index, flows, known, vector, parsed, categories)
    scored = [
        _Scored(
            flow,
            found,
            place,
            readiness[flow.id],
            _drawable(parsed, (limits or {}).get(flow.id, ())),
            known.cost(flow),
        )
        for place, flow in enumerate(flows)
    ]
    return tuple(item.candidate() for item in _shortlist(sorted(scored, key=_Scored.key), k, named))


def offer(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those to choose among: what can run here; mini's flows only where no flow on a full base model can."""
    runnable = tuple(candidate for candidate in candidates if candidate.runnable)
    full = tuple(candidate for candidate in runnable if not candidate.ships_with_us)
    return full or runnable


@dataclass(frozen=True)
class _Scored:
    flow: Flow
    found: Estimates
    place: int
    readiness: Readiness
    drawable: float
    cost: float | None

    def key(self) -> tuple[bool, float, float, str]:
        """Sorts best first: words that can be drawn, estimate, published benchmark, id."""
        mean = round(float(self.found.mean[self.place]) * self.drawable, 6)
        return (self.drawable < 1.0, -mean, -_benchmark(self.flow.card), self.flow.id)

    def candidate(self) -> Candidate:
        """As it is offered; what cannot be drawn lowers the estimate in its share and opens the interval to 0."""
        mean, low, high = (float(part[self.place]) for part in (self.found.mean, self.found.low, self.found.high))
        return Candidate(
            flow=self.flow.id,
            title=self.flow.card.title,
            estimate=round(mean * self.drawable, 4),
            low=round(low if self.drawable == 1.0 else 0.0, 4),
            high=round(high * self.drawable, 4),
            evidence=int(self.found.count[self.place]),
            runnable=self.readiness.runnable,
            why_not=self.readiness.why_not,
            curable=self.readiness.curable,
            cost=self.cost,
            base_model=self.flow.card.base_model,
        )


def _shortlist(scored: Sequence[_Scored], k: int, named: str | None) -> list[_Scored]:
    """The best ``k``, with room kept for runnable flows, for the best two that cannot run, and for the named one."""
    able = [item for item in scored if item.readiness.runnable]
    unable = sorted((item for item in scored if not item.readiness.runnable), key=lambda i: not i.readiness.curable)
    kept = unable[: min(OTHERS, k - 1)] + able[: max(1, k - min(OTHERS, len(unable)))]
    chosen = {item.flow.id for item in kept}
    rest = [item for item in scored if item.flow.id not in chosen]
    best = sorted((kept + rest[: max(0, k - len(kept))]), key=_Scored.key)[: max(k, 0)]
    asked = [item for item in scored if item.flow.id == named and item not in best]
    if asked and best:
        best.remove(next((item for item in reversed(best) if item.readiness.runnable), best[-1]))
    return sorted(best + asked, key=_Scored.key)


def _draws_text(card: Card) -> bool:
    return card.kind == "text-to-image" and "positive" in card.slots


def _drawable(parsed: ParsedPrompt, words: Sequence[str]) -> float:
    """The share of a prompt's groups that hold none of the words that the model cannot draw."""
    if not words:
        return 1.0
    unknown = {word.lower() for word in words}
    able = sum(not unknown & {*group.object.lower().split(), group.object.lower(), *group.attributes}
               for group in parsed.groups)  # fmt: skip
    return min(able / len(parsed.groups), 0.99) if parsed.groups else 0.0


def _benchmark(card: Card) -> float:
    """GenEval where it is published, else the mean of what is; -1 for nothing."""
    if "GenEval" in card.benchmarks:
        return card.benchmarks["GenEval"]
    return sum(card.benchmarks.values()) / len(card.benchmarks) if card.benchmarks else -1.0


# --- arrays for the estimate ----------------------------------------------------------------


@dataclass(frozen=True)
class _Measured:
    """What the evidence of some flows on a backend says, ready for any prompt."""

    texts: tuple[str, ...]
    """The prompts that it is about."""
    combined: Combined
    said: Mapping[str, Features | None]
    categories: Mapping[str, tuple[str, ...]]
    flows: frozenset[str]
    """Those that have any."""
    seconds: Mapping[str, float]
    """The median a picture of each flow whose scores tell it."""

    def cost(self, flow: Flow) -> float | None:
        """Seconds a picture: as the card says, else the median of the measured."""
        return flow.card.cost if flow.card.cost is not None else self.seconds.get(flow.id)


def _measured(index: FlowIndex, ids: Sequence[str], backend: str, learn_critic: bool) -> _Measured:
    wanted = set(ids)
    rows = [
        row for row in index.evidence_for(backend=backend)
        if row.flow in wanted and (learn_critic or row.source != "critic")
    ]  # fmt: skip
    texts = tuple(sorted({row.prompt for row in rows}))
    facts = {text: PromptFacts() for text in texts} | index.prompt_facts()
    seconds: dict[str, list[float]] = {}
    for row in rows:
        if row.seconds is not None:
            seconds.setdefault(row.flow, []).append(row.seconds)
    return _Measured(
        texts,
        combine_scores(_scores(rows, ids, texts)),
        {text: features(facts[text].parsed) for text in texts},
        {text: facts[text].categories for text in texts},
        frozenset(row.flow for row in rows),
        {flow: round(float(np.median(each)), 3) for flow, each in seconds.items()},
    )


def _estimate(
    index: FlowIndex,
    flows: Sequence[Flow],
    known: _Measured,
    vector: Vector,
    parsed: ParsedPrompt,
    categories: Categories,
) -> Estimates:
    near, found = _near(index, vector, features(parsed), known.said) if known.texts else ([], {})
    vectors = np.stack([vector, *(found[text] for text in near)])
    alike = _alike(vectors @ vectors.T, [features(parsed), *(known.said[text] for text in near)])
    place = {text: number for number, text in enumerate(known.texts)}
    setting = Setting(
        near=np.array([place[text] for text in near], dtype=np.int64),
        similarity=alike[0, 1:],
        among=alike[1:, 1:],
        shared=_shared(categories, [known.categories[text] for text in known.texts]),
        kin=_kin(flows, index.card_vectors()),
        fit=_fit(flows, known.flows, index.card_similarities(vector.tolist())),
    )
    return estimate(known.combined, setting)


def _scores(rows: Sequence[Evidence], flows: Sequence[str], texts: Sequence[str]) -> Scores:
    scorers = sorted({row.scorer for row in rows})
    flow_at, text_at = {key: i for i, key in enumerate(flows)}, {key: i for i, key in enumerate(texts)}
    return Scores(
        flow=np.array([flow_at[row.flow] for row in rows], dtype=np.int64),
        prompt=np.array([text_at[row.prompt] for row in rows], dtype=np.int64),
        scorer=np.array([scorers.index(row.scorer) for row in rows], dtype=np.int64),
        value=np.array([row.value for row in rows], dtype=np.float64),
        weight=np.array([_WEIGHTS[row.source] for row in rows], dtype=np.float64),
        flows=len(flows),
        prompts=len(texts),
    )


def _near(
    index: FlowIndex, vector: Vector, mine: Features | None, said: Mapping[str, Features | None]
) -> tuple[list[str], dict[str, Vector]]:
    """The prompts of evidence that are most similar to this one, by embedding and features, and their vectors."""
    reached = [text for text, _ in index.near_prompts(vector.tolist(), REACHED) if text in said]
    found = index.prompt_vectors(reached)
    alike = {
        text: prompt_similarity(float(vector @ found[text]), mine, said[text]) for text in reached if text in found
    }
    near = sorted(alike, key=lambda text: -alike[text])[:_NEAR]
    return near, found


def _alike(cosines: NDArray[np.float32], said: Sequence[Features | None]) -> FloatArray:
    """The similarity of every prompt to every other, from cosines and features; symmetric with ones."""
    found = np.eye(len(said))
    for i, a in enumerate(said):
        for j, b in enumerate(said[:i]):
            found[i, j] = found[j, i] = prompt_similarity(float(cosines[i, j]), a, b)
    return found


def _shared(categories: Categories, evidence: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
    """P: whether a prompt has the categories of this one: half or more of the labels of either, in both.

    Labels that nearly every prompt has (all of mini's have colours) tell nothing apart and are left out.
    """
    common = {
        label for label in set().union(*evidence) if sum(label in each for each in evidence) > 0.8 * len(evidence)
    }
    mine = set(categories.labels) - common

    def same(each: tuple[str, ...]) -> bool:
        theirs = set(each) - common
        return bool(each) and len(mine & theirs) >= 0.5 * len(mine | theirs)

    return np.array([same(each) for each in evidence], dtype=np.bool_)


def _kin(flows: Sequence[Flow], vectors: Mapping[str, Vector]) -> FloatArray:
    """F × F: how much one flow's scores say of another's; nothing between different base models."""
    found = np.eye(len(flows))
    for i, a in enumerate(flows):
        for j, b in enumerate(flows[:i]):
            if a.card.base_model and a.card.base_model == b.card.base_model:
                cosine = float(vectors[a.id] @ vectors[b.id]) if a.id in vectors and b.id in vectors else 0.0
                sampler = bool(set(a.card.samplers) & set(b.card.samplers))
                loras = set(a.card.loras) == set(b.card.loras)
                found[i, j] = found[j, i] = 0.4 + 0.2 * sampler + 0.2 * loras + 0.2 * min(1.0, max(0.0, cosine))
    return found


def _fit(flows: Sequence[Flow], measured: frozenset[str], similarity: Mapping[str, float]) -> FloatArray:
    """F: whether a card speaks of the prompt, and more than every measured flow's card does, in [0, 1].

    Where no flow was measured, the other cards are what it is held against.
    """
    found = np.zeros(len(flows))
    for place, flow in enumerate(flows):
        rivals = [similarity.get(other.id, 0.0) for other in flows
                  if other.id != flow.id and (other.id in measured or not measured)]  # fmt: skip
        own = similarity.get(flow.id, 0.0)
        ahead, about = (own - max(rivals, default=1.0)) / FIT_WIDTH, (own - FIT_FROM) / (FIT_WHOLE - FIT_FROM)
        found[place] = min(1.0, max(0.0, ahead)) * min(1.0, max(0.0, about))
    return found
