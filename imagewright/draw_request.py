"""What is asked for: one request, with its limits. Whoever makes one hears the same words about what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from imagewright import limits
from imagewright.box_changes import BoxOrder
from imagewright.errors import BadInput
from imagewright.values import Value

PictureFormat = Literal["png", "jpeg", "webp"]


def _as_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


_File = Annotated[str | None, BeforeValidator(_as_text)]
_Side = Annotated[int | None, Field(ge=limits.SIDES[0], le=limits.SIDES[1], multiple_of=limits.SIDE_STEP)]


class DrawRequest(Value):
    """One request from prompt to delivered picture. ``None`` means: let imagewright decide.

    Raises:
        BadInput: a value is beyond its limit or of the wrong type, or there is no such field.
    """

    prompt: str
    seed: int | None = Field(default=None, ge=0, le=limits.MAX_SEED)
    width: _Side = None
    height: _Side = None
    flow: str | None = None
    backend: str | None = None
    use_categories: bool = True
    use_layout: bool | Literal["always"] = True  # always: the boxes also govern flows that were measured without
    use_critic: bool = True
    polish: bool = False  # after a picture is right: one suggestion for its beauty
    max_images: int = Field(default=4, ge=0, le=limits.MAX_IMAGES)
    max_seconds: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0, le=limits.MAX_TOKENS)
    """Tokens that language models may read and write."""
    max_money: float | None = Field(default=None, ge=0, le=limits.MAX_MONEY)
    """US dollars that they may cost, by the price table."""
    thread: Annotated[str, Field(max_length=limits.MAX_THREAD, pattern=r"\S")] | None = None
    llm: str | None = None
    """``provider:model`` or ``provider:model@base_url``; None for the rules agents."""
    out: _File = None
    """A file, or a folder for ``imagewright-<run>.png``; here for None."""
    strip: bool = False
    """Leave the text chunks out of the delivered PNG."""
    anyway: bool = False
    """Draw what can be drawn of a prompt outside the model's world."""
    allow_substitute: bool = False
    """On ComfyUI servers: another precision of a model may take the place of one that is not there."""
    negative: str = ""
    """Words for the flow's negative prompt, beside what the prompt itself excludes."""
    pasted: bool = False
    """Whether the size came with a pasted block: a wish, left out where the model draws one size only."""
    steps: int | None = Field(default=None, ge=1, le=limits.MAX_STEPS)
    """Denoising steps; the flow's own for None."""
    guidance: float | None = Field(default=None, ge=0, le=limits.MAX_GUIDANCE)
    """The guidance scale; the flow's own for None."""
    image: _File = None
    """A picture of one's own to start from: a PNG, JPEG or WebP; once the run has begun, its SHA-256 in the store."""
    mask: _File = None
    """What of ``image`` is drawn anew: white, or what is transparent; the rest stays."""
    strength: float | None = Field(default=None, gt=0, le=1)
    """How far from ``image``: little keeps it, 1 draws anew. None: 0.65, and 1 inside a mask; by a workflow's own
    LoadImage what it states."""
    format: PictureFormat | None = None
    """How the picture is written; by the ending of ``out`` for None, else PNG."""
    taken: Literal["refuse", "number", "replace"] = "refuse"
    """What is done where another file has the name ``out``: end, take the next number beside it, or replace it."""
    boxes: BoxOrder | None = None
    """An earlier picture whose boxes are changed by hand: the prompt is then the turn in words, and is not read."""
    explore: bool = False
    """Whether a flow may be chosen to learn more about it."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, values: Any, handler: ModelWrapValidatorHandler[DrawRequest]) -> DrawRequest:
        if isinstance(values, dict) and isinstance(values.get("prompt"), str):
            limits.check_prompt(values["prompt"])
        try:
            request = handler(values)
        except ValidationError as error:
            raise limits.say_what_is_wrong(error, cls.model_fields) from None
        for name in ("mask", "strength"):
            if request.image is None and getattr(request, name) is not None:
                remedy = f"name the picture, too, or leave the {name} out"
                raise BadInput(f"a {name} is of no use without an image", remedy)
        return request

    @classmethod
    def recall(cls, stored: Mapping[str, Any]) -> DrawRequest:
        """A request that was checked when it was made and is read again, whatever the limits are now."""
        known = {name: value for name, value in stored.items() if name in cls.model_fields}
        if isinstance(known.get("boxes"), Mapping):
            known["boxes"] = BoxOrder.model_validate(known["boxes"])
        return cls.model_construct(**known)

    def revise(self, **changes: Any) -> DrawRequest:
        """This request with ``changes``, checked as a new one is."""
        return DrawRequest.model_validate({**self.model_dump(), **changes})


class ChatOptions(TypedDict, total=False):
    """The fields of ``DrawRequest`` beside the prompt and the conversation, as keyword arguments."""

    seed: int | None
    """The same seed draws the same picture; one by chance for None."""
    width: int | None
    """In pixels, a multiple of 8; the flow's own for None. There is no ``size``: give ``width`` and ``height``."""
    height: int | None
    flow: str | None
    """The flow to draw with, by name; the best one for None."""
    backend: str | None
    use_categories: bool
    """Whether flows that are good at this kind of prompt may win by that."""
    use_layout: bool | Literal["always"]
    """Whether it is planned where things go; ``always``: the plan also governs flows that were measured without."""
    use_critic: bool
    """Whether the picture is checked and repaired."""
    explore: bool
    """Whether a flow may be chosen to learn more about it: as often as it may be the best, by the run's seed."""
    polish: bool
    """Whether a picture that is right is tried with one change of light, angle or mood."""
    max_images: int
    """Pictures to make at most, 4 unless told otherwise."""
    max_seconds: float | None
    max_tokens: int | None
    max_money: float | None
    """US dollars that language models may cost."""
    llm: str | None
    """``provider:model`` or ``provider:model@base_url``; None for the rules agents."""
    out: str | Path | None
    """A file, or a folder for ``imagewright-<run>.png``; here for None."""
    format: PictureFormat | None
    """``png``, ``jpeg`` or ``webp``; by the ending of ``out`` for None."""
    taken: Literal["refuse", "number", "replace"]
    """What is done where another file has the name ``out``: end, take the next number beside it, or replace it."""
    strip: bool
    """Leave prompt, flow and settings out of the picture's file."""
    anyway: bool
    """Draw what can be drawn of a prompt outside the model's world."""
    allow_substitute: bool
    """On ComfyUI servers: another precision of a model may take the place of one that is not there."""
    negative: str
    """What must not appear, for the flow's negative prompt."""
    steps: int | None
    """Denoising steps, 1 to 200; the flow's own for None."""
    guidance: float | None
    """The guidance scale, 0 to 100; the flow's own for None."""
    image: str | Path | None
    """A picture of one's own to start from: a PNG, JPEG or WebP."""
    mask: str | Path | None
    """What of ``image`` is drawn anew: white, or what is transparent; the rest stays."""
    strength: float | None
    """How far from ``image``, above 0 (keeps it) to 1 (draws anew). None: 0.65, and 1 inside a mask; by a workflow's
    own LoadImage what it states."""
    pasted: bool
    """Whether the size came with a pasted block: a wish, left out where the model draws one size only."""
    boxes: BoxOrder | None
    """An earlier picture whose boxes are changed by hand; `Chat.edit` makes it."""


class DrawOptions(ChatOptions, total=False):
    """The fields of ``DrawRequest`` beside the prompt, as keyword arguments."""

    thread: str | None
    """The conversation that the picture joins."""
