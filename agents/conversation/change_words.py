"""The words for sizes, ways and places, and what they come to as shares of the canvas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from imagewright.schemas import PlaceName

AMOUNT = (
    r"(?:a tiny bit|a little bit|a bit|a little|a touch|slightly|somewhat|"
    r"a lot|lots|much|far|way|considerably|quite a bit|by half)"
)
BETTER = r"(?:bigger|larger|smaller|tinier|huger|taller|wider)"
SIZE_CHANGE = (
    r"(?:(?:by )?(?P<pc>\d{1,3}) ?(?:%|percent) )?(?:(?:much|far|way|a lot|a bit|a little|a little bit|slightly|"
    r"somewhat|even|considerably|even more|really|very|quite|super|so much) )?"
    r"(?P<s>(?:twice|three times|half|two times|double|1\.5 times|four times)(?: as (?:big|large|small|wide|tall)|"
    r" (?:the|its|their) size| bigger| larger)?|"
    r"bigger|larger|smaller|tinier|tiny|huge|giant|big|large|small|little|enormous|massive|grow|shrink|taller|"
    r"wider|enlarged|reduced)"
    r"(?: (?:again|please))?"
)
MOVE_VERB = r"move|shift|push|put|place|bring|drag|slide|nudge|send|pull|position|set|get|take|raise|lift|lower"
WAY = (
    r"left(?:wards?| side)?|right(?:wards?| side)?|up(?:wards?)?|down(?:wards?)?|higher(?: up)?|lower(?: down)?|"
    r"top|bottom|middle|cent(?:er|re)|upper left|upper right|lower left|lower right"
)
CORNER = r"(?:top|bottom|upper|lower)[ -](?:left|right)(?:[ -]?hand)?(?: corner| side)?"
PLACE = (
    rf"(?:{CORNER}|"
    r"(?:left|right|top|bottom|upper|lower)(?:[ -]?hand)?(?: (?:corner|side|edge|half|part))?(?: of (?:the "
    r")?(?:picture|image|canvas|scene|frame))?|"
    r"(?:middle|cent(?:er|re))(?: of (?:the )?(?:picture|image|canvas|scene|frame|it))?)"
)
RELATION = (
    r"(?:to the left of|to the right of|on the left of|on the right of|left of|right of|on the left side of|on "
    r"the right side of|above|over|on top of|between|in between|"
    r"below|under|underneath|beneath|behind|in back of|in front of|next to|beside|near|close to|by|"
    r"inside|within|into|at the side of)"
)
_RELATIONS: tuple[tuple[str, PlaceName], ...] = (
    ("between", "middle"), ("left", "left"), ("right", "right"), ("above", "above"), ("over", "above"),
    ("on top", "above"),
    ("below", "below"), ("under", "below"), ("beneath", "below"), ("inside", "inside"), ("within", "inside"),
    ("into", "inside"), ("behind", "behind"), ("in back", "behind"), ("in front", "in-front"),
)  # fmt: skip
_SIZES = {
    "bigger": 1.4, "larger": 1.4, "big": 1.5, "large": 1.5, "taller": 1.4, "wider": 1.4, "grow": 1.4, "enlarged": 1.4,
    "huge": 2.0, "giant": 2.0, "enormous": 2.0, "massive": 2.0, "smaller": 0.7, "small": 0.65, "little": 0.65,
    "tinier": 0.6, "tiny": 0.5, "shrink": 0.7, "reduced": 0.7, "huger": 1.8,
    "enlarge": 1.4, "scale up": 1.4, "blow up": 1.6, "magnify": 1.4, "expand": 1.4, "double": 2.0, "triple": 3.0,
    "scale down": 0.7, "reduce": 0.7, "halve": 0.5,
}  # fmt: skip
_TIMES = (
    ("three times", 3.0),
    ("four times", 4.0),
    ("1.5 times", 1.5),
    ("twice", 2.0),
    ("two times", 2.0),
    ("double", 2.0),
    ("half", 0.5),
)
_STEP = 0.2
"""How far "move it up" goes, as a share of the canvas."""


def read_factor(groups: Mapping[str, str | None]) -> float | None:
    """The factor that the matched words come to; None where they name no size."""
    if too := groups.get("too"):
        return 1.4 if re.search(r"small|little|tiny", too) else 0.7
    word = groups.get("s") or groups.get("w") or ""
    if share := groups.get("pc"):
        smaller = _SIZES.get(word, 1.0) < 1
        return min(max(1 + int(share) / 100 * (-1 if smaller else 1), 0.2), 5.0)
    for times, factor in _TIMES:
        if word.startswith(times):
            return 1 / factor if word.endswith("as small") else factor
    return _SIZES.get(word)


def way_of(word: str, *, too: bool = False) -> tuple[int, int]:
    """The direction of a word as ``(across, down)``; "too far left" means to the right."""
    across = -1 if "left" in word else 1 if "right" in word else 0
    down = (
        -1 if re.search(r"up|high|raise|lift|top", word) else 1 if re.search(r"down|low|sink|drop|bottom", word) else 0
    )
    return (-across, -down) if too else (across, down)


def amount_of(said: str) -> float:
    """How far a saying moves a thing."""
    if re.search(r"tiny bit|a touch|slightly|a little|a bit|nudge|somewhat", said) and "quite a bit" not in said:
        return 0.1
    return (
        0.35
        if re.search(r"a lot|lots|\bfar\b(?! (?:left|right))|\bmuch\b|\bway\b|considerably|quite a bit", said)
        else _STEP
    )


def read_place(words: str) -> PlaceName:
    """A place of the canvas in our words: ``top-left``, ``left``, ``middle``."""
    down = "top" if re.search(r"top|upper|up|high", words) else "bottom" if re.search(r"bottom|low|down", words) else ""
    across = "left" if "left" in words else "right" if "right" in words else ""
    return cast(PlaceName, f"{down}-{across}" if down and across else down or across or "middle")


def relation_of(words: str) -> PlaceName:
    """A relation in our words; "next to" and the like are ``near``."""
    return next((relation for sign, relation in _RELATIONS if sign in words), "near")
