"""What the tests of the agents share: models that say what they are told to, listeners, and the faulty server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.calls import Policy
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.scripted import ScriptedChatModel


class Desk:
    """One agent's way to a model that says these answers, and what was told on the way."""

    def __init__(self, *answers: object, sees: bool = False, **by_prompt: list[object]) -> None:
        texts = {name: [_text(item) for item in items] for name, items in by_prompt.items()}
        self.chat = ScriptedChatModel(answers=[_text(answer) for answer in answers], by_prompt=texts)
        self.model = LanguageModel(self.chat, sees=sees)
        self.notes: list[str] = []
        self.line = Line(on_note=self.notes.append, policy=Policy(pause=0.0))

    def asker(self, agent: str = "selector", *others: LanguageModel) -> Asker:
        """The way to the model, and to others after it."""
        return Asker(agent, (self.model, *others), self.line)

    @property
    def heard(self) -> tuple[str, ...]:
        """The last message of every call."""
        return self.chat.heard


def _text(answer: object) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


@pytest.fixture(scope="session")
def desk() -> Callable[..., Desk]:
    """Makes a desk whose model says these, texts as they are and anything else as JSON."""
    return Desk


@pytest.fixture(scope="session")
def faults(load_module: Callable[[str, Path], ModuleType]) -> Any:
    """The module of the faulty server; the clients that talk to it come with an extra."""
    pytest.importorskip("langchain_openai")
    pytest.importorskip("langchain_anthropic")
    return load_module("imagewright_fault_server", Path(__file__).with_name("fault_server.py"))
