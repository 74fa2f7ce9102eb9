"""What a small-world model can draw: read from ``world.json`` beside its weights, before anything is drawn."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from imagewright import untrusted
from imagewright.errors import BadInput, Fault
from imagewright.schemas import ParsedPrompt
from imagewright.worlds import World

WORLD_FILE = "world.json"
RELATION_WORDS = frozenset("between inside within amid sandwiched flanked either".split())
"""Words that say where things stand to one another: boxes tell it to a model that has no such word."""


@functools.cache
def _read(path: Path, _changed: float) -> World:
    try:
        return World.model_validate(untrusted.load_json(path))
    except (BadInput, ValueError) as error:
        raise Fault(
            f"{path} cannot be read: {error}", "reinstall imagewright, or put the model's folder back"
        ) from error


def world_of(folder: Path) -> World | None:
    """The world stated in ``folder``, or None for a model without such a statement."""
    path = folder / WORLD_FILE
    return _read(path, path.stat().st_mtime) if path.is_file() else None


def region_share(folders: Sequence[Path]) -> float | None:
    """What the first of ``folders`` that says so says of the share of the steps that should obey regions."""
    worlds = (world_of(folder) for folder in folders)
    return next((w.region_share for w in worlds if w is not None and w.region_share is not None), None)


def insist_on_size(folder: Path, width: int | None, height: int | None) -> None:
    """Refuse a size that the model in ``folder`` never learned; a side that is not asked for is right.

    Raises:
        BadInput: the model draws one size only, and this is another.
    """
    world = world_of(folder)
    if world is not None and any(side not in (None, world.side) for side in (width, height)):
        raise BadInput(
            f"this model draws {world.side}x{world.side} pixels and nothing else",
            "leave the size out, or choose a flow on a larger model",
        )


def unknown_words(folder: Path, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
    """The words of ``prompt`` that the model in ``folder`` is known not to draw, in the prompt's order.

    Objects, attributes and backgrounds that the grammar found are looked up first; then any other word of the prompt
    that the model never saw. Words that name nothing ("exactly", "but", "3x") and what must *not* appear need no
    drawing; relations that were read are told by boxes. A count beyond the model's reach is said as "12 things (it
    draws up to 4)", where it is surely read.
    """
    world = world_of(folder)
    if world is None:
        return ()
    known = {*world.objects, *world.attributes, *world.backgrounds, *world.filler, *map(_plural, world.objects)}
    excused = {word for noun in parsed.negative for word in (*noun.split(), *_plural(noun).split())}
    known |= _function_words()
    known |= RELATION_WORDS if parsed.sure and parsed.relations else frozenset()
    said = _words(parsed.words or prompt)
    found = [word for word in said if word not in known and word not in excused and not _is_count(word, parsed)]
    found += [
        f"{a} {g.object}"
        for g in parsed.groups
        for a in g.attributes
        if a in world.backgrounds and a not in world.attributes
    ]
    total = sum(group.count for group in parsed.groups)
    if total > world.most_things:
        found.append(f"{total} things (it draws up to {world.most_things})")
    named = {group.object for group in parsed.groups} if parsed.sure else {_singular(word) for word in said}
    if not found and named.isdisjoint(world.objects):
        found.append(f"nothing that it knows ({', '.join(map(_plural, world.objects))})")
    return tuple(dict.fromkeys(found))


def _words(prompt: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", prompt.lower())


@functools.cache
def _function_words() -> frozenset[str]:
    """Words that name nothing to be drawn, in any model's world."""
    text = resources.files("imagewright.t2i_backends.mini").joinpath("function_words.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def _is_count(word: str, parsed: ParsedPrompt) -> bool:
    """ "3x", "x3", "0": a number that the reading made a count or an exclusion of."""
    return parsed.sure and re.fullmatch(r"x\d+|\d+x|0", word) is not None


def _singular(word: str) -> str:
    """The word without a plural's ending, as far as a small world needs it."""
    return (
        word
        if word == "fish"
        else word.removesuffix("es")
        if word.endswith(("xes", "ches", "shes"))
        else word.removesuffix("s")
    )


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
