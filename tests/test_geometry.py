"""The geometry that boxes, regions and detections share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.geometry import clip, iou_of_edges, keep_inside
from imagewright.schemas import Box, Detection, Region

_SHARE = st.floats(0.01, 0.99)


def box(x: float, y: float, width: float, height: float) -> Box:
    return Box(caption="a cup", object="cup", x=x, y=y, width=width, height=height)


def test_what_two_share() -> None:
    a, b = box(0.0, 0.0, 0.5, 0.5), box(0.25, 0.25, 0.5, 0.25)
    assert (a.area, a.intersection(b), a.union(b)) == (0.25, 0.0625, 0.3125)
    assert a.iou(b) == pytest.approx(0.2)
    assert a.overlap(b) == 0.5
    assert a.overlaps_any([b])
    assert a.gap(b) == -0.25
    assert a.displacement(b) == (0.25, 0.125)


def test_touching_is_no_overlap() -> None:
    a, b = box(0.0, 0.0, 0.5, 0.5), box(0.5, 0.0, 0.5, 0.5)
    assert (a.intersection(b), a.iou(b), a.overlap(b), a.gap(b), a.overlaps_any([b])) == (0.0, 0.0, 0.0, 0.0, False)


def test_boxes_regions_and_detections_measure_alike() -> None:
    region = Region(caption="", x=0.1, y=0.2, width=0.3, height=0.4)
    seen = Detection(object="cup", score=1.0, x=0.1, y=0.2, width=0.3, height=0.4)
    assert region.iou(seen) == pytest.approx(1.0)
    assert region.edges == seen.edges == box(0.1, 0.2, 0.3, 0.4).edges


def test_the_order_of_the_fields_is_as_it_was() -> None:
    """Layouts are hashed and shown to language models as JSON."""
    assert list(Box.model_fields) == ["caption", "object", "attributes", "x", "y", "width", "height"]
    assert list(Region.model_fields) == ["caption", "x", "y", "width", "height"]


@given(_SHARE, _SHARE, _SHARE, _SHARE, st.floats(-2, 2), st.floats(-2, 2))
def test_a_moved_box_stays_on_the_canvas(
    x: float, y: float, width: float, height: float, across: float, down: float
) -> None:
    for moved in (box(x, y, width, height).move_to(across, down), box(0, 0, width, height).shift(across, down)):
        assert -1e-4 <= moved.x <= 1 - width + 1e-4
        assert -1e-4 <= moved.y <= 1 - height + 1e-4


@given(st.lists(_SHARE, min_size=8, max_size=8))
def test_the_measure_is_symmetric(sides: list[float]) -> None:
    a, b = box(*sides[:4]), box(*sides[4:])
    assert a.iou(b) == b.iou(a)
    assert a.iou(b) == pytest.approx(iou_of_edges(a.edges, b.edges))
    assert 0.0 <= a.iou(b) <= a.overlap(b) + 1e-9 <= 1 + 1e-6


def test_a_box_in_the_margin_may_stay_there() -> None:
    assert box(0.0, 0.0, 0.2, 0.2).shift(0.0, 0.1, 0.02).x == 0.0
    assert box(0.0, 0.0, 0.2, 0.2).move_to(0.0, 0.1, 0.02).x == 0.02
    assert box(0.4, 0.4, 0.2, 0.2).grow(1.5).edges == pytest.approx((0.35, 0.35, 0.65, 0.65))


def test_what_is_off_the_canvas_is_cut() -> None:
    assert clip((-0.5, 0.2, 1.5, 0.4)) == (0.0, 0.2, 1.0, 0.4)
    assert keep_inside(0.9, 0.3) == 0.7
    assert keep_inside(-1.0, 2.0) == 0.0
