"""The doors together: the examples as they stand, and one conversation through the terminal, HTTP and MCP."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "serve_images.py": ["mini-quick 3 circle.png"],
    "serve_chat.py": ["> make the circle green", "flow: mini-quick", "/v1/files/"],
    "serve_runs.py": ["node generate", "delivered ", "star.png"],
}
SAYINGS = [
    "a red circle above a blue square", "make the circle green", "make the square yellow", "undo", "one more",
    "make the circle blue", "go back to picture 1", "make the square red", "undo", "make the circle purple",
]  # fmt: skip
OPTIONS = {"flow": "mini-quick", "use_critic": False, "max_images": 1, "seed": 5}


@pytest.mark.parametrize("name", SAYS)
def test_an_example_asks_the_running_server(name: str, served: Any, tmp_path: Path) -> None:
    environment = {**os.environ, "OPENAI_BASE_URL": f"{served.url}/v1", "OPENAI_API_KEY": served.token}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for text in SAYS[name]:
        assert text in done.stdout


def test_ten_turns_give_the_same_pictures_through_any_door_and_through_all_in_turn(
    served: Any, kit: Any, typed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each saying goes in by another door; the pictures are those of a conversation through one."""
    terminal = _through_terminal(served, typed(capsys), monkeypatch)
    doors = [_through_chat(served), _through_http(served, kit), _through_mcp(served), terminal]
    lines = {name: [door(name, said) for said in SAYINGS] for name, door in zip("abcd", doors, strict=True)}
    lines["mixed"] = [doors[number % 4]("mixed", said) for number, said in enumerate(SAYINGS)]
    assert len({tuple(line) for line in lines.values()}) == 1, lines
    assert sum(bool(image) for image in lines["a"]) >= 6


def _through_chat(served: Any) -> Any:
    def say(thread: str, said: str) -> str:
        chat = served.engine.chat(f"ten {thread}", out=str(served.home / "ten"), **OPTIONS)
        reply = chat.say(said)
        return reply.result.image if reply.result else ""

    return say


def _through_terminal(served: Any, command: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`imagewright chat`, which has the server draw."""
    for name, value in (("HOME", str(served.home)), ("DEVICE", "cpu"), ("MODELS", "")):
        monkeypatch.setenv(f"IMAGEWRIGHT_{name}", value)
    words = ("--flow", "mini-quick", "--no-critic", "--max-images", "1", "--seed", "5", "--no-preview")

    def say(thread: str, said: str) -> str:
        before = len(served.server.desk.book.list_jobs("owner", 10_000))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
        code, out, err = command("chat", "--thread", f"ten {thread}", "--out", str(served.home / "ten"), *words)
        assert code == 0, (out, err)
        assert len(served.server.desk.book.list_jobs("owner", 10_000)) == before + 1
        return str(served.engine.threads.turns(f"ten {thread}")[-1].image)

    return say


def _through_http(served: Any, kit: Any) -> Any:
    def say(thread: str, said: str) -> str:
        wishes = {"flow": "mini-quick", "critic": False, "max_images": 1, "seed": 5}
        with served.client() as http:
            run = http.post(f"/v1/threads/ten {thread}/turns", json={"text": said, **wishes}).json()["id"]
            kit.wait_until(lambda: http.get(f"/v1/runs/{run}").json()["status"] == "done")
            return str(http.get(f"/v1/runs/{run}").json()["image"] or "")

    return say


def _through_mcp(served: Any) -> Any:
    async def call(thread: str, said: str) -> str:
        headers = {"authorization": f"Bearer {served.token}"}
        http = httpx.AsyncClient(headers=headers, timeout=180, trust_env=False)
        async with http, Client(streamable_http_client(f"{served.url}/mcp", http_client=http)) as client:
            wishes = {"thread": f"ten {thread}", "text": said, "flow": "mini-quick", "quality": "low", "seed": 5}
            answer = await client.call_tool("change", wishes)
            assert not answer.is_error, answer.content
            return str((answer.structured_content or {}).get("sha256", ""))

    return lambda thread, said: anyio.run(call, thread, said)
