"""The flow index and one backend, as the graph sees them: a short list ranked by what flows have measurably drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imagewright.ports import Backend
from imagewright.retrieval.candidates import offer, rank
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Candidate, Categories, Flow, ParsedPrompt


class IndexCatalogue:
    """The flow index and a backend, as the graph sees them for one run.

    ``open_index`` is called when the first flow is asked for, so that a saying that draws nothing opens no index;
    ``name`` is the backend's name in the evidence.
    """

    def __init__(
        self,
        open_index: Callable[[], FlowIndex],
        backend: Backend,
        name: str,
        on_note: Callable[[str], None],
        learn_critic: bool,
    ) -> None:
        self._open_index, self._backend, self._name = open_index, backend, name
        self._on_note, self._learn_critic = on_note, learn_critic
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
        """The short list for ``prompt``, best first."""
        index, backend = self._index, self._backend
        ready = index.ready_for(backend)
        limits = ready.limits_of(lambda flow: backend.limits(flow, prompt, parsed))
        return rank(
            index, prompt, parsed, categories, ready, self._name,
            limits=limits, learn_critic=self._learn_critic, named=named,
        )  # fmt: skip

    def offer(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those that the selector may choose from."""
        return offer(candidates)
