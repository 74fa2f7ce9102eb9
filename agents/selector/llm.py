"""The selector that asks a language model to choose among the offered flows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.ports import Selector
from imagewright.schemas import Candidate, Categories, Choice

_MOST_PROMPT = 2000
"""Characters of the prompt that the model is shown."""


class Selected(BaseModel):
    """The choice of a workflow."""

    flow: str = Field(description="the id of one of the offered flows, exactly as written")
    reason: str = Field(max_length=400, description="one short sentence: why this flow suits this prompt")


class LLMSelector:
    """Asks a language model; where it gives no usable answer, ``rules`` choose and ``on_fallback`` hears why."""

    def __init__(self, asker: Asker, rules: Selector, on_fallback: OnNote) -> None:
        self.asker, self.rules, self.on_fallback = asker, rules, on_fallback

    def select(self, prompt: str, categories: Categories, candidates: Sequence[Candidate]) -> Choice:
        """One of ``candidates``; a single one is not worth a question."""
        if len(candidates) < 2:
            return self.rules.select(prompt, categories, candidates)
        offered = {candidate.flow for candidate in candidates}

        def check(answer: Selected) -> str:
            return "" if answer.flow in offered else f"flow must be one of: {', '.join(sorted(offered))}"

        try:
            answer = self.asker.ask(Query(selector_prompt(prompt, categories, candidates), Selected, check))
        except Unusable as error:
            self.on_fallback(f"the rules chose the flow: {error}")
            return self.rules.select(prompt, categories, candidates)
        return Choice(flow=answer.flow, reason=" ".join(answer.reason.split()), decided_by="llm")


def selector_prompt(prompt: str, categories: Categories, candidates: Sequence[Candidate]) -> Prompt:
    """What the model is shown: the prompt, its labels, and a few dozen tokens for each candidate."""
    cards = [_card(candidate) for candidate in candidates]
    return prompt_file("selector", prompt=[prompt[:_MOST_PROMPT]], categories=list(categories.labels), flows=cards)


def _card(candidate: Candidate) -> dict[str, object]:
    return {
        "id": candidate.flow,
        "title": candidate.title[:120],
        "base_model": candidate.base_model[:60],
        "estimate": round(candidate.estimate, 2),
        "interval": [round(candidate.low, 2), round(candidate.high, 2)],
        "scores": candidate.evidence,
        "seconds": candidate.cost,
    }
