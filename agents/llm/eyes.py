"""Finding out once whether a language model sees pictures, and preparing pictures for one.

Some servers refuse a picture, and some take it and never look: so the model is shown two halves of plain colour and
asked for their names. What was found is remembered with the endpoint.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image
from pydantic import BaseModel, Field

from imagewright.agents.llm.ask import Asker, Line, Query, Unusable
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.ports import Picture
from imagewright.schemas import Box

WHOLE = 768
"""The longer side of the whole picture as a model is shown it, in pixels."""
CROP = 336
"""The longer side of a part."""
_MARGIN = 0.15
"""How much of the surroundings a part shows, as a share of its box."""
_COLOURS = ("orange", "blue")
"""The halves of the picture that is shown to find out; a blind guess names both in order once in a hundred times."""


class Halves(BaseModel):
    """The colours of the two halves."""

    left: str = Field(max_length=40)
    right: str = Field(max_length=40)


def seeing(asker: Asker) -> Asker:
    """``asker`` with only those of its models that see pictures; asks those of which it is not known yet."""
    return Asker(asker.agent, tuple(model for model in asker.models if sees(asker.line, model)), asker.line)


def sees(line: Line, model: LanguageModel) -> bool:
    """Whether ``model`` sees pictures: what is known, else what it says of the two halves."""
    known = line.recall(model).vision if model.sees is None else model.sees
    if known is not None:
        return bool(known)
    question = Query(prompt_file("sight"), Halves, lambda answer: "", (_halves(),))
    try:
        answer = Asker("critic", (model,), line).ask(question)
    except Unusable as error:
        # A picture that is refused says something about eyes; a lost connection, bad JSON or a spent budget do not.
        if "the call failed" in str(error) and model.name not in line.down:
            line.learn(model, vision=False)
        line.on_note(f"{model.name} cannot look at pictures: {error}")
        return False
    right = (answer.left.lower().strip(), answer.right.lower().strip()) == _COLOURS
    line.learn(model, vision=right)
    if not right:
        line.on_note(f"{model.name} takes pictures and does not see them")
    return right


def _halves() -> bytes:
    picture = Image.new("RGB", (64, 64), _COLOURS[0])
    picture.paste(Image.new("RGB", (32, 64), _COLOURS[1]), (32, 0))
    return png(picture, 64)


def png(picture: Picture, side: int) -> bytes:
    """``picture`` as PNG, no longer than ``side`` pixels; metadata is left out."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    data = io.BytesIO()
    Image.frombytes("RGB", small.size, small.tobytes()).save(data, "PNG")
    return data.getvalue()


def crops(picture: Picture, boxes: Sequence[Box]) -> tuple[bytes, ...]:
    """The parts of ``picture`` that lie in ``boxes``, each with a margin."""
    return tuple(png(picture.crop(_around(box, *picture.size)), CROP) for box in boxes)


def _around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    across, down = box.width * _MARGIN, box.height * _MARGIN
    left, top = max(0.0, box.x - across) * width, max(0.0, box.y - down) * height
    right, bottom = min(1.0, box.right + across) * width, min(1.0, box.bottom + down) * height
    return int(left), int(top), max(int(left) + 1, round(right)), max(int(top) + 1, round(bottom))
