"""The critic that shows the picture to a vision-language model, with a part cut out for each box.

The questions come from the prompt by rules; the model only answers them. An answer that is unsure, or given with
little confidence, is not judged. Its repair is one of the closed set and is checked against the layout; a repair that
makes no sense, or that was tried before, is replaced by the ladder of the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from imagewright.agents.critic.questions import PictureQuestion, questions
from imagewright.agents.critic.repair import propose
from imagewright.agents.critic.repairs.base import BoxRepair, Proposed, WrongPicture, list_repairs, list_words
from imagewright.agents.critic.verdict import failed_checks, not_judged, verdict
from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.eyes import WHOLE, crops, png, seeing
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.ports import Critic, Picture
from imagewright.schemas import Box, Check, Layout, ParsedPrompt, Repair, Verdict

_SURE = 0.5
"""The least confidence with which an answer counts."""
MOST_CROPS = 6


class Answered(BaseModel):
    """The answer to one question."""

    question: int = Field(ge=0, description="its number")
    answer: Literal["yes", "no", "unsure"]
    seen: str = Field(default="", max_length=200)
    confidence: float = Field(ge=0, le=1)


class Looked(BaseModel):
    """What was found in a picture."""

    answers: list[Answered] = Field(max_length=40)
    repair: Proposed


class VLMCritic:
    """Asks a model that sees; where there is none, or it gives no usable answer, ``rules`` judge and say why."""

    def __init__(self, asker: Asker, rules: Critic, on_fallback: OnNote) -> None:
        self.asker, self.rules, self.on_fallback = asker, rules, on_fallback
        self._derived: tuple[object, tuple[PictureQuestion, ...]] | None = None

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """The verdict on ``image``."""
        asked = self._questions(prompt, parsed, layout)
        asker = seeing(self.asker)
        why = "" if asker.models else "no language model that is set sees pictures"
        try:
            if why or not asked:
                raise Unusable(why or "the prompt says nothing that can be asked")
            answer = asker.ask(_question(image, asked, layout, tried))
        except Unusable as error:
            self.on_fallback(f"the picture was left to the critic without a language model: {error}")
            return self.rules.judge(image, prompt, parsed, layout, tried)
        checks = tuple(_check(number, question, answer) for number, question in enumerate(asked))
        repair = _repair(answer.repair, checks, parsed, layout, tried) if failed_checks(checks) else None
        return verdict(checks, repair, "vlm")

    def _questions(self, prompt: str, parsed: ParsedPrompt, layout: Layout | None) -> tuple[PictureQuestion, ...]:
        """Derived once for a prompt; a repair that moves boxes does not change which there are."""
        key = (prompt, parsed, tuple(box.caption for box in layout.boxes) if layout else ())
        if self._derived is None or self._derived[0] != key:
            self._derived = (key, questions(prompt, parsed, layout))
        return self._derived[1]


def _question(
    image: Picture, asked: Sequence[PictureQuestion], layout: Layout | None, tried: Sequence[Verdict]
) -> Query[Looked]:
    boxes = list(layout.boxes) if layout else []
    wanted = list(dict.fromkeys(question.box for question in asked if question.box is not None))[:MOST_CROPS]
    used = [judged.repair.kind for judged in tried if judged.repair]
    text = critic_prompt(asked, layout, used, wanted)
    pictures = (png(image, WHOLE), *crops(image, [boxes[number] for number in wanted]))
    return Query(text, Looked, lambda answer: _problem(answer, len(asked), len(boxes)), pictures)


def critic_prompt(
    asked: Sequence[PictureQuestion], layout: Layout | None, tried: Sequence[str], crops: Sequence[int]
) -> Prompt:
    """What the model is told beside the pictures; ``crops`` are the boxes whose parts it is shown."""
    boxes = layout.boxes if layout else ()
    return prompt_file(
        "critic",
        repairs=", ".join(f"`{name}` {words}" for name, words in list_words().items()),
        questions=[[n, question.text, question.box] for n, question in enumerate(asked)],
        boxes=[[n, box.caption, *_place(box)] for n, box in enumerate(boxes)],
        crops=list(crops),
        tried=list(tried),
    )


def _place(box: Box) -> list[float]:
    return [round(side, 2) for side in (box.x, box.y, box.width, box.height)]


def _problem(answer: Looked, asked: int, boxes: int) -> str:
    numbers = [item.question for item in answer.answers]
    missing = sorted(set(range(asked)) - set(numbers))
    if missing or len(numbers) != len(set(numbers)) or max(numbers, default=0) >= asked:
        return f"answer each question from 0 to {asked - 1} once; missing: {missing[:8]}"
    box = answer.repair.box
    return f"there is no box {box}" if box is not None and not 0 <= box < boxes else ""


def _check(number: int, asked: PictureQuestion, answer: Looked) -> Check:
    item = next(item for item in answer.answers if item.question == number)
    seen = " ".join(item.seen.split())
    if item.answer == "unsure" or item.confidence < _SURE:
        return not_judged(asked.topic, asked.text)
    detail = f"{asked.text} {item.answer}" + (f", {seen}" if seen else "") + f" ({item.confidence:.0%} sure)"
    return Check(name=asked.topic, passed=item.answer == "yes", detail=detail, wanted=asked.text, box=asked.box)


# --- the repair -----------------------------------------------------------------------------


def _repair(
    proposed: Proposed, checks: Sequence[Check], parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
) -> Repair:
    """The model's repair where it can be carried out and is new, else the first of the ladder that is."""
    failed = failed_checks(checks)
    wrong = failed[0]
    reason = " ".join(proposed.reason.split()) or wrong.detail
    chosen = next((shape for shape in list_repairs() if shape.model_fields["kind"].default == proposed.kind), None)
    built = chosen.answer(proposed, reason, layout) if chosen else None
    if built is not None and _named(built) not in {_named(judged.repair) for judged in tried if judged.repair}:
        return built
    single = wrong.box if wrong.name == "attribute" and len(failed) == 1 else None
    return propose(WrongPicture(failed, parsed, layout, "number" if single is None else "one box", single), tried)


def _named(repair: Repair) -> tuple[str, int | None]:
    """What the model would call the same repair: of one box, it names the box."""
    return repair.kind, repair.box if isinstance(repair, BoxRepair) else None
