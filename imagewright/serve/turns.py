"""``GET /v1/threads/NAME``: a conversation as a tree: what was said, what came of it, what is in the making."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from fastapi import Request
from pydantic import BaseModel

from imagewright.serve.clients import ClientAccount
from imagewright.serve.files import link_delivered
from imagewright.serve.house import House
from imagewright.serve.runs import RunFacts, run_facts

if TYPE_CHECKING:
    from imagewright.schemas import RunResult


class TurnPicture(BaseModel):
    """The picture that a turn delivered."""

    image: str
    url: str
    file: str | None = None
    """A signed link to the file as it was delivered, with its workflow; null where it is not there any more."""
    number: int
    """In the conversation, from 1."""
    prompt: str
    """The whole prompt that it was drawn from."""
    flow: str
    seed: str
    """In digits: numbers of JavaScript hold 53 bits."""
    width: int
    height: int
    accepted: bool | None = None
    score: float | None = None
    faults: list[str] = []
    """What the critic found wrong."""
    seconds: float
    images: int
    """How many were made for it."""
    thumb: Literal["up", "down", ""] = ""
    notes: list[str] = []


class TurnFacts(BaseModel):
    """One thing that was said, and what came of it."""

    run: str
    said: str
    status: str
    created: str
    parent: str | None = None
    """The turn that it was said after."""
    reply: str = ""
    image: str | None = None
    url: str | None = None
    picture: TurnPicture | None = None


class TurnList(BaseModel):
    """All that was said, oldest first."""

    name: str
    title: str = ""
    present: str | None = None
    """The turn after which the next is said."""
    choices: list[str] = []
    """Of the question that the present turn asks: what would be clear."""
    running: list[RunFacts] = []
    """What is said and not done yet; each is followed at ``/v1/runs/ID/events``."""
    data: list[TurnFacts]


def tell_turns(request: Request, house: House, client: ClientAccount, name: str, stored: str) -> TurnList:
    """The conversation ``stored``, which its client calls ``name``."""
    engine = house.desk.engine
    lines, turns = engine.trace_lines(stored), engine.threads.turns(stored)
    question = engine.chat(stored).question if turns and turns[-1].status == "asked" else None
    pictures = dict(_pictures(request, house, stored))
    data = [
        TurnFacts(
            run=turn.run,
            said=turn.said,
            status=turn.status,
            created=turn.created,
            parent=lines.before.get(turn.run) or None,
            reply=turn.reply,
            image=turn.image or None,
            url=house.link(request, f"{turn.image}.png") if turn.image else None,
            picture=pictures.get(turn.run),
        )
        for turn in turns
    ]
    return TurnList(
        name=name,
        title=engine.threads.title(stored),
        present=lines.present or None,
        choices=list(question.choices) if question else [],
        running=[run_facts(request, house, client, job) for job in house.desk.book.list_open(stored)],
        data=data,
    )


def _pictures(request: Request, house: House, stored: str) -> Iterator[tuple[str, TurnPicture]]:
    """The pictures that are still kept, by their runs."""
    engine = house.desk.engine
    for number, (run, (made, thumb)) in enumerate(engine.threads.deliveries(stored).items(), 1):
        if engine.store.has(made.image):
            size = engine.store.measure(made.image)
            url = house.link(request, f"{made.image}.png")
            own = {"thumb": thumb, "file": link_delivered(request, house, made)}
            yield run, _picture(made, number, url, size).model_copy(update=own)


def _picture(made: RunResult, number: int, url: str, size: tuple[int, int]) -> TurnPicture:
    verdict = made.verdict
    return TurnPicture(
        image=made.image,
        url=url,
        number=number,
        prompt=made.prompt,
        flow=made.flow,
        seed=str(made.seed),
        width=size[0],
        height=size[1],
        accepted=made.accepted,
        score=made.score,
        faults=[check.detail for check in verdict.checks if check.counts and not check.passed] if verdict else [],
        seconds=round(made.seconds, 2),
        images=made.images,
        notes=list(made.notes),
    )
