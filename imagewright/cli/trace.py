"""The rest of a run's trace, for people: what the story leaves out, and what a replay needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from imagewright.cli.terminal.text import clean, render_labelled
from imagewright.graph.repairs.tried import say_tried
from imagewright.intents import Tried

if TYPE_CHECKING:
    from rich.console import RenderableType

HASH_DIGITS = 12
"""How much of a SHA-256 is shown; ``--json`` has all of it."""
_PACKAGES = ("imagewright", "torch", "diffusers", "transformers", "langgraph")


def tell_trace(trace: Mapping[str, Any]) -> RenderableType:
    """What was decided by whom, what was rejected and what it would need, prompts, models, device and versions.

    ``trace`` is what ``runs show --json`` prints; parts that an older one lacks are left out.
    """
    return render_labelled([(label, clean(text)) for label, text in _rows(trace) if text])


def _rows(trace: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    choice = trace.get("choice") or {}
    yield "why", f"{choice.get('flow', '')}: {choice.get('reason', '')} (decided by {choice.get('decided_by', '?')})"
    for flow, need in (trace.get("rejected") or {}).items():
        first, *more = str(need).split("; ")
        yield "rejected", f"{flow}: {first}{f' (and {len(more)} more)' if more else ''}"
    for number, made in enumerate(trace.get("rounds") or [], 1):
        yield "prompts", f"{number}  {made.get('prompt', '')}  (seed {made.get('seed')}, {made.get('flow')})"
    facts: Mapping[str, Any] = next(iter(trace.get("facts") or []), {})
    for name, digest in facts.items():
        if name.startswith("model "):
            yield "models", f"{name.removeprefix('model ')}  {str(digest)[:HASH_DIGITS]}"
    yield "device", " ".join(str(facts[name]) for name in ("backend", "device", "dtype") if name in facts)
    versions = trace.get("versions") or {}
    yield "versions", ", ".join(f"{name} {versions[name]}" for name in _PACKAGES if versions.get(name))
    spent = trace.get("spent") or {}
    if spent.get("tokens_in") or spent.get("money"):
        tokens = f"{spent['tokens_in']} tokens read, {spent.get('tokens_out', 0)} written"
        money = spent.get("money", 0.0)
        yield "agents", f"{tokens}, {money if isinstance(money, str) else f'{money:.4f}'} in money"
    if spent.get("unpriced"):
        yield "unknown", f"what {', '.join(spent['unpriced'])} cost: prices.toml has no price"
    for tried in trace.get("tried") or ():
        yield "tried", say_tried(Tried.model_validate(tried))
    yield "image", str(trace.get("image") or "")[:HASH_DIGITS]
