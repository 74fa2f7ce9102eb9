"""Results of nodes, kept while they are of use: a bounded LRU by content key."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

_LIMIT = 64
"""Results kept; the largest, a FLUX text encoding, takes 4 MB."""


class NodeCache:
    """An LRU of node results; nothing in it depends on anything but its key."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self.limit = limit
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str) -> Any:
        """The result of ``key``; None when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a result; the least lately used one goes."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self.limit:
            self._kept.popitem(last=False)
