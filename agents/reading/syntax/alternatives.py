"""Alternatives of dynamic prompts: ``{red|blue}``, ``{2$$a|b|c}``, weights ``{3::red|blue}``; wildcards are refused."""

from __future__ import annotations

import random
import re

from imagewright.errors import BadInput

_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
_WILDCARD = re.compile(r"(?<![\w_])__[A-Za-z0-9][\w/.* -]*?__(?![\w_])")
_SEVERAL = re.compile(r"^(\d+)(?:-(\d+))?\$\$(?:([^$|]*)\$\$)?")
_WEIGHTED = re.compile(r"^\s*(\d*\.?\d+)::")
_DEEPEST = 20


def has_alternatives(text: str) -> bool:
    """Whether ``text`` holds alternatives that are chosen by the seed."""
    return _CHOICE.search(text) is not None


def find_wildcards(text: str) -> tuple[str, ...]:
    """The wildcards of ``text``, as written."""
    return tuple(dict.fromkeys(_WILDCARD.findall(text)))


def expand(text: str, seed: int) -> str:
    """``text`` with every ``{a|b}`` chosen by ``seed``; the same seed chooses the same.

    Raises:
        BadInput: it names wildcard files, of which there are none here.
    """
    wild = find_wildcards(text)
    if wild:
        raise BadInput(f"there are no wildcard files here for {', '.join(wild)}", "write the choices: {red|blue|green}")
    dice = random.Random(seed)
    for _ in range(_DEEPEST):
        chosen = _CHOICE.sub(lambda hit: _choose(hit.group(1), dice), text)
        if chosen == text:
            break
        text = chosen
    return text


def _choose(body: str, dice: random.Random) -> str:
    several = _SEVERAL.match(body)
    if several:
        body = body[several.end() :]
    options = body.split("|")
    weights = [float(hit.group(1)) if (hit := _WEIGHTED.match(option)) else 1.0 for option in options]
    options = [_WEIGHTED.sub("", option) for option in options]
    if several is None:
        return dice.choices(options, weights)[0] if sum(weights) > 0 else options[0]
    most = int(several.group(2) or several.group(1))
    wanted = min(len(options), dice.randint(min(int(several.group(1)), most), most))
    joint = several.group(3) if several.group(3) is not None else ", "
    return joint.join(option.strip() for option in dice.sample(options, wanted))
