"""The asynchronous stream, the LangChain tool and the graph for LangGraph's server, on the shipped model."""

from __future__ import annotations

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from imagewright import Imagewright, as_tool, astream
from imagewright.errors import BadInput
from imagewright.langchain_tool import find_start
from imagewright.schemas import RunEvent, RunResult

QUICK = {"flow": "mini-quick", "use_critic": False, "seed": 1}


async def collected(prompt: str, stop_at: str = "", **options: Any) -> list[RunEvent | RunResult]:
    """The items of the stream, up to the first event of kind ``stop_at``."""
    found: list[RunEvent | RunResult] = []
    stream = astream(prompt, **options)
    async for item in stream:
        found.append(item)
        if isinstance(item, RunEvent) and item.kind == stop_at:
            await stream.aclose()  # type: ignore[attr-defined]
            break
    return found


def test_events_come_as_they_happen_and_the_result_last(tmp_path: Path) -> None:
    found = asyncio.run(collected("a red circle", out=str(tmp_path / "a.png"), **QUICK))
    kinds = [item.kind for item in found if isinstance(item, RunEvent)]
    assert kinds[0] == "run"
    assert kinds.index("flow") < kinds.index("step") < kinds.index("image") < kinds.index("delivered")
    assert isinstance(found[-1], RunResult)
    assert Path(found[-1].path).exists()


def test_leaving_the_loop_stops_the_run_and_it_can_be_resumed(tmp_path: Path) -> None:
    engine = Imagewright()
    found = asyncio.run(collected("a red circle", "step", engine=engine, out=str(tmp_path / "a.png"), **QUICK))
    assert isinstance(found[0], RunEvent)
    for _ in range(200):
        if engine.runs.get(found[0].run).status != "running":
            break
        asyncio.run(asyncio.sleep(0.05))
    assert engine.runs.get(found[0].run).status == "cancelled"
    assert Path(engine.resume(found[0].run).path).exists()


def test_what_goes_wrong_is_raised_out_of_the_loop() -> None:
    with pytest.raises(BadInput, match="empty"):
        asyncio.run(collected("  "))


def test_an_agent_gets_the_picture_or_the_remedy(tmp_path: Path) -> None:
    tool = as_tool(out=str(tmp_path), **QUICK)
    call = {"type": "tool_call", "id": "1", "name": tool.name, "args": {"prompt": "a red circle"}}
    message = tool.invoke(call)
    assert json.loads(message.content)["flow"] == "mini-quick"
    assert isinstance(message.artifact, RunResult)
    again = {"prompt": "a blue circle", "image": message.artifact.path, "strength": 0.9}
    assert any("starts from your image, strength 0.9" in note for note in json.loads(tool.invoke(again))["notes"])
    own = tmp_path / "own" / "mine.png"
    own.parent.mkdir()
    own.write_bytes(Path(message.artifact.path).read_bytes())
    assert "may be started from" in json.loads(tool.invoke({**again, "image": str(own)}))["error"]
    assert find_start(Imagewright(), "mine.png", own.parent) == str(own)
    with pytest.raises(BadInput, match="started from"):
        find_start(Imagewright(), "../own/../mine.png", own.parent)
    refused = json.loads(tool.invoke({"prompt": "an astronaut"}))
    assert "astronaut" in refused["error"]
    assert refused["remedy"]


def test_langgraph_json_names_a_graph_without_checkpointer_and_store(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parent.parent
    path, name = json.loads((root / "langgraph.json").read_text())["graphs"]["imagewright"].split(":")
    assert (root / path).exists()
    graph = getattr(importlib.import_module(f"imagewright.{Path(path).stem}"), name)
    assert (graph.checkpointer, graph.store) == (None, None)
    events = list(graph.stream({"prompt": "a red circle", "seed": 1}, stream_mode=["custom", "values"]))
    assert any(mode == "custom" and event["kind"] == "delivered" for mode, event in events)
    assert Path(events[-1][1]["path"]).exists()
    json.dumps(events[-1][1])
