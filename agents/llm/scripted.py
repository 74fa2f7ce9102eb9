"""Chat models that answer from a file: for tests, demonstrations and replays. They need no key and no network.

``scripted:FILE`` reads text only; ``scripted-vlm:FILE`` takes pictures too. The file is a JSON list of answers, said
one after the other to whoever asks, or an object that holds a list for each prompt by the name of its file::

    {"categorizer": [{"labels": [{"label": "Animals", "confidence": 0.9}]}], "layout_lmd": ["Objects: []…"]}

An answer is a text, or an object that is said as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field, PrivateAttr

from imagewright import untrusted
from imagewright.agents.llm.answers import text_of
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.prompt_files import PARTING, files
from imagewright.errors import BadInput

_FORM = "it is a JSON list of answers, or an object of such lists by prompt"


def script_model(name: str, path: str) -> LanguageModel:
    """The language model that reads text and answers from the file at ``path``.

    Raises:
        BadInput: the file cannot be read or is no script.
    """
    return LanguageModel(ScriptedChatModel.from_file(Path(path)), name, sees=False)


def script_vlm(name: str, path: str) -> LanguageModel:
    """The same, for a model that is shown pictures.

    Raises:
        BadInput: the file cannot be read or is no script.
    """
    return LanguageModel(ScriptedChatModel.from_file(Path(path)), name, sees=True)


class ScriptedChatModel(BaseChatModel):
    """Says its ``answers`` one after the other and fails when they are used up.

    Each counts as one token read for every message it was sent and one written for every word it says.
    """

    answers: list[str] = Field(default_factory=list)
    by_prompt: dict[str, list[str]] = Field(default_factory=dict)
    """Answers to single prompts; ``answers`` are for the others."""
    _said: dict[str, int] = PrivateAttr(default_factory=dict)
    _heard: list[str] = PrivateAttr(default_factory=list)
    _pictures: list[int] = PrivateAttr(default_factory=list)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedChatModel:
        """Read the script at ``path``.

        Raises:
            BadInput: the file cannot be read or is no script.
        """
        try:
            script = untrusted.load_json(path)
        except BadInput as error:
            raise BadInput(f"the script cannot be used: {error}", _FORM) from None
        if isinstance(script, list):
            return cls(answers=_texts(script))
        if isinstance(script, dict) and all(isinstance(items, list) for items in script.values()) and script:
            return cls(by_prompt={name: _texts(items) for name, items in script.items()})
        raise BadInput(f"the script {path} is not a list", _FORM)

    @property
    def heard(self) -> tuple[str, ...]:
        """The last message of every call so far."""
        return tuple(self._heard)

    @property
    def pictures(self) -> tuple[int, ...]:
        """How many pictures came with every call so far."""
        return tuple(self._pictures)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self._heard.append(text_of(messages[-1].content))
        self._pictures.append(sum(_is_picture(part) for message in messages for part in message.content))
        text = self._next(_prompt_of(text_of(messages[0].content)))
        read, written = len(messages), len(text.split())
        usage: Any = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, usage_metadata=usage))])

    def _next(self, prompt: str) -> str:
        name = prompt if prompt in self.by_prompt else ""
        answers, said = self.by_prompt.get(name, self.answers), self._said.get(name, 0)
        if said >= len(answers):
            raise EOFError("the script has no more answers")
        self._said[name] = said + 1
        return answers[said]


def _texts(items: list[Any]) -> list[str]:
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def _prompt_of(text: str) -> str:
    """The name of the prompt file that ``text`` comes from; empty for none."""
    opening = text.strip().split("\n")[0]
    for name, path in files().items():
        rules = path.read_text(encoding="utf-8").split(PARTING)[0].rpartition("---\n")[2]
        if rules.strip().split("\n")[0] == opening:
            return name
    return ""
