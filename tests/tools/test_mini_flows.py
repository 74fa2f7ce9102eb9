"""Mini's flows: as many as said, all different, and read back by the index as flows without flaws."""

from pathlib import Path

from imagewright.flow_format import graph_hash
from imagewright.retrieval.intake import read_flow_file
from imagewright.t2i_backends.execution.graph_check import find_flaws
from imagewright.tools.mini_flows import RECIPES, main, mini_flows


def test_there_are_twenty_four_and_all_differ() -> None:
    flows = mini_flows()
    assert len(flows) == 24
    assert len({flow.id for flow in flows}) == 24
    # The two with a layout differ from others beside their graph.
    assert len({(graph_hash(flow.graph), flow.card.layout == "regions") for flow in flows}) == 24


def test_they_vary_everything_that_they_promise() -> None:
    assert {r.sampler for r in RECIPES} == {"euler", "heun", "dpmpp_2m"}
    assert {r.scheduler for r in RECIPES} == {"simple", "normal", "beta"}
    assert len({r.steps for r in RECIPES}) >= 6
    assert len({r.cfg for r in RECIPES}) >= 5
    assert len({name for r in RECIPES for name, _ in r.loras}) == 2
    assert any(r.few_steps for r in RECIPES)
    assert any(r.second for r in RECIPES)
    assert any(r.layout == "regions" for r in RECIPES)


def test_every_flow_says_whether_a_layout_governs_it() -> None:
    assert all(flow.card.layout in ("regions", "words") for flow in mini_flows())


def test_their_files_are_flows_without_flaws(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 24
    for file in files:
        flow = read_flow_file(file).flow
        assert flow.id == file.stem
        assert flow.card.base_model == "mini"
        assert {"positive", "negative", "seed", "width", "height", "steps", "guidance"} <= set(flow.card.slots)
        assert find_flaws(flow.graph) == []
