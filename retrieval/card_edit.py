"""Correcting what the card of a flow says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagewright.errors import BadInput
from imagewright.flow_format import read_json
from imagewright.retrieval.intake import check_card
from imagewright.schemas import Card, Flow

READ_OFF = ("node_classes", "duplicate_of")
"""What only the graph and the index can say."""


def read_card(path: Path) -> dict[str, Any]:
    """The fields in a JSON file.

    Raises:
        BadInput: it cannot be read, or holds no JSON object.
    """
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise BadInput(f"{path} holds no JSON object", 'write {"title": "...", "tags": ["..."]}')
    return fields


def editable_fields(flow: Flow) -> dict[str, Any]:
    """The fields of the flow's card that a person can set, as plain JSON."""
    return flow.card.model_dump(mode="json", exclude=set(READ_OFF))


def change_card(flow: Flow, fields: Mapping[str, Any]) -> Card:
    """The card of ``flow`` with ``fields`` in their place.

    Raises:
        BadInput: a field does not exist, cannot be set, or its value cannot be used with the flow's graph.
    """
    wrong = next((name for name in fields if name not in Card.model_fields or name in READ_OFF), None)
    if wrong is not None:
        can = ", ".join(name for name in Card.model_fields if name not in READ_OFF)
        raise BadInput(f"{wrong[:60]!r} of a card cannot be set", f"what can: {can}")
    return check_card({**flow.card.model_dump(mode="json"), **fields}, flow.graph)
