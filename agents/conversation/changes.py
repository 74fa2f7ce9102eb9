"""Sayings that change the picture: "make the left one red", "bigger fox", "move the star up", "without the house".

``read_edits`` tries each reader on the whole saying, then on its parts ("make it red and move it up").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from imagewright.agents.conversation import change_patterns as patterns
from imagewright.agents.conversation.change_patterns import COLOUR, SAME, STAYS
from imagewright.agents.conversation.change_words import (
    PLACE,
    RELATION,
    amount_of,
    read_factor,
    read_place,
    relation_of,
    way_of,
)
from imagewright.agents.conversation.dealt_edits import (
    read_deal_colours,
    read_few_more,
    read_keep_only,
    read_row,
    read_some_colours,
)
from imagewright.agents.conversation.group_edits import read_arrangement, read_exchange, read_group_count, read_likeness
from imagewright.agents.conversation.own_words import (
    read_correction,
    read_each_side,
    read_equal_size,
    read_gift,
    read_other_side,
    read_place_by_new,
    read_put_into,
    read_share_of_many,
    read_trade_place,
)
from imagewright.agents.conversation.scene_edits import match_all, read_background, read_ground_shade, read_style
from imagewright.agents.conversation.targets import NotThere, Unsure, caption_like_those, find_boxes, names_shown
from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    BackgroundEdit,
    BoxesEdit,
    MoveEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ReplaceEdit,
    ResizeEdit,
    SwapEdit,
)
from imagewright.schemas import ParsedGroup, PlaceName


def strip_same(said: str) -> tuple[str, bool]:
    """``said`` without "the same but", and whether it began with that."""
    found = SAME.match(said)
    return (said[found.end() :].strip(" ,"), True) if found and found.end() < len(said) else (said, False)


def read_edits(said: str, picture: Reference) -> tuple[AnyEdit, ...]:
    """The edits that a saying asks of ``picture``; none where it asks for none.

    Raises:
        Unsure: a phrase may mean several boxes.
        NotThere: something is to be changed that the picture does not show.
    """
    rest, same = strip_same(said)
    if dealt := read_some_colours(rest, picture, same) if _PART.search(rest) else ():
        return dealt
    parts = [part for part in _PART.split(rest) if part]
    parts = [part for part in parts if not match_all(STAYS, part)] or parts  # what edits do anyway
    if len(parts) > 1 and (found := _each(parts, picture, same)):
        return found
    return _one(parts[0] if len(parts) == 1 else rest, picture, same)


_PART = re.compile(r",? (?:and then|and also|(?<!black )and|then|but)(?: please)? |[,;] ?|[.!] +")
_IN_COLOUR = re.compile(rf"{COLOUR} (?P<x>[a-z]+s)")
_VERB = re.compile(r"(?:change|turn|make|paint|move|put|remove|delete|add|replace|swap|colou?r)\b")


def _each(parts: Sequence[str], picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """The edits of a saying of several parts; none where one of them is no edit by itself. "it" is what went before."""
    found: tuple[AnyEdit, ...] = ()
    names = {box.object for box in picture.shown.boxes} if picture.shown else set()
    parts = [f"the {part}" if part.split(" ")[0] in names else part for part in parts]
    verb = _VERB.match(parts[0])
    for part in parts:
        try:
            one = _part_of(part, picture, same, verb[0] if verb else "", bool(found))
        except NotThere:
            return ()
        if not one:
            return ()
        found = (*found, *one)
        last = one[-1]
        picture = picture.model_copy(update={"focus": (isinstance(last, BoxesEdit) and last.boxes) or picture.focus})
    return found


def _part_of(part: str, picture: Reference, same: bool, verb: str, later: bool) -> tuple[AnyEdit, ...]:
    """One part; after the first, "triangle to square" takes the first one's verb, and "a white star" is added.

    Beside another part "white balloons" are those that are there, in white.
    """
    if (kind := _IN_COLOUR.fullmatch(part)) and names_shown(kind["x"], picture):
        return (RecolourEdit(boxes=find_boxes(f"the {kind['x']}", picture), text=kind["c"]),)
    try:
        if found := _one(part, picture, same):
            return found
    except NotThere:
        if not later or not verb:
            raise
    known = verb == "add" and re.match(r"(?:the|both|all|this|that) ", part)
    if later and verb and not known and (found := _one(f"{verb} {part}", picture, same)):
        return found
    return _one(f"add {part}", picture, same) if later and re.match(r"(?:an?|one|two|three|four|five) ", part) else ()


def _one(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """One edit; a thing that is not there counts only when no other reading fits."""
    missing: NotThere | None = None
    for reader in _READERS:
        try:
            if found := reader(said, picture, same):
                return found
        except NotThere as error:
            missing = missing or error
    if missing is not None:
        raise missing
    return ()


# --- the readers, in the order in which they are tried --------------------------------------


def _recolour(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if found := re.fullmatch(patterns.DARKER, said):
        return _shaded(find_boxes(_bare(found["t"]), picture), found["d"], picture)
    missing = None
    for found in match_all(patterns.RECOLOUR, said):
        target = found.groupdict().get("t") or "it"
        if re.search(r"\b(?:background|backdrop)\b", target) or _names_a_new_thing(target):
            continue
        try:
            boxes = find_boxes(_bare(target), picture)
        except NotThere as error:
            missing = error
            continue
        return (RecolourEdit(boxes=boxes, text=found["c"].replace("grey", "gray")),)
    if missing:
        raise missing
    return ()


def _shaded(boxes: Sequence[int], way: str, picture: Reference) -> tuple[AnyEdit, ...]:
    """ "darker": each thing in the dark shade of its own colour; one that has none is dark."""
    shade = "dark" if way == "darker" else "light"
    edits: dict[str, list[int]] = {}
    for number in boxes:
        attributes = picture.shown.boxes[number].attributes if picture.shown else ()
        colour = next((word for word in attributes if word.split()[-1] in lexicon.KNOWN_COLOURS), "")
        edits.setdefault(f"{shade} {colour.split()[-1]}" if colour else shade, []).append(number)
    return tuple(RecolourEdit(boxes=tuple(numbers), text=text) for text, numbers in edits.items())


def _names_a_new_thing(target: str) -> bool:
    return bool(re.match(r"(?:an?|another|some|two|three) (?!of (?:them|these|those|the)\b)\w", target))


def _bare(target: str) -> str:
    return re.sub(r"^(?:only|just|also|instead|of) ", "", target).removesuffix("'s")


def _remove(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in match_all(patterns.REMOVE, said):
        target = (
            found["t"] if "n" not in found.groupdict() else f"one of the {nouns.plural(nouns.singular(found['n']))}"
        )
        return (RemoveEdit(boxes=find_boxes(_bare(target), picture)),)
    return ()


def _swap(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in match_all(patterns.SWAP, said):
        try:
            first, second = find_boxes(found["t"], picture), find_boxes(found["u"], picture)
        except NotThere:
            return ()
        if len(first) == len(second) == 1 and first != second:
            return (SwapEdit(boxes=(*first, *second)),)
    return ()


def _replace(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in match_all(patterns.REPLACE, said):
        group = _thing(found["n"])
        target = found.groupdict().get("t")
        if group is None or (target and re.search(r"\b(?:background|backdrop)\b", target)):
            continue
        boxes = find_boxes(_bare(target or "it"), picture)
        ground = parse_prompt(found["n"]).background
        scene = (BackgroundEdit(text=ground),) if ground else ()
        return (*scene, *_replaced(boxes, group, _caption(group, picture, boxes, target or ""), found["n"]))
    other = re.fullmatch(r"(?:it'?s |make it |draw )?(an? .+)", said) if same else None
    group = _thing(other[1]) if other else None
    if group is None or names_shown(group.object, picture):
        return ()
    return (ReplaceEdit(boxes=find_boxes("it", picture), text=group.caption),)


def _replaced(boxes: tuple[int, ...], group: ParsedGroup, caption: str, said: str) -> tuple[AnyEdit, ...]:
    """Each thing by one of the new; a stated number ("two stars") is how many stand there afterwards."""
    lead = said.split()[0]
    if not (lead.isdigit() or lead in NUMBER_WORDS) or group.count == len(boxes):
        return (ReplaceEdit(boxes=boxes, text=caption),)
    if group.count > len(boxes):
        more = min(group.count - len(boxes), 24)
        added = AddEdit(text=caption, count=more)
        return (ReplaceEdit(boxes=boxes, text=caption), added)
    return (ReplaceEdit(boxes=boxes[: group.count], text=caption), RemoveEdit(boxes=boxes[group.count :]))


def _thing(text: str) -> ParsedGroup | None:
    """The one thing that ``text`` names; None for none or several."""
    parsed = parse_prompt(text)
    return parsed.groups[0] if len(parsed.groups) == 1 and not parsed.negative else None


def _caption(group: ParsedGroup, picture: Reference, boxes: Sequence[int], target: str) -> str:
    """What a replaced thing is called: a thing of no colour takes over the old one's single one, where it suits it.

    It suits plain shapes, and anything where the old thing was called by it: "change the red house into a boat".
    """
    colours = (
        {a for n in boxes for a in picture.shown.boxes[n].attributes if a in lexicon.KNOWN_COLOURS}
        if picture.shown
        else set()
    )
    named = any(colour in target.split() for colour in colours)
    if group.attributes or len(colours) != 1 or not (named or group.object in _SHAPED):
        return group.caption
    body = f"{colours.pop()} {group.object}"
    return f"{nouns.article(body)} {body}"


_SHAPED = frozenset("circle square triangle star heart house diamond oval rectangle hexagon cross ball cube".split())


def _add(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in match_all(patterns.ADD, said):
        text = re.sub(r"\b(?:more|extra|additional)\b ?", "", found["n"]).strip()
        text = re.sub(r"^(?:another|one) ?", "a ", re.sub(r"^a (?:second|third) ", "a ", text))
        text, place, beside = _whereabouts(text, picture)
        parsed = parse_prompt(text)
        if not parsed.groups or len(parsed.groups) > 3:
            continue
        bare = re.match(r"more ", found["n"])
        new = [
            group
            for group in parsed.groups
            if not (f"the {group.object}" in text and names_shown(group.object, picture))
        ]
        return tuple(
            AddEdit(text=caption_like_those(group, picture), count=1 if bare else min(group.count, 24),
                 place=place or group.position, beside=beside[0] if beside else None, also=beside[1:])
            for group in new
        )  # fmt: skip
    return ()


def _whereabouts(text: str, picture: Reference) -> tuple[str, PlaceName, tuple[int, ...]]:
    """``text`` without its place, the place, and the boxes that it is relative to."""
    if found := re.fullmatch(rf"(?P<n>.+?) (?P<rel>{RELATION}) (?P<u>(?:the|it|them|that|this|both)\b.*)", text):
        try:
            return found["n"], relation_of(found["rel"]), find_boxes(found["u"], picture)
        except NotThere:
            return text, "", ()
    if found := re.fullmatch(rf"(?P<n>.+?) (?:to|in|at|on|into) (?:the )?(?P<place>{PLACE})", text):
        return found["n"], read_place(found["place"]), ()
    return text, "", ()


def _resize(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in match_all(patterns.RESIZE, said):
        groups = found.groupdict()
        factor = read_factor(groups)
        if factor is None:
            continue
        boxes = find_boxes(_bare(groups.get("t") or "it"), picture)
        return (ResizeEdit(boxes=boxes, factor=factor),)
    return ()


def _move(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    missing = None
    said = said.removesuffix(" instead")
    for found in match_all(patterns.MOVE, said):
        try:
            if edits := _moved(found.groupdict(), said, picture):
                return edits
        except NotThere as error:
            missing = error
    if missing is not None:
        raise missing
    return ()


def _moved(groups: dict[str, str | None], said: str, picture: Reference) -> tuple[AnyEdit, ...]:
    target = groups.get("t") or "it"
    if _names_a_new_thing(target):
        return ()
    boxes = find_boxes(_bare(target), picture)
    if relation := groups.get("rel"):
        first, *also = _besides(groups["u"] or "", boxes, picture)
        return (MoveEdit(boxes=boxes, place=relation_of(relation), beside=first, also=tuple(also)),)
    if place := groups.get("place"):
        return (MoveEdit(boxes=boxes, place=read_place(place)),)
    word = groups.get("way") or groups.get("verb") or groups.get("too") or ""
    across, down = way_of(word, too="too" in groups and bool(groups["too"]))
    if re.search(
        r"\b(?:to|in|at|on|into) the (?:very |far )?(?:top|bottom|middle|centre|center)$|\b(?:in|at|on) the "
        r"(?:left|right)$|all the way|\bput\b.*\bto the (?:left|right|top|bottom)$",
        said,
    ):
        return (MoveEdit(boxes=boxes, place=read_place(word)),)
    share = amount_of(said)
    return (MoveEdit(boxes=boxes, across=across * share, down=down * share),)


def _besides(text: str, boxes: Sequence[int], picture: Reference) -> tuple[int, ...]:
    """What the moved ``boxes`` go beside: of "both of them", "the others" what is not among them.

    Raises:
        NotThere: nothing else is so called.
        Unsure: two are meant, and more are there.
    """
    if not re.fullmatch(r"(?:both|all|the two|everything|the others?|them)(?: of them| else| others?)?", text):
        return find_boxes(text, picture)
    count = len(picture.shown.boxes) if picture.shown else 0
    others = tuple(n for n in range(count) if n not in boxes)
    if not others:
        raise NotThere(text)
    if text.startswith(("both", "the two")) and len(others) > 2:
        return find_boxes(text, picture)
    return others


_Reader = Callable[[str, Reference, bool], tuple[AnyEdit, ...]]
_READERS: tuple[_Reader, ...] = (
    read_group_count, read_few_more, read_keep_only, read_deal_colours, read_row, read_share_of_many, read_exchange,
    read_arrangement, read_likeness, read_equal_size, read_correction, read_other_side, read_gift, read_place_by_new,
    read_trade_place, read_put_into, read_each_side,
    read_ground_shade, read_background, read_style, _swap, _recolour, _resize, _move, _replace, _remove, _add,
)  # fmt: skip

__all__ = ["NotThere", "Unsure", "read_edits", "strip_same"]
