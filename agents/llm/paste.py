"""A person as the language model: the prompt is printed, and the answer is pasted from whatever chat they have open.

This is the free mode of LLM-grounded Diffusion (Lian et al. 2024): no key, any model.
"""

from __future__ import annotations

import sys
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from imagewright.agents.llm.answers import MAX_REPLY, first_object, text_of
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.thoughts import without_thoughts

RULE = "─" * 60
ASKING = (
    "Paste the answer here; end it with a line that holds only a full stop, or with Ctrl-D."
    " Nothing at all leaves it to the rules."
)


def paste_model(name: str, rest: str) -> LanguageModel:
    """The person at the terminal."""
    return LanguageModel(PastedChatModel(), name, patient=True, sees=False)


class PastedChatModel(BaseChatModel):
    """Prints on standard error and reads standard input until a whole JSON object, a single ``.`` or the end."""

    @property
    def _llm_type(self) -> str:
        return "paste"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        new = messages if len(messages) <= 2 else messages[-1:]
        body = "\n\n".join(text_of(message.content) for message in new)
        print(f"{RULE}\n{body}\n{RULE}\n{ASKING}", file=sys.stderr, flush=True)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(_pasted()))])


def _pasted() -> str:
    """What was pasted.

    Raises:
        EOFError: standard input holds nothing more.
    """
    lines: list[str] = []
    for line in sys.stdin:
        if line.strip() == ".":
            break
        lines.append(line)
        if sum(map(len, lines)) > MAX_REPLY or (line.rstrip().endswith("}") and _is_whole("".join(lines))):
            break
    if not "".join(lines).strip():
        raise EOFError("nothing was pasted")
    return "".join(lines)


def _is_whole(text: str) -> bool:
    try:
        answer = without_thoughts(text)
        return bool(first_object(answer)) and answer.count("{") == answer.count("}")
    except ValueError:
        return False
