"""The silhouettes of mini's world: one closed polygon a shape, and the holes in it, in a unit box."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path

Point = tuple[float, float]


def _read() -> dict[str, tuple[Point, ...]]:
    """The silhouettes, and the parts of some, that are written down in ``outlines.toml``."""
    tables = tomllib.loads(Path(__file__).with_name("outlines.toml").read_text("utf-8"))
    return {name: tuple((x, y) for x, y in points) for name, points in tables.items()}


_WRITTEN = _read()


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
    right = _WRITTEN["fir_side"]
    return [(0.5, 0.0), *right, *[(1 - x, y) for x, y in reversed(right)]]


def _moon() -> list[Point]:
    """A crescent, open to the right."""
    return [*_arc(0.52, 0.5, 0.5, 0.5, 305, 55, 28), *_arc(0.8, 0.5, 0.43, 0.41, 92, 268, 24)]


def _car() -> list[Point]:
    wheels = [*_arc(0.77, 0.72, 0.13, 0.13, 0, 180, 12), *_arc(0.25, 0.72, 0.13, 0.13, 0, 180, 12)]
    return [*_WRITTEN["car_body"], *wheels]


def _mushroom() -> list[Point]:
    return [*_arc(0.5, 0.52, 0.5, 0.5, 180, 360, 24), *_WRITTEN["mushroom_stem"]]


def _cup() -> list[Point]:
    """A mug with its handle on the right."""
    handle = _arc(0.72, 0.47, 0.28, 0.27, -75, 78, 14)
    return [(0.0, 0.08), (0.76, 0.08), *handle, (0.7, 0.94), (0.06, 0.94)]


def _fish() -> list[Point]:
    """Swims to the left; the tail is on the right."""
    return [*_arc(0.39, 0.5, 0.39, 0.31, 40, 320, 26), (0.99, 0.2), (0.9, 0.5), (0.99, 0.8)]


_OUTLINES: dict[str, Sequence[Point]] = {
    "circle": _arc(0.5, 0.5, 0.5, 0.5, 0, 352.5, 47),
    "square": _WRITTEN["square"],
    "triangle": _WRITTEN["triangle"],
    "star": _star(),
    "heart": _heart(),
    "house": _WRITTEN["house"],
    "tree": _tree(),
    "flower": _flower(),
    "fish": _fish(),
    "cup": _cup(),
    "moon": _moon(),
    "car": _car(),
    "boat": _WRITTEN["boat"],
    "mushroom": _mushroom(),
}
_HOLES: dict[str, tuple[Sequence[Point], ...]] = {
    "flower": (_arc(0.5, 0.51, 0.11, 0.11, 0, 340, 17),),
    "fish": (_arc(0.2, 0.42, 0.055, 0.055, 0, 330, 11),),
    "cup": (_arc(0.74, 0.47, 0.14, 0.14, -80, 80, 10),),
    "car": (_WRITTEN["car_left_window"], _WRITTEN["car_right_window"]),
}


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
