"""The rest of a run's trace, for people: what the story leaves out, and what a replay needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from imagewright.cli.terminal.text import clean, render_labelled
from imagewright.graph.repairs.tried import say_tried
from imagewright.schemas import Choice
from imagewright.trace import Trace, TraceSpent, read_trace

if TYPE_CHECKING:
    from rich.console import RenderableType

HASH_DIGITS = 12
"""How much of a SHA-256 is shown; ``--json`` has all of it."""
_PACKAGES = ("imagewright", "torch", "diffusers", "transformers", "langgraph")


def tell_trace(trace: Trace | Mapping[str, Any]) -> RenderableType:
    """What was decided by whom, what was rejected and what it would need, prompts, models, device and versions.

    Parts that an older trace lacks are left out; those that a newer one has beside are named.

    Raises:
        BadInput: ``trace`` is none, or cannot be read by this version.
    """
    return render_labelled([(label, clean(text)) for label, text in _rows(read_trace(trace)) if text])


def _rows(trace: Trace) -> Iterator[tuple[str, str]]:
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
        yield "tried", say_tried(tried)
    yield "image", trace.image[:HASH_DIGITS]
    yield "newer", f"not understood by this version: {', '.join(trace.unknown)}" if trace.unknown else ""


def _cost(spent: TraceSpent) -> Iterator[tuple[str, str]]:
    if spent.tokens_in or spent.money:
        money = spent.money if isinstance(spent.money, str) else f"{spent.money:.4f}"
        yield "agents", f"{spent.tokens_in} tokens read, {spent.tokens_out} written, {money} in money"
    if spent.unpriced:
        yield "unknown", f"what {', '.join(spent.unpriced)} cost: prices.toml has no price"
