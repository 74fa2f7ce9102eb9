"""A compiled flow: made once for what is written, never changed by what is asked."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest

from imagewright import flow_format
from imagewright.errors import BadInput
from imagewright.flow_format import graph_hash
from imagewright.needs import NeededFile
from imagewright.schemas import Flow, SlotBinding
from imagewright.t2i_backends.execution import program
from imagewright.t2i_backends.execution.program import compile_flow, forget_programs

MakeFlow = Callable[..., Flow]


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of nodes of every graph that was ordered, from an empty store of programs on."""
    forget_programs()
    found: list[int] = []
    order = flow_format.order

    def count(graph: flow_format.Graph) -> list[str]:
        found.append(len(graph))
        return order(graph)

    monkeypatch.setattr(flow_format, "order", count)
    monkeypatch.setattr(program, "order", count)
    return found


def with_graph(flow: Flow, graph: dict[str, Any]) -> Flow:
    return flow.model_copy(update={"graph": graph})


def test_a_flow_is_compiled_once_whoever_holds_it(make_flow: MakeFlow, ordered: list[int]) -> None:
    first = compile_flow(make_flow())
    assert compile_flow(make_flow()) is first
    retitled = make_flow()
    retitled = retitled.model_copy(update={"card": retitled.card.model_copy(update={"title": "another"})})
    assert compile_flow(retitled) is first
    assert compile_flow(make_flow(ks_steps=5)) is not first
    assert compile_flow(make_flow(family="sd3")).family == "sd3"
    assert compile_flow(make_flow().model_copy(update={"id": "twin"})).name == "twin"
    assert ordered == [7, 7]


def test_threads_that_come_at_once_share_one(make_flow: MakeFlow, ordered: list[int]) -> None:
    found: list[program.Program] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        flow = make_flow()
        barrier.wait()
        found.append(compile_flow(flow))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert ordered == [7]


def test_a_request_is_bound_without_ordering_and_leaves_the_program_alone(
    make_flow: MakeFlow, ordered: list[int]
) -> None:
    compiled = compile_flow(make_flow())
    before = copy.deepcopy(compiled.graph)
    bound = compiled.bind({"positive": "a blue cat", "seed": 3, "width": 512, "height": 256, "steps": None})
    assert bound.graph["pos"]["inputs"]["text"] == "a blue cat"
    assert (bound.pixels, compiled.pixels) == (512 * 256, 16 * 16)
    assert (bound.order, bound.nodes, bound.output) == (compiled.order, compiled.nodes, compiled.output)
    assert compiled.bind({"steps": 0}).flaws[0].name == "KSampler ks.steps"
    assert compiled.flaws == ()
    assert compiled.graph == before
    assert ordered == [7]
    with pytest.raises(BadInput, match="no slot 'mask'"):
        compiled.bind({"mask": "x"}, insist=("mask",))


def test_a_value_that_replaces_a_link_is_ordered_anew(make_flow: MakeFlow, ordered: list[int]) -> None:
    flow = make_flow()
    graph = {
        "n": {"class_type": "PrimitiveInt", "inputs": {"value": 4}},
        **flow.graph,
    }
    graph["ks"]["inputs"]["steps"] = ["n", 0]
    slots = {**flow.card.slots, "steps": (SlotBinding(node="ks", input="steps"),)}
    flow = Flow(id="linked", graph=graph, card=flow.card.model_copy(update={"slots": slots}))
    compiled = compile_flow(flow)
    assert "n" in compiled.nodes
    assert "n" in compiled.bind({"seed": 1}).nodes
    assert ordered == [8]
    bound = compiled.bind({"steps": 2})
    assert "n" not in bound.nodes
    assert set(bound.order) == set(graph)
    assert ordered == [8, 8]


def test_what_is_written_otherwise_is_another_program(make_flow: MakeFlow) -> None:
    """Two graphs of one hash: the order of nodes says which picture is the result, and ``1.0`` numbers no output."""
    flow = make_flow()
    first = {**flow.graph, "one": copy.deepcopy(flow.graph["out"])}
    second = {"one": first["one"], **flow.graph}
    assert graph_hash(first) == graph_hash(second)
    assert [compile_flow(with_graph(flow, graph)).output for graph in (first, second)] == ["one", "out"]
    broken = copy.deepcopy(flow.graph)
    broken["pos"]["inputs"]["clip"] = ["ckpt", 1.0]
    assert graph_hash(broken) == graph_hash(flow.graph)
    assert [len(compile_flow(with_graph(flow, graph)).flaws) for graph in (flow.graph, broken)] == [0, 1]


def test_a_flow_that_cannot_be_read_is_told_each_time_and_read_once(make_flow: MakeFlow, ordered: list[int]) -> None:
    for _ in range(3):
        with pytest.raises(BadInput, match="circle") as caught:
            compile_flow(make_flow(ks_latent_image=["ks", 0]))
        assert caught.value.remedy == "remove one of the links"
    assert ordered == [7]
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadInput, match="nested deeper"):
        compile_flow(with_graph(make_flow(), {"x": {"class_type": "A", "inputs": {"a": deep}}}))


def test_programs_are_kept_while_there_is_room(
    make_flow: MakeFlow, ordered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "KEPT_CHARACTERS", 6 * len(repr(make_flow().graph)))
    flows = [make_flow(ks_steps=steps) for steps in range(1, 11)]
    for flow in flows:
        compile_flow(flow)
    assert len(ordered) == 10
    compile_flow(flows[-1])
    assert len(ordered) == 10
    compile_flow(flows[0])
    assert len(ordered) == 11


def test_files_are_what_the_flow_names_by_itself(make_flow: MakeFlow) -> None:
    flow = make_flow()
    graph = {
        **flow.graph,
        "face": {"class_type": "FaceDetailer", "inputs": {}},
        "net": {"class_type": "UNETLoader", "inputs": {"unet_name": "big.safetensors", "weight_dtype": "fp8_e4m3fn"}},
        "spare": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "unused.safetensors"}},
    }
    graph["ks"]["inputs"]["model"] = ["net", 0]
    program = compile_flow(Flow(id="needy", graph=graph, card=flow.card))
    assert program.files == (
        NeededFile(folder="checkpoints", name="tiny"),
        NeededFile(folder="diffusion_models", name="big.safetensors", eight_bit=True),
    )
    assert program.pixels == 16 * 16
