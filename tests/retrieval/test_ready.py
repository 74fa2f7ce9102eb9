"""What can run here, asked once for needs that flows share, agrees with the exact word on each flow."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.needing import read_need
from imagewright.needs import Need
from imagewright.retrieval import readiness_of_all, store
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.candidates import rank
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.intake import read_flow_file
from imagewright.schemas import Categories, Flow, ParsedPrompt, Problem, Readiness
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.execution import needs_check
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.execution.readiness import Looked, look_into_files
from imagewright.t2i_backends.mini.shipped import WEIGHTS
from imagewright.t2i_backends.models.model_files import KIND_FOLDERS, ModelFiles

NOTHING = ParsedPrompt()


def test_needs_and_check_agree_on_every_shipped_flow() -> None:
    backend, flows = DiffusersBackend([], "cpu"), load_shipped_flows()
    for flow, found in zip(flows, backend.missing([read_need(flow) for flow in flows]), strict=True):
        exact = backend.check(flow)
        assert (found.runnable, found.curable, found.why_not) == (exact.runnable, exact.curable, exact.why_not), flow.id


def read_templates(folder: Path) -> list[Flow]:
    """ComfyUI's own templates as flows, from the benchmark data."""
    data = os.environ.get("IMAGEWRIGHT_DATA")
    if data is None:
        pytest.skip("IMAGEWRIGHT_DATA names no folder with comfyui/")
    found = []
    for file in sorted(Path(data, "comfyui").glob("frontend*conversions.json")):
        for name, graph in json.loads(file.read_text()).items():
            path = folder / f"{len(found)}-{name}.json"
            path.write_text(json.dumps(graph))
            with suppress(BadInput):
                found.append(read_flow_file(path).flow)
    return found


