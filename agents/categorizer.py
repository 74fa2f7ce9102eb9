"""The categorizer that asks a language model."""

from __future__ import annotations

from pydantic import BaseModel, Field

from imagewright.agents.llm import Count, LanguageModel, OnFallback, Question, Unusable, ask, prompt_text
from imagewright.ports import Categorizer
from imagewright.schemas import Categories, ParsedPrompt

MAX_LABEL = 40


class Labelled(BaseModel):
    """A language model's answer."""

    labels: list[str] = Field(min_length=1, max_length=5, description="the categories of the prompt, best first")


class LLMCategorizer:
    """Asks ``model``; where it gives no usable answer, ``rules`` label and ``on_fallback`` hears why."""

    def __init__(self, model: LanguageModel, rules: Categorizer, on_fallback: OnFallback, count: Count) -> None:
        self.model, self.rules, self.on_fallback, self.count = model, rules, on_fallback, count

    def categorize(self, prompt: str, parsed: ParsedPrompt) -> Categories:
        """The labels of ``prompt``, best first."""
        text = prompt_text("categorizer", prompt={"prompt": prompt})
        try:
            answer = ask(self.model, Question(text, Labelled, _problem), self.count)
        except Unusable as error:
            self.on_fallback(f"the rules labelled the prompt: {error}")
            return self.rules.categorize(prompt, parsed)
        return Categories(labels=tuple(dict.fromkeys(label.strip() for label in answer.labels)), decided_by="llm")


def _problem(answer: Labelled) -> str:
    bad = [label for label in answer.labels if not 0 < len(label.strip()) <= MAX_LABEL or not label.isprintable()]
    return f"a label is one to three words, not {bad[0][:60]!r}" if bad else ""
