"""Orders groups by their relations and places: who is left of whom, who is above whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from imagewright.schemas import ParsedGroup, ParsedRelation

_ABOVE = {"above": 1, "below": -1, "inside": 1, "behind": 1, "in-front": -1}
_POSITION_RANK = {"left": -1, "right": 1, "top": -1, "bottom": 1, "behind": -1, "in-front": 1}


@dataclass
class Order:
    """A set of "comes before" constraints among ``size`` things; one that would close a circle is refused."""

    size: int
    after: list[set[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.after = [set() for _ in range(self.size)]

    def add(self, first: int, second: int) -> bool:
        """State that ``first`` comes before ``second``; False when that contradicts what was stated before."""
        if first == second or self.reaches(second, first):
            return False
        self.after[first].add(second)
        return True

    def reaches(self, start: int, goal: int) -> bool:
        """Whether ``goal`` comes after ``start`` by any chain."""
        seen, stack = {start}, [start]
        while stack:
            node = stack.pop()
            if node == goal:
                return True
            for following in self.after[node] - seen:
                seen.add(following)
                stack.append(following)
        return False

    def ranks(self) -> list[int]:
        """The length of the longest chain that leads to each thing."""
        ranks = [0] * self.size
        for _ in range(self.size):
            for node, followers in enumerate(self.after):
                for following in followers:
                    ranks[following] = max(ranks[following], ranks[node] + 1)
        return ranks

    def sequence(self) -> list[int]:
        """All things in one line that obeys every constraint, otherwise in their own order."""
        waiting = [sum(node in followers for followers in self.after) for node in range(self.size)]
        line: list[int] = []
        ready = [n for n in range(self.size) if waiting[n] == 0]
        while ready:
            node = min(ready)
            ready.remove(node)
            line.append(node)
            for following in sorted(self.after[node]):
                waiting[following] -= 1
                if waiting[following] == 0:
                    ready.append(following)
        return line

    @property
    def empty(self) -> bool:
        """Whether nothing was stated."""
        return not any(self.after)


def side_of(group: ParsedGroup, axis: str) -> int:
    """-1, 0 or 1: the side of the canvas along ``axis`` (``x`` or ``y``) where a group's stated position puts it."""
    words = group.position.split("-") if group.position != "in-front" else ["in-front"]
    wanted = {"left", "right"} if axis == "x" else {"top", "bottom", "behind", "in-front"}
    return next((_POSITION_RANK[w] for w in words if w in wanted), 0)


def horizontal(groups: Sequence[ParsedGroup], relations: Iterable[ParsedRelation]) -> Order:
    """Who comes before whom from left to right."""
    order = Order(len(groups))
    for r in relations:
        if r.relation == "left":
            order.add(r.subject, r.object)
        elif r.relation == "right":
            order.add(r.object, r.subject)
    _by_place(order, groups, "x")
    return order


def vertical(groups: Sequence[ParsedGroup], relations: Sequence[ParsedRelation]) -> Order:
    """Who comes before whom from top to bottom; something behind stands higher, something inside sits on top."""
    order = Order(len(groups))
    strict = [r for r in relations if r.relation in {"above", "below"}]
    loose = [r for r in relations if r.relation in {"inside", "behind", "in-front"}]
    for r in [*strict, *loose]:
        sign = _ABOVE[r.relation]
        order.add(*((r.subject, r.object) if sign > 0 else (r.object, r.subject)))
    return order


def _by_place(order: Order, groups: Sequence[ParsedGroup], axis: str) -> None:
    """A group with a stated place comes before, or after, the groups with another place or none."""
    places = [side_of(g, axis) for g in groups]
    for a, mine in enumerate(places):
        for b, theirs in enumerate(places):
            if mine < theirs:
                order.add(a, b)


def add_places(order: Order, groups: Sequence[ParsedGroup]) -> None:
    """Let the stated places at top and bottom order the groups from top to bottom."""
    _by_place(order, groups, "y")
