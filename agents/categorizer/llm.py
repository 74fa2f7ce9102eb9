"""The categorizer that asks a language model."""

from __future__ import annotations

from pydantic import BaseModel, Field

from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.ports import Categorizer
from imagewright.schemas import Categories, ParsedPrompt

MAX_LABEL = 40


class Label(BaseModel):
    """One category of a prompt."""

    label: str = Field(description="one to three words")
    confidence: float = Field(ge=0, le=1)


class Labelled(BaseModel):
    """The categories of a prompt, best first."""

    labels: list[Label] = Field(min_length=1, max_length=5)


class LLMCategorizer:
    """Asks a language model; where it gives no usable answer, ``rules`` label and ``on_fallback`` hears why."""

    def __init__(self, asker: Asker, rules: Categorizer, on_fallback: OnNote) -> None:
        self.asker, self.rules, self.on_fallback = asker, rules, on_fallback

    def categorize(self, prompt: str, parsed: ParsedPrompt) -> Categories:
        """The labels of ``prompt``, best first, with how sure the model is of each."""
        text = prompt_file("categorizer", prompt={"prompt": prompt})
        try:
            answer = self.asker.ask(Query(text, Labelled, _problem))
        except Unusable as error:
            self.on_fallback(f"the rules labelled the prompt: {error}")
            return self.rules.categorize(prompt, parsed)
        sure = {item.label.strip(): item.confidence for item in reversed(answer.labels)}
        labels = tuple(dict.fromkeys(item.label.strip() for item in answer.labels))
        return Categories(labels=labels, confidence=tuple(sure[label] for label in labels), decided_by="llm")


def _problem(answer: Labelled) -> str:
    bad = [item.label for item in answer.labels if not is_label(item.label)]
    return f"a label is one to three words, not {bad[0][:60]!r}" if bad else ""


def is_label(text: str) -> bool:
    """Whether ``text`` can stand as a category: short, printable, letters first of all."""
    words = text.strip().split()
    return 0 < len(words) <= 4 and len(text.strip()) <= MAX_LABEL and text.isprintable() and text.strip()[0].isalnum()
