"""The selector that asks a language model to choose among the offered flows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from imagewright.agents.llm import Count, LanguageModel, OnFallback, Question, Unusable, ask, prompt_text
from imagewright.ports import Selector
from imagewright.schemas import Candidate, Categories, Choice


class Selected(BaseModel):
    """A language model's answer."""

    flow: str = Field(description="the id of one of the offered flows, exactly as written")
    reason: str = Field(max_length=400, description="one short sentence: why this flow suits this prompt")


class LLMSelector:
    """Asks ``model``; where it gives no usable answer, ``rules`` choose and ``on_fallback`` hears why."""

    def __init__(self, model: LanguageModel, rules: Selector, on_fallback: OnFallback, count: Count) -> None:
        self.model, self.rules, self.on_fallback, self.count = model, rules, on_fallback, count

    def select(self, prompt: str, categories: Categories, candidates: Sequence[Candidate]) -> Choice:
        """One of ``candidates``; a single one is not worth a question."""
        if len(candidates) < 2:
            return self.rules.select(prompt, categories, candidates)
        offered = {candidate.flow for candidate in candidates}

        def check(answer: Selected) -> str:
            return "" if answer.flow in offered else f"flow must be one of: {', '.join(sorted(offered))}"

        cards = [_card(candidate) for candidate in candidates]
        text = prompt_text("selector", prompt={"prompt": prompt}, categories=list(categories.labels), flows=cards)
        try:
            answer = ask(self.model, Question(text, Selected, check), self.count)
        except Unusable as error:
            self.on_fallback(f"the rules chose the flow: {error}")
            return self.rules.select(prompt, categories, candidates)
        return Choice(flow=answer.flow, reason=answer.reason, decided_by="llm")


def _card(candidate: Candidate) -> dict[str, object]:
    """What the model is shown of a candidate: a few dozen tokens."""
    return {
        "id": candidate.flow,
        "title": candidate.title[:120],
        "base_model": candidate.base_model[:60],
        "estimate": round(candidate.estimate, 3),
        "interval": [round(candidate.low, 3), round(candidate.high, 3)],
        "scores": candidate.evidence,
        "seconds": candidate.cost,
    }
