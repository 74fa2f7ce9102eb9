"""What can run here, by flow: told flow by flow, or by the needs that flows share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imagewright.retrieval.flow_table import FlowTable
from imagewright.schemas import Readiness

MINI = "mini"
"""The base model of the embedded default, offered only where no full model can run."""
FULL, SMALL, CURABLE, NEVER, OUT = 0, 1, 2, 3, 4
"""What a flow is here: it runs, it runs on mini, files or memory would make it run, nothing would; or nobody asked."""
CLASSES = (FULL, SMALL, CURABLE, NEVER)
Codes = NDArray[np.int8]


class Ready(Protocol):
    """Says of flows whether they can run here."""

    def codes(self, flows: FlowTable) -> Codes:
        """One of ``CLASSES`` or ``OUT`` for every flow; the same array as long as the answer is the same."""
        ...

    def of(self, flows: FlowTable, flow: int) -> Readiness:
        """The answer for one flow, in words."""
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
                found[flows.at[name]] = code_of(readiness)
        return by_base(found, flows)

    def of(self, flows: FlowTable, flow: int) -> Readiness:
        """As ``Ready.of``."""
        return self._given[flows.ids[flow]]


def code_of(readiness: Readiness) -> int:
    """The class of an answer, as if the flow were on a full model."""
    return FULL if readiness.runnable else CURABLE if readiness.curable else NEVER


def by_base(codes: Codes, flows: FlowTable) -> Codes:
    """The codes with mini's flows in their own class, and flows that are not offered at all left out."""
    mini = np.array([group[0] == MINI for group in flows.groups], dtype=np.bool_)
    found = np.where((codes == FULL) & mini[flows.group.array], np.int8(SMALL), codes) if len(mini) else codes
    return np.where(flows.live.array, found, np.int8(OUT)).astype(np.int8)
