"""Edits dealt out over several things: a row or a column, a colour each, all but one, one more or one less."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation.edit_geometry import line_up
from imagewright.agents.conversation.group_edits import find_all, find_only_kind
from imagewright.agents.conversation.targets import Already, NotThere, Unsure, find_boxes, list_boxes, name_of
from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.numbers import read_number
from imagewright.box_changes import Spot
from imagewright.intents import AddEdit, AnyEdit, PlaceEdit, RecolourEdit, Reference, RemoveEdit
from imagewright.schemas import Box

_KEEP_ONLY = re.compile(
    r"(?:(?:only|just) (?:keep|leave|show)|(?:keep|leave|show)(?: me)? (?:only|just)|i (?:only|just) (?:want|need)) "
    r"(?P<t>(?:the|that|this|both|those) .+?)(?: there| in)?"
)
_COUNT = r"one|two|three|four|five|\d"
_LESS = re.compile(
    rf"(?P<n>{_COUNT}) (?:less|fewer)|"
    rf"(?:remove|take away|drop|delete|erase|lose) (?P<m>{_COUNT})(?: of (?:them|those|these))?"
)
_MORE = re.compile(
    rf"(?:add|put in|include|draw in|insert|give me|i want) "
    rf"(?P<what>(?P<a>another|(?:{_COUNT})(?: (?:more|extra))?)(?: one| of the same)?)"
)
_EACH_COLOUR = re.compile(
    r"(?:(?:make|paint|colou?r|draw|have|give) )?"
    r"(?:(?P<t>them|each(?: (?:one|of them|[a-z]+))?|every one|all(?: of them)?|both|everything|(?:all )?the .+?) )?"
    r"(?:(?:should )?be )?(?:all )?(?:in |with |of )?(?P<what>(?:an? )?"
    r"(?:different|various|distinct|mixed|varying|its own|their own|unique|another)) colou?rs?(?: each)?"
)
_COLOUR = rf"(?:(?:dark|light|bright|pale) )?(?:{'|'.join(sorted(lexicon.KNOWN_COLOURS - {'rainbow-'}))})"
_COLOURS = ("red", "blue", "yellow", "green", "purple", "orange", "pink", "black", "brown", "white")
"""In the order in which they are dealt out: neighbours are far from one another."""
_SOME_COLOURS = re.compile(
    rf"(?:(?:make|paint|colou?r|draw|have|turn) )?(?P<t>them|both|all(?: of them)?|(?:both |all )?the .+?) "
    rf"(?:(?:should )?be |in )?(?P<cs>{_COLOUR}(?:(?:,? and |, |/){_COLOUR})+)(?: respectively)?"
)
_ROW = re.compile(
    r"(?:(?:put|place|line|set|arrange|stack|draw|move|have|i want|make|order|stand|organi[sz]e|lay) )?"
    r"(?P<t>them|these|those|everything|all(?: of them)?|both|(?:all )?the .+?)(?: up| out)?(?: all)? "
    r"(?:(?:in|into|as|to form) )?(?P<how>(?:a|one)(?: single)?(?: horizontal| vertical| straight)? "
    r"(?:row|line|column|stack|pile)|"
    r"horizontally|vertically|side by side|(?:next to|beside) (?:each|one an)other|"
    r"(?:on top of|above|over|below|under) (?:each|one an)other|one (?:above|over|below|under) the other)|"
    r"(?P<stack>stack|pile)(?: up)? (?P<u>them|these|those|everything|all(?: of them)?|both|the .+?)(?: up)?"
)
_UPRIGHT = re.compile(r"vertical|column|stack|pile|top of|above|over|below|under")


def read_keep_only(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Keep only the moon": all else goes."""
    found = _KEEP_ONLY.fullmatch(said)
    if found is None or found["t"].split()[-1] in lexicon.KNOWN_COLOURS:
        return ()
    kept = find_boxes(found["t"], picture)
    rest = tuple(n for n in range(len(list_boxes(picture))) if n not in kept)
    if not rest:
        raise Already(f"only {found['t']} is there")
    return (RemoveEdit(boxes=rest),)


