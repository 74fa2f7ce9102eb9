"""The interpreter that asks a language model what a person wants of a conversation.

It answers with the same closed decision as the rules: a kind, a picture by its number, edits of that picture's boxes.
A first saying is a prompt, which the rules read without asking anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field, TypeAdapter

from imagewright.agents.conversation.edits import settle
from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import BadInput
from imagewright.intents import (
    AnyEdit,
    AnyIntent,
    CommandIntent,
    CreateIntent,
    EditIntent,
    Reference,
    Thumb,
    UnclearIntent,
)
from imagewright.limits import why_unclear
from imagewright.ports import Interpreter
from imagewright.schemas import PlaceName, Value

MOST_PICTURES = 6
"""Earlier pictures that the model is told of; the present one comes with its boxes."""
MOST_SAID = 4000


class Revision(Value):
    """One change of a picture. Positions and sizes are shares of the canvas."""  # one shape: fewer tokens than eight

    op: Literal["recolour", "resize", "move", "add", "remove", "replace", "background", "style"]
    boxes: tuple[int, ...] = ()
    text: str = Field(default="", max_length=300)
    count: int = Field(default=1, ge=1, le=24)
    factor: float = Field(default=1.0, ge=0.2, le=5.0)
    across: float = Field(default=0.0, ge=-1.0, le=1.0)
    down: float = Field(default=0.0, ge=-1.0, le=1.0)
    place: PlaceName = ""
    beside: int | None = None


class Decision(BaseModel):
    """What the person wants."""

    kind: Literal["create", "edit", "vary", "undo", "branch", "question", "feedback", "unclear"]
    picture: int | None = None
    prompt: str = Field(default="", max_length=MOST_SAID)
    edits: list[Revision] = Field(default_factory=list, max_length=12)
    topic: Literal["flow", "layout", "seed", "prompt", "verdict", "cost", "picture", "preferences", ""] = ""
    thumb: Thumb = ""
    question: str = Field(default="", max_length=300)


class LLMInterpreter:
    """Asks a language model; where it gives no usable decision, ``rules`` decide and ``on_fallback`` hears why."""

    def __init__(self, asker: Asker, rules: Interpreter, on_fallback: OnNote) -> None:
        self.asker, self.rules, self.on_fallback = asker, rules, on_fallback

    def interpret(self, prompt: str, references: Sequence[Reference]) -> AnyIntent:
        """What ``prompt`` asks for, given the thread's earlier pictures; the last one is the present one."""
        if not references or why_unclear(prompt) or len(prompt) > MOST_SAID:
            return self.rules.interpret(prompt, references)
        by_rules = self.rules.interpret(prompt, references)
        if by_rules.kind == "preference" or (isinstance(by_rules, CommandIntent) and by_rules.name != "cannot"):
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
    placed = reference.shown.boxes if reference.shown and boxes else ()
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
    boxes = len(base.shown.boxes) if base.shown else 0
    named = [number for edit in answer.edits for number in (*edit.boxes, *([edit.beside] if edit.beside else []))]
    if any(not 0 <= number < boxes for number in named):
        return f"there are boxes 0 to {boxes - 1} in picture {base.number}"
    try:
        settle(_edit_of(answer, base), references)
    except BadInput as error:
        return str(error)
    return ""


def _intent(answer: Decision, references: Sequence[Reference]) -> AnyIntent:
    base = _about(answer, references) or references[-1]
    if answer.kind == "create":
        text = " ".join(answer.prompt.split())
        return CreateIntent(prompt=text, parsed=parse_prompt(text), decided_by="llm")
    if answer.kind == "unclear":
        return UnclearIntent(reason=" ".join(answer.question.split()), decided_by="llm")
    if answer.kind == "edit":
        return _edit_of(answer, base)
    found = {"kind": answer.kind, "base": base.run, "topic": answer.topic, "thumb": answer.thumb, "decided_by": "llm"}
    return _INTENT.validate_python(found)


def _edit_of(answer: Decision, base: Reference) -> EditIntent:
    edits = tuple(_EDIT.validate_python(edit.model_dump()) for edit in answer.edits)
    return EditIntent(base=base.run, edits=edits, decided_by="llm")


_INTENT: TypeAdapter[AnyIntent] = TypeAdapter(AnyIntent)
_EDIT: TypeAdapter[AnyEdit] = TypeAdapter(AnyEdit)
"""What a variant has no use for is left out of the one shape that a model fills in."""
