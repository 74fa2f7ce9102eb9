"""Drawing as a tool of LangChain agents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from imagewright.errors import BadInput, Fault, ImagewrightError
from imagewright.schemas import RunResult
from imagewright.streaming import astream

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from imagewright.api import Imagewright

_NAME = "draw_picture"
_MOST_RUNS = 1000
"""How many runs back a picture is looked for."""
DESCRIPTION = (
    "Draw a picture from a description, or change the last one of a conversation. It chooses the workflow that has"
    " measurably served such descriptions best, checks the picture, repairs it. Returns the file and how it was made."
)


class Arguments(BaseModel):
    """What an agent hands over."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, max_length=4000, description="what is to be seen, or what is to change")
    conversation: str | None = Field(
        default=None, max_length=100, description="a name; pictures under one name can be changed: 'make it red'"
    )
    seed: int | None = Field(default=None, ge=0, le=2**64 - 1, description="the same seed draws the same picture")
    image: str | None = Field(
        default=None,
        max_length=4000,
        description="a picture to start from: the path of a file, as an earlier call gave",
    )
    strength: float | None = Field(
        default=None, ge=0.0, le=1.0, description="how far from the image: 0 keeps it, 1 keeps nothing"
    )


def as_tool(engine: Imagewright | None = None, *, images: Path | str | None = None, **options: Any) -> BaseTool:
    """A LangChain tool that draws; ``options`` are fields of ``DrawRequest`` that hold for every call.

    A picture to start from is one that this engine delivered, or a file below the folder ``images``: what an agent
    names is nobody's word, so that no other file is opened.

    Its content is JSON for the model (path, flow, seed, score, notes), its artifact the whole ``RunResult``. What
    cannot be drawn comes back as text with the remedy, so that the agent can act on it. Called with ``ainvoke`` it does
    not block, and cancelling the call stops the run between two steps.
    """
    from langchain_core.tools import StructuredTool

    from imagewright.api import Imagewright

    tool = engine or Imagewright()

    def wishes(conversation: str | None, seed: int | None, image: str | None, strength: float | None) -> dict[str, Any]:
        start = None if image is None else find_start(tool, image, None if images is None else Path(images))
        given = {"thread": conversation, "seed": seed, "image": start, "strength": strength}
        return {**options, **{name: value for name, value in given.items() if value is not None}}

    def draw(
        prompt: str,
        conversation: str | None = None,
        seed: int | None = None,
        image: str | None = None,
        strength: float | None = None,
    ) -> tuple[str, RunResult | None]:
        try:
            return _tell(tool.draw(prompt, **wishes(conversation, seed, image, strength)))
        except ImagewrightError as error:
            return _refusal(error), None

    async def draw_beside(
        prompt: str,
        conversation: str | None = None,
        seed: int | None = None,
        image: str | None = None,
        strength: float | None = None,
    ) -> tuple[str, RunResult | None]:
        try:
            async for item in astream(prompt, engine=tool, **wishes(conversation, seed, image, strength)):
                if isinstance(item, RunResult):
                    return _tell(item)
        except ImagewrightError as error:
            return _refusal(error), None
        raise Fault("a run ended without a picture")

    return StructuredTool.from_function(
        func=draw,
        coroutine=draw_beside,
        name=_NAME,
        description=DESCRIPTION,
        args_schema=Arguments,
        response_format="content_and_artifact",
    )


def find_start(engine: Imagewright, named: str, folder: Path | None) -> str:
    """The picture that an agent may start from: a file below ``folder``, else one that a run delivered.

    Raises:
        BadInput: it is neither.
    """
    if folder is not None:
        path = (folder / named).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return str(path)
    for row in engine.runs.list(_MOST_RUNS):
        if row.result is not None and named in (row.id, row.result.path):
            return row.result.image
    raise BadInput(f"no picture that may be started from is called {named[:80]!r}", "name a path that a call gave")


def _refusal(error: ImagewrightError) -> str:
    return json.dumps({"error": str(error), "remedy": error.remedy})


def _tell(result: RunResult) -> tuple[str, RunResult]:
    return json.dumps(_told(result), ensure_ascii=False), result


def _told(result: RunResult) -> dict[str, Any]:
    return {
        "path": result.path, "run": result.run, "flow": result.flow, "seed": result.seed,
        "accepted": result.accepted, "score": result.score, "notes": list(result.notes),
    }  # fmt: skip