def read_few_more(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "One less", "add another one": of the one kind, or of the one of which there are several; else it is asked."""
    shown = list_boxes(picture)
    kinds = dict.fromkeys(re.sub(r"^an? ", "", box.caption) for box in shown)
    if found := _LESS.fullmatch(said):
        number, same_kind = read_number(found["n"] or found["m"]), find_only_kind(picture)
        if not same_kind and shown:
            raise Unsure(said, [f"remove {name_of(n, shown)}" for n in range(len(shown))][:6])
        return (RemoveEdit(boxes=same_kind[-number:]),) if number < len(same_kind) else ()
    if not shown or not (found := _MORE.fullmatch(said)):
        return ()
    number, same_kind = read_number(found["a"].split()[0]), find_only_kind(picture)
    if not same_kind or len({shown[n].caption for n in same_kind}) > 1:
        raise Unsure(found["what"], [_so_many(number, kind) for kind in kinds][:6])
    return (AddEdit(text=shown[same_kind[-1]].caption, count=number),)


def _so_many(number: int, kind: str) -> str:
    head, _, noun = kind.rpartition(" ")
    return f"another {kind}" if number == 1 else f"{number} more {head} {nouns.plural(noun)}".replace("  ", " ")


def read_deal_colours(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Each in a different colour": the first keeps its own, every other takes one that none has."""
    found = _EACH_COLOUR.fullmatch(said)
    shown = list_boxes(picture)
    if found is None or not shown:
        return ()
    text = re.sub(r"^(?:each|every)\b.*", "them", found["t"] or "them")
    boxes = find_all(text.removesuffix(" of them"), picture)
    behind = set(re.findall(r"[a-z]+", picture.parsed.background))
    if len(boxes) == 1:
        used = behind | set(" ".join(shown[boxes[0]].attributes).split())
        raise Unsure(f"{found['what']} colour", [colour for colour in _COLOURS if colour not in used][:4])
    own = " ".join(shown[boxes[0]].attributes).split()
    first = next((word for word in own if word in lexicon.KNOWN_COLOURS), "")
    rest = [colour for colour in _COLOURS if colour not in behind | {first}]
    if len(boxes) > len(rest) + 1:
        return ()
    dealt = [first, *rest] if first else rest
    return tuple(
        RecolourEdit(boxes=(n,), text=colour)
        for n, colour in zip(boxes, dealt, strict=False)
        if colour not in shown[n].attributes
    )


def read_some_colours(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Make the stars red and blue": a colour each, as many as there are; else it is left to ask."""
    found = _SOME_COLOURS.fullmatch(said)
    if found is None:
        return ()
    try:
        boxes = find_all(re.sub(r" of them$|^(?:both|all) (?=the )", "", found["t"]), picture)
    except NotThere:
        return ()
    colours = re.split(r",? and |, |/", found["cs"])
    if len(boxes) < 2:
        return ()
    if len(boxes) != len(colours):
        raise Unsure(found["cs"], [*colours[:3], "each in a different colour"])
    return tuple(RecolourEdit(boxes=(n,), text=colour) for n, colour in zip(boxes, colours, strict=True))


def read_row(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Line them up vertically", "side by side", "stack them": evenly along one way, level on the other."""
    found = _ROW.fullmatch(said)
    if found is None:
        return ()
    which = re.sub(r" of them$|^all (?=the )", "", found["t"] or found["u"])
    boxes, shown = find_all(which, picture), list_boxes(picture)
    if len(boxes) < 2:
        return ()
    axis = 1 if found["stack"] or _UPRIGHT.search(found["how"]) else 0
    lined = _spread_evenly([shown[n] for n in boxes], [box for n, box in enumerate(shown) if n not in boxes], axis)
    edits = tuple(
        PlaceEdit(boxes=(n,), spot=Spot(x=box.x, y=box.y, width=box.width, height=box.height))
        for n, box in zip(boxes, lined, strict=True)
        if _differs(shown[n], box)
    )
    if not edits:
        raise Already("they stand so")
    return edits


def _differs(box: Box, other: Box) -> bool:
    sides = ("x", "y", "width", "height")
    return any(abs(getattr(box, side) - getattr(other, side)) > 0.01 for side in sides)


def _spread_evenly(mine: Sequence[Box], rest: Sequence[Box], axis: int) -> list[Box]:
    """Where each goes: at the level that they have on the average, or at another where others are in the way."""
    mean = sum(box.centre[1 - axis] for box in mine) / len(mine)
    ways = [line_up(mine, axis, level) for level in (mean, 0.5, 0.25, 0.75)]
    return min(ways, key=lambda way: sum(box.overlaps_any(rest) for box in way))
