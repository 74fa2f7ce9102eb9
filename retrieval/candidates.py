"""From a prompt to a short list of flows: estimates, what can run here, and what would be chosen otherwise."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval import store
from imagewright.retrieval.cells import FloatArray, Ints
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.estimate import Estimates, conclude, to_kernel
from imagewright.retrieval.features import features
from imagewright.retrieval.fitted import Fitted
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.prompt_table import find_sharing
from imagewright.retrieval.ready import CLASSES, FULL, ON_MINI, OUT, Codes, Limits, LimitsByFlow, Ready, ReadyByFlow
from imagewright.retrieval.retrieve import Tops, find_candidates, make_tops
from imagewright.retrieval.shelf import Shelf
from imagewright.schemas import Candidate, Categories, Flow, ParsedPrompt, Readiness

SHORT_LIST = 8
"""How many flows are offered for a prompt, whatever the size of the index."""
_NEAR = 64
"""How many of the most similar prompts with evidence are weighed."""
REACHED = 512
"""How many of the nearest by embedding are looked at for those: an embedding does not see what prompts are alike in."""
OTHERS = 2
"""How many flows that cannot run here are listed at least, where there are any."""
_SPARE = 8
"""How many more than twice the list are kept of those that run here and of the others, for when some are refused."""
_ROUNDS = 8
"""How often candidates are looked for anew where all that seemed to run were refused."""
CARDS = 128
"""How many of the nearest cards are looked at."""
DOUBT = 0.1
"""How far below the middle of its kin a flow that was never scored stands, in halves of its own interval."""
FIT_WIDTH = 0.15
"""How much nearer (cosine) a card must be to the prompt than every measured flow's card for the whole bonus."""
FIT_FROM, FIT_WHOLE = 0.2, 0.4
"""A card whose cosine to the prompt is below the first does not speak of it at all; from the second on it does."""


def rank(
    index: FlowIndex,
    prompt: str,
    parsed: ParsedPrompt,
    categories: Categories,
    readiness: Mapping[str, Readiness] | Ready,
    backend: str,
    k: int = SHORT_LIST,
    limits: Mapping[str, tuple[str, ...]] | Limits | None = None,
    learn_critic: bool = False,
    named: str | None = None,
    everything: bool = False,
) -> tuple[Candidate, ...]:
    """Up to ``k`` text-to-image flows for ``prompt``, best first by estimated score on ``backend``.

    The candidates are retrieved (``retrieve``); with ``everything`` all flows are ranked, which takes as long as the
    index is large. Flows whose model cannot draw some of the prompt's words (``limits``: flow id to words) come after
    all others. Equal estimates are ordered by published benchmarks, then by id. The list holds runnable flows and,
    where there are any, at least the best two that cannot run here, with the reason: first of those that files or
    memory would cure. The flow called ``named`` is on it in any case. Only flows in ``readiness`` are looked at.
    """
    vector = np.asarray(index.embedder.embed([prompt])[0], dtype=np.float32)
    ready = ReadyByFlow(readiness) if isinstance(readiness, Mapping) else readiness
    words = limits if isinstance(limits, Limits) else LimitsByFlow(limits or {})
    asked = _Asked(vector, parsed, categories, named, everything)
    with index.hold(backend, learn_critic) as (db, shelf, fit):
        chosen = _choose(index, db, shelf, fit, asked, ready, words, k)
        return tuple(_candidate(db, shelf, item, backend) for item in chosen)


def _choose(
    index: FlowIndex, db: sqlite3.Connection, shelf: Shelf, fit: Fitted, asked: _Asked, ready: Ready,
    limits: Limits | LimitsByFlow, k: int,
) -> list[_Scored]:  # fmt: skip
    """The short list; what runs on it was asked about exactly, and what was refused gave its place to others."""
    for _ in range(_ROUNDS):
        ranked = _estimate(index, shelf, fit, asked, ready)
        most = 2 * k + _SPARE
        scored = _score(shelf, ranked, ready, asked, limits, most)
        refused, could_run = 0, any(item.readiness.runnable for item in scored)
        while True:
            chosen = _shortlist(sorted(scored, key=_by_place), k, asked.named)
            wrong = _refused(db, shelf, chosen, ready)
            if not wrong:
                break
            refused += len(wrong)
            scored = [replace(item, readiness=wrong[item.flow]) if item.flow in wrong else item for item in scored]
        if not (refused and could_run) or any(item.readiness.runnable for item in chosen):
            break
    return chosen


