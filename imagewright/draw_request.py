"""What is asked for: one request, with its limits. Whoever makes one hears the same words about what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from imagewright import limits
from imagewright.values import Value

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
    out: str | None = None
    taken: Literal["refuse", "number", "replace"] = "refuse"
    """What is done where another file has the name ``out``: end, take the next number beside it, or replace it."""
    strip: bool = False
    """Leave the text chunks out of the delivered PNG."""
    anyway: bool = False
    """Draw what can be drawn of a prompt outside the model's world."""
    negative: str = ""
    """Words for the flow's negative prompt, beside what the prompt itself excludes."""
    pasted: bool = False
    """Whether the size came with a pasted block: a wish, left out where the model draws one size only."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, values: Any, handler: ModelWrapValidatorHandler[DrawRequest]) -> DrawRequest:
        if isinstance(values, dict) and isinstance(values.get("prompt"), str):
            limits.check_prompt(values["prompt"])
        try:
            return handler(values)
        except ValidationError as error:
            raise limits.say_what_is_wrong(error, cls.model_fields) from None

    @classmethod
    def recall(cls, stored: Mapping[str, Any]) -> DrawRequest:
        """A request that was checked when it was made and is read again, whatever the limits are now."""
        return cls.model_construct(**{name: value for name, value in stored.items() if name in cls.model_fields})

    def revise(self, **changes: Any) -> DrawRequest:
        """This request with ``changes``, checked as a new one is."""
        return DrawRequest.model_validate({**self.model_dump(), **changes})
