"""The story of a run or a plan, for people: what was chosen, what else there was, where things go, what came of it;
and the rest of a run's trace: what the story leaves out, and what a replay needs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from imagewright.cli.terminal.text import Labelled, clean, keep_whole, render_labelled
from imagewright.schemas import Choice
from imagewright.trace import Trace, TraceSpent, read_trace

if TYPE_CHECKING:
    from imagewright.schemas import Box, Candidate, Check, Layout, Plan, Round, RunResult

_COLUMNS, _ROWS = 26, 11
"""The canvas inside its frame, in characters; a character is about twice as high as wide."""
_CAPTION = 23
_MARKS = "123456789abcdefghijklmnopqrstuvwxyz"
HASH_DIGITS = 12
"""How much of a SHA-256 is shown; ``--json`` has all of it."""
_PACKAGES = ("imagewright", "torch", "diffusers", "transformers", "langgraph")
_Row = tuple[str, str | Text | Sequence[Text]]


def tell_run(result: RunResult) -> Labelled:
    """The story of a delivered run."""
    by_id = {candidate.flow: candidate for candidate in result.candidates}
    rows: list[_Row] = [("prompt", result.prompt)]
    rows += [("categories", ", ".join(result.categories))] if result.categories else []
    rows += _choice(by_id.get(result.flow), result.flow, result.candidates)
    if result.layout is not None:
        rows += _layout(result.layout)
    rows += [row for number, a_round in enumerate(result.rounds, 1) for row in _round(number, a_round, result.flow)]
    rows += [("note", _keep_paths(note, (result.path, result.trace))) for note in result.notes]
    rows += [("cost", f"{_count(result.images, 'image')}, {result.seconds:.1f} s")]
    rows += [("judged", Text(result.judgement, "green" if result.accepted else "yellow"))]
    rows += [("picture", Text(clean(result.path), "bold", no_wrap=True))]
    rows += [("trace", _path(result.trace))] if result.trace else []
    return render_labelled(rows)


def tell_plan(plan: Plan) -> Labelled:
    """The story of a plan: nothing was drawn."""
    rows: list[_Row] = [("prompt", plan.prompt)]
    rows += [("categories", ", ".join(plan.categories))] if plan.categories else []
    rows += [("drawn from", plan.drawn_from)] if plan.drawn_from not in ("", plan.prompt) else []
    chosen = next((c for c in plan.candidates if c.flow == plan.flow), None)
    rows += _choice(chosen, plan.flow, plan.candidates)
    rows += _layout(plan.layout)
    if plan.layout.boxes and plan.flow and not plan.governs:
        rows.append(("layout", f"the boxes do not govern the picture: {plan.flow} draws from the words alone"))
    rows += [("note", note) for note in plan.notes]
    return render_labelled(rows)


def _path(text: str) -> Text:
    return Text(clean(text), no_wrap=True)


def _keep_paths(words: str, paths: Sequence[str]) -> str:
    """``words`` in which no line may end within one of ``paths``, its folder or its name."""
    known = {part for path in paths if path for part in (path, str(Path(path).parent), Path(path).name)}
    known |= {re.sub(r"-\d+(?=\.\w+$)", "", part) for part in known}  # the name that was wanted
    for part in sorted((part for part in known if " " in part), key=len, reverse=True):
        words = words.replace(part, keep_whole(part))
    return words


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
        other = any(candidate.runnable for candidate in candidates)
        none = "the one asked for cannot run here" if other else "none of the index can run here"
        rows.append(("flow", Text(none, "yellow")))
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
        rows.append(("layout", _beside(canvas(layout.boxes), _legend(layout.boxes))))
    rows += [("background", layout.background)] if layout.background else []
    rows += [("without", layout.negative)] if layout.negative else []
    return rows


def _beside(left: Sequence[str], right: Sequence[str]) -> list[Text]:
    height = max(len(left), len(right))
    width = len(left[0])
    picture = [*left, *[" " * width] * (height - len(left))]
    words = [*right, *[""] * (height - len(right))]
    return [Text(f"{a}  {b}") for a, b in zip(picture, words, strict=True)]


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
    counted = [check for check in verdict.checks if check.counts]
    if not counted:
        return [*rows, (label, f"{made}; not judged")]
    passed = sum(check.passed for check in counted)
    judged = f", {passed} of {_count(len(counted), 'check')} passed, score {verdict.score:.2f}"
    rows.append((label, Text.assemble(word, judged, (f"  ({clean(made)})", "dim"))))
    return [*rows, *((label, _failed(check)) for check in counted if not check.passed)]


def _failed(check: Check) -> Text:
    return Text.assemble(("✗ ", "red"), f"{clean(check.name)}: {clean(check.detail)}")


# --- the rest of the trace ------------------------------------------------------------------


def tell_trace(trace: Trace | Mapping[str, Any]) -> Labelled:
    """What was decided by whom, what was rejected and what it would need, prompts, models, device and versions.

    Parts that an older trace lacks are left out; those that a newer one has beside are named.

    Raises:
        BadInput: ``trace`` is none, or cannot be read by this version.
    """
    return render_labelled([(label, clean(text)) for label, text in _trace_rows(read_trace(trace)) if text])


def _trace_rows(trace: Trace) -> Iterator[tuple[str, str]]:
    choice = trace.choice or Choice(flow="", reason="", decided_by="?")
    yield "why", f"{choice.flow}: {choice.reason} (decided by {choice.decided_by})"
    for flow, need in trace.rejected.items():
        first, *more = need.split("; ")
        yield "rejected", f"{flow}: {first}{f' (and {len(more)} more)' if more else ''}"
    for number, made in enumerate(trace.rounds, 1):
        yield "prompts", f"{number}  {made.prompt}  (seed {made.seed}, {made.flow})"
    facts = trace.facts[0] if trace.facts else {}
    for name, digest in facts.items():
        if name.startswith("model "):
            yield "models", f"{name.removeprefix('model ')}  {digest[:HASH_DIGITS]}"
    yield "device", " ".join(facts[name] for name in ("backend", "device", "dtype") if name in facts)
    yield "versions", ", ".join(f"{name} {trace.versions[name]}" for name in _PACKAGES if trace.versions.get(name))
    yield from _cost(trace.spent or TraceSpent())
    for tried in trace.tried:
        yield "tried", tried.tell()
    yield "image", trace.image[:HASH_DIGITS]
    yield "newer", f"not understood by this version: {', '.join(trace.unknown)}" if trace.unknown else ""


def _cost(spent: TraceSpent) -> Iterator[tuple[str, str]]:
    if spent.tokens_in or spent.money:
        money = spent.money if isinstance(spent.money, str) else f"{spent.money:.4f}"
        yield "agents", f"{spent.tokens_in} tokens read, {spent.tokens_out} written, {money} in money"
    if spent.unpriced:
        yield "unknown", f"what {', '.join(spent.unpriced)} cost: prices.toml has no price"
