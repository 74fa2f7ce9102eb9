"""The story of a run or a plan, for people: what was chosen, what else there was, where things go, what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from imagewright.agents.critic.verdict import counts
from imagewright.cli.terminal.text import clean, render_labelled

if TYPE_CHECKING:
    from imagewright.schemas import Box, Candidate, Check, Layout, Plan, Round, RunResult

_COLUMNS, _ROWS = 26, 11
"""The canvas inside its frame, in characters; a character is about twice as high as wide."""
_CAPTION = 23
_MARKS = "123456789abcdefghijklmnopqrstuvwxyz"
_Row = tuple[str, RenderableType]


def tell_run(result: RunResult) -> RenderableType:
    """The story of a delivered run."""
    by_id = {candidate.flow: candidate for candidate in result.candidates}
    rows: list[_Row] = [("prompt", result.prompt)]
    rows += [("categories", ", ".join(result.categories))]
    rows += _choice(by_id.get(result.flow), result.flow, result.candidates)
    if result.layout is not None:
        rows += _layout(result.layout)
    rows += [row for number, a_round in enumerate(result.rounds, 1) for row in _round(number, a_round, result.flow)]
    rows += [("note", note) for note in result.notes]
    rows += [("cost", f"{_count(result.images, 'image')}, {result.seconds:.1f} s")]
    rows += [("picture", Text(clean(result.path), "bold", overflow="fold"))]
    rows += [("trace", _path(result.trace))] if result.trace else []
    return render_labelled(rows)


def tell_plan(plan: Plan) -> RenderableType:
    """The story of a plan: nothing was drawn."""
    rows: list[_Row] = [("prompt", plan.prompt), ("categories", ", ".join(plan.categories))]
    chosen = next((c for c in plan.candidates if c.runnable), None)
    rows += _choice(chosen, chosen.flow if chosen else "", plan.candidates)
    rows += _layout(plan.layout)
    rows += [("note", note) for note in plan.notes]
    return render_labelled(rows)


def _path(text: str) -> Text:
    return Text(clean(text), overflow="fold")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- the choice -----------------------------------------------------------------------------


def _choice(chosen: Candidate | None, flow: str, candidates: Sequence[Candidate]) -> list[_Row]:
    rows: list[_Row] = []
    if chosen is not None:
        rows.append(("flow", Text.assemble((clean(chosen.flow), "bold"), f"  {_estimate(chosen)}")))
    elif flow:
        rows.append(("flow", Text.assemble((clean(flow), "bold"), "  as asked")))
    else:
        rows.append(("flow", Text("none of the index can run here", "yellow")))
    others = [c for c in candidates if c.flow != flow]
    runner_up = next((c for c in others if c.runnable), None)
    if runner_up is not None:
        rows.append(("runner-up", f"{runner_up.flow}  {_estimate(runner_up)}"))
    missing = next((c for c in others if not c.runnable), None)
    if missing is not None:
        rows.append(("otherwise", f"{missing.flow}  {_estimate(missing)}"))
        rows.append(("otherwise", f"it needs: {missing.why_not}"))
    return rows


def _estimate(candidate: Candidate) -> str:
    interval = f"{candidate.estimate:.2f} [{candidate.low:.2f}–{candidate.high:.2f}]"
    return f"{interval}  {_count(candidate.evidence, 'score')}" if candidate.evidence else f"{interval}  no scores yet"


# --- the layout -----------------------------------------------------------------------------


def _layout(layout: Layout) -> list[_Row]:
    rows: list[_Row] = []
    if layout.boxes:
        rows.append(("layout", Group(*_beside(canvas(layout.boxes), _legend(layout.boxes)))))
    rows += [("background", layout.background)] if layout.background else []
    rows += [("without", layout.negative)] if layout.negative else []
    return rows


def _beside(left: Sequence[str], right: Sequence[str]) -> list[Text]:
    height = max(len(left), len(right))
    width = len(left[0])
    picture = [*left, *[" " * width] * (height - len(left))]
    words = [*right, *[""] * (height - len(right))]
    return [Text(f"{a}  {b}", no_wrap=True, overflow="ellipsis") for a, b in zip(picture, words, strict=True)]


def _legend(boxes: Sequence[Box]) -> list[str]:
    lines = []
    for number, box in enumerate(boxes):
        caption = clean(box.caption)
        if cell_len(caption) > _CAPTION:
            caption = f"{set_cell_size(caption, _CAPTION - 1)}…"
        across, down = _span(box.x, box.width), _span(box.y, box.height)
        lines.append(f"{_mark(number)} {set_cell_size(caption, _CAPTION)} {across} {down}")
    return [f"  {'caption':<{_CAPTION}} {'x %':<6} y %", *lines]


def _span(start: float, length: float) -> str:
    return f"{start * 100:.0f}–{(start + length) * 100:.0f}".ljust(6)


def _mark(number: int) -> str:
    return _MARKS[number] if number < len(_MARKS) else "*"


def canvas(boxes: Sequence[Box]) -> list[str]:
    """The boxes drawn with characters in a frame; the largest lie beneath."""
    cells = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for number, box in sorted(enumerate(boxes), key=lambda pair: -pair[1].width * pair[1].height):
        _outline(cells, box, _mark(number))
    body = [f"│{''.join(row)}│" for row in cells]
    return [f"┌{'─' * _COLUMNS}┐", *body, f"└{'─' * _COLUMNS}┘"]


def _outline(cells: list[list[str]], box: Box, mark: str) -> None:
    left, right = _ends(box.x, box.width, _COLUMNS)
    top, bottom = _ends(box.y, box.height, _ROWS)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            flat, upright = row in (top, bottom), column in (left, right)
            cells[row][column] = "─" if flat else "│" if upright else " "
    if bottom > top and right > left:
        for (row, column), corner in zip(
            ((top, left), (top, right), (bottom, left), (bottom, right)), "┌┐└┘", strict=True
        ):
            cells[row][column] = corner
    cells[(top + bottom) // 2][(left + right) // 2] = mark


def _ends(start: float, length: float, cells: int) -> tuple[int, int]:
    first = min(max(math.floor(start * cells + 0.5), 0), cells - 1)
    last = min(max(math.floor((start + length) * cells + 0.5) - 1, first), cells - 1)
    return first, last


# --- the rounds -----------------------------------------------------------------------------


def _round(number: int, a_round: Round, flow: str) -> list[_Row]:
    label = f"round {number}"
    rows: list[_Row] = []
    if a_round.repair is not None:
        rows.append((label, a_round.repair.tell()))
    made = f"{'' if a_round.flow == flow else a_round.flow + ', '}seed {a_round.seed}, {a_round.seconds:.1f} s"
    if a_round.verdict is None:
        return [*rows, (label, f"{made}; not judged")]
    verdict = a_round.verdict
    word = ("accepted", "green") if verdict.accepted else ("not accepted", "yellow")
    counted = [check for check in verdict.checks if counts(check)]
    if not counted:
        return [*rows, (label, f"{made}; not judged")]
    passed = sum(check.passed for check in counted)
    judged = f", {passed} of {_count(len(counted), 'check')} passed, score {verdict.score:.2f}"
    rows.append((label, Text.assemble(word, judged, (f"  ({clean(made)})", "dim"))))
    return [*rows, *((label, _failed(check)) for check in counted if not check.passed)]


def _failed(check: Check) -> Text:
    return Text.assemble(("✗ ", "red"), f"{clean(check.name)}: {clean(check.detail)}")
