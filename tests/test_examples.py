"""Every example runs as it stands, in an empty folder, and says what it promises."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import warm

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "plan.py": ["a fox: ", "an owl: "],
    "draw.py": ["mini-quick 3 ", "round 1: score"],
    "conversation.py": [
        "> make the circle green",
        "back to picture 1",
        "['a red circle left of a blue square on a white background']",
    ],
    "stream.py": ["node: generate", "house.png"],
    "agent_tool.py": ["draw_picture ['prompt', 'conversation', 'seed']", '"flow": "mini-quick"'],
    "mcp_client.py": ["'draw', 'explain'", "['text', 'image', 'resource_link'] mini-quick"],
    "langgraph_nodes.py": ["select_flow", "hand_over", "mini-quick /"],
}
SERVED = {"serve_images.py", "serve_chat.py", "serve_runs.py"}
"""Those that ask a running server: tests/serve/test_doors.py."""


def test_every_example_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS) | SERVED


_LONG = ("draw.py", "stream.py", "agent_tool.py", "mcp_client.py", "langgraph_nodes.py")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in _LONG]


@pytest.mark.parametrize("name", ["plan.py", "conversation.py", *SLOW])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    done = warm.run(
        [sys.executable, str(EXAMPLES / name)], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in SAYS[name]:
        assert text in done.stdout
