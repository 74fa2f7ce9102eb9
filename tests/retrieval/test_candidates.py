"""Ranking flows for a prompt: what runs here, what would, and a flow that was added a second ago."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.retrieval.candidates import offer, rank
from imagewright.retrieval.evidence import PromptFacts
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Candidate, Categories, ParsedGroup, ParsedPrompt, Problem, Readiness

READY = Readiness()
MISSING = Readiness(problems=(Problem(kind="model", name="x", remedy="put x into checkpoints/"),))
SHAPES = ("circle", "square", "star", "house")


def parsed(count: int, thing: str) -> ParsedPrompt:
    return ParsedPrompt(groups=(ParsedGroup(object=thing, count=count),))


def measured(index: FlowIndex, kit: ModuleType, values: dict[str, float]) -> None:
    """Adds mini flows with scores on sixteen prompts."""
    prompts = {f"{n} {shape}s": parsed(n, shape) for n in (1, 2, 3, 4) for shape in SHAPES}
    for number, (name, value) in enumerate(values.items()):
        index.add(kit.flow(name, steps=number + 1, description="shapes"))
        rows = [kit.score(name, text, min(1.0, value + 0.03 * (i % 3)), seconds=2.0) for i, text in enumerate(prompts)]
        index.add_evidence(rows, {text: PromptFacts(found, ("Counting",)) for text, found in prompts.items()})


def ranked(
    index: FlowIndex, prompt: str, found: ParsedPrompt, missing: Sequence[str] = (), **options: object
) -> tuple[Candidate, ...]:
    ready = {flow.id: MISSING if flow.id in missing else READY for flow in index.list()}
    labels = Categories(labels=("Counting",))
    return rank(index, prompt, found, labels, ready, "here", **options)  # type: ignore[arg-type]


def test_the_best_measured_flow_comes_first_with_its_facts(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"poor": 0.4, "good": 0.8})
    best, worse = ranked(index, "3 stars", parsed(3, "star"))
    assert (best.flow, worse.flow) == ("good", "poor")
    assert best.estimate == pytest.approx(0.83, abs=0.08)
    assert best.low < best.estimate < best.high
    assert (best.evidence, best.cost, best.base_model, best.runnable, best.why_not) == (16, 2.0, "mini", True, "")


def test_the_same_question_has_the_same_answer(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"poor": 0.4, "good": 0.8})
    first = ranked(index, "3 stars", parsed(3, "star"))
    index.reindex()
    assert ranked(index, "3 stars", parsed(3, "star")) == first


def test_evidence_of_another_backend_does_not_count(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"a": 0.4, "b": 0.8})
    rows = [kit.score("a", f"{n} stars", 1.0, backend="there") for n in (1, 2, 3)]
    before = ranked(index, "3 stars", parsed(3, "star"))
    index.add_evidence(rows)
    assert ranked(index, "3 stars", parsed(3, "star")) == before


def test_a_critics_verdicts_count_only_when_asked_for(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"a": 0.6, "b": 0.6})
    before = ranked(index, "3 stars", parsed(3, "star"))
    index.add_evidence([kit.score("b", f"{n} stars", 1.0, seed=s, source="critic") for n in (2, 3) for s in range(9)])
    assert ranked(index, "3 stars", parsed(3, "star")) == before
    learned = ranked(index, "3 stars", parsed(3, "star"), learn_critic=True)
    assert learned[0].flow == "b"
    assert learned[0].estimate > before[0].estimate


def test_flows_that_cannot_run_are_listed_with_the_reason_and_not_offered(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {f"m{number}": 0.5 + number / 20 for number in range(6)})
    for name in ("full-a", "full-b", "full-c"):
        index.add(kit.flow(name, steps=30 + len(name), model=f"{name}.safetensors", description="photos"))
    missing = ("full-a", "full-b", "full-c")
    found = ranked(index, "3 stars", parsed(3, "star"), missing, k=4)
    assert len(found) == 4
    assert [c.estimate for c in found] == sorted((c.estimate for c in found), reverse=True)
    unable = [c for c in found if not c.runnable]
    assert [c.why_not for c in unable] == ["put x into checkpoints/"] * 2
    assert [c.flow for c in offer(found)] == ["m5", "m4"]


def test_what_files_would_cure_and_what_is_asked_for_have_room_on_the_list(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {f"m{number}": 0.5 + number / 20 for number in range(6)})
    lost = Readiness(problems=(Problem(kind="family", name="x", remedy="use another backend"),))
    for name in ("full-a", "full-b", "full-c"):
        index.add(kit.flow(name, steps=30 + len(name), model=f"{name}.safetensors", description="photos"))
    ready = {flow.id: READY for flow in index.list()} | {"full-a": lost, "full-b": lost}
    ready["full-c"] = Readiness(problems=(Problem(kind="model", name="x", remedy="put x into checkpoints/"),))
    nothing = Categories(labels=())
    found = rank(index, "3 stars", parsed(3, "star"), nothing, ready, "here", k=4)
    assert "full-c" in {c.flow for c in found}
    asked = rank(index, "3 stars", parsed(3, "star"), nothing, ready, "here", k=4, named="m0")
    assert {c.flow for c in asked} == {*(c.flow for c in found if c.flow != "m4"), "m0"}
    assert [c.estimate for c in asked] == sorted((c.estimate for c in asked), reverse=True)


def test_mini_is_offered_only_where_no_full_model_can_run(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"m": 0.9})
    index.add(kit.flow("full", model="sd_xl_base_1.0.safetensors", steps=30))
    assert [c.flow for c in offer(ranked(index, "3 stars", parsed(3, "star")))] == ["full"]
    assert [c.flow for c in offer(ranked(index, "3 stars", parsed(3, "star"), ["full"]))] == ["m"]
    assert offer(ranked(index, "3 stars", parsed(3, "star"), ["full", "m"])) == ()


def test_a_model_that_cannot_draw_the_words_comes_last(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"m": 0.9})
    index.add(kit.flow("full", model="sd_xl_base_1.0.safetensors", steps=30))
    two = ParsedPrompt(groups=(ParsedGroup(object="astronaut"), ParsedGroup(object="star")))
    found = ranked(index, "an astronaut and a star", two, ["full"], limits={"m": ("astronaut",)})
    assert [c.flow for c in found] == ["full", "m"]
    free = ranked(index, "an astronaut and a star", two, ["full"])
    by_name = {c.flow: c for c in free}
    assert found[1].estimate == pytest.approx(by_name["m"].estimate / 2, abs=1e-3)
    assert found[1].low == 0.0


def test_published_figures_break_ties_and_enter_no_estimate(index: FlowIndex, kit: ModuleType) -> None:
    for name, figure in (("a", 0.4), ("b", 0.7), ("c", None)):
        flow = kit.flow(name, steps=len(index.list()) + 1, model=f"{name}.safetensors")
        figures = {} if figure is None else {"GenEval": figure}
        card = flow.card.model_copy(update={"benchmarks": figures, "title": "same"})
        index.add(flow.model_copy(update={"card": card}))
    found = ranked(index, "3 stars", parsed(3, "star"))
    assert [c.flow for c in found] == ["b", "a", "c"]
    assert len({c.estimate for c in found}) == 1


def test_only_flows_from_text_to_image_are_ranked(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    video = kit.flow("video", steps=3)
    index.add(video.model_copy(update={"card": video.card.model_copy(update={"kind": "video"})}))
    assert [c.flow for c in ranked(index, "3 stars", parsed(3, "star"))] == ["a"]
    assert ranked(index, "3 stars", parsed(3, "star"), k=1)[0].flow == "a"


def test_a_flow_that_appears_after_readiness_was_asked_waits_for_the_next_prompt(
    index: FlowIndex, kit: ModuleType
) -> None:
    index.add(kit.flow("a"))
    index.add(kit.flow("b", steps=2))
    found = rank(index, "3 stars", parsed(3, "star"), Categories(labels=()), {"a": READY}, "here")
    assert [c.flow for c in found] == ["a"]


def test_a_flow_that_another_process_adds_is_chosen_at_once_for_the_prompt_it_fits(
    index: FlowIndex, kit: ModuleType, tmp_path: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    measured(index, kit, {"poor": 0.5, "fair": 0.6, "good": 0.7})
    hearts = ParsedPrompt(groups=(ParsedGroup(object="heart", attributes=("small",), count=3),))
    assert ranked(index, "three small hearts", hearts)[0].flow == "good"
    path = tmp_path / "crowded hearts.json"
    card = {"title": "Crowded hearts", "description": "three or more small hearts, counting"}
    path.write_text(json.dumps({"card": card, "graph": kit.graph(steps=40)}))
    adding = process("file", str(path))
    assert adding.wait() == 0
    first, second, *_ = ranked(index, "three small hearts", hearts)
    assert (first.flow, second.flow) == ("crowded-hearts", "good")
    assert first.evidence == 0
    assert first.low < second.estimate < first.estimate <= first.high
    assert ranked(index, "a blue square", parsed(1, "square"))[0].flow == "good"


def test_a_claim_that_measures_badly_is_not_believed_again(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"fair": 0.6, "good": 0.7})
    index.add(kit.flow("boaster", steps=50, description="three small hearts"))
    hearts = parsed(3, "heart")
    assert ranked(index, "three small hearts", hearts)[0].flow == "boaster"
    index.add_evidence([kit.score("boaster", f"{n} {shape}s", 0.3) for n in (1, 2, 3, 4) for shape in SHAPES])
    assert ranked(index, "three small hearts", hearts)[0].flow == "good"


def test_a_flow_that_was_never_scored_does_not_take_over(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"poor": 0.4, "fair": 0.6, "good": 0.8})
    index.add(kit.flow("new", steps=60, description="something else entirely"))
    found = {c.flow: c for c in ranked(index, "3 stars", parsed(3, "star"))}
    middle = sum(found[name].estimate for name in ("poor", "fair", "good")) / 3
    assert found["new"].low < found["new"].estimate < middle
    assert found["new"].evidence == 0


def test_a_flow_that_draws_the_same_shares_the_scores_and_comes_second(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"poor": 0.4, "good": 0.8})
    twin = index.add(kit.flow("a-twin", steps=2, description="three stars, three of them, stars"))
    assert twin.card.duplicate_of == "good"
    first, second, *_ = ranked(index, "3 stars", parsed(3, "star"))
    assert (first.flow, second.flow) == ("good", "a-twin")
    assert (second.estimate, second.evidence) == (first.estimate, first.evidence)


def test_a_flow_that_is_switched_off_or_removed_is_no_candidate(index: FlowIndex, kit: ModuleType) -> None:
    measured(index, kit, {"poor": 0.4, "good": 0.8})
    index.switch("good", on=False)
    assert [c.flow for c in ranked(index, "3 stars", parsed(3, "star"))] == ["poor"]
    index.switch("good", on=True)
    assert ranked(index, "3 stars", parsed(3, "star"))[0].flow == "good"
    index.remove("good")
    assert [c.flow for c in ranked(index, "3 stars", parsed(3, "star"))] == ["poor"]
