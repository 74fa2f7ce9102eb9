"""What a model of a small world has to be told and a prompt leaves open: filled in on the parse, each thing said.

Colours, a background and numbers are filled in where the world states that it needs them; what the person named stays,
but for a background on which a named colour cannot be seen, and a relation that the world has no way to draw.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagewright.agents.reading import nouns
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.agents.reading.numbers import number_word
from imagewright.schemas import Box, ParsedGroup, ParsedPrompt, ParsedRelation, RelationName
from imagewright.worlds import World

_APART: dict[RelationName, RelationName] = {"inside": "above"}
"""How a relation of things that overlap is drawn by a model that draws things apart."""
_OPEN_PAPER = frozenset("light plain simple clean blank empty solid background backdrop a an the on".split())
"""Words of a background that name none."""


@dataclass(frozen=True)
class Completed:
    """A parse that leaves nothing open, and what was done to it, in words."""

    parsed: ParsedPrompt
    told: tuple[str, ...]


def complete(parsed: ParsedPrompt, world: World, model: str, keep: bool = False, keep_paper: bool = False) -> Completed:
    """``parsed`` with what ``world`` needs filled in.

    Args:
        parsed: a sure reading.
        world: what the model states of itself.
        model: the model's name, for what is told.
        keep: fill in only, and change nothing that the person named.
        keep_paper: change no background, for it was named before this.
    """
    told: list[str] = []
    groups = tuple(_counted(parsed.groups, world, told))
    relations = parsed.relations if keep else tuple(_drawn_apart(parsed, world, model, told))
    background = _background(parsed.background, groups, world, model, keep or keep_paper, told)
    painted, colours = _paint_all(groups, paper_of(background, world), world)
    open_ones = [f"no colour named: {colours}"] if colours else []
    new = parsed.model_copy(update={"groups": painted, "relations": relations, "background": background})
    return Completed(new, (*open_ones, *told))


def knows_some(parsed: ParsedPrompt, world: World) -> bool:
    """Whether anything that is to be seen is a thing of ``world``."""
    return any(world.find_thing(group.object) for group in parsed.groups)


# --- colours --------------------------------------------------------------------------------


def colour_of(thing: ParsedGroup | Box, world: World) -> str | None:
    """The colour that a thing was given, in the world's own word; None where it has none."""
    words = (word for text in thing.attributes for word in text.split())
    return next((colour for word in words if (colour := world.find_colour(word))), None)


def paint(thing: ParsedGroup, colour: str) -> ParsedGroup:
    """``thing`` in ``colour``, which it is given before its noun."""
    words = (*thing.attributes, colour)
    return thing.model_copy(update={"attributes": words, "caption": paint_words(thing.caption, thing.object, colour)})


def paint_words(caption: str, noun: str, colour: str) -> str:
    """``a small house`` in ``red``: ``a small red house``."""
    body = re.sub(rf"\b{re.escape(noun)}\b", f"{colour} {noun}", re.sub(r"^an? ", "", caption), count=1)
    return f"{nouns.article(body)} {body}" if re.match(r"an? ", caption) else body


def _paint_all(groups: tuple[ParsedGroup, ...], paper: str | None, world: World) -> tuple[tuple[ParsedGroup, ...], str]:
    """The groups with a colour each, and in words which were given one; no words where none was."""
    given = [_colour_for(group, groups, paper, world) for group in groups]
    painted = tuple(paint(g, colour) if colour else g for g, colour in zip(groups, given, strict=True))
    named = {group.object: colour for group, colour in zip(groups, given, strict=True) if colour}
    if len(set(named.values())) < 2:
        return painted, next(iter(named.values()), "")
    return painted, ", ".join(f"{colour} for the {noun}" for noun, colour in named.items())


def _colour_for(group: ParsedGroup, groups: tuple[ParsedGroup, ...], paper: str | None, world: World) -> str | None:
    """The colour of a thing that has none: its usual one where that can be seen and tells it from its like."""
    usual = world.usual_colours.get(world.find_thing(group.object) or "")
    if usual is None or KNOWN_COLOURS & {word for text in group.attributes for word in text.split()}:
        return None
    like = {colour_of(g, world) for g in groups if world.find_thing(g.object) == world.find_thing(group.object)}
    order = dict.fromkeys([usual, *world.usual_colours.values(), *world.colours])
    seen = [c for c in order if c not in like and (paper is None or world.can_show(c, paper))]
    return seen[0] if seen else usual


# --- the background -------------------------------------------------------------------------


