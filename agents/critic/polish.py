"""Suggestions for the beauty of a picture that is right already: at most one, of a closed set, and kept only if better.

A model that sees proposes one and compares both pictures, in both orders, so that its taste for the first or the second
place does not decide. Where there is none, two things are measured: exposure and contrast. Neither is a benchmark's
scorer, and neither may say what is to be seen: what is added to the prompt are the words of ``IDEA_WORDS`` and no
others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from imagewright.agents.llm.ask import Asker, OnNote, Query, Unusable
from imagewright.agents.llm.eyes import WHOLE, png, seeing
from imagewright.agents.llm.prompt_files import prompt as prompt_file
from imagewright.intents import Idea, IdeaKind
from imagewright.ports import Picture, Polisher

IDEA_WORDS: dict[IdeaKind, str] = {
    "brighter": "brightly lit, well exposed",
    "darker": "low-key lighting, darker exposure",
    "more contrast": "strong contrast, deep shadows and clear highlights",
    "softer contrast": "soft contrast, gentle shadows",
    "richer colours": "rich, saturated colours",
    "calmer colours": "calm, muted colours",
    "lower angle": "low-angle view",
    "higher angle": "high-angle view",
    "closer": "close-up view",
    "wider": "wide view",
    "soft light": "soft diffused light",
    "golden light": "warm golden-hour light",
    "mist": "light atmospheric mist",
}
"""What each suggestion adds to the prompt."""
DARK, BRIGHT = 0.2, 0.85
"""A mean luminance (0 to 1) below the one is under-exposed, above the other over-exposed: chosen so that night scenes
and white paper, which say so, are all that falls outside by intent."""
FLAT = 0.08
"""A standard deviation of luminance below this is flat: about 20 of 255 levels."""
COMPARED = 512
"""The longer side of each of two pictures that are compared, in pixels: taste needs less of them than counting does."""
_SIDE = 256
"""Pixels of the longer side at which a picture is measured."""
_ON_PURPOSE: dict[IdeaKind, tuple[str, ...]] = {
    "brighter": ("night", "dark", "black", "dim", "shadow", "midnight", "cave", "noir", "low-key", "space"),
    "darker": ("white", "bright", "snow", "high-key", "light background", "paper", "sunlit", "fog", "mist"),
    "more contrast": ("mist", "fog", "haze", "pastel", "soft", "faded", "pale", "plain", "minimal"),
}
"""Words of a prompt that ask for what would be measured as a fault."""
_MOST_PROMPT = 2000


class Suggested(BaseModel):
    """One suggestion, or none."""

    suggestion: Literal[IdeaKind, "none"]
    reason: str = Field(default="", max_length=200)


class Preferred(BaseModel):
    """Which of two pictures is more beautiful."""

    better: Literal["first", "second", "neither"]
    reason: str = Field(default="", max_length=200)


# --- by measure -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Tone:
    """The luminance of a picture, from 0 to 1 (Rec. 709 weights on the gamma-coded values)."""

    mean: float
    spread: float

    @classmethod
    def of(cls, picture: Picture) -> Tone:
        """Measured on a small copy."""
        small = picture.convert("RGB")
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        values = np.asarray(small, dtype=np.float64) @ np.array([0.2126, 0.7152, 0.0722]) / 255
        return cls(float(values.mean()), float(values.std()))


_FAULTS: dict[IdeaKind, Callable[[Tone], float]] = {
    "brighter": lambda tone: DARK - tone.mean,
    "darker": lambda tone: tone.mean - BRIGHT,
    "more contrast": lambda tone: FLAT - tone.spread if DARK <= tone.mean <= BRIGHT else -1.0,
}
"""How far a picture is beyond what calls for each suggestion; above 0 it does. All dark or all bright is not flat."""


class MeasuredPolisher:
    """Suggests against under- and over-exposure and a flat picture, by the histogram; nothing else can be measured."""

    def suggest(self, image: Picture, prompt: str) -> Idea | None:
        """The first of the three that is measured and that the prompt does not ask for."""
        tone, said = Tone.of(image), prompt.lower()
        for kind, fault in _FAULTS.items():
            if fault(tone) > 0 and not any(word in said for word in _ON_PURPOSE[kind]):
                reason = f"mean luminance {tone.mean:.2f}, spread {tone.spread:.2f}"
                return Idea(kind=kind, words=IDEA_WORDS[kind], reason=reason, decided_by="measure")
        return None

    def prefers(self, before: Picture, after: Picture, prompt: str, idea: Idea) -> tuple[bool, str]:
        """Whether what called for the suggestion is gone, and nothing else that is measured has come."""
        old, new = Tone.of(before), Tone.of(after)
        told = f"mean luminance {old.mean:.2f} → {new.mean:.2f}, spread {old.spread:.2f} → {new.spread:.2f}"
        worse = [kind for kind, fault in _FAULTS.items() if fault(new) > max(0.0, fault(old))]
        cured = idea.kind in _FAULTS and _FAULTS[idea.kind](new) <= 0
        return cured and not worse, told


# --- by a model that sees -------------------------------------------------------------------


class VLMPolisher:
    """Asks a model that sees; where it gives no usable answer, ``measured`` suggests and compares, and it is told."""

    def __init__(self, asker: Asker, measured: Polisher, on_fallback: OnNote) -> None:
        self.asker, self.measured, self.on_fallback = asker, measured, on_fallback

    def suggest(self, image: Picture, prompt: str) -> Idea | None:
        """At most one suggestion."""
        file = prompt_file("polish", prompt=[prompt[:_MOST_PROMPT]])
        try:
            answer = self._asker().ask(Query(file, Suggested, lambda said: "", (png(image, WHOLE),)))
        except Unusable as error:
            self.on_fallback(f"the picture's beauty was left to the measure of its light: {error}")
            return self.measured.suggest(image, prompt)
        kind = answer.suggestion
        if kind == "none":
            return None
        return Idea(kind=kind, words=IDEA_WORDS[kind], reason=" ".join(answer.reason.split()), decided_by="vlm")

    def prefers(self, before: Picture, after: Picture, prompt: str, idea: Idea) -> tuple[bool, str]:
        """Whether ``after`` is found more beautiful in both orders; who suggested is who compares."""
        if idea.decided_by != "vlm":
            return self.measured.prefers(before, after, prompt, idea)
        shown = (png(before, COMPARED), png(after, COMPARED))
        try:
            first = self._compared(prompt, shown)
            if first.better != "second":
                return False, " ".join(first.reason.split()) or f"{first.better} is preferred"
            turned = self._compared(prompt, shown[::-1])
        except Unusable as error:
            self.on_fallback(f"the polished picture was not compared, and is not kept: {error}")
            return False, "nobody compared them"
        if turned.better != "first":
            return False, "the preference went with the order in which they were shown"
        return True, " ".join(turned.reason.split()) or "preferred in both orders"

    def _compared(self, prompt: str, pictures: tuple[bytes, ...]) -> Preferred:
        file = prompt_file("compare", prompt=[prompt[:_MOST_PROMPT]])
        return self._asker().ask(Query(file, Preferred, lambda said: "", pictures))

    def _asker(self) -> Asker:
        asker = seeing(self.asker)
        if not asker.models:
            raise Unusable("no language model that is set sees pictures")
        return asker
