"""The public templates: references of the editor's own conversion, all 644 without a traceback, and 40 read by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imagewright.evals.comfy_templates import run, template_table, workflows_in
from imagewright.flow_format import links, order, parse_graph
from imagewright.retrieval.comfy.catalogue import CATALOGUE_FILE, Catalogue
from imagewright.retrieval.comfy.convert import convert
from imagewright.retrieval.comfy.describe import output_nodes
from imagewright.retrieval.comfy.model import Unconvertible
from imagewright.retrieval.comfy.slots import find_slots

ANSWERS: dict[str, dict[str, list[list[str]]]] = json.loads(
    Path(__file__).with_name("slots_of_40_templates.json").read_bytes()
)
EDITOR_ONLY = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}


def test_the_catalogue_is_made_of_the_facts(facts: Path, catalogue: Catalogue) -> None:
    made = Catalogue.from_object_info(json.loads((facts / "nodes-0.33.0.json").read_bytes()), catalogue.source)
    assert made.to_bytes() == CATALOGUE_FILE.read_bytes()
    assert CATALOGUE_FILE.stat().st_size < 400_000


EXTRAS = {
    "audioUI", "PreviewAny.preview", "PreviewAny.previewMode", "ChromaRadianceOptions.force_sequential_txt_ids",
}  # fmt: skip
"""Inputs that one front end or server of the two sends and another does not; the server ignores or defaults them."""


def shown(value: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a node that count."""
    kind = value["class_type"]
    return {name: item for name, item in value["inputs"].items() if not {name, f"{kind}.{name}"} & EXTRAS}


def unfolded(graph: dict[str, Any], catalogue: Catalogue) -> list[str]:
    """What each output node needs, whatever its ids: front end 1.35.9 kept ids and unfolded what is bypassed."""
    made: dict[str, str] = {}
    for node in order(graph):
        inputs = {
            name: [made[item[0]], item[1]] if name in links(graph[node]["inputs"]) else item
            for name, item in shown(graph[node]).items()
        }
        text = json.dumps([graph[node]["class_type"], inputs], sort_keys=True)
        made[node] = hashlib.sha256(text.encode()).hexdigest()
    return sorted(made[node] for node in output_nodes(graph, catalogue))


def test_conversion_draws_what_the_editor_of_before_drew(facts: Path, templates: Path, catalogue: Catalogue) -> None:
    references = json.loads((facts / "frontend-conversions.json").read_bytes())
    assert len(references) >= 14
    for name, reference in references.items():
        made = convert(json.loads((templates / f"{name}.json").read_bytes()), catalogue).graph
        assert unfolded(made, catalogue) == unfolded(reference, catalogue), name


def test_conversion_equals_the_editors(facts: Path, this_years_templates: Path, catalogue: Catalogue) -> None:
    references = json.loads((facts / "frontend-1.49.6-conversions.json").read_bytes())
    assert len(references) >= 41
    for name, reference in references.items():
        made = convert(json.loads((this_years_templates / f"{name}.json").read_bytes()), catalogue).graph
        assert list(map(shown, made.values())) == [shown(reference[node]) for node in made], name
        assert set(made) == set(reference)


class Words:
    """An embedder for those who do not search: what is stored does not depend on the vectors."""

    name = "words"
    dimension = 2

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """All alike."""
        return [[1.0, 0.0] for _ in texts]


def test_every_template(templates: Path, catalogue: Catalogue) -> None:
    paths = list(workflows_in(templates))
    results = run(paths, catalogue, Words())
    assert len(results) == 644
    refused = [result for result in results if result.flow is None]
    assert all(result.reasons and "node" in result.reasons[0] for result in refused)
    known = [path.stem for path in paths if _types(path) <= set(catalogue)]
    assert not {result.name for result in refused} & set(known)
    assert len(known) >= 120
    printed = template_table(results)
    assert "644" in printed
    assert "is not in the catalogue" in printed
    assert all(f"{result.name}: {reason}" in printed for result in refused for reason in result.reasons)


def _types(path: Path) -> set[str]:
    data = json.loads(path.read_bytes())
    inner = data.get("definitions", {}).get("subgraphs", [])
    types = {node["type"] for scope in [data, *inner] for node in scope["nodes"]}
    return types - {scope["id"] for scope in inner} - EDITOR_ONLY


def test_slots_of_forty_read_by_hand(templates: Path, catalogue: Catalogue) -> None:
    assert len(ANSWERS) == 40
    wrong = []
    for name, answer in ANSWERS.items():
        graph = parse_graph(convert(json.loads((templates / f"{name}.json").read_bytes()), catalogue).graph)
        slots: dict[str, Any] = dict(find_slots(graph, output_nodes(graph, catalogue)))
        found = {slot: [[place.node, place.input] for place in slots.get(slot, ())] for slot in answer}
        if found != answer:
            wrong.append(name)
    assert len(wrong) <= 1, wrong


def test_a_reason_names_every_node(catalogue: Catalogue) -> None:
    nodes = [{"id": number, "type": f"Sparkle{number}", "widgets_values": [1]} for number in range(5)]
    with pytest.raises(Unconvertible, match="and 2 more") as caught:
        convert({"nodes": nodes}, catalogue)
    reasons = caught.value.reasons
    assert [f"Sparkle{number}" in reason for number, reason in enumerate(reasons)] == [True] * 5
