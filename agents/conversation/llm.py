"""The interpreter that asks a language model what a person wants of a conversation.

It answers with the same closed decision as the rules: a kind, a picture by its number, edits of that picture's boxes.
A first saying is a prompt, which the rules read without asking anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from imagewright.agents.conversation.edits import settle
from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import BadInput
from imagewright.intents import Edit, Intent, Reference, Thumb, Topic
from imagewright.limits import why_unclear
from imagewright.ports import Interpreter

MOST_PICTURES = 6
"""Earlier pictures that the model is told of; the present one comes with its boxes."""
MOST_SAID = 4000


class Decision(BaseModel):
    """What the person wants."""

    kind: Literal["create", "edit", "vary", "undo", "branch", "question", "feedback", "unclear"]
    picture: int | None = None
    prompt: str = Field(default="", max_length=MOST_SAID)
    edits: list[Edit] = Field(default_factory=list, max_length=12)
    topic: Topic = ""
    thumb: Thumb = ""
    question: str = Field(default="", max_length=300)


class LLMInterpreter:
    """Asks a language model; where it gives no usable decision, ``rules`` decide and ``on_fallback`` hears why."""

    def __init__(self, asker: Asker, rules: Interpreter, on_fallback: OnNote) -> None:
        self.asker, self.rules, self.on_fallback = asker, rules, on_fallback

    def interpret(self, prompt: str, references: Sequence[Reference]) -> Intent:
        """What ``prompt`` asks for, given the thread's earlier pictures; the last one is the present one."""
        if not references or why_unclear(prompt) or len(prompt) > MOST_SAID:
            return self.rules.interpret(prompt, references)
        by_rules = self.rules.interpret(prompt, references)
        if by_rules.kind == "preference":
            return by_rules

        def check(answer: Decision) -> str:
            return _problem(answer, references)

        try:
            answer = self.asker.ask(Query(interpreter_prompt(prompt, references), Decision, check))
        except Unusable as error:
            self.on_fallback(f"the rules read what was said: {error}")
            return by_rules
        return _intent(answer, references)


def interpreter_prompt(said: str, references: Sequence[Reference]) -> Prompt:
    """What the model is told: what was said, and the last pictures, the present one with its boxes."""
    pictures = [_told(reference, boxes=reference is references[-1]) for reference in references[-MOST_PICTURES:]]
    return prompt_file("interpreter", pictures=pictures, said=[" ".join(said.split())])


def _told(reference: Reference, boxes: bool) -> dict[str, object]:
    told: dict[str, object] = {"number": reference.number, "prompt": reference.prompt[:400]}
    placed = reference.layout.boxes if reference.layout and boxes else ()
    listed = [[n, b.caption, *(round(v, 2) for v in (b.x, b.y, b.width, b.height))] for n, b in enumerate(placed)]
    return {**told, "boxes": listed} if listed else told


def _about(answer: Decision, references: Sequence[Reference]) -> Reference | None:
    """The picture that the answer names, the present one where it names none; None for one that there is not."""
    if answer.picture is None:
        return references[-1]
    return next((reference for reference in references if reference.number == answer.picture), None)


def _problem(answer: Decision, references: Sequence[Reference]) -> str:
    """What cannot be carried out; empty when all can."""
    base = _about(answer, references)
    if base is None:
        return f"there is no picture {answer.picture}; pictures: {[reference.number for reference in references]}"
    if answer.kind == "create":
        return why_unclear(answer.prompt)
    if answer.kind == "unclear" and not answer.question.strip():
        return "say in question what to ask back"
    if answer.kind != "edit":
        return ""
    return _cannot_be_made(answer, base, references)


def _cannot_be_made(answer: Decision, base: Reference, references: Sequence[Reference]) -> str:
    """What is wrong with the edits, found by making them on paper."""
    if not answer.edits:
        return "an edit needs edits"
    boxes = len(base.layout.boxes) if base.layout else 0
    named = [number for edit in answer.edits for number in (*edit.boxes, *([edit.beside] if edit.beside else []))]
    if any(not 0 <= number < boxes for number in named):
        return f"there are boxes 0 to {boxes - 1} in picture {base.number}"
    try:
        settle(_intent(answer, references), references)
    except BadInput as error:
        return str(error)
    return ""


def _intent(answer: Decision, references: Sequence[Reference]) -> Intent:
    base = _about(answer, references) or references[-1]
    if answer.kind == "create":
        text = " ".join(answer.prompt.split())
        return Intent(kind="create", prompt=text, parsed=parse_prompt(text), decided_by="llm")
    if answer.kind == "unclear":
        return Intent(kind="unclear", reason=" ".join(answer.question.split()), decided_by="llm")
    return Intent(
        kind=answer.kind,
        base=base.run,
        edits=tuple(answer.edits) if answer.kind == "edit" else (),
        topic=answer.topic if answer.kind == "question" else "",
        thumb=answer.thumb if answer.kind == "feedback" else "",
        decided_by="llm",
    )
