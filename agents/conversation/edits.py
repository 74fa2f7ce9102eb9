"""Applying an interpreter's decision to the picture that it is about: the new prompt, layout and what to redraw.

Deterministic, and the same for every interpreter. The layout carries over: what an edit does not name keeps its box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagewright.agents.conversation import arrange
from imagewright.agents.conversation import edit_geometry as geometry
from imagewright.agents.conversation.edit_regions import find_regions
from imagewright.agents.conversation.edit_words import edit_prompt
from imagewright.agents.layout.rules import layout_of
from imagewright.agents.reading import nouns
from imagewright.agents.reading.parse import parse_prompt
from imagewright.errors import BadInput
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    BackgroundEdit,
    BoxesEdit,
    CreateIntent,
    EditIntent,
    FlipEdit,
    MoveEdit,
    PictureIntent,
    PlaceEdit,
    PutEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ReplaceEdit,
    ResizeEdit,
    Settled,
    StyleEdit,
    SwapEdit,
    VaryIntent,
)
from imagewright.schemas import Box, Layout, ParsedGroup, ParsedPrompt, ParsedRelation, PlaceName, Region, RelationName

_RELATIONS: tuple[RelationName, ...] = ("left", "right", "above", "below", "near", "inside", "behind", "in-front")
_LIKE = Box(caption="", object="", x=0.0, y=0.0, width=0.3, height=0.3)


@dataclass(eq=False)
class _Thing:
    """A box while edits are applied: what it is now, what it was, and the group of the parse that it came from."""

    box: Box
    before: Box | None = None
    group: int | None = None
    place: PlaceName = ""
    gone: bool = False
    named: bool = False
    """Whether an edit is about it; what is not gives way."""
    asked: tuple[tuple[RelationName, _Thing], ...] = ()
    """Where it was asked to stand, and relative to what."""

    @property
    def changed(self) -> bool:
        return self.gone or self.box != self.before


def settle(intent: CreateIntent | EditIntent | VaryIntent, references: Sequence[Reference]) -> Settled:
    """What to draw for a ``create``, ``edit`` or ``vary``.

    Raises:
        BadInput: the intent is about a picture or a box that is not there.
    """
    if isinstance(intent, CreateIntent):
        return Settled(prompt=intent.prompt, parsed=intent.parsed)
    base = base_of(intent, references)
    if isinstance(intent, VaryIntent):
        return Settled(prompt=base.prompt, parsed=base.parsed, layout=base.layout, focus=base.focus)
    return _edited(base, intent.edits)


def base_of(intent: PictureIntent, references: Sequence[Reference]) -> Reference:
    """The picture that ``intent`` is about.

    Raises:
        BadInput: it is not among ``references``.
    """
    for reference in references:
        if reference.run == intent.base:
            return reference
    raise BadInput("that picture is not in this conversation", "say which one: `the second one`, `the owl`")


def _edited(base: Reference, edits: Sequence[AnyEdit]) -> Settled:
    layout = base.shown or layout_of(base.parsed)
    things = [_Thing(box, box, _group_of(box, base.parsed)) for box in layout.boxes]
    background, style = base.parsed.background, base.parsed.style
    for edit in edits:
        if isinstance(edit, BackgroundEdit):
            background = edit.text
        elif isinstance(edit, StyleEdit):
            style = (*style, edit.text) if edit.text not in style else style
        else:
            _change(things, edit)
            if not _is_exact(edit):
                _clear(things)
    parsed = _parsed(base.parsed, things, background, style)
    boxes = tuple(thing.box for thing in things if not thing.gone)
    new = Layout(boxes=boxes, background=background, negative=", ".join(parsed.negative))
    whole = base.layout is None or any(isinstance(edit, BackgroundEdit | StyleEdit) for edit in edits)
    regions = () if whole else _regions(things)
    left = [thing for thing in things if not thing.gone]
    focus = tuple(number for number, thing in enumerate(left) if thing.changed)
    return Settled(prompt=edit_prompt(base, edits, parsed), parsed=parsed, layout=new, redraw=regions, focus=focus)


def _is_exact(edit: AnyEdit) -> bool:
    """Whether it says where to by numbers: who does has seen what lies there."""
    return isinstance(edit, PlaceEdit | PutEdit)


def _regions(things: Sequence[_Thing]) -> tuple[Region, ...]:
    changed = [(thing.before, None if thing.gone else thing.box) for thing in things if thing.changed]
    return find_regions(changed, [thing.box for thing in things if not thing.changed])


def _group_of(box: Box, parsed: ParsedPrompt) -> int | None:
    """The group that a box was placed for: by its caption, else by noun and adjectives, else by noun."""
    for same in (
        lambda g: g.caption == box.caption,
        lambda g: (g.object, g.attributes) == (box.object, box.attributes),
        lambda g: g.object == box.object,
    ):
        for number, group in enumerate(parsed.groups):
            if same(group):
                return number
    return None


# --- one edit -------------------------------------------------------------------------------


def _change(things: list[_Thing], edit: BoxesEdit | AddEdit | PutEdit | FlipEdit) -> None:
    if isinstance(edit, AddEdit):
        _add(things, edit)
        return
    if isinstance(edit, PutEdit):
        twin = _find_twin(things, edit.text)
        like = geometry.put_in(_named(twin.box if twin else _LIKE, edit.text), edit.spot)
        things.append(_Thing(like, group=twin.group if twin else None, named=True))
        return
    if isinstance(edit, FlipEdit):
        for thing in things:
            thing.box, thing.named = geometry.mirror(thing.box, upright=edit.upright), True
        return
    for number in edit.boxes:
        if not 0 <= number < len(things):
            raise BadInput(f"the picture has no box {number}", "say what to change by its name")
        things[number].named = True
    if isinstance(edit, SwapEdit):
        _swap(things, edit)
        return
    for number in edit.boxes:
        _change_one(things, number, edit)
    if isinstance(edit, MoveEdit) and edit.place and edit.beside is None:
        _part([things[number] for number in edit.boxes], edit.place)


def _part(moved: Sequence[_Thing], place: PlaceName) -> None:
    """Several things that went to one place, where they would lie upon one another: along its side instead."""
    boxes = [thing.box for thing in moved]
    if not any(geometry.overlaps(box, boxes[:n]) for n, box in enumerate(boxes)):
        return
    axis = 1 if place in ("left", "right") else 0
    level = sum(box.centre[1 - axis] for box in boxes) / len(boxes)
    for thing, box in zip(moved, geometry.line_up(boxes, axis, level), strict=True):
        thing.box = geometry.place_box(box, place) if place in ("left", "right", "top", "bottom") else box


def _swap(things: list[_Thing], edit: SwapEdit) -> None:
    if len(edit.boxes) != 2:
        raise BadInput("two things change places", "say which two: `swap the cup and the fish`")
    first, second = (things[number] for number in edit.boxes)
    first.box, second.box = geometry.exchange(first.box, second.box)
    if geometry.overlaps(first.box, [second.box]):
        second.box = arrange.give_way(second.box, [first.box])


def _clear(things: Sequence[_Thing]) -> None:
    """What nobody named gives way to what was put upon it, as little as it must; it may have lain over it before."""
    for thing in things:
        others = [other for other in things if other is not thing and not other.gone]
        fresh = [other.box for other in others if _is_put_upon(other, thing)]
        if not thing.named and not thing.gone and fresh:
            thing.box = arrange.give_way(thing.box, [other.box for other in others if other.box != thing.box])


def _is_put_upon(other: _Thing, thing: _Thing) -> bool:
    if not other.named or not geometry.overlaps(other.box, [thing.box]):
        return False
    return other.before is None or not geometry.overlaps(other.before, [thing.before or thing.box])


def _change_one(things: list[_Thing], number: int, edit: BoxesEdit) -> None:
    thing = things[number]
    if isinstance(edit, RemoveEdit):
        thing.gone = True
    elif isinstance(edit, RecolourEdit):
        thing.box = recolour(thing.box, edit.text)
    elif isinstance(edit, ReplaceEdit):
        thing.box, thing.group = _named(thing.box, edit.text), None
    elif isinstance(edit, ResizeEdit):
        thing.box = geometry.resize(thing.box, edit.factor, _others(things, number))
    elif isinstance(edit, PlaceEdit):
        thing.box, thing.place = geometry.put_in(thing.box, edit.spot), ""
    elif isinstance(edit, MoveEdit):
        _move(things, number, edit)


def _others(things: Sequence[_Thing], number: int) -> list[Box]:
    return [thing.box for at, thing in enumerate(things) if at != number and not thing.gone]


def _move(things: list[_Thing], number: int, edit: MoveEdit | AddEdit) -> None:
    thing = things[number]
    if edit.beside is not None:
        _put_beside(things, number, edit.place, (edit.beside, *edit.also))
    elif edit.place:
        thing.box, thing.place = geometry.place_box(thing.box, edit.place), edit.place
    elif isinstance(edit, MoveEdit):
        thing.box = geometry.shift_clear(thing.box, edit.across, edit.down, _others(things, number))


def _put_beside(things: list[_Thing], number: int, place: PlaceName, beside: Sequence[int]) -> None:
    thing = things[number]
    others = [things[n] for n in dict.fromkeys(beside) if 0 <= n < len(things) and n != number]
    if len(others) < len(set(beside)):
        raise BadInput(f"the picture has no box {beside} beside this one", "say what it goes beside by its name")
    rest = [one.box for one in things if one not in (thing, *others) and not one.gone]
    if place == "middle" and len(others) == 2:
        _put_between(thing, others, rest)
        return
    whole = geometry.surround([other.box for other in others])
    thing.box, moved = arrange.put_beside(thing.box, place, whole, rest, fresh=thing.before is None)
    for other in others:
        other.box, other.named = geometry.carry_along(other.box, whole, moved), True
    thing.named = True
    if place in _RELATIONS:
        thing.asked = (*thing.asked, *((place, other) for other in others))


def _put_between(thing: _Thing, others: Sequence[_Thing], rest: Sequence[Box]) -> None:
    """``thing`` in the gap of two; the asked relations are those of the axis along which they lie apart."""
    boxes, along = arrange.put_between(thing.box, others[0].box, others[1].box, rest)
    thing.box, others[0].box, others[1].box = boxes
    thing.named = others[0].named = others[1].named = True
    first, second = sorted(others, key=lambda other: other.box.centre[along])
    after, before = _BETWEEN[along]
    thing.asked = (*thing.asked, (after, first), (before, second))


_BETWEEN: tuple[tuple[RelationName, RelationName], ...] = (("right", "left"), ("below", "above"))


def _add(things: list[_Thing], edit: AddEdit) -> None:
    twin = _find_twin(things, edit.text)
    like = _named(twin.box if twin else _LIKE, edit.text)
    size = _typical(things)
    for _ in range(edit.count):
        others = [thing.box for thing in things if not thing.gone]
        box = geometry.free_place(*((twin and (twin.box.width, twin.box.height)) or size), others, like)
        thing = _Thing(box, group=twin.group if twin else None, named=True)
        things.append(thing)
        if edit.place:
            _move(things, len(things) - 1, edit)


def _find_twin(things: Sequence[_Thing], caption: str) -> _Thing | None:
    """Something that is called so and is there already."""
    return next((thing for thing in things if thing.box.caption == caption and not thing.gone), None)


def _typical(things: Sequence[_Thing]) -> tuple[float, float]:
    """The mean size of what is there, between 0.15 and 0.4 of the canvas; 0.4 on an empty one."""
    boxes = [thing.box for thing in things if not thing.gone]
    if not boxes:
        return 0.4, 0.4
    side = sum(min(box.width, box.height) for box in boxes) / len(boxes)
    return (min(max(side, 0.15), 0.4),) * 2


def recolour(box: Box, colour: str) -> Box:
    """``box`` with its colour replaced, or the colour added before the noun."""
    from imagewright.agents.reading.lexicon import KNOWN_COLOURS

    old = [word for word in box.attributes if word.split()[-1] in KNOWN_COLOURS]
    kept = [word for word in box.attributes if word not in old]
    body = box.caption.split(" ", 1)[1] if box.caption.startswith(("a ", "an ")) else box.caption
    for word in old:
        body = " ".join(body.replace(word, " ", 1).split())
    words = body.split()
    at = max(len(words) - len(box.object.split()), 0) if body.endswith(box.object) else _before(words, box.object)
    body = " ".join([*words[:at], colour, *words[at:]])
    attributes = (*kept, colour)
    return box.model_copy(update={"caption": f"{nouns.article(body)} {body}", "attributes": attributes})


def _before(words: Sequence[str], noun: str) -> int:
    first = noun.split()[0] if noun else ""
    return words.index(first) if first in words else 0


def _named(box: Box, caption: str) -> Box:
    """``box`` as another thing."""
    groups = parse_prompt(caption).groups
    if not groups:
        return box.model_copy(update={"caption": caption, "object": caption.split()[-1], "attributes": ()})
    group = groups[0]
    return box.model_copy(update={"caption": group.caption, "object": group.object, "attributes": group.attributes})


# --- the parse that goes with it ------------------------------------------------------------


def _parsed(old: ParsedPrompt, things: Sequence[_Thing], background: str, style: tuple[str, ...]) -> ParsedPrompt:
    kept = [thing for thing in things if not thing.gone]
    captions = list(dict.fromkeys(thing.box.caption for thing in kept))
    members = {caption: [thing for thing in kept if thing.box.caption == caption] for caption in captions}
    groups = tuple(_group(old, members[caption], things) for caption in captions)
    present = {group.object for group in groups}
    gone = (thing.before.object for thing in things if thing.gone and thing.before is not None)
    negative = tuple(n for n in dict.fromkeys((*old.negative, *gone)) if n not in present)
    relations = tuple(_relations(old, captions, members))
    return ParsedPrompt(groups=groups, relations=relations, background=background, negative=negative, style=style)


def _group(old: ParsedPrompt, members: Sequence[_Thing], things: Sequence[_Thing]) -> ParsedGroup:
    """The group of like things; the old one unchanged where nothing of it was."""
    first = members[0]
    before = old.groups[first.group] if first.group is not None else None
    whole = list(members) == [thing for thing in things if thing.group == first.group]
    if before is not None and whole and not any(thing.changed for thing in members):
        return before
    moved = any(thing.before is None or _centre_moved(thing) for thing in members)
    place = first.place or ("" if moved or before is None else before.position)
    return ParsedGroup(object=first.box.object, attributes=first.box.attributes, count=len(members),
                       caption=first.box.caption, position=place if len(members) == 1 or not moved else "")  # fmt: skip


def _centre_moved(thing: _Thing) -> bool:
    if thing.before is None:
        return True
    across, down = thing.box.displacement(thing.before)
    return abs(across) + abs(down) > 0.1


def _relations(old: ParsedPrompt, captions: Sequence[str], members: dict[str, list[_Thing]]) -> list[ParsedRelation]:
    """The old relations between what is left, as far as they still hold."""
    found: list[ParsedRelation] = []
    for relation in old.relations:
        for s, a in enumerate(captions):
            for o, b in enumerate(captions):
                mine = [thing for thing in members[a] if thing.group == relation.subject]
                other = [thing for thing in members[b] if thing.group == relation.object]
                for name in (relation.relation, _INVERSE.get(relation.relation)) if s != o and mine and other else ():
                    if name and _all_hold(name, members[a], members[b]):
                        found.append(ParsedRelation(subject=s, relation=name, object=o))
    return list(dict.fromkeys((*found, *_asked(captions, members))))


_INVERSE: dict[str, RelationName] = {"left": "right", "right": "left", "above": "below", "below": "above"}
"""What holds of two things that have changed sides."""


def _asked(captions: Sequence[str], members: dict[str, list[_Thing]]) -> Iterator[ParsedRelation]:
    """What the edits asked, where all that are called alike stand so: a relation is one of groups."""
    for s, a in enumerate(captions):
        asked = [one for thing in members[a] for one in thing.asked if not one[1].gone]
        for relation, other in asked:
            o = captions.index(other.box.caption)
            if o != s and all(geometry.holds(relation, x.box, y.box) for x in members[a] for y in members[captions[o]]):
                yield ParsedRelation(subject=s, relation=relation, object=o)


def _all_hold(relation: str, subjects: Sequence[_Thing], others: Sequence[_Thing]) -> bool:
    still = relation in ("left", "right", "above", "below") or not any(_centre_moved(t) for t in (*subjects, *others))
    return still and all(_holds(relation, a, b) for a in subjects for b in others)


def _holds(relation: str, a: _Thing, b: _Thing) -> bool:
    """Of things that stand elsewhere now, only what is plain to see: a hair's breadth to the left is not left of."""
    moved = _centre_moved(a) or _centre_moved(b)
    return geometry.stands_plainly(relation, a.box, b.box) if moved else geometry.holds(relation, a.box, b.box)
