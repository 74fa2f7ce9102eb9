"""What a person sees when a language model misbehaves, agent by agent, as the terminal shows it.

Run as a script (``make captures``) it writes ``docs/llm_captures.md``; a test makes the page again and compares.
The models are those of the fault server on the loopback, reached through the provider's own client; the pictures are
painted by the tests' painter, so that a capture takes no model. Addresses, folders, ids and times are made alike.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import imagewright  # noqa: F401  (first: it makes LangGraph strict)
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.agents.llm.ask import Line
from imagewright.agents.llm.calls import Policy
from imagewright.agents.llm.models import Reach
from imagewright.agents.team import Team, with_models
from imagewright.cli.story import tell_run
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import render

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "llm_captures.md"
AGENTS = ("interpreter", "categorizer", "selector", "layout", "writer", "critic")
FAULTS = {
    "wrong": ("wrong types", "answers with JSON whose values are of the wrong types"),
    "slow": ("drip", "sends a byte now and then"),
    "silent": ("stall", "takes the question and says nothing"),
}
PATIENCE = {"wrong": 60.0, "slow": 0.5, "silent": 0.5}
"""Seconds for one call: half a second where none comes in any case, so that the page is made quickly."""
PROMPT = "two red circles above a blue square on a white background"
CHANGE = "make the square green"
HEAD = """# What a person sees when a language model misbehaves

Each agent on a model that answers wrongly, on a slow one and on a silent one; in each the other agents are the rules.
Written by `python tests/graph/llm_captures.py` against the fault server of the tests (`tests/agents/fault_server.py`),
not by hand; a test makes it again and compares. A call may take 0.5 s here instead of 60 s where no answer would come
in any case. What is printed at the end, on standard output, is shown once. Pictures are painted by the tests' painter;
the lines are those of `imagewright draw` (and, for the interpreter, which reads only what is said about a picture that
is there, of `imagewright chat`) without a terminal.
"""


def load(name: str, path: Path) -> ModuleType:
    """A module that stands beside the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def captures() -> Iterator[tuple[str, str, str]]:
    """Agent, fault and what was seen, for all of them."""
    kit = load("imagewright_captures_kit", HERE / "kit.py")
    faults = load("imagewright_captures_faults", HERE.parent / "agents" / "fault_server.py")
    models = load("imagewright_captures_models", HERE / "test_language_models.py")
    for agent in AGENTS:
        for kind in FAULTS:
            yield agent, kind, one(kit, faults, models, agent, kind)


def one(kit: ModuleType, faults: ModuleType, models: ModuleType, agent: str, kind: str) -> str:
    """What is seen with this agent on this model."""
    fault = faults.Fault(FAULTS[kind][0], lambda body: good(models, faults.texts(body)))
    told: list[str] = []
    with faults.serving(fault) as url, tempfile.TemporaryDirectory() as folder:
        seconds = PATIENCE[kind]
        line = Line(on_note=told.append, policy=Policy(call=seconds, question=2 * seconds, pause=0.01))
        rules = Team(*(getattr(models.RULES, name) for name in ("categorizer", "selector", "planner")),
                     RulesInterpreter())  # fmt: skip
        team = with_models(rules, f"{agent}={url}/v1#m", Reach({}, seconds), line)
        parts = {**models.parts(team, line, told), "interpreter": team.interpreter}
        floor = kit.DetectorCritic(kit.PixelDetector())
        critic = team.critic(floor) if team.critic else floor
        parts["critic"] = lambda flow: critic
        studio = kit.Studio(Path(folder), flows={"open-a": 0.8, "open-b": 0.7}, missing=(), **parts)
        with contextlib.redirect_stderr(io.StringIO()) as seen:
            result = chatted(studio) if agent == "interpreter" else drawn(studio)
        story = render(tell_run(result)) if (agent, kind) == (AGENTS[1], "wrong") else ""
        return alike(f"{seen.getvalue()}{story}\n", url, folder)


def good(models: ModuleType, text: str) -> str:
    """The answer that is then made wrong."""
    if "You read what a person says" in text:
        return json.dumps({"kind": "edit", "picture": 1, "edits": []})
    return str(models.good(text))


def drawn(studio: Any) -> Any:
    """One picture."""
    with ProgressLine() as progress:
        return studio.draw(PROMPT, on_event=progress)


def chatted(studio: Any) -> Any:
    """A picture, and then the change of it, which alone is captured."""
    with contextlib.redirect_stderr(io.StringIO()):
        studio.say(PROMPT)
    with ProgressLine() as progress:
        return studio.say(CHANGE, on_event=progress).result


ALIKE: tuple[tuple[str, str], ...] = (
    (r"\d{8}-\d{6}-[0-9a-f]{6}", "20260101-120000-abcdef"),
    (r"(images?|seed \d+), \d+\.\d s", r"\1, 0.1 s"),
    (r"[ \t]+\n", "\n"),
)
"""What differs from run to run: ids and times."""


def alike(text: str, url: str, folder: str) -> str:
    """``text`` without what differs from one machine, or one run, to the next."""
    text = text.replace(url, "http://localhost:8000").replace(folder, "~/pictures")
    for pattern, plain in ALIKE:
        text = re.sub(pattern, plain, text)
    return text


def page(seen: Callable[[], Iterator[tuple[str, str, str]]] = captures) -> str:
    """The whole page."""
    parts = [HEAD]
    last = ""
    for agent, kind, text in seen():
        if agent != last:
            parts.append(f"\n## The {NAMES[agent]}\n")
        last = agent
        said = f"imagewright chat … \n> {CHANGE}" if agent == "interpreter" else f'imagewright draw "{PROMPT}" …'
        command = said.replace("…", f"--llm '{agent}=http://localhost:8000/v1#m'", 1)
        parts.append(f"\nThe model {FAULTS[kind][1]}:\n\n```text\n$ {command}\n{text.rstrip()}\n```\n")
    return re.sub(r"[ \t]+\n", "\n", "".join(parts))


NAMES = {
    "interpreter": "interpreter", "categorizer": "categorizer", "selector": "selector", "layout": "layout planner",
    "writer": "prompt writer", "critic": "critic",
}  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
