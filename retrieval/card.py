"""Cards in words (what is embedded) and in JSON (what commands print)."""

from __future__ import annotations

from typing import Any

from imagewright.schemas import Flow, Readiness

EXAMPLE_CHARACTERS = 300
DESCRIPTION_CHARACTERS = 2000


def example_prompt(flow: Flow) -> str:
    """The prompt that the flow's graph holds as its author saved it; empty for none."""
    for text in flow.read_slot("positive"):
        if isinstance(text, str) and text.strip():
            return " ".join(text.split())[:EXAMPLE_CHARACTERS]
    return ""


def card_text(flow: Flow) -> str:
    """What a flow is for, in the words that are embedded: title, description, tags, and its author's own prompt."""
    card = flow.card
    parts = [card.title, card.description[:DESCRIPTION_CHARACTERS], ", ".join(card.labels), example_prompt(flow)]
    return ". ".join(part.strip().rstrip(".") for part in parts if part.strip())


def flow_json(flow: Flow, readiness: Readiness, with_graph: bool = False) -> dict[str, Any]:
    """One flow as ``flows add --json`` and, with its graph, ``flows show --json`` print it."""
    slots = {name: [binding.model_dump() for binding in bindings] for name, bindings in flow.card.slots.items()}
    found: dict[str, Any] = {
        "id": flow.id,
        "title": flow.card.title,
        "kind": flow.card.kind,
        "slots": slots,
        "runnable": readiness.runnable,
        "why_not": readiness.why_not,
        "duplicate_of": flow.card.duplicate_of,
    }
    return {**found, "graph": flow.graph} if with_graph else found
