"""By which rules a picture is drawn, so that a flow means what its author's ComfyUI means by it, and an earlier run can
be drawn again as it was.

A trace holds them as text: ``4``, ``4 text=stock``, ``1``. Version 1 is what was drawn before the rules were noted;
version 2 is as version 3, but that areas of the transformer families were grown to whole tokens; version 3 is as
version 4, but that pictures were scaled by Pillow's filters, control pictures stretched, and tiles the VAE's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagewright.errors import BadInput

NEWEST = 4
BEFORE = "1"
"""The rules of pictures whose trace names none."""
_HOUSES = ("comfyui", "stock")


@dataclass(frozen=True)
class Rules:
    """A version, and whose way counts where ComfyUI and the stock diffusers pipelines differ."""

    version: int = NEWEST
    text: str = "comfyui"
    """How many tokens T5 reads: ``comfyui`` or ``stock``."""
    shift: str = "stock"
    """How FLUX's noise levels are shifted where no node says so: by the picture's size (``stock``), by 1.15
    (``comfyui``)."""

    @property
    def is_before(self) -> bool:
        """Whether they are those of version 1."""
        return self.version < 2

    @property
    def grows_areas(self) -> bool:
        """Whether areas are grown to whole units of the model, and boxes around masks may be smaller than 8 cells."""
        return self.version < 3

    @property
    def scales_by_pillow(self) -> bool:
        """Whether pictures are scaled by Pillow's filters, control pictures stretched, and tiles are the VAE's own."""
        return self.version < 4

    def __str__(self) -> str:
        said = [f"text={self.text}"] if self.text != Rules.text else []
        said += [f"shift={self.shift}"] if self.shift != Rules.shift else []
        return " ".join([str(self.version), *said])


def parse_rules(text: str) -> Rules:
    """The rules that ``text`` names: a version, ``text=…``, ``shift=…``, or one house for both; empty for the newest.

    A version that is not known here is read as the newest.

    Raises:
        BadInput: a word of it means nothing.
    """
    version = NEWEST
    said: dict[str, str] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if word.isdecimal() and len(word) < 6:
            version = min(max(int(word), 1), NEWEST)
        elif word in _HOUSES:
            said |= {"text": word, "shift": word}
        elif name in ("text", "shift") and value in _HOUSES:
            said[name] = value
        else:
            remedy = "use stock, comfyui, text=stock or shift=comfyui"
            raise BadInput(f"{word[:40]!r} names no rules of drawing", remedy)
    return Rules(version, **said)
