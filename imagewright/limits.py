"""What a request may ask for: the numbers, stated once, and the words for a value beyond them.

``schemas.DrawRequest`` checks them wherever a request is made; the command line shows them in its own refusals.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from pydantic import ValidationError

from imagewright.errors import BadInput

MAX_SEED = 2**64 - 1
"""The largest seed that ComfyUI and torch take."""
SIDES = (16, 8192)
"""The smallest and the largest side of a picture, in pixels."""
SIDE_STEP = 8
"""Every family of models works on blocks of at least 8 by 8 pixels."""
MAX_THREAD = 200
"""Characters of a thread's name."""
MAX_IMAGES = 10_000
MAX_TOKENS = 1_000_000_000
MAX_MONEY = 10_000_000.0
"""US dollars."""
MAX_PROMPT = 20_000
"""Characters of the longest prompt that is drawn; text encoders read a few hundred words."""

MAX_STEPS = 200
MAX_GUIDANCE = 100.0
PICTURE_FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
"""How a delivered picture can be written, and how its file then ends."""
MAX_VARIATIONS = 1000
MAX_AT_ONCE = 24
"""Variations that one saying of a conversation can ask for."""

_SIDE = f"a side has {SIDES[0]} to {SIDES[1]} pixels, in steps of {SIDE_STEP}"
_SAID = {
    "seed": ("the seed {} cannot be used", f"a seed is a whole number from 0 to {MAX_SEED}"),
    "width": ("the width {} cannot be used", _SIDE),
    "height": ("the height {} cannot be used", _SIDE),
    "max_images": ("{} images cannot be allowed", f"allow 1 to {MAX_IMAGES:,}"),
    "max_seconds": ("{} is not a number of seconds", "allow more than 0, or leave the limit out"),
    "max_tokens": ("{} tokens cannot be allowed", f"allow 0 to {MAX_TOKENS:,}, or leave the limit out"),
    "max_money": ("{} is no sum", f"allow 0 to {MAX_MONEY:,.0f} US dollars, such as 0.05, or leave the limit out"),
    "steps": ("{} steps cannot be made", f"ask for 1 to {MAX_STEPS}, or leave them to the flow"),
    "guidance": ("the guidance {} cannot be used", f"give 0 to {MAX_GUIDANCE:g}, or leave it to the flow"),
    "strength": ("the strength {} cannot be used", "give more than 0 (keeps the picture) and up to 1 (draws anew)"),
    "format": ("{} is not a format that is written", f"write {', '.join(PICTURE_FORMATS)}"),
    "taken": ("{} is not what can be done with a name that is taken", "say refuse, number or replace"),
    "thread": ("the thread's name cannot be used", f"name it in 1 to {MAX_THREAD} characters"),
}
"""What is said of a field of a request that is beyond its bounds, and the remedy."""


def why_unclear(text: str) -> str:
    """Why nothing can be drawn from ``text``; empty when something can."""
    if not text.strip():
        return "the prompt is empty"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text if character not in "\n\r\t"):
        return "the prompt is not text: it holds control characters"
    return ""


def check_prompt(text: str) -> None:
    """Refuse a prompt that cannot be drawn.

    Raises:
        BadInput: it is empty, not text, or longer than ``MAX_PROMPT`` characters.
    """
    reason = why_unclear(text)
    if not reason and len(text) > MAX_PROMPT:
        reason = f"the prompt has {len(text):,} characters; at most {MAX_PROMPT:,} are read"
    if reason:
        raise BadInput(reason, 'say what to draw, such as "a red circle above a blue square"')


def say_what_is_wrong(error: ValidationError, fields: Collection[str]) -> BadInput:
    """The first thing that is wrong with a request, in words; ``fields`` are the options that there are."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "the request"
    if name == "size" and first["type"] == "extra_forbidden":
        return BadInput("there is no option 'size'", "give width and height in pixels, such as width=96, height=64")
    if name not in _SAID or first["type"].endswith(("_type", "_parsing")):
        return BadInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", f"options: {', '.join(fields)}")
    said, remedy = _SAID[name]
    return BadInput(said.format(str(first["input"])[:40]), remedy)
