"""The graph with its own nodes, as LangGraph's server runs it: asynchronous, with its own memory, over plain JSON."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from imagewright import Imagewright, as_tool

PROMPT = "a red circle above a blue square"
QUICK = {"flow": "mini-quick", "use_critic": False, "max_images": 1}


@pytest.fixture(scope="module")
def engine(load_module: Callable[[str, Path], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Imagewright:
    """The product over a backend that costs nothing."""
    kit = load_module("serve_kit_of_graph", Path(__file__).parents[1] / "serve" / "kit.py")
    engine: Imagewright = kit.engine_on(tmp_path_factory.mktemp("served graph"), kit.Paper())
    return engine


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_shows_its_own_nodes_and_brings_no_memory(engine: Imagewright) -> None:
    graph = engine.as_graph().compile()
    assert {
        "begin",
        "recall",
        "interpret",
        "select_flow",
        "plan_layout",
        "generate",
        "critique",
        "refine",
        "deliver",
        "ask",
        "answer",
        "hand_over",
    } <= set(graph.get_graph().nodes)
    assert (graph.checkpointer, graph.store) == (None, None)


def test_streams_are_plain_json_and_the_thread_goes_on(engine: Imagewright, tmp_path: Path) -> None:
    async def work() -> tuple[list[Any], Any, Any]:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "theirs.sqlite")) as saver:
            graph = engine.as_graph().compile(checkpointer=saver)
            config: Any = {"configurable": {"thread_id": "t"}}
            wanted: Any = {"prompt": PROMPT, "seed": 3, **QUICK}
            told = [part async for part in graph.astream(wanted, config, stream_mode=["custom", "updates", "values"])]
            changed = await graph.ainvoke({"prompt": "make the circle green"}, config)
            undone = await graph.ainvoke({"prompt": "undo"}, config)
            again = await graph.ainvoke({"prompt": "make the square yellow"}, config)
            return told, (changed, undone), again

    told, (changed, undone), again = asyncio.run(work())
    events = [event for mode, event in told if mode == "custom"]
    assert json.loads(json.dumps(events)) == events
    assert next(event["text"] for event in events if event["kind"] == "node") == "recall"
    assert next(next(iter(update)) for mode, update in told if mode == "updates") == "begin"
    values = [value for mode, value in told if mode == "values"]
    assert Path(values[-1]["path"]).exists()
    assert engine.runs.get(changed["run"]).result.prompt == "a green circle above a blue square"  # type: ignore[union-attr]
    assert "back to picture 1" in undone["reply"]
    assert engine.runs.get(again["run"]).result.prompt == "a red circle above a yellow square"  # type: ignore[union-attr]
    assert {row.status for row in engine.runs.list(4)} == {"delivered", "answered"}


def test_a_question_is_an_interrupt_that_a_resume_answers(engine: Imagewright) -> None:
    graph = engine.as_graph().compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "q"}}

    async def work() -> tuple[Any, Any]:
        await graph.ainvoke({"prompt": "two red circles above a blue square", **QUICK}, config)  # type: ignore[arg-type]
        asked = await graph.ainvoke({"prompt": "make the circle green"}, config)  # type: ignore[arg-type]
        run = (await graph.aget_state(config)).values["run"]
        assert engine.runs.get(run).status == "asked"
        return asked, await graph.ainvoke(Command(resume="1"), config)

    asked, answered = asyncio.run(work())
    [question] = asked["__interrupt__"]
    assert question.value["choices"]
    assert Path(answered["path"]).exists()
    assert engine.runs.get(answered["run"]).status == "delivered"


def test_what_cannot_be_drawn_is_raised_and_logged(engine: Imagewright) -> None:
    graph = engine.as_graph().compile()
    with pytest.raises(Exception, match="no flow is called"):
        graph.invoke({"prompt": PROMPT, "flow": "nope"})  # type: ignore[arg-type]
    assert engine.runs.list(1)[0].status == "failed"


def test_an_agent_s_tool_does_not_block(engine: Imagewright, tmp_path: Path) -> None:
    tool = as_tool(engine, out=str(tmp_path), **QUICK)

    async def work() -> tuple[Any, Any, bool]:
        beats = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, beats.set)
        drawn = await tool.ainvoke({"prompt": PROMPT})
        refused = await tool.ainvoke({"prompt": PROMPT, "seed": 2})
        return json.loads(drawn), json.loads(refused), beats.is_set()

    drawn, second, beaten = asyncio.run(work())
    assert drawn["flow"] == second["flow"] == "mini-quick"
    assert beaten


@pytest.mark.slow
def test_the_sdk_against_the_dev_server(tmp_path: Path) -> None:
    """LangGraph's own server on this checkout, without account or network; its licence keeps it out of ours."""
    pytest.importorskip("langgraph_api", reason="langgraph-api is not installed: pip install 'langgraph-cli[inmem]'")
    from langgraph_sdk import get_sync_client

    root, place = Path(__file__).parents[2], {"out": str(tmp_path), **QUICK}
    asked = {"prompt": PROMPT, "seed": 3, **place}
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
    there = {
        "IMAGEWRIGHT_HOME": str(tmp_path / "home"),
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    server = subprocess.Popen(command, cwd=root, env={**os.environ, **there})
    try:
        client = get_sync_client(url=f"http://127.0.0.1:{port}")
        _wait_for(lambda: client.assistants.search())
        thread = client.threads.create()["thread_id"]
        modes: Any = ["custom", "updates", "values"]
        told = list(client.runs.stream(thread, "imagewright", input=asked, stream_mode=modes))
        assert {"custom", "updates", "values"} <= {part.event for part in told}
        assert Path(next(part.data["path"] for part in reversed(told) if part.event == "values")).exists()
        client.runs.wait(thread, "imagewright", input={"prompt": "two red circles above a blue square", **place})
        client.runs.wait(thread, "imagewright", input={"prompt": "make the circle green", "out": str(tmp_path)})
        [question] = client.threads.get_state(thread)["tasks"][0]["interrupts"]
        assert question["value"]["choices"]
        answered: Any = client.runs.wait(thread, "imagewright", command={"resume": "1"})
        assert Path(answered["path"]).exists()
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(answers: Callable[[], object], seconds: float = 90.0) -> None:
    import httpx

    end = time.monotonic() + seconds
    while True:
        try:
            answers()
            return
        except httpx.HTTPError:
            assert time.monotonic() < end, "the dev server does not answer"
            time.sleep(0.5)
