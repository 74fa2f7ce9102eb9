"""Edits of the whole picture: what lies behind all things, the time of day, the style and the tone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation import change_patterns as patterns
from imagewright.agents.conversation.change_patterns import GROUND, MAKE
from imagewright.agents.conversation.change_words import AMOUNT
from imagewright.agents.conversation.targets import names_shown
from imagewright.agents.reading import lexicon, nouns, styling
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import AnyEdit, BackgroundEdit, Reference, StyleEdit


def match_all(patterns: Sequence[str], said: str) -> list[re.Match[str]]:
    """The matches of those ``patterns`` that fit the whole of ``said``, in their order."""
    return [found for pattern in patterns if (found := re.fullmatch(pattern, said))]


def read_background(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if behind := _BEHIND.fullmatch(said):
        ground = parse_prompt(behind["g"])
        if ground.background and not ground.groups:
            return (BackgroundEdit(text=ground.background),)
    for found in match_all(patterns.BACKGROUND_CHANGE, said):
        return (BackgroundEdit(text=f"{nouns.article(found['c'])} {found['c']} background"),)
    body = re.sub(
        rf"^(?:{MAKE} (?:it |this |that |the (?:picture|scene|image) )?(?:be )?|but |now |put (?:it|them|this|"
        rf"everything) |set (?:it|this) |place (?:it|them) |with the background (?:of )?)",
        "",
        said,
    )
    body = re.sub(rf"^{GROUND} (?:should be |is |to be |to )?", "", body)
    parsed = parse_prompt(body)
    scene = parsed.background and not parsed.groups and not parsed.negative
    led = re.match(r"(?:at|in|on|under|during|inside|by) ", body) or re.sub(r"^an? ", "", parsed.background) == re.sub(
        r"^(?:an?|the) ", "", body
    )
    if scene and led and not names_shown(body, picture):
        return (BackgroundEdit(text=parsed.background),)
    if time := re.fullmatch(
        r"(?:make it |let it be )?(?:look )?(?:a bit )?(?:more )?(?:like )?(?:an? |the )?(night|nighttime|daytime|"
        r"sunset|sunrise|dusk|dawn|winter|summer|autumn|spring|"
        r"snowy|rainy|foggy|stormy)",
        said,
    ):
        return (BackgroundEdit(text=_TIMES.get(time[1], f"in {time[1]}")),)
    return ()


_BEHIND = re.compile(
    r"(?:now |but )?(?:(?:put|add|with|have|draw|set) )?(?P<g>.+?) "
    r"(?:behind (?:it|them|this|that|everything|all|the .+)|(?:in|for|as) the (?:background|backdrop)(?: instead)?)"
)
_TIMES = {"night": "at night", "nighttime": "at night", "daytime": "in daylight", "sunset": "at sunset",
          "sunrise": "at sunrise", "dusk": "at dusk", "dawn": "at dawn", "snowy": "in the snow", "rainy": "in the rain",
          "foggy": "in the fog", "stormy": "in a storm"}  # fmt: skip


def read_ground_shade(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Make the background darker": its colour in that shade; white and black go towards gray."""
    found = _GROUND_SHADE.fullmatch(said)
    if found is None:
        return ()
    dark = found["d"] == "darker"
    behind = picture.parsed.background.split()
    colour = next((word for word in behind if word in lexicon.KNOWN_COLOURS), "" if behind else "white")
    if not colour:
        return (StyleEdit(text=f"{found['d']} background"),)
    new = _GRAYS.get((colour, dark), f"{'dark' if dark else 'light'} {colour}")
    return (BackgroundEdit(text=f"a {new} background"),)


_GROUND_SHADE = re.compile(rf"{MAKE} {GROUND} (?:{AMOUNT} |even )?(?P<d>darker|lighter|brighter)(?: {AMOUNT})?")
_GRAYS = {("white", True): "light gray", ("black", False): "dark gray", ("gray", False): "light gray",
          ("grey", False): "light gray"}  # fmt: skip


def read_style(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if re.fullmatch(
        r"(?:make it |in |all |turn it |now |everything |the whole (?:thing|picture|image) |of it )*black and white",
        said,
    ):
        return (StyleEdit(text="black and white"),)
    for found in match_all(patterns.MOOD, said):
        return (StyleEdit(text=found["m"]),)
    parsed = parse_prompt(said.removesuffix(" instead"))
    if not parsed.style or parsed.groups or parsed.background or parsed.negative:
        return ()
    text = styling.bare(parsed.style[0])
    return () if re.search(r"\b(?:looks?|less|not|it|them)\b", text) else (StyleEdit(text=text),)
