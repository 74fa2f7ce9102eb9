"""A chat model that answers from a file: for tests, demonstrations and replays. It needs no key and no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from imagewright.errors import BadInput


class ScriptedChatModel(BaseChatModel):
    """Says its ``answers`` one after the other and fails when they are used up.

    Each counts as one token read for every message it was sent and one written for every word it says.
    """

    answers: list[str]
    _said: int = PrivateAttr(default=0)
    _heard: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedChatModel:
        """Read ``path``: a JSON list whose items are texts, or objects that are said as JSON.

        Raises:
            BadInput: the file cannot be read or is not such a list.
        """
        try:
            items = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot read the script {path}: {error}", "it is a JSON list of answers") from None
        if not isinstance(items, list):
            raise BadInput(f"the script {path} is not a list", "it is a JSON list of answers")
        return cls(answers=[item if isinstance(item, str) else json.dumps(item) for item in items])

    @property
    def heard(self) -> tuple[str, ...]:
        """The last message of every call so far."""
        return tuple(self._heard)

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
        self._heard.append(str(messages[-1].content))
        if self._said >= len(self.answers):
            raise EOFError("the script has no more answers")
        text = self.answers[self._said]
        self._said += 1
        read, written = len(messages), len(text.split())
        usage: Any = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text, usage_metadata=usage))])
