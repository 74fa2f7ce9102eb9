"""The flow index and the backends, as the graph sees them: a short list ranked by what flows have measurably drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagewright.flow_pictures import Brings
from imagewright.ports import Backend
from imagewright.retrieval.candidates import offer, rank
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Candidate, Categories, Flow, ParsedPrompt


class IndexCatalogue:
    """The flow index and the backends, as the graph sees them for one run.

    ``open_index`` is called when the first flow is asked for, so that a saying that draws nothing opens no index;
    ``backends`` stand under their names in the evidence, the first of them first where two are equally good. Flows that
    draw from a picture are ranked where the run's request ``brings`` one.
    """

    def __init__(
        self,
        open_index: Callable[[], FlowIndex],
        backends: Mapping[str, Backend],
        on_note: Callable[[str], None],
        learn_critic: bool,
        brings: Brings = "",
    ) -> None:
        self._open_index, self._backends = open_index, dict(backends)
        self._on_note, self._learn_critic = on_note, learn_critic
        self._brings: Brings = brings
        self._read: dict[str, Flow] = {}

    @property
    def _index(self) -> FlowIndex:
        return self._open_index().heard_by(self._on_note)

    def generation(self) -> int:
        """The number that every change of flows or evidence raises."""
        return self._index.generation

    def flow(self, name: str) -> Flow:
        """The flow with this id, as it was when this catalogue was first asked for it."""
        if name not in self._read:
            self._read[name] = self._index.get(name)
        return self._read[name]

    def rank(
        self, prompt: str, parsed: ParsedPrompt, categories: Categories, named: str | None = None
    ) -> tuple[Candidate, ...]:
        """The short list for ``prompt``, best first; each flow with the backend that would draw it."""
        index = self._index
        lists = []
        for name, backend in self._backends.items():
            ready = index.ready_for(backend, self._brings)
            limits = ready.limits_of(_limits_by(backend, prompt, parsed))
            ranked = rank(
                index, prompt, parsed, categories, ready, name,
                limits=limits, learn_critic=self._learn_critic, named=named,
            )  # fmt: skip
            lists.append([candidate.model_copy(update={"backend": name}) for candidate in ranked])
        return tuple(merge_lists(lists))

    def carry_lora(self, name: str) -> tuple[str, ...]:
        """The flows whose graph loads the LoRA file called ``name``, with or without folder and ending."""
        return self._index.carry_lora(name)

    def offer(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those that the selector may choose from."""
        return offer(candidates)


def _limits_by(backend: Backend, prompt: str, parsed: ParsedPrompt) -> Callable[[Flow], tuple[str, ...]]:
    """What ``backend`` cannot draw of the prompt, by flow."""
    return lambda flow: backend.limits(flow, prompt, parsed)


def merge_lists(lists: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """One list of several backends': each flow once, on the backend where it runs and is estimated best.

    The order of each list is kept; between two the one whose next flow is estimated higher comes first.
    """
    best: dict[str, Candidate] = {}
    for candidate in (candidate for ranked in lists for candidate in ranked):
        before = best.get(candidate.flow)
        if before is None or _worth(candidate) > _worth(before):
            best[candidate.flow] = candidate
    waiting = [[each for each in ranked if best[each.flow] is each] for ranked in lists]
    merged: list[Candidate] = []
    while any(waiting):
        first = max((ranked for ranked in waiting if ranked), key=lambda ranked: ranked[0].estimate)
        merged.append(first.pop(0))
    return merged


def _worth(candidate: Candidate) -> tuple[bool, float]:
    return candidate.runnable, candidate.estimate
