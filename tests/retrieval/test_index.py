"""The flow index: SQLite's truth, Chroma's mirror of it, many processes at a time."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from imagewright.errors import BadInput
from imagewright.retrieval.evidence import PromptFacts
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import ParsedGroup, ParsedPrompt

Start = Callable[..., "subprocess.Popen[str]"]


def test_what_is_added_is_there_as_it_was_given(index: FlowIndex, kit: ModuleType) -> None:
    flow = kit.flow("red-hearts", steps=12, description="hearts in red")
    assert index.add(flow) == flow
    assert index.get("red-hearts") == flow
    assert index.list() == (flow,)


def test_an_unknown_flow_is_named_with_close_matches(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("red-hearts"))
    for act in (index.get, index.remove):
        with pytest.raises(BadInput, match="no flow is called 'red-heart'") as caught:
            act("red-heart")
        assert "red-hearts" in caught.value.remedy


def test_search_finds_the_nearest_cards_with_exact_cosines(index: FlowIndex, kit: ModuleType, notes: list[str]) -> None:
    for name in ("photos of people", "anime girls", "landscapes with mountains"):
        index.add(kit.flow(name.replace(" ", "-"), steps=len(name), description=name))
    found = index.search("a mountain landscape with people", 2)
    assert [key for key, _ in found] == ["landscapes-with-mountains", "photos-of-people"]
    query = np.array(kit.WordEmbedder().embed(["a mountain landscape with people"])[0])
    card = np.array(kit.WordEmbedder().embed(["landscapes with mountains. landscapes with mountains"])[0])
    assert found[0][1] == pytest.approx(float(query @ card), abs=1e-6)
    assert notes == []


def test_an_empty_index_finds_nothing(index: FlowIndex) -> None:
    assert index.search("anything") == ()
    assert index.near_prompts([1.0] * 64) == ()


def test_a_taken_id_is_refused_replaced_or_renamed(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a", steps=1))
    with pytest.raises(BadInput, match="already called 'a'"):
        index.add(kit.flow("a", steps=2))
    assert index.add(kit.flow("a", steps=3), rename=True).id == "a-2"
    assert index.add(kit.flow("a", steps=4), replace=True).id == "a"
    steps = {flow.id: flow.graph["5"]["inputs"]["steps"] for flow in index.list()}
    assert steps == {"a": 4, "a-2": 3}


def test_a_flow_that_draws_the_same_names_its_twin(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("first", steps=5))
    twin = index.add(kit.flow("second", steps=5, text="other words"))
    assert twin.card.duplicate_of == "first"
    assert index.get("second").card.duplicate_of == "first"
    assert index.add(kit.flow("third", steps=6)).card.duplicate_of is None


def test_every_change_raises_the_generation_once(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    seen = [index.generation]
    index.search("a")
    assert index.generation == seen[0]
    for change in (lambda: index.add_evidence([kit.score("a", "p", 1.0)]), lambda: index.remove("a")):
        change()
        seen.append(index.generation)
    assert seen == [1, 2, 3]


def test_what_is_derived_is_made_once_for_every_state_and_shared_with_listeners(
    index: FlowIndex, kit: ModuleType
) -> None:
    made: list[int] = []

    def count() -> int:
        made.append(len(index.list()))
        return made[-1]

    other = index.heard_by(made.append)
    assert [index.derive("count", count), other.derive("count", count)] == [0, 0]
    index.add(kit.flow("red-hearts"))
    assert [other.derive("count", count), index.derive("count", count)] == [1, 1]
    assert made == [0, 1]


def test_changes_show_in_the_next_search(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a", description="boats"))
    index.add(kit.flow("b", steps=9, description="boats and ships"))
    assert {key for key, _ in index.search("boats")} == {"a", "b"}
    index.remove("b")
    index.add(kit.flow("a", description="trains", steps=3), replace=True)
    (found,) = index.search("trains")
    assert found[0] == "a"
    assert found[1] > 0.6
    assert index.mirror_ids("flows") == {"a"}


def test_a_random_history_ends_with_mirror_and_truth_alike(index: FlowIndex, kit: ModuleType) -> None:
    rng = random.Random(3)
    model: dict[str, int] = {}
    for step in range(40):
        name = f"f{rng.randrange(8)}"
        if name in model and rng.random() < 0.5:
            index.remove(name)
            del model[name]
        else:
            model[name] = step + 1
            index.add(kit.flow(name, steps=step + 1, description=f"step {step}"), replace=True)
        if rng.random() < 0.4:
            assert {key for key, _ in index.search("step", 50)} == set(model)
    assert {flow.id: flow.graph["5"]["inputs"]["steps"] for flow in index.list()} == model
    assert index.mirror_ids("flows") == set(model)


# --- many processes -------------------------------------------------------------------------


def test_three_processes_that_add_lose_nothing(index: FlowIndex, process: Start) -> None:
    writers = [process("add", prefix, "8") for prefix in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    expected = {f"{prefix}-{number}" for prefix in ("one", "two", "three") for number in range(8)}
    assert {flow.id for flow in index.list()} == expected
    assert index.mirror_ids("flows") == expected
    assert {key for key, _ in index.search("number", 100)} == expected


def test_while_another_process_holds_the_mirror_the_answer_is_exact_and_says_so(
    index: FlowIndex, kit: ModuleType, process: Start, notes: list[str]
) -> None:
    for number in range(12):
        index.add(kit.flow(f"f{number}", steps=number + 1, description=f"boats {number}"))
    before = index.search("boats 7", 5)
    holder = process("hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    index.add(kit.flow("late", steps=50, description="boats 7 boats 7"))
    during = index.search("boats 7", 6)
    holder.communicate("")
    assert during[0][0] == "late"
    assert set(before) <= set(during)
    assert notes == ["answered exactly without the vector index: another process is using the vector index"]
    assert index.search("boats 7", 6) == during
    assert len(notes) == 1


def test_a_lock_whose_holder_was_killed_is_free(index: FlowIndex, kit: ModuleType, process: Start) -> None:
    index.add(kit.flow("a"))
    holder = process("hold")
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    assert index.mirror_ids("flows") == {"a"}


# --- the mirror is derived ------------------------------------------------------------------


def current(folder: Path) -> str:
    return str(json.loads((folder / "current.json").read_text())["folder"])


def test_reindex_switches_to_a_new_folder_and_removes_the_old(
    index: FlowIndex, kit: ModuleType, tmp_path: Path
) -> None:
    index.add(kit.flow("a"))
    index.search("a")
    old = current(tmp_path / "chroma")
    index.reindex()
    assert current(tmp_path / "chroma") != old
    assert [path.name for path in (tmp_path / "chroma").glob("index-*")] == [current(tmp_path / "chroma")]
    assert index.mirror_ids("flows") == {"a"}


@pytest.mark.parametrize("harm", ["gone", "pointer", "outside", "broken"])
def test_a_damaged_mirror_never_changes_an_answer(
    index: FlowIndex, kit: ModuleType, tmp_path: Path, notes: list[str], harm: str
) -> None:
    for number in range(5):
        index.add(kit.flow(f"f{number}", steps=number + 1, description=f"boats {number}"))
    before = index.search("boats 3", 5)
    folder = tmp_path / "chroma"
    inside = folder / current(folder)
    if harm == "gone":
        shutil.rmtree(inside)
    elif harm == "pointer":
        (folder / "current.json").write_text('{"folder": "ind')
    elif harm == "outside":
        (folder / "current.json").write_text('{"folder": "../../index-x", "generation": 1}')
    else:
        (inside / "chroma.sqlite3").write_bytes(b"not a database" * 1000)
    assert index.search("boats 3", 5) == before
    assert bool(notes) == (harm == "broken")
    index.reindex()
    assert index.mirror_ids("flows") == {key for key, _ in before}


def test_a_chroma_folder_that_cannot_be_made_is_told_and_worked_around(kit: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    notes: list[str] = []
    index = FlowIndex(tmp_path / "i.sqlite", tmp_path / "file" / "chroma", kit.WordEmbedder(), notes.append)
    index.add(kit.flow("a", description="boats"))
    assert [key for key, _ in index.search("boats")] == ["a"]
    assert len(notes) == 1
    with pytest.raises(BadInput, match="cannot rebuild"):
        index.reindex()


# --- evidence -------------------------------------------------------------------------------


def test_evidence_is_kept_once_and_by_backend(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    rows = [kit.score("a", "two stars", 0.5), kit.score("a", "two stars", 0.9, backend="there")]
    index.add_evidence(rows)
    index.add_evidence([kit.score("a", "two stars", 0.7)])
    assert [row.value for row in index.evidence_for("a", "here")] == [0.7]
    assert [row.value for row in index.evidence_for("a")] == [0.7, 0.9]
    assert index.evidence_for("b") == ()


def test_an_edited_flow_does_not_inherit_its_scores(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a", steps=5))
    index.add_evidence([kit.score("a", "two stars", 0.5)])
    index.add(kit.flow("a", steps=6), replace=True)
    assert index.evidence_for("a") == ()
    index.add(kit.flow("a", steps=5), replace=True)
    assert len(index.evidence_for("a")) == 1


def test_evidence_of_an_unknown_flow_is_refused_whole(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    with pytest.raises(BadInput, match="no flow is called 'b'"):
        index.add_evidence([kit.score("a", "two stars", 0.5), kit.score("b", "two stars", 0.5)])
    assert index.evidence_for() == ()
    assert index.prompt_facts() == {}


def test_near_prompts_are_those_of_evidence(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    index.add_evidence([kit.score("a", prompt, 0.5) for prompt in ("two stars", "a red house", "a house at night")])
    found = index.near_prompts(kit.WordEmbedder().embed(["a house"])[0], 2)
    assert {text for text, _ in found} == {"a red house", "a house at night"}
    assert index.mirror_ids("prompts") == set(index._mirror._truth.ids("prompts"))


def test_facts_of_a_prompt_are_added_and_never_lost(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    facts = PromptFacts(ParsedPrompt(groups=(ParsedGroup(object="star", count=2),)), ("Counting",))
    index.add_evidence([kit.score("a", "two stars", 0.5)])
    assert index.prompt_facts() == {"two stars": PromptFacts()}
    index.add_evidence([kit.score("a", "two stars", 0.6)], {"two stars": facts})
    index.add_evidence([kit.score("a", "two stars", 0.7)])
    assert index.prompt_facts() == {"two stars": facts}


def test_text_of_any_kind_can_be_asked_for(index: FlowIndex, kit: ModuleType) -> None:
    index.add(kit.flow("a"))
    for text in ("", "\x00", "🦊 " * 500, "\udcff", "'; DROP TABLE flows; --"):
        assert len(index.search(text)) == 1
    index.add_evidence([kit.score("a", "'; DROP TABLE flows; --", 0.5)])
    assert index.evidence_for("a")[0].prompt == "'; DROP TABLE flows; --"
