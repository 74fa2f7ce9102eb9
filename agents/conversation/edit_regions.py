"""Which parts of a picture an edit draws anew: where the changed things were and where they are now, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagewright.schemas import Box, Region

GROW = 0.02
"""How far beyond its box a thing is redrawn: drawn things overrun their boxes a little."""


def find_regions(changed: Sequence[tuple[Box | None, Box | None]], kept: Sequence[Box]) -> tuple[Region, ...]:
    """The regions of things that changed, each given as it was and as it is (None for not there), each region once.

    ``kept`` are the boxes of the others: no region reaches into them where the changed box itself does not.
    """
    found: dict[tuple[float, ...], Region] = {}
    for before, after in changed:
        for box in (after, before):
            if box is not None:
                region = _around(box, kept)
                found.setdefault((region.x, region.y, region.width, region.height), region)
    return tuple(found.values())


def _around(box: Box, kept: Sequence[Box]) -> Region:
    left, top = max(box.x - GROW, 0.0), max(box.y - GROW, 0.0)
    right, bottom = min(box.x + box.width + GROW, 1.0), min(box.y + box.height + GROW, 1.0)
    sides = (left, top, right, bottom)
    for other in kept:
        sides = _clear_of(other, sides, box)
    left, top, right, bottom = sides
    return Region(caption=box.caption, x=round(left, 4), y=round(top, 4), width=round(right - left, 4),
                  height=round(bottom - top, 4))  # fmt: skip


_Sides = tuple[float, float, float, float]


def _clear_of(other: Box, sides: _Sides, box: Box) -> _Sides:
    """``sides`` drawn in so that ``other`` keeps its pixels; as they are where ``box`` itself lies over it."""
    left, top, right, bottom = sides
    if min(right, other.x + other.width) <= max(left, other.x):
        return sides
    if min(bottom, other.y + other.height) <= max(top, other.y):
        return sides
    return max(_cuts(other, sides, box), key=lambda cut: (cut[2] - cut[0]) * (cut[3] - cut[1]), default=sides)


def _cuts(other: Box, sides: _Sides, box: Box) -> Iterator[_Sides]:
    left, top, right, bottom = sides
    if other.x + other.width <= box.x + 1e-6:
        yield other.x + other.width, top, right, bottom
    if other.x >= box.x + box.width - 1e-6:
        yield left, top, other.x, bottom
    if other.y + other.height <= box.y + 1e-6:
        yield left, other.y + other.height, right, bottom
    if other.y >= box.y + box.height - 1e-6:
        yield left, top, right, other.y