def test_needs_and_check_agree_on_comfyuis_templates_whatever_lies_in_the_folders(tmp_path: Path) -> None:
    flows, root = read_templates(tmp_path), tmp_path / "models"
    assert len(flows) >= 30
    backend, needs = DiffusersBackend([root], "cpu"), [read_need(flow) for flow in flows]
    rng = random.Random(7)
    files = sorted({root / file.folder / file.name for flow in flows for file in flow.card.models})
    for step in range(3):
        for flow, found in zip(flows, backend.missing(needs), strict=True):
            exact = backend.check(flow)
            assert (found.runnable, found.curable) == (exact.runnable, exact.curable), (step, flow.id)
            names = {file.name for file in flow.card.models}  # an input picture is the request's, and no need
            mine, theirs = ({p.name for p in each.problems} & names for each in (found, exact))
            assert mine == theirs, (step, flow.id)
        for file in rng.sample(files, len(files) // 2):
            lay_down(file, {"some.weight": [4, 4]}, whole=step == 0 or rng.random() < 0.5)


LORA = WEIGHTS / "loras" / "counting.safetensors"
"""One that fits mini: what fits nothing is refused."""


def lay_down(file: Path, shapes: dict[str, list[int]], whole: bool = True) -> None:
    """A safetensors file of zeros, or only its first half."""
    entries, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    head = json.dumps(entries).encode()
    data = len(head).to_bytes(8, "little") + head + bytes(end)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if whole else data[: len(data) // 2])


@pytest.mark.parametrize("seed", range(3))
def test_files_that_come_and_go_are_noticed_and_nothing_is_offered_that_check_refuses(
    seed: int, index: FlowIndex, kit: ModuleType, tmp_path: Path
) -> None:
    rng, root = random.Random(seed), tmp_path / "models"
    (root / "loras").mkdir(parents=True)
    backend = DiffusersBackend([root], "cpu")
    mini = [flow for flow in load_shipped_flows() if flow.id in ("mini-plain", "mini-counting", "mini-quick")]
    index.add_many(mini)
    for name in ("one.safetensors", "deep/two.safetensors"):
        flow = mini[[f.id for f in mini].index("mini-counting")]
        graph = json.loads(json.dumps(flow.graph).replace("counting.safetensors", name))
        index.add(flow.model_copy(update={"id": name.split(".")[0].replace("/", "-"), "graph": graph}))
    files = [root / "loras" / "one.safetensors", root / "loras" / "deep" / "two.safetensors"]
    seen = set()
    for _ in range(12):
        file = rng.choice(files)
        if rng.random() < 0.35:
            file.unlink(missing_ok=True)
        else:
            whole = LORA.read_bytes()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(whole if rng.random() < 0.6 else whole[: len(whole) // 2])
        found = rank(index, "a star", NOTHING, Categories(labels=()), index.ready_for(backend), "here")
        exact = {flow.id: backend.check(flow).runnable for flow in index.list()}
        assert {c.flow: c.runnable for c in found} == {c.flow: exact[c.flow] for c in found}
        seen.add(tuple(sorted(c.flow for c in found if c.runnable)))
    assert len(seen) > 1


def test_what_files_say_is_remembered_for_flows_that_name_them_alike_until_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Program] = []

    def look(program: Program, files: ModelFiles, device: str) -> Looked:
        looked.append(program)
        return look_into_files(program, files, device)

    monkeypatch.setattr(needs_check, "look_into_files", look)
    plain = next(flow for flow in load_shipped_flows() if flow.id == "mini-counting")
    (lora,) = (node for node in plain.graph.values() if "lora_name" in node["inputs"])
    lora["inputs"]["lora_name"] = "mine.safetensors"
    other, off = plain.model_copy(deep=True), plain.model_copy(deep=True)
    for node in other.graph.values():
        if "steps" in node["inputs"]:
            node["inputs"]["steps"] = 3
    for node in off.graph.values():
        if "strength_model" in node["inputs"]:
            node["inputs"]["strength_model"] = 0.0
    file = tmp_path / "loras" / "mine.safetensors"
    file.parent.mkdir()
    shutil.copy(LORA, file)
    backend, needs = DiffusersBackend([tmp_path], "cpu"), tuple(map(read_need, (plain, other, off)))

    def ask(*flows: Flow) -> tuple[list[bool], int]:
        before = len(looked)
        backend.missing(needs)
        return [backend.check(flow).runnable for flow in flows], len(looked) - before

    assert ask(plain, other, plain) == ([True] * 3, 1)
    assert ask(off, off) == ([True] * 2, 1)
    lay_down(file, {"some.weight": [4, 4]})
    assert backend.check(other).runnable is False  # before ``missing`` hears of it
    assert ask(plain, other, off) == ([False, False, False], 2)
    file.unlink()
    assert ask(plain, other, off)[0] == [False] * 3
    shutil.copy(LORA, file)
    assert ask(plain, other, off) == ([True] * 3, 2)


def test_every_kind_of_folder_is_watched(tmp_path: Path) -> None:
    backend = DiffusersBackend([tmp_path / "models"], "cpu")
    needs: Sequence[Need] = [read_need(load_shipped_flows()[0])]
    for kind in KIND_FOLDERS.values():
        before = backend.missing(needs)
        assert backend.missing(needs) is before
        (tmp_path / "models" / kind[0]).mkdir(parents=True)
        assert backend.missing(needs) is not before


class Outside:
    """A backend of a plugin: it answers flow by flow only."""

    name = "outside"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check(self, flow: Flow) -> Readiness:
        """Refuses one flow."""
        self.asked.append(flow.id)
        return Readiness(problems=(Problem(kind="node", name="x", remedy="no"),) if flow.id == "a" else ())


def test_a_backend_that_knows_no_needs_is_asked_about_every_flow_once_and_that_is_said(
    index: FlowIndex, kit: ModuleType, notes: list[str]
) -> None:
    index.add_many([kit.flow("a"), kit.flow("b", steps=2)])
    backend = Outside()
    for _ in range(2):
        ready = index.ready_for(backend)  # type: ignore[arg-type]
        found = rank(index, "a star", NOTHING, Categories(labels=()), ready, "here")
        assert {c.flow: c.runnable for c in found} == {"a": False, "b": True}
    assert sorted(backend.asked) == ["a", "b"]
    assert len([note for note in notes if "outside" in note]) == 1
    index.add(kit.flow("c", steps=3))
    assert "c" in {c.flow for c in rank(index, "a star", NOTHING, Categories(labels=()), ready, "here")}


def test_a_flow_that_only_check_refuses_gives_its_place_to_another(index: FlowIndex) -> None:
    flow = next(flow for flow in load_shipped_flows() if flow.id == "mini-plain")
    bad = json.loads(json.dumps(flow.graph))
    for node in bad.values():
        if "steps" in node["inputs"]:
            node["inputs"]["steps"] = -3
    index.add_many([flow, *(flow.model_copy(update={"id": f"bad-{n}", "graph": bad}) for n in range(9))])
    backend = DiffusersBackend([], "cpu")
    assert len({read_need(each) for each in index.list()}) == 1
    found = rank(index, "a star", NOTHING, Categories(labels=()), index.ready_for(backend), "here", k=4)
    assert [c.flow for c in found if c.runnable] == ["mini-plain"]


def test_an_index_of_an_earlier_version_is_brought_up_where_it_was_left(index: FlowIndex, kit: ModuleType) -> None:
    index.add_many([kit.flow("a"), kit.flow("b", steps=2)])
    with index.reading() as db:
        wanted = [tuple(row) for row in db.execute("SELECT * FROM flow_facts ORDER BY id")]
        db.execute("DELETE FROM flow_facts WHERE id = 'b'")
        db.execute("DELETE FROM index_facts WHERE name = 'facts'")
    assert len(rank(index, "a star", NOTHING, Categories(labels=()), {"a": Readiness(), "b": Readiness()}, "here")) == 2
    with index.reading() as db:
        assert [tuple(row) for row in db.execute("SELECT * FROM flow_facts ORDER BY id")] == wanted
        assert store.fact(db, "facts")


def test_of_many_flows_the_answer_for_all_goes_by_needs_and_reads_no_graph(
    index: FlowIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add_many(load_shipped_flows())
    backend = DiffusersBackend([], "cpu")
    exact = readiness_of_all.tell_readiness(index, backend)
    assert exact == {flow.id: backend.check(flow) for flow in index.list()}
    monkeypatch.setattr(readiness_of_all, "EXACT_UP_TO", 3)
    monkeypatch.setattr(DiffusersBackend, "check", None)
    monkeypatch.setattr(store, "flow_from", None)
    assert {name: each.runnable for name, each in readiness_of_all.tell_readiness(index, backend).items()} == {
        name: each.runnable for name, each in exact.items()
    }
