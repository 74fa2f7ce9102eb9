"""Places groups on the canvas: columns, rows in them, and a grid for the members of a group. Nothing overlaps.

Groups tied by "above", "below", "on" form a stack that shares a column; stacks stand side by side in the order that
"left" and "right" ask for. Cells never overlap, and each group stays in its cell, so every member of one group stands
on the asked side of every member of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from imagewright.agents.layout import ordering
from imagewright.agents.reading import lexicon, nouns
from imagewright.schemas import Box, ParsedGroup, ParsedPrompt

MAX_BOXES = 24
"""More things than this are not given boxes: the first 24 are, shared fairly among the groups."""
MIN_SIDE = 0.06
_MARGIN = 0.03
_FILL = 0.9
_LARGEST = 0.6
_SIDE_BY_SIDE = 3
"""Columns that stand in one band; more would be narrow."""


@dataclass(frozen=True)
class _Cell:
    """A part of the canvas, as fractions, that one group has for itself."""

    x: float
    y: float
    width: float
    height: float


def place_groups(parsed: ParsedPrompt) -> tuple[Box, ...]:
    """Boxes for every member of every group, at most ``MAX_BOXES``, each at least 0.06 by 0.06, without overlaps."""
    groups = parsed.groups
    if not groups:
        return ()
    counts = _capped([g.count for g in groups])
    kept = [i for i, n in enumerate(counts) if n > 0]
    groups = tuple(groups[i].model_copy(update={"count": counts[i]}) for i in kept)
    index = {old: new for new, old in enumerate(kept)}
    relations = [
        r.model_copy(update={"subject": index[r.subject], "object": index[r.object]})
        for r in parsed.relations
        if r.subject in index and r.object in index
    ]
    across, down = ordering.horizontal(groups, relations), ordering.vertical(groups, relations)
    ordering.add_places(down, groups)
    for cells in (_stacked(groups, across, down), _gridded(groups, across, down), _flowing(groups)):
        boxes = _fill(groups, cells) if cells is not None else None
        if boxes is not None:
            return boxes
    return _uniform(groups)


def _capped(counts: Sequence[int]) -> list[int]:
    """The counts, lowered where their sum passes ``MAX_BOXES``: the largest group gives first."""
    capped = [min(n, MAX_BOXES) for n in counts[:MAX_BOXES]]
    while sum(capped) > MAX_BOXES:
        capped[capped.index(max(capped))] -= 1
    return capped


# --- how large ------------------------------------------------------------------------------


def aspect(group: ParsedGroup) -> float:
    """Width over height that suits the thing."""
    head = group.object.rpartition(" ")[2]
    posture = {"lying", "sleeping", "long", "wide"} & set(group.attributes)
    if head in nouns.SHAPE_NOUNS:
        return 1.0
    if head in nouns.TALL or group.object in {
        "fire hydrant",
        "parking meter",
        "traffic light",
        "stop sign",
        "wine glass",
    }:
        return 1.0 if posture else 0.62
    return 1.55 if head in nouns.WIDE or posture else (0.75 if "tall" in group.attributes else 1.0)


def scale(group: ParsedGroup) -> float:
    """How much larger or smaller than others the prompt wants it."""
    factor = math.prod(lexicon.SIZE_WORDS.get(word, 1.0) for word in group.attributes)
    return min(1.7, max(0.45, factor))


def _weight(group: ParsedGroup) -> float:
    """How much room a group asks for."""
    return max(0.5, scale(group)) * math.sqrt(group.count) * math.sqrt(aspect(group))


# --- where ----------------------------------------------------------------------------------


def _stacked(groups: Sequence[ParsedGroup], across: ordering.Order, down: ordering.Order) -> list[_Cell] | None:
    """Columns of stacks; None when a horizontal relation runs inside a stack or the columns are too many."""
    stack_of = _components(down)
    stacks = sorted(set(stack_of))
    order = ordering.Order(len(stacks))
    for a, followers in enumerate(across.after):
        for b in followers:
            if not order.add(stacks.index(stack_of[a]), stacks.index(stack_of[b])):
                return None
    columns = [[i for i, s in enumerate(stack_of) if s == stacks[k]] for k in order.sequence()]
    if len(columns) > 12 or (across.empty and len(columns) > 4 and down.empty):
        return None
    if len(columns) > _SIDE_BY_SIDE and (cells := _banded(groups, columns, across, down)) is not None:
        return cells
    plain = _columns(groups, columns, down.ranks())
    if len(columns) <= _SIDE_BY_SIDE:
        return plain
    shared = _sharing(groups, stack_of, stacks, order.ranks(), down.ranks())
    return max((plain, shared), key=lambda cells: _least(groups, cells))


def _banded(
    groups: Sequence[ParsedGroup], columns: list[list[int]], across: ordering.Order, down: ordering.Order
) -> list[_Cell] | None:
    """The columns in bands one below the other, for side by side they are narrow; None where a place is stated.

    None also where a relation between columns would not hold: what stands left must end where the other begins.
    """
    if any(ordering.side_of(group, axis) for group in groups for axis in ("x", "y")):
        return None
    per = math.ceil(math.sqrt(len(columns)))
    bands, ranks = [columns[k : k + per] for k in range(0, len(columns), per)], down.ranks()
    deep = [max(len({ranks[i] for i in column}) for column in band) for band in bands]
    cells: dict[int, _Cell] = {}
    top, room = _MARGIN, 1 - 2 * _MARGIN
    for band, share in zip(bands, (room * depth / sum(deep) for depth in deep), strict=True):
        members = sorted(i for column in band for i in column)
        for i, cell in zip(members, _columns(groups, band, ranks), strict=True):
            y, height = top + (cell.y - _MARGIN) / room * share, cell.height / room * share
            cells[i] = _Cell(cell.x, y, cell.width, height)
        top += share
    kept = all(cells[a].x + cells[a].width <= cells[b].x + 1e-9 for a, after in enumerate(across.after) for b in after)
    return [cells[i] for i in range(len(groups))] if kept else None


def _sharing(
    groups: Sequence[ParsedGroup], stack_of: Sequence[int], stacks: Sequence[int], columns: Sequence[int],
    ranks: Sequence[int],
) -> list[_Cell]:  # fmt: skip
    """Cells where stacks between which nothing is said share a column, one below the other.

    ``columns`` are the ranks of ``stacks`` from left to right, so what stands left of something is in another column.
    """
    levels, filled = [0] * len(groups), [0] * (max(columns) + 1)
    for stack, column in zip(stacks, columns, strict=True):
        members = [i for i, s in enumerate(stack_of) if s == stack]
        depth = sorted({ranks[i] for i in members})
        for i in members:
            levels[i] = filled[column] + depth.index(ranks[i])
        filled[column] += len(depth)
    column_of = dict(zip(stacks, columns, strict=True))
    sharing = [[i for i, s in enumerate(stack_of) if column_of[s] == k] for k in range(len(filled))]
    return _columns(groups, sharing, levels)


def _least(groups: Sequence[ParsedGroup], cells: Sequence[_Cell]) -> float:
    """The area of the smallest thing that is drawn in ``cells``."""
    return min(math.prod(_size(group, cell)[2:]) for group, cell in zip(groups, cells, strict=True))


def _components(order: ordering.Order) -> list[int]:
    """For each thing the lowest index of the things that it is tied to by any chain."""
    parent = list(range(order.size))

    def find(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for a, followers in enumerate(order.after):
        for b in followers:
            low, high = sorted((find(a), find(b)))
            parent[high] = low
    return [find(i) for i in range(order.size)]


def _columns(groups: Sequence[ParsedGroup], columns: list[list[int]], ranks: list[int]) -> list[_Cell]:
    """Give each column a width by weight, each of its rows a height, and each group a cell."""
    cells: list[_Cell | None] = [None] * len(groups)
    left, right = _span([ordering.side_of(groups[i], "x") for c in columns for i in c])
    rows = [_rows(column, ranks) for column in columns]
    wants = [max(sum(_weight(groups[i]) for i in row) for row in column) for column in rows]
    x = left
    for column, width in zip(rows, _shares(wants, right - left), strict=True):
        top, bottom = _span([ordering.side_of(groups[i], "y") for row in column for i in row])
        heights = _shares([max(_weight(groups[i]) for i in row) for row in column], bottom - top)
        y = top
        for row, height in zip(column, heights, strict=True):
            inner = x
            for i, part in zip(row, _shares([_weight(groups[i]) for i in row], width), strict=True):
                cells[i] = _Cell(inner, y, part, height)
                inner += part
            y += height
        x += width
    return [c for c in cells if c is not None]


def _span(places: Sequence[int]) -> tuple[float, float]:
    """The part of an axis that is used: half of it, when everything is said to be on one side."""
    inside = (_MARGIN, 1 - _MARGIN)
    if places and all(p == places[0] for p in places) and places[0] != 0:
        return (_MARGIN, 0.48) if places[0] < 0 else (0.52, 1 - _MARGIN)
    return inside


def _rows(column: list[int], ranks: list[int]) -> list[list[int]]:
    levels = sorted({ranks[i] for i in column})
    return [[i for i in column if ranks[i] == level] for level in levels]


def _shares(wants: Sequence[float], room: float) -> list[float]:
    """``room`` divided in proportion to ``wants``, softened so that nothing starves."""
    soft = [math.sqrt(max(w, 0.05)) for w in wants]
    total = sum(soft)
    return [room * s / total for s in soft]


def _gridded(groups: Sequence[ParsedGroup], across: ordering.Order, down: ordering.Order) -> list[_Cell] | None:
    """One grid for the whole canvas, by rank along both axes; groups of the same rank share a cell."""
    if across.empty and down.empty:
        return None
    columns, rows = across.ranks(), down.ranks()
    wide, high = max(columns) + 1, max(rows) + 1
    room = 1 - 2 * _MARGIN
    cells = []
    for i in range(len(groups)):
        sharing = [j for j in range(len(groups)) if (columns[j], rows[j]) == (columns[i], rows[i])]
        part = room / wide / len(sharing)
        x = _MARGIN + room / wide * columns[i] + part * sharing.index(i)
        cells.append(_Cell(x, _MARGIN + room / high * rows[i], part, room / high))
    return cells


def _flowing(groups: Sequence[ParsedGroup]) -> list[_Cell]:
    """Rows of about equal weight, in the order of mention."""
    per_row = max(1, math.ceil(math.sqrt(len(groups) * 1.3)))
    rows = [list(range(k, min(k + per_row, len(groups)))) for k in range(0, len(groups), per_row)]
    room = 1 - 2 * _MARGIN
    cells: list[_Cell] = []
    y = _MARGIN
    for row, height in zip(rows, _shares([max(_weight(groups[i]) for i in row) for row in rows], room), strict=True):
        x = _MARGIN
        for part in _shares([_weight(groups[i]) for i in row], room):
            cells.append(_Cell(x, y, part, height))
            x += part
        y += height
    return cells


# --- filling cells --------------------------------------------------------------------------


def _fill(groups: Sequence[ParsedGroup], cells: Sequence[_Cell]) -> tuple[Box, ...] | None:
    """The boxes of every group in its cell; None when one would be smaller than ``MIN_SIDE``."""
    boxes: list[Box] = []
    ground = _ground(groups, cells)
    for group, cell, base in zip(groups, cells, ground, strict=True):
        for x, y, width, height in _members(group, cell, base):
            if width < MIN_SIDE or height < MIN_SIDE:
                return None
            boxes.append(_box(group, x, y, width, height))
    return tuple(boxes)


def _box(group: ParsedGroup, x: float, y: float, width: float, height: float) -> Box:
    x, y = max(0.0, round(x, 4)), max(0.0, round(y, 4))
    width, height = min(math.floor(width * 1e4) / 1e4, 1 - x), min(math.floor(height * 1e4) / 1e4, 1 - y)
    return Box(
        caption=group.caption, object=group.object, attributes=group.attributes, x=x, y=y, width=width, height=height
    )


def _grid_for(group: ParsedGroup, cell: _Cell) -> tuple[int, int, float]:
    """Columns, rows and the width of one member that draw ``group.count`` things largest in ``cell``."""
    ratio = aspect(group)
    best = (1, group.count, 0.0)
    for columns in range(1, group.count + 1):
        rows = math.ceil(group.count / columns)
        slot_width, slot_height = cell.width / columns, cell.height / rows
        width = min(slot_width * _FILL, slot_height * _FILL * ratio)
        tidy = 1.0 if group.count % columns == 0 or group.count > 6 else 0.93
        if width * tidy >= best[2] - 1e-9:
            best = (columns, rows, width * tidy)
    columns, rows, _ = best
    return columns, rows, min(cell.width / columns * _FILL, cell.height / rows * _FILL * ratio)


def _size(group: ParsedGroup, cell: _Cell) -> tuple[int, int, float, float]:
    """Columns, rows, and the width and height of one member."""
    columns, rows, width = _grid_for(group, cell)
    ratio, factor = aspect(group), scale(group)
    width *= min(1.0, 0.92 * factor)
    largest = min(0.92, _LARGEST * factor)
    shrink = min(1.0, largest / max(width, width / ratio))
    width, height = width * shrink, width * shrink / ratio
    return (
        columns,
        rows,
        max(width, min(MIN_SIDE, cell.width / columns)),
        max(height, min(MIN_SIDE, cell.height / rows)),
    )


def _ground(groups: Sequence[ParsedGroup], cells: Sequence[_Cell]) -> list[float | None]:
    """The line on which single-row groups that share a row stand; None for a group that is centred instead."""
    lines: list[float | None] = []
    for cell in cells:
        level = [k for k, c in enumerate(cells) if abs(c.y - cell.y) < 1e-9 and abs(c.height - cell.height) < 1e-9]
        tallest = max((_size(groups[k], cells[k])[3] for k in level if _size(groups[k], cells[k])[1] == 1), default=0.0)
        lines.append(cell.y + (cell.height + tallest) / 2 if len(level) > 1 and tallest > 0 else None)
    return lines


def _members(group: ParsedGroup, cell: _Cell, ground: float | None) -> list[tuple[float, float, float, float]]:
    """``x, y, width, height`` of each member; a last row that is not full is centred."""
    columns, rows, width, height = _size(group, cell)
    head = group.object.rpartition(" ")[2]
    pitch_x, pitch_y = min(cell.width / columns, width * 1.3), min(cell.height / rows, height * 1.25)
    middle_x, middle_y = cell.x + cell.width / 2, cell.y + cell.height / 2
    if ground is not None and rows == 1 and head not in nouns.AIRBORNE:
        middle_y = ground - height / 2
    elif ground is not None and rows == 1:
        middle_y = max(cell.y + height / 2, middle_y - (cell.height - height) / 4)
    members = []
    for k in range(group.count):
        row, column = divmod(k, columns)
        in_row = min(columns, group.count - row * columns)
        centre_x = middle_x + (column - (in_row - 1) / 2) * pitch_x
        centre_y = middle_y + (row - (rows - 1) / 2) * pitch_y
        members.append((centre_x - width / 2, centre_y - height / 2, width, height))
    return members


def _uniform(groups: Sequence[ParsedGroup]) -> tuple[Box, ...]:
    """A plain grid of equal squares for everything: always valid, whatever was asked."""
    each = [g for g in groups for _ in range(g.count)]
    columns = math.ceil(math.sqrt(len(each)))
    pitch = (1 - 2 * _MARGIN) / columns
    side = pitch * _FILL
    return tuple(
        _box(g, _MARGIN + (k % columns) * pitch, _MARGIN + (k // columns) * pitch, side, side)
        for k, g in enumerate(each)
    )
