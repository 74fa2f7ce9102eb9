"""Rectangles on the canvas, in shares of it with the origin at the top left: what boxes, regions and detections share.

The judge of ``evals`` measures boxes by code of its own, on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Self

Edges = Sequence[float]
"""``left, top, right, bottom``."""
TOUCH = 1e-6
"""Boxes that share less than this along an axis only touch."""


class Rectangle:
    """The geometry of everything with ``x, y, width, height``."""

    if TYPE_CHECKING:
        x: float
        y: float
        width: float
        height: float

        def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self: ...

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """``left, top, right, bottom``."""
        return (self.x, self.y, self.right, self.bottom)

    @property
    def centre(self) -> tuple[float, float]:
        """``(x, y)`` of the middle."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    @property
    def area(self) -> float:
        """The share of the canvas that it covers."""
        return self.width * self.height

    # --- two of them ------------------------------------------------------------------------

    def intersection(self, other: Rectangle) -> float:
        """The area that the two share."""
        width, height = self._common(other)
        return width * height if width > 0 and height > 0 else 0.0

    def union(self, other: Rectangle) -> float:
        """The area that the two cover together."""
        return self.area + other.area - self.intersection(other)

    def iou(self, other: Rectangle) -> float:
        """Intersection over union, in [0, 1]."""
        union = self.union(other)
        return self.intersection(other) / union if union > 0 else 0.0

    def overlap(self, other: Rectangle) -> float:
        """The intersection as a share of the smaller of the two, in [0, 1]."""
        both = self.intersection(other)
        return both / min(self.area, other.area) if both > 0 else 0.0

    def overlaps_any(self, others: Sequence[Rectangle]) -> bool:
        """Whether it shares area with any of ``others``; touching is none."""
        return any(min(self._common(other)) > TOUCH for other in others)

    def gap(self, other: Rectangle) -> float:
        """How far apart the two lie along the axis that parts them most; negative where they overlap."""
        return -min(self._common(other))

    def displacement(self, other: Rectangle) -> tuple[float, float]:
        """``(across, down)`` from its centre to the other's."""
        (ax, ay), (bx, by) = self.centre, other.centre
        return bx - ax, by - ay

    def _common(self, other: Rectangle) -> tuple[float, float]:
        """Width and height of what the two share; negative along an axis that parts them."""
        return (
            min(self.right, other.right) - max(self.x, other.x),
            min(self.bottom, other.bottom) - max(self.y, other.y),
        )

    # --- moved ------------------------------------------------------------------------------

    def move_to(self, x: float, y: float, margin: float = 0.0) -> Self:
        """The same with its top left corner at ``x, y``, pulled inside the canvas less ``margin``; four decimals."""
        x, y = keep_inside(x, self.width, margin), keep_inside(y, self.height, margin)
        return self.model_copy(update={"x": round(x, 4), "y": round(y, 4)})

    def centre_at(self, x: float, y: float, margin: float = 0.0) -> Self:
        """The same with its centre at ``x, y``, pulled inside as ``move_to`` does."""
        return self.move_to(x - self.width / 2, y - self.height / 2, margin)

    def shift(self, across: float, down: float, margin: float = 0.0) -> Self:
        """The same moved as far as the canvas less ``margin`` goes; one that reaches into the margin may stay there."""
        x = min(max(self.x + across, min(margin, self.x)), max(1 - margin - self.width, self.x))
        y = min(max(self.y + down, min(margin, self.y)), max(1 - margin - self.height, self.y))
        return self.model_copy(update={"x": round(x, 4), "y": round(y, 4)})

    def grow(self, factor: float, margin: float = 0.0) -> Self:
        """The same with sides ``factor`` times as long about its centre, within the canvas less ``margin``."""
        width, height = (min(side * factor, 1 - 2 * margin) for side in (self.width, self.height))
        sized = self.model_copy(update={"width": width, "height": height}).centre_at(*self.centre, margin)
        return sized.model_copy(update={"width": round(width, 4), "height": round(height, 4)})


def keep_inside(start: float, length: float, margin: float = 0.0) -> float:
    """Where a span of ``length`` begins so that it lies between ``margin`` and ``1 - margin``, as far as it fits."""
    return min(max(start, margin), max(1 - margin - length, 0.0))


def clip(edges: Edges) -> tuple[float, float, float, float]:
    """``edges`` cut off at the canvas."""
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in edges)
    return left, top, right, bottom


def iou_of_edges(a: Edges, b: Edges) -> float:
    """Intersection over union of two rectangles by their edges, in any unit."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0
