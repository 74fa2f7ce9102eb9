"""The fields that every drawing route has beside OpenAI's: ours, at the top level of the body."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagewright.errors import BadInput
from imagewright.limits import MAX_IMAGES, MAX_MONEY, MAX_PROMPT, MAX_SEED, SIDE_STEP, SIDES
from imagewright.schemas import DrawRequest
from imagewright.serve.clients import ClientAccount
from imagewright.serve.faults import Denied

OWN_MODEL = "imagewright"
"""The model's name that lets the flow be chosen; ``imagewright/FLOW`` names one."""
_QUALITIES: dict[str, dict[str, Any]] = {
    "low": {"use_critic": False, "max_images": 1},
    "high": {"max_images": 8},
    "xhigh": {"max_images": 8, "polish": True},
    "max": {"max_images": 12, "polish": True},
}
"""What a named quality means here: how often a picture is looked at and repaired."""
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
Text = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]


class Knobs(BaseModel):
    """What may be wished of a picture; unset: imagewright decides."""

    model_config = ConfigDict(extra="ignore")

    seed: int | None = Field(default=None, ge=0, le=MAX_SEED, description="the same seed draws the same picture")
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT)
    flow: str | None = Field(default=None, max_length=200, description="the flow to draw with, see /v1/flows")
    layout: bool | Literal["always"] | None = Field(default=None, description="whether things are placed by boxes")
    max_images: int | None = Field(default=None, ge=1, le=MAX_IMAGES, description="pictures to make at most")
    max_seconds: float | None = Field(default=None, gt=0, le=86_400)
    max_money: float | None = Field(default=None, ge=0, le=MAX_MONEY, description="US dollars")
    critic: bool | None = Field(default=None, description="whether the picture is checked and repaired")
    polish: bool | None = None
    anyway: bool = Field(default=False, description="draw what can be drawn of a prompt outside the model's world")
    allow_substitute: bool = Field(
        default=False,
        description="on ComfyUI servers: another precision of a model may take its place; only the owner may",
    )
    thread: str | None = Field(default=None, min_length=1, max_length=150, description="the conversation")
    quality: str | None = Field(default=None, max_length=20, description="low, medium, high, xhigh, max or auto")
    size: str | None = Field(default=None, max_length=20, description="auto, or WIDTHxHEIGHT in pixels")
    model: str | None = Field(default=None, max_length=220, description="imagewright, or imagewright/FLOW")

    def to_request(self, prompt: str, client: ClientAccount, out: str) -> DrawRequest:
        """What the engine is asked for. Its files go below ``out``, whatever was sent.

        Raises:
            Denied: a value cannot be used.
        """
        if self.allow_substitute and not client.owns_home:
            message, remedy = "only the owner allows that a model is replaced", "leave allow_substitute out"
            raise Denied("not_allowed", message, remedy, param="allow_substitute")
        width, height = read_pixels(self.size)
        given: dict[str, Any] = {
            "max_images": self.max_images,
            "use_critic": self.critic,
            "polish": self.polish,
            "use_layout": self.layout,
            "max_seconds": self.max_seconds,
            "max_money": self.max_money,
        }
        try:
            thread = client.stored_thread(self.thread) if self.thread is not None else None
            return DrawRequest(
                prompt=prompt,
                seed=self.seed,
                width=width,
                height=height,
                flow=self.flow or flow_of_model(self.model),
                negative=self.negative_prompt,
                anyway=self.anyway,
                allow_substitute=self.allow_substitute,
                out=out,
                thread=thread,
                **{**self._quality(), **{name: value for name, value in given.items() if value is not None}},
            )
        except BadInput as error:
            raise Denied("bad_input", str(error), error.remedy) from None

    def _quality(self) -> dict[str, Any]:
        name = (self.quality or "auto").lower()
        if name in ("auto", "medium", "standard", "hd"):
            return {}
        if name not in _QUALITIES:
            raise Denied("bad_input", f"no quality is called {name!r}", "low, medium, high or auto", param="quality")
        return _QUALITIES[name]


def flow_of_model(model: str | None) -> str | None:
    """The flow that a model's name means: none of a name that is not ours, since clients must send one."""
    before = f"{OWN_MODEL}/"
    return model.removeprefix(before) if model and model.startswith(before) else None


def read_pixels(size: str | None) -> tuple[int | None, int | None]:
    """``1024x1024`` as ``(width, height)``; none of ``auto``.

    Raises:
        Denied: it is no size, or one that no model draws.
    """
    if size in (None, "", "auto"):
        return None, None
    found = _SIZE.fullmatch(size or "")
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if any(side % SIDE_STEP or not SIDES[0] <= side <= SIDES[1] for side in sides):
        remedy = f"auto, or WIDTHxHEIGHT with sides of {SIDES[0]} to {SIDES[1]} in steps of {SIDE_STEP}"
        raise Denied("bad_input", f"the size {size!r} cannot be used", remedy, param="size")
    return sides