def _refused(db: sqlite3.Connection, shelf: Shelf, chosen: Sequence[_Scored], ready: Ready) -> dict[str, Readiness]:
    """Those that seemed to run here and do not, with the reason."""
    names = [item.flow for item in chosen if item.readiness.runnable]
    said = {name: ready.exactly(shelf.flows, shelf.flows.at[name], shelf.read_flow(db, name)) for name in names}
    return {name: readiness for name, readiness in said.items() if not readiness.runnable}


def _score(
    shelf: Shelf, ranked: _Ranked, ready: Ready, asked: _Asked, limits: Limits | LimitsByFlow, most: int
) -> list[_Scored]:
    """The candidates best first, ``most`` of those that run here, that could, and that never will."""
    flows, found, chosen = shelf.flows, ranked.found, ranked.flows
    names = [flows.ids[flow] for flow in chosen.tolist()]
    words = limits.of_many(flows, chosen)
    share = {each: _drawable(asked.parsed, each) if each else 1.0 for each in set(words)}
    drawable = np.array([share[each] for each in words])
    again = ranked.tops.lead[flows.unit.array[chosen]] != chosen
    mean = np.round(found.mean * drawable, 6)
    order = np.lexsort((np.array(names), again, -flows.benchmark.array[chosen], -mean, drawable < 1.0))
    classes = ranked.tops.codes[chosen]
    classes[classes == ON_MINI] = FULL
    kept = np.sort(np.concatenate([np.flatnonzero(classes[order] == each)[:most] for each in CLASSES]))
    if asked.named in flows.at:
        kept = np.union1d(kept, np.flatnonzero(chosen[order] == flows.at[asked.named]))
    return [
        _Scored(names[place], found, place, ready.of(flows, int(chosen[place])), float(drawable[place]), at)
        for at, place in enumerate(order[kept].tolist())
    ]


