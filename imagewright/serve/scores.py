"""``/v1/scores``: how well flows do by category."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from imagewright.serve.desk import in_thread
from imagewright.serve.flows import insist_on_listed
from imagewright.serve.house import ERRORS, Asking, AtHouse

router = APIRouter(tags=["flows"])


class ExpectedScore(BaseModel):
    """What a flow is expected to score, from 0 to 1, with the 90 % interval and the scores behind it."""

    mean: float
    low: float
    high: float
    scores: int


class FlowScores(BaseModel):
    """One flow's scores, one for each category of the table."""

    flow: str
    title: str
    runnable: bool
    overall: ExpectedScore
    cells: list[ExpectedScore]


class ScoresByCategory(BaseModel):
    """Flows by category, those that run here first, the best of them first."""

    backend: str
    categories: list[str]
    data: list[FlowScores]
    measured: int
    """How many flows have scores in all."""


@router.get("/v1/scores", response_model=ScoresByCategory, responses=ERRORS)
async def get_scores(
    house: AtHouse,
    client: Asking,
    flow: Annotated[str, Query(max_length=200, description="this flow alone")] = "",
    limit: Annotated[int, Query(ge=1, le=60)] = 40,
) -> ScoresByCategory:
    """What the flows that run here and were scored most are expected to score on prompts of each category."""
    if flow:
        await in_thread(insist_on_listed, house, flow)
    table = await in_thread(lambda: house.desk.engine.tabulate_scores(most=limit, flow=flow))
    rows = [
        FlowScores(
            flow=row.flow,
            title=row.title,
            runnable=row.runnable,
            overall=ExpectedScore(**row.overall._asdict()),
            cells=[ExpectedScore(**cell._asdict()) for cell in row.cells],
        )
        for row in table.rows
    ]
    return ScoresByCategory(
        backend=table.backend, categories=list(table.categories), data=rows, measured=table.measured
    )
