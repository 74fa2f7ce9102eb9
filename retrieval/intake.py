"""From a file that somebody brings to a flow with its card, read off the graph, its workflow or the author's words.

Only the named files are opened; no path inside a file ever is. Titles, descriptions and prompts are data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from pydantic import ValidationError

from imagewright.errors import BadInput
from imagewright.flow_format import Graph
from imagewright.retrieval.comfy.catalogue import Catalogue, load_catalogue
from imagewright.retrieval.comfy.describe import describe_workflow, shorten
from imagewright.retrieval.comfy.read import read_workflow
from imagewright.schemas import Card, Flow, ModelFile

_OWN_WORDS = (
    *("title", "description", "tags", "layout", "base_model", "family"),
    *("licence", "benchmarks", "cost", "source", "kind", "slots"),
)
"""What an author's card may say for itself, because the graph cannot know it better."""


class Brought(NamedTuple):
    """A flow from a file, with what the person should know of its conversion."""

    flow: Flow
    skipped: list[str]
    """Nodes left out, one line each."""
    notes: list[str]
    """Dropped keys, choices taken, unknown nodes."""


def read_flow_file(path: Path, catalogue: Catalogue | None = None) -> Brought:
    """A flow from one file: any that ``comfy.read`` knows; ``catalogue`` is the shipped one unless given.

    Raises:
        BadInput: the file cannot be read, its graph is broken, or its card holds what a card does not.
        Unconvertible: it is a workflow with nodes in the way; ``reasons`` has one line for each.
    """
    return _bring(path, path.name, catalogue or load_catalogue())


def read_sent_flow(data: bytes, name: str, catalogue: Catalogue) -> Brought:
    """The same from the bytes of a file that somebody sent; ``name`` is what they call it, and opens nothing.

    Raises:
        BadInput, Unconvertible: as ``read_flow_file``.
    """
    return _bring(data, re.split(r"[/\\]", name)[-1][:200] or "flow", catalogue)


def _bring(source: Path | bytes, name: str, nodes: Catalogue) -> Brought:
    read = read_workflow(source, nodes)
    own, stated = _own_card(read.envelope.get("card")), read.envelope.get("id")
    flow = build_flow(read.graph, PurePath(name).stem, own, stated, name, read.workflow, nodes)
    return Brought(flow, read.skipped, read.notes)


def build_flow(
    graph: Graph,
    name: str,
    own: Mapping[str, Any],
    flow_id: object = None,
    source: str = "",
    workflow: Mapping[str, Any] | None = None,
    catalogue: Catalogue | None = None,
) -> Flow:
    """A flow from its graph, the name that it goes by, and the words of its author's card.

    ``workflow`` is the editor's JSON that the graph came from, for its titles, addresses and packs.

    Raises:
        BadInput: the author's card holds values of the wrong type, or slots that the graph has no place for.
    """
    facts = read_off(graph, name, source, workflow, catalogue or load_catalogue())
    card = check_card({**facts, **own, "models": _with_urls(facts["models"], own.get("models"))}, graph)
    return Flow(id=slug(flow_id if isinstance(flow_id, str) else name), graph=graph, card=card)


def check_card(fields: Mapping[str, Any], graph: Graph) -> Card:
    """A card of ``fields`` for ``graph``.

    Raises:
        BadInput: a value is of the wrong type, or a slot names an input that the graph has no place for.
    """
    try:
        card = Card.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"the card is wrong at {where}: {first['msg']}", "correct the card, or leave it out") from None
    for name, bindings in card.slots.items():
        for place in bindings:
            if place.node not in graph or place.input not in graph[place.node]["inputs"]:
                what = f"slot {name!r} of the card names {place.node[:60]}.{place.input[:60]}"
                raise BadInput(f"{what}, which the graph does not have", "name a node and one of its inputs")
    return card


def _own_card(value: object) -> dict[str, Any]:
    """What an author's card may say for itself; what the graph says better is read off the graph."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput("the card is not a JSON object", 'a card is {"title": "...", "description": "...", ...}')
    unknown = sorted(set(value) - set(Card.model_fields))
    if unknown:
        raise BadInput(f"a card has no field {unknown[0][:60]!r}", f"its fields: {', '.join(Card.model_fields)}")
    own = {key: value[key] for key in (*_OWN_WORDS, "models") if key in value}
    return {key: shorten(item, 2000) if isinstance(item, str) else item for key, item in own.items()}


def read_off(
    graph: Graph, name: str, source: str, workflow: Mapping[str, Any] | None, catalogue: Catalogue
) -> dict[str, Any]:
    """The fields of a card that the graph and its workflow tell; the title is the file's name where that says any."""
    told = describe_workflow(graph, workflow, catalogue)
    words = re.sub(r"[\W_]+", " ", name).strip()
    nameless = re.fullmatch(r"(?i)(workflow|flow|untitled|unsaved|graph|prompt|api|comfyui| |\d)*", words)
    title = (told.title if nameless else "") or words[:1].upper() + words[1:] or "Untitled flow"
    return {**told._asdict(), "title": shorten(title, 200), "source": shorten(source, 200)}


def _with_urls(models: Sequence[ModelFile], own: object) -> tuple[ModelFile, ...]:
    """The files that the graph names, with the addresses of the author's card, else of the workflow (https only)."""
    urls = {(model.name, model.folder): model.url for model in models}
    for item in own if isinstance(own, list) else ():
        if isinstance(item, dict) and isinstance(item.get("url"), str) and item["url"].startswith("https://"):
            urls[str(item.get("name")), str(item.get("folder"))] = shorten(item["url"], 500)
    return tuple(model.model_copy(update={"url": urls.get((model.name, model.folder))}) for model in models)


def slug(text: str) -> str:
    """An id: lower-case letters and digits of any script, and hyphens, at most 60."""
    plain = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else "-" for char in plain)
    return re.sub("-+", "-", kept).strip("-")[:60].strip("-") or "flow"
