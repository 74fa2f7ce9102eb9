"""Evidence as a file, and what ships with the project."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval import builtin
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, dump_evidence
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.score_matrix import read_scores
from imagewright.schemas import ParsedGroup, ParsedPrompt
from imagewright.tools.mini_flows import RECIPES, mini_flows

FACTS = PromptFacts(ParsedPrompt(groups=(ParsedGroup(object="star", attributes=("red",), count=2),)), ("Counting",))


def sample(kit: ModuleType) -> EvidenceFile:
    rows = [kit.score("a", "two red stars", 0.5, seed=seed, graph_hash="h", seconds=1.5) for seed in range(3)]
    return EvidenceFile(
        (*rows, kit.score("b", "a boat", 0.25, graph_hash="g")), {"two red stars": FACTS}, {"date": "x"}
    )


def test_a_file_is_the_same_bytes_whatever_the_order_and_reads_back(kit: ModuleType, tmp_path: Path) -> None:
    evidence = sample(kit)
    text = dump_evidence(evidence)
    rows = list(evidence.rows)
    random.Random(1).shuffle(rows)
    assert dump_evidence(EvidenceFile(tuple(rows), evidence.prompts, evidence.made)) == text
    path = tmp_path / "e.jsonl"
    path.write_text(text)
    back = read_scores(path)
    assert set(back.rows) == set(evidence.rows)
    assert back.prompts == {"two red stars": FACTS, "a boat": PromptFacts()}
    assert back.made == {"date": "x"}
    assert dump_evidence(back) == text


def test_a_damaged_file_is_refused_with_its_line(kit: ModuleType, tmp_path: Path) -> None:
    lines = dump_evidence(sample(kit)).splitlines()
    path = tmp_path / "e.jsonl"
    for number, line in ((1, "{}"), (3, '{"prompt": '), (5, '{"flow": "a"}'), (4, "[]")):
        path.write_text("\n".join([*lines[: number - 1], line, *lines[number:]]))
        with pytest.raises(BadInput) as caught:
            read_scores(path)
        assert (f"line {number} " in str(caught.value)) == (number != 1)
    with pytest.raises(BadInput, match="cannot read"):
        read_scores(tmp_path / "none.jsonl")


# --- what ships -----------------------------------------------------------------------------


def test_shipped_flows_are_whole_and_say_what_they_are() -> None:
    flows = {flow.id: flow for flow in builtin.load_shipped_flows()}
    minis = {flow.id for flow in flows.values() if flow.card.base_model == "mini"}
    assert minis == {recipe.id for recipe in RECIPES}
    full = "sd15-base sdxl-base sdxl-refiner sd35-large flux1-dev flux1-schnell"
    elsewhere = "sdxl-turbo qwen-image z-image-turbo flux2-dev"
    assert set(flows) == {*minis, *full.split(), *elsewhere.split()}
    for flow in flows.values():
        assert flow.card.kind == "text-to-image"
        wanted = {"positive", "seed", "width", "height", "steps", "guidance"}
        assert wanted - {"steps"} <= set(flow.card.slots)
        assert ("steps" in flow.card.slots) == (flow.id != "sdxl-refiner"), "two samplers share one schedule"
        assert flow.card.description
        assert flow.card.licence
        assert flow.card.duplicate_of is None
    assert all(flows[flow.id].graph == flow.graph for flow in mini_flows()), "write them with tools.mini_flows"
    flux = flows["flux1-dev"]
    assert [(b.node, b.input) for b in flux.card.slots["guidance"]] == [("8", "guidance")]
    assert "negative" not in flux.card.slots
    for name in ("sdxl-base", "flux1-dev"):
        assert all(str(model.url).startswith("https://huggingface.co/") for model in flows[name].card.models)


def test_shipped_evidence_is_about_shipped_flows_as_they_are(index: FlowIndex) -> None:
    index.ensure_builtin()
    evidence = builtin.load_shipped_evidence()
    assert len(index.evidence_for()) == len(evidence.rows)


def test_built_in_flows_come_once(index: FlowIndex) -> None:
    index.ensure_builtin()
    generation = index.generation
    index.ensure_builtin()
    assert index.generation == generation
    assert {flow.id for flow in index.list()} == {flow.id for flow in builtin.load_shipped_flows()}


def test_a_new_release_replaces_its_own_and_leaves_the_persons(
    index: FlowIndex, kit: ModuleType, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    (release / "evidence").mkdir(parents=True)
    shutil.copytree(builtin.HERE / "flows", release / "flows")
    builtin.ensure(index, release)
    mine = index.add(kit.flow("mini-quick", steps=77), replace=True)
    other = index.add(kit.flow("mine", steps=78))
    index.add_evidence([kit.score("mine", "two red stars", 0.9)])
    (release / "flows" / "sdxl-base.json").unlink()
    changed = json.loads((release / "flows" / "mini-heun.json").read_text())
    changed["graph"]["5"]["inputs"]["steps"] = 13
    (release / "flows" / "mini-heun.json").write_text(json.dumps(changed))
    heun = next(flow for flow in builtin.load_shipped_flows(release / "flows") if flow.id == "mini-heun")
    rows = (kit.score("mini-heun", "two red stars", 0.5, graph_hash=builtin.store.graph_hash(heun.graph)),)
    (release / "evidence" / "mini.jsonl").write_text(dump_evidence(EvidenceFile(rows, {"two red stars": FACTS})))
    builtin.ensure(index, release)
    assert index.get("mini-quick") == mine
    assert index.get("mine") == other
    assert index.get("mini-heun").graph["5"]["inputs"]["steps"] == 13
    assert "sdxl-base" not in {flow.id for flow in index.list()}
    assert [row.flow for row in index.evidence_for()] == ["mine", "mini-heun"]
    assert index.prompt_facts() == {"two red stars": FACTS}
    assert index.mirror_ids("flows") == {flow.id for flow in index.list()}
    (release / "evidence" / "mini.jsonl").unlink()
    builtin.ensure(index, release)
    assert [row.flow for row in index.evidence_for()] == ["mine"]