def _background(
    said: str, groups: tuple[ParsedGroup, ...], world: World, model: str, keep: bool, told: list[str]
) -> str:
    """The background in a colour on which the things can be seen, as far as there is one."""
    paper = paper_of(said, world)
    if paper is None:
        if not world.papers or not _is_open(said, world):
            return said
        paper = _choose_paper(groups, world)
        told.append(f"no {'colour of the ' if said else ''}background named: {paper}")
        lost = _hidden(groups, paper, world)
        told += [f"{model} was never taught {' or '.join(lost)} on {paper}"] if lost else []
        return _on_paper(said, paper)
    lost = _hidden(groups, paper, world)
    better = "" if keep else _seen_better(groups, paper, world)
    if not better:
        told += [f"{model} was never taught {' or '.join(lost)} on {paper}"] if lost else []
        return said
    told.append(f"{model} was never taught {' or '.join(lost)} on {paper}: the background is {better}")
    return _repaint(said, better, world)


def paper_of(background: str, world: World) -> str | None:
    """The colour that a background is given; None where it has none."""
    return next((c for word in re.findall(r"[a-z]+", background.lower()) if (c := world.find_colour(word))), None)


def _is_open(background: str, world: World) -> bool:
    """Whether a background's words leave its colour open, and say nothing else that would have to be drawn."""
    patterns = {*world.patterns, *(word for others in world.patterns.values() for word in others)}
    return set(re.findall(r"[\w-]+", background.lower())) <= _OPEN_PAPER | patterns


def _on_paper(background: str, paper: str) -> str:
    """``a striped background`` in ``white``: ``a white striped background``."""
    words = [word for word in background.split() if word not in {"on", "a", "an", "the", "light"}]
    if not words or words[-1] not in ("background", "backdrop"):
        words.append("background")
    return " ".join([nouns.article(paper), paper, *words])


def _repaint(background: str, paper: str, world: World) -> str:
    """A background in another colour."""
    words = [paper if world.find_colour(word.lower()) else word for word in background.split()]
    text = " ".join(words)
    return re.sub(rf"\ban? {paper}\b", f"{nouns.article(paper)} {paper}", text)


def _choose_paper(groups: Iterable[ParsedGroup], world: World) -> str:
    """The first background on which every named colour can be seen; else that on which most can."""
    named = tuple(groups)
    own = {colour_of(group, world) for group in named}
    return min(world.papers, key=lambda paper: (len(_hidden(named, paper, world)), paper in own))


def _seen_better(groups: tuple[ParsedGroup, ...], paper: str, world: World) -> str:
    """Another background where fewer named colours are lost; empty where ``paper`` is as good as any."""
    best = _choose_paper(groups, world) if world.papers else paper
    return best if len(_hidden(groups, best, world)) < len(_hidden(groups, paper, world)) else ""


def _hidden(groups: Iterable[ParsedGroup], paper: str, world: World) -> tuple[str, ...]:
    """The named colours that cannot be seen on ``paper``."""
    colours = dict.fromkeys(colour_of(group, world) for group in groups if world.find_thing(group.object))
    return tuple(colour for colour in colours if colour is not None and not world.can_show(colour, paper))


# --- numbers and relations ------------------------------------------------------------------


def _counted(groups: tuple[ParsedGroup, ...], world: World, told: list[str]) -> Iterator[ParsedGroup]:
    """The groups with a stated number each: a guess becomes one, as far as there is room."""
    room = world.most_things - sum(group.count for group in groups if group.exact)
    vague = [group for group in groups if not group.exact]
    for group in groups:
        if group.exact or not world.usual_colours or not world.find_thing(group.object):
            yield group
            continue
        count = max(1, min(group.count, room // len(vague)))
        told.append(f"no number of {nouns.plural(group.object)} named: {number_word(count)}")
        yield group.model_copy(update={"count": count, "exact": True})


def _drawn_apart(parsed: ParsedPrompt, world: World, model: str, told: list[str]) -> Iterator[ParsedRelation]:
    """The relations, those of overlapping things as the world can draw them."""
    for relation in parsed.relations:
        other = _APART.get(relation.relation)
        if other is None or not world.relations or relation.relation in world.relations:
            yield relation
            continue
        subject, around = parsed.groups[relation.subject].object, parsed.groups[relation.object].object
        told.append(f"{model} draws things apart: the {subject} is {other} the {around}, not {relation.relation} it")
        yield relation.model_copy(update={"relation": other})
