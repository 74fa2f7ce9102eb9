"""The silhouettes of mini's world: one closed polygon a shape, and the holes in it, in a unit box."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

Point = tuple[float, float]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, steps: int = 16) -> list[Point]:
    """Points on an ellipse from ``start`` to ``end`` degrees; 0 is right, 90 is down."""
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def _star() -> list[Point]:
    radii = (0.53, 0.22)
    turns = [(radii[i % 2], i * math.pi / 5) for i in range(10)]
    return [(0.5 + r * math.sin(a), 0.53 - r * math.cos(a)) for r, a in turns]


def _heart() -> list[Point]:
    angles = [2 * math.pi * i / 48 for i in range(48)]
    return [
        (
            0.5 + 16 * math.sin(a) ** 3 / 33,
            0.46 - (13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 31,
        )
        for a in angles
    ]


def _flower() -> list[Point]:
    """Five round petals."""
    turns = [2 * math.pi * i / 60 for i in range(60)]
    return [
        (0.5 + r * math.sin(a), 0.51 - r * math.cos(a))
        for a in turns
        for r in (0.29 + 0.22 * abs(math.cos(2.5 * a)) ** 0.8,)
    ]


def _tree() -> list[Point]:
    """A fir: three tiers and a trunk."""
    right = [(0.74, 0.32), (0.63, 0.32), (0.87, 0.6), (0.72, 0.6), (1.0, 0.86), (0.6, 0.86), (0.6, 1.0)]
    return [(0.5, 0.0), *right, *[(1 - x, y) for x, y in reversed(right)]]


def _moon() -> list[Point]:
    """A crescent, open to the right."""
    return [*_arc(0.52, 0.5, 0.5, 0.5, 305, 55, 28), *_arc(0.8, 0.5, 0.43, 0.41, 92, 268, 24)]


def _car() -> list[Point]:
    return [
        (0.0, 0.72), (0.0, 0.52), (0.06, 0.46), (0.2, 0.43), (0.32, 0.22), (0.7, 0.22), (0.84, 0.44), (0.96, 0.48),
        (1.0, 0.54), (1.0, 0.72), *_arc(0.77, 0.72, 0.13, 0.13, 0, 180, 12), *_arc(0.25, 0.72, 0.13, 0.13, 0, 180, 12),
    ]  # fmt: skip


def _mushroom() -> list[Point]:
    return [*_arc(0.5, 0.52, 0.5, 0.5, 180, 360, 24), (0.97, 0.6), (0.64, 0.6), (0.69, 0.98), (0.31, 0.98),
            (0.36, 0.6), (0.03, 0.6)]  # fmt: skip


def _cup() -> list[Point]:
    """A mug with its handle on the right."""
    handle = _arc(0.72, 0.47, 0.28, 0.27, -75, 78, 14)
    return [(0.0, 0.08), (0.76, 0.08), *handle, (0.7, 0.94), (0.06, 0.94)]


def _fish() -> list[Point]:
    """Swims to the left; the tail is on the right."""
    return [*_arc(0.39, 0.5, 0.39, 0.31, 40, 320, 26), (0.99, 0.2), (0.9, 0.5), (0.99, 0.8)]


_OUTLINES: dict[str, Sequence[Point]] = {
    "circle": _arc(0.5, 0.5, 0.5, 0.5, 0, 352.5, 47),
    "square": ((0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96)),
    "triangle": ((0.5, 0.02), (1.0, 0.96), (0.0, 0.96)),
    "star": _star(),
    "heart": _heart(),
    # A gabled roof, a chimney and a doorway that shows the background.
    "house": (
        (0.5, 0.0), (0.72, 0.2), (0.72, 0.06), (0.86, 0.06), (0.86, 0.33), (1.0, 0.46), (0.9, 0.46), (0.9, 1.0),
        (0.62, 1.0), (0.62, 0.66), (0.38, 0.66), (0.38, 1.0), (0.1, 1.0), (0.1, 0.46), (0.0, 0.46),
    ),
    "tree": _tree(),
    "flower": _flower(),
    "fish": _fish(),
    "cup": _cup(),
    "moon": _moon(),
    "car": _car(),
    # A hull, a mast and one sail.
    "boat": (
        (0.44, 0.0), (0.86, 0.56), (0.5, 0.56), (0.5, 0.66), (1.0, 0.66), (0.82, 0.96), (0.18, 0.96), (0.0, 0.66),
        (0.44, 0.66),
    ),
    "mushroom": _mushroom(),
}  # fmt: skip
_HOLES: dict[str, tuple[Sequence[Point], ...]] = {
    "flower": (_arc(0.5, 0.51, 0.11, 0.11, 0, 340, 17),),
    "fish": (_arc(0.2, 0.42, 0.055, 0.055, 0, 330, 11),),
    "cup": (_arc(0.74, 0.47, 0.14, 0.14, -80, 80, 10),),
    "car": (((0.36, 0.28), (0.49, 0.28), (0.49, 0.43), (0.29, 0.43)), ((0.55, 0.28), (0.67, 0.28), (0.75, 0.43),
            (0.55, 0.43))),
}  # fmt: skip


@functools.cache
def outline(shape: str) -> tuple[Point, ...]:
    """The closed polygon of ``shape`` in its own box, as fractions of the box (origin top left)."""
    if shape not in _OUTLINES:
        raise ValueError(f"no such shape: {shape}")
    return tuple(_OUTLINES[shape])


@functools.cache
def holes(shape: str) -> tuple[tuple[Point, ...], ...]:
    """The polygons inside ``shape`` through which the background shows."""
    return tuple(tuple(hole) for hole in _HOLES.get(shape, ()))