def offer(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those to choose among: what can run here; mini's flows only where no flow on a full base model can."""
    runnable = tuple(candidate for candidate in candidates if candidate.runnable)
    full = tuple(candidate for candidate in runnable if not candidate.ships_with_us)
    return full or runnable


@dataclass(frozen=True)
class _Scored:
    flow: str
    found: Estimates
    place: int
    readiness: Readiness
    drawable: float
    at: int
    """Its place among all: words that can be drawn, estimate, published benchmark, those that draw the same as another
    after it, id."""


def _candidate(db: sqlite3.Connection, shelf: Shelf, item: _Scored, backend: str) -> Candidate:
    """As it is offered; what cannot be drawn lowers the estimate in its share and opens the interval to 0."""
    mean, low, high = (float(part[item.place]) for part in (item.found.mean, item.found.low, item.found.high))
    flow = shelf.read_flow(db, item.flow)
    return Candidate(
        flow=flow.id,
        title=flow.card.title,
        estimate=round(mean * item.drawable, 4),
        low=round(low if item.drawable == 1.0 else 0.0, 4),
        high=round(high * item.drawable, 4),
        evidence=int(item.found.count[item.place]),
        runnable=item.readiness.runnable,
        why_not=item.readiness.why_not,
        curable=item.readiness.curable,
        cost=flow.card.cost if flow.card.cost is not None else _measured_cost(db, shelf, flow, backend),
        base_model=flow.card.base_model,
    )


def _measured_cost(db: sqlite3.Connection, shelf: Shelf, flow: Flow, backend: str) -> float | None:
    """The median of the seconds that its scores tell; None where none does."""
    key = ("seconds", flow.id, backend)
    if key not in shelf.made:
        graph = shelf.flows.graphs[shelf.flows.at[flow.id]]
        found = store.mean_seconds(db, flow.id, graph, backend)
        shelf.made[key] = round(median(found), 3) if found else None
    cost = shelf.made[key]
    return cost if isinstance(cost, float) else None


def _by_place(item: _Scored) -> int:
    return item.at


def _shortlist(scored: Sequence[_Scored], k: int, named: str | None) -> list[_Scored]:
    """The best ``k``, with room kept for runnable flows, for the best two that cannot run, and for the named one."""
    able = [item for item in scored if item.readiness.runnable]
    unable = sorted((item for item in scored if not item.readiness.runnable), key=lambda i: not i.readiness.curable)
    kept = unable[: min(OTHERS, k - 1)] + able[: max(1, k - min(OTHERS, len(unable)))]
    chosen = {item.flow for item in kept}
    rest = [item for item in scored if item.flow not in chosen]
    best = sorted((kept + rest[: max(0, k - len(kept))]), key=_by_place)[: max(k, 0)]
    asked = [item for item in scored if item.flow == named and item not in best]
    if asked and best:
        best.remove(next((item for item in reversed(best) if item.readiness.runnable), best[-1]))
    return sorted(best + asked, key=_by_place)


def _drawable(parsed: ParsedPrompt, words: Sequence[str]) -> float:
    """The share of a prompt's groups that hold none of the words that the model cannot draw."""
    if not words:
        return 1.0
    unknown = {word.lower() for word in words}
    able = sum(not unknown & {*group.object.lower().split(), group.object.lower(), *group.attributes}
               for group in parsed.groups)  # fmt: skip
    return min(able / len(parsed.groups), 0.99) if parsed.groups else 0.0


# --- arrays for the estimate ----------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A prompt to rank flows for."""

    vector: Vector
    parsed: ParsedPrompt
    categories: Categories
    named: str | None
    everything: bool


@dataclass(frozen=True)
class _Ranked:
    """The candidates, by number, what they would score, and what else is known of all flows."""

    flows: Ints
    found: Estimates
    tops: Tops


def _estimate(index: FlowIndex, shelf: Shelf, fit: Fitted, asked: _Asked, ready: Ready) -> _Ranked:
    """The candidates and what they would score."""
    flows = shelf.flows
    near, kernel, among = _near(index, shelf, fit, asked)
    shared = _shared(shelf, fit, asked.categories.labels)
    tops = _tops(shelf, fit, ready.codes(flows))
    cards, cosine = index.neighbours.cards(flows, asked.vector, CARDS, tops.codes != OUT)
    chosen = find_candidates(flows, fit, tops, near, kernel, shared, cards, asked.named, asked.everything)
    units = flows.unit.array[chosen]
    cells = fit.near_cells(units, near, kernel, among, shared)
    standing = fit.standing(units, shared)
    claims = _fit(shelf, fit, chosen, (cards, cosine), asked.vector)
    claims[tops.lead[units] != chosen] = 0.0  # what draws the same as another flow has that one's scores to go by
    found = conclude(fit.common, standing, cells, claims)
    mean = hold_back(found, standing.cells == 0, claims, _bases(shelf, chosen))
    return _Ranked(chosen, replace(found, mean=mean), tops)


def hold_back(
    found: Estimates, new: NDArray[np.bool_], claims: FloatArray, bases: Ints
) -> FloatArray:  # fmt: skip
    """The estimates with flows that were never scored below the middle of their kin's, unless their cards claim more.

    What was never tried is not chosen over what was: a ``new`` flow stands ``DOUBT`` of the half of its own interval
    below the mean estimate of the scored flows on its base model, as far as its card does not speak of the prompt
    better than the cards of scored flows (``claims``, from 0 to 1). ``bases`` numbers the base models; -1 for none.
    """
    scored = ~new & (bases >= 0)
    size = int(bases.max(initial=-1)) + 1
    count = np.bincount(bases[scored], minlength=size)
    middle = np.bincount(bases[scored], weights=found.mean[scored], minlength=size) / np.maximum(count, 1)
    held = new & (bases >= 0)
    held[held] = count[bases[held]] > 0
    most = middle[bases[held]] - DOUBT * (found.high[held] - found.low[held]) / 2
    below = np.maximum(np.minimum(found.mean[held], most), found.low[held])
    mean = found.mean.copy()
    mean[held] = claims[held] * mean[held] + (1.0 - claims[held]) * below
    return mean


def _bases(shelf: Shelf, chosen: Ints) -> Ints:
    """A number for the base model of each candidate; -1 for none."""
    if "bases" not in shelf.made:
        number = {"": -1}
        for base, _, _ in shelf.flows.groups:
            number.setdefault(base, len(number) - 1)
        shelf.made["bases"] = np.array([number[base] for base, _, _ in shelf.flows.groups], dtype=np.int64)
    known = shelf.made["bases"]
    return np.asarray(np.asarray(known)[shelf.flows.group.array[chosen]])


def _shared(shelf: Shelf, fit: Fitted, labels: tuple[str, ...]) -> list[bool]:
    """``find_sharing``, asked once for the same labels and counts."""
    key = ("shared", labels, id(fit), int(fit.prompts_of_set.sum()))
    known = shelf.made.get(key)
    if not isinstance(known, list):
        known = shelf.made[key] = find_sharing(labels, shelf.prompts.label_sets, fit.prompts_of_set)
    return known


def _tops(shelf: Shelf, fit: Fitted, codes: Codes) -> Tops:
    """The best of each class, kept as long as flows, scores and answers stay what they are."""
    known = shelf.made.get(("tops", id(fit)))
    if isinstance(known, Tops) and (known.codes is codes or np.array_equal(known.codes, codes)):
        return known
    tops = make_tops(shelf.flows, fit, codes)
    shelf.made["tops", id(fit)] = tops
    return tops


def _near(index: FlowIndex, shelf: Shelf, fit: Fitted, asked: _Asked) -> tuple[Ints, FloatArray, FloatArray]:
    """The prompts of evidence that are most similar to this one, by embedding and features; the kernels to them, and
    among them."""
    prompts, said = shelf.prompts, features(asked.parsed)
    scored = fit.flows_at > 0
    reached, cosine = index.neighbours.prompts(prompts, asked.vector, REACHED, scored, asked.everything)
    alike = prompts.said.to(said, cosine.astype(np.float64), reached)
    best = np.argsort(-alike, kind="stable")[:_NEAR]
    near = reached[best]
    vectors = np.concatenate([asked.vector[None, :], prompts.vectors[near]])
    among = prompts.said.among(said, (vectors @ vectors.T).astype(np.float64), near)
    return near, to_kernel(among[0, 1:]), to_kernel(among[1:, 1:])


def _fit(shelf: Shelf, fit: Fitted, chosen: Ints, cards: tuple[Ints, Vector], vector: Vector) -> FloatArray:
    """Whether the card of each candidate speaks of the prompt, and more than every measured flow's card does: [0, 1].

    Where no flow was measured, the other cards are what it is held against. ``cards``: the nearest, and their cosines.
    """
    flows = shelf.flows
    others = np.setdiff1d(chosen, cards[0])
    rivals = np.concatenate([cards[0], others])
    cosine = np.concatenate([cards[1], flows.vectors[others] @ vector]).astype(np.float64)
    measured = fit.cells[flows.unit.array[rivals]] > 0
    held = cosine[measured] if measured.any() else cosine
    first, second = np.sort(np.concatenate([held, [-9.0, -9.0]]))[::-1][:2]
    order = np.argsort(rivals)
    own = cosine[order[np.searchsorted(rivals[order], chosen)]]
    mine = fit.cells[flows.unit.array[chosen]] > 0 if measured.any() else np.ones(len(chosen), dtype=bool)
    rival = np.where(mine & (own >= first), second, first)
    ahead = (own - np.where(rival < -1.0, 1.0, rival)) / FIT_WIDTH
    about = (own - FIT_FROM) / (FIT_WHOLE - FIT_FROM)
    return np.asarray(np.clip(ahead, 0.0, 1.0) * np.clip(about, 0.0, 1.0))
