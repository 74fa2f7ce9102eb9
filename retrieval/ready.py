"""What can run here, by flow: told flow by flow, or by the needs that flows share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagewright.flow_pictures import Brings, check_with, fill_need
from imagewright.needs import Need
from imagewright.ports import AnswersNeeds, Backend
from imagewright.retrieval.cells import Ints
from imagewright.retrieval.flow_table import FlowTable
from imagewright.schemas import MINI, Flow, Readiness

FULL, ON_MINI, CURABLE, NEVER, OUT = 0, 1, 2, 3, 4
"""What a flow is here: it runs; it runs on mini, which is offered only where no full model can run; files or memory
would make it run; nothing would; or nobody asked."""
CLASSES = (FULL, ON_MINI, CURABLE, NEVER)
Codes = NDArray[np.int8]


class Ready(Protocol):
    """Says of flows whether they can run here."""

    def codes(self, flows: FlowTable) -> Codes:
        """One of ``CLASSES`` or ``OUT`` for every flow; the same array as long as the answer is the same."""
        ...

    def of(self, flows: FlowTable, flow: int) -> Readiness:
        """The answer for one flow, in words."""
        ...

    def exactly(self, flows: FlowTable, number: int, flow: Flow) -> Readiness:
        """The last word on a flow that is about to be offered."""
        ...


class ReadyByFlow:
    """Answers that are given for each flow; only these flows are looked at."""

    def __init__(self, given: Mapping[str, Readiness]) -> None:
        self._given = given

    def codes(self, flows: FlowTable) -> Codes:
        """As ``Ready.codes``."""
        found = np.full(len(flows), OUT, dtype=np.int8)
        for name, readiness in self._given.items():
            if name in flows.at:
                found[flows.at[name]] = classify(readiness)
        return separate_mini(found, flows)

    def of(self, flows: FlowTable, flow: int) -> Readiness:
        """As ``Ready.of``."""
        return self._given[flows.ids[flow]]

    def exactly(self, flows: FlowTable, number: int, flow: Flow) -> Readiness:
        """As ``Ready.exactly``."""
        return self._given[flow.id]


class ReadyByNeed:
    """Answers of a backend: asked once for each need that flows share, and exactly for those that are offered.

    A flow that ``check`` refuses although its need is met counts as refused until the answers change. A backend that
    does not answer for needs is asked about every flow, once for each state of the index; ``on_note`` hears that.
    Flows that draw from a picture are among them where one is brought (``brings``).
    """

    def __init__(self, backend: Backend, read: Callable[[str], Flow], brings: Brings = "") -> None:
        self._backend, self._read, self._brings = backend, read, brings
        self._many = backend if isinstance(backend, AnswersNeeds) else None
        self._needs: tuple[Need, ...] = ()
        self._at: dict[int, int] = {}
        self._answers: Sequence[Readiness] = ()
        self._codes: Codes = np.zeros(0, dtype=np.int8)
        self._made: tuple[object, ...] = ()
        self._exact: dict[tuple[str, str], Readiness] = {}
        self._refused: dict[str, tuple[str, Readiness]] = {}

    def codes(self, flows: FlowTable) -> Codes:
        """As ``Ready.codes``."""
        answers = self._ask(flows)
        if answers is not self._answers:
            self._answers = answers
            self._exact.clear()
            self._refused.clear()
        state = (answers, flows, flows.version, len(self._refused))
        if len(self._made) != len(state) or any(a is not b and a != b for a, b in zip(state, self._made, strict=True)):
            self._codes, self._made = self._code(flows), state
        return self._codes

    def codes_of(self, chosen: Ints) -> Codes:
        """The present codes of some flows."""
        return np.asarray(self._codes[chosen])

    def _ask(self, flows: FlowTable) -> Sequence[Readiness]:
        if self._many is not None:
            if len(flows.needs) != len(self._needs) or flows is not (self._made[1] if self._made else flows):
                needs = flows.needs.values()
                self._needs = tuple(map(fill_need, needs)) if self._brings else tuple(needs)
                self._at = {number: place for place, number in enumerate(flows.needs)}
            return self._many.missing(self._needs)
        if self._made and self._made[1] is flows and self._made[2] == flows.version:
            return self._answers
        return tuple(check_with(self._backend, self._read(name), self._brings) for name in flows.ids)

    def _code(self, flows: FlowTable) -> Codes:
        given = np.array([classify(each) for each in self._answers], dtype=np.int8)
        found = given
        if self._many is not None:
            place = np.zeros(max(self._at, default=0) + 1, dtype=np.int64)
            place[list(self._at)] = list(self._at.values())
            found = given[place[flows.need.array]] if len(given) else np.zeros(len(flows), dtype=np.int8)
        for name, (graph, readiness) in self._refused.items():
            if flows.graphs[flows.at[name]] == graph:
                found[flows.at[name]] = classify(readiness)
        return separate_mini(found, flows, bool(self._brings))

    def of(self, flows: FlowTable, flow: int) -> Readiness:
        """As ``Ready.of``; what is not offered is not asked about exactly."""
        refused = self._refused.get(flows.ids[flow])
        if refused is not None and flows.graphs[flow] == refused[0]:
            return refused[1]
        if self._many is not None:
            return self._answers[self._at[int(flows.need.array[flow])]]
        return self._answers[flow]

    def exactly(self, flows: FlowTable, number: int, flow: Flow) -> Readiness:
        """As ``Ready.exactly``: the backend's ``check``, remembered until its answers change."""
        if self._many is None:
            return self.of(flows, number)
        key = (flow.id, flows.graphs[number])
        found = self._exact.get(key)
        if found is None:
            found = self._exact[key] = check_with(self._backend, flow, self._brings)
            if not found.runnable:
                self._refused[flow.id] = (flows.graphs[number], found)
        return found

    def limits_of(self, ask: Callable[[Flow], tuple[str, ...]]) -> Limits:
        """What the models of flows cannot draw, asked once for flows that name the same files."""
        return Limits(self, ask, self._read)

    def files_of(self, flows: FlowTable, flow: int) -> Hashable:
        """What flows must have in common for their models to be the same."""
        need = flows.needs.get(int(flows.need.array[flow]))
        return need.files if need is not None else flows.ids[flow]


