"""What the tests of language-model endpoints share: three questions to a server of a kind, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pydantic import SecretStr

from imagewright.agents.layout.llm import LLMLayoutPlanner
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.calls import Policy
from imagewright.agents.llm.models import Reach, connect
from imagewright.memory.llm_cache import Known, LLMCache
from imagewright.schemas import Planned

PROMPTS = ("two red circles", "two small red circles", "two large red circles")
KEY = "zq-sentinel-0123456789"


def layout(*xs: float, y: float = 0.3) -> dict[str, Any]:
    """A layout with a circle at each of these."""
    box = {"caption": "a red circle", "object": "circle", "attributes": ["red"], "y": y, "width": 0.4, "height": 0.4}
    return {"boxes": [{**box, "x": x} for x in xs], "background": "", "negative": ""}


ANSWER = layout(0.05, 0.55)
GOOD, DRAFT = json.dumps(ANSWER), json.dumps(layout(0.01, 0.51, y=0.55))


@dataclass
class Seen:
    """What came of the three questions."""

    planned: list[Planned]
    notes: list[str]
    requests: list[dict[str, Any]]
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether every layout is the answer and no other: neither a draft nor the rules'."""
        return all(
            plan.decided_by == "llm" and [(box.x, box.y) for box in plan.layout.boxes] == [(0.05, 0.3), (0.55, 0.3)]
            for plan in self.planned
        )

    @property
    def told(self) -> str:
        """Everything that was told."""
        return " | ".join(self.notes)


def ask_at(name: str, store: LLMCache | None = None) -> Seen:
    """The three questions to the model called ``name``."""
    notes: list[str] = []
    line = Line(on_note=notes.append, policy=Policy(call=20.0, question=40.0, pause=0.01), store=store)
    model = connect(name, Reach({"*": SecretStr(KEY)}, 20.0))
    planner = LLMLayoutPlanner(Asker("layout", (model,), line), RulesLayoutPlanner(), notes.append)
    return Seen([planner.plan(prompt) for prompt in PROMPTS], notes, [])


def asker(faults: ModuleType) -> Callable[..., Seen]:
    """Asks a server of a kind, made by the module ``faults``, the three questions."""

    def asked(
        name: str = "fine", text: str = GOOD, service: str = "openai", store: LLMCache | None = None, **more: Any
    ) -> Seen:
        fault = faults.Fault(name, lambda body: text, **more)
        with faults.serving(fault) as url:
            seen = ask_at(f"{url}/v1#m" if service == "openai" else f"anthropic:m@{url}", store)
        return Seen(seen.planned, seen.notes, fault.requests, fault.headers)

    return asked


def message(content: Any, finish: str = "stop", **more: Any) -> Callable[[Any, str], Any]:
    """A server whose answers hold this message."""

    def wire(body: Any, good: str) -> Any:
        said = {"role": "assistant", "content": content, **more}
        return {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": said, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }  # fmt: skip

    return wire


def most(body: dict[str, Any]) -> int:
    """Tokens of the answer that a request asks for."""
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 0)


def plain(words: str) -> dict[str, Any]:
    """An error as vLLM writes it."""
    return {"object": "error", "message": words, "type": "BadRequestError", "param": None, "code": 400}


def wrapped(words: str, **more: Any) -> dict[str, Any]:
    """An error as OpenAI and Anthropic write it."""
    return {"type": "error", "error": {"type": "invalid_request_error", "message": words, **more}}


class Recording(LLMCache):
    """A store that tells what was learned last and keeps no answers."""

    last = Known()

    def learn(self, endpoint: str, known: Known) -> None:
        """Keep it."""
        self.last = known
        super().learn(endpoint, known)

    def answer(self, key: str) -> str | None:
        """None."""
        return None