class Limits:
    """The words of one prompt that models cannot draw."""

    def __init__(self, ready: ReadyByNeed, ask: Callable[[Flow], tuple[str, ...]], read: Callable[[str], Flow]) -> None:
        self._ready, self._ask, self._read = ready, ask, read
        self._known: dict[Hashable, tuple[str, ...]] = {}
        self._by_need: dict[int, tuple[str, ...]] = {0: ()}

    def of_many(self, flows: FlowTable, chosen: Ints) -> list[tuple[str, ...]]:
        """For each flow the words that its model cannot draw; none for one that cannot run here."""
        codes = self._ready.codes_of(chosen)
        needs = np.where((codes == FULL) | (codes == ON_MINI), flows.need.array[chosen], 0).tolist()
        for need, flow in zip(needs, chosen.tolist(), strict=True):
            if need not in self._by_need:
                files = self._ready.files_of(flows, flow)
                if files not in self._known:
                    self._known[files] = self._ask(self._read(flows.ids[flow]))
                self._by_need[need] = self._known[files]
        return [self._by_need[need] for need in needs]


class LimitsByFlow:
    """The words that are given for each flow."""

    def __init__(self, given: Mapping[str, tuple[str, ...]]) -> None:
        self._given = given

    def of_many(self, flows: FlowTable, chosen: Ints) -> list[tuple[str, ...]]:
        """As ``Limits.of_many``."""
        return [self._given.get(flows.ids[flow], ()) for flow in chosen.tolist()]


def classify(readiness: Readiness) -> int:
    """The class of an answer, as if the flow were on a full model."""
    return FULL if readiness.runnable else CURABLE if readiness.curable else NEVER


def separate_mini(codes: Codes, flows: FlowTable, pictured: bool = False) -> Codes:
    """The codes with mini's flows in their own class, and flows that are not offered at all left out.

    ``pictured``: whether a picture is brought, so that those that draw from one are not.
    """
    mini = np.array([group[0] == MINI for group in flows.groups], dtype=np.bool_)
    found = np.where((codes == FULL) & mini[flows.group.array], np.int8(ON_MINI), codes) if len(mini) else codes
    offered = flows.live.array | flows.pictured.array if pictured else flows.live.array
    return np.where(offered, found, np.int8(OUT)).astype(np.int8)
