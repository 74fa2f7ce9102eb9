"""Sayings that change the picture: "make the left one red", "bigger fox", "move the star up", "without the house".

``read_edits`` tries each reader on the whole saying, then on its parts ("make it red and move it up").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from imagewright.agents.conversation import change_patterns as patterns
from imagewright.agents.conversation.change_patterns import GROUND, MAKE, SAME, STAYS
from imagewright.agents.conversation.change_words import (
    PLACE,
    RELATION,
    amount_of,
    read_factor,
    read_place,
    relation_of,
    way_of,
)
from imagewright.agents.conversation.group_edits import read_arrangement, read_exchange, read_group_count, read_likeness
from imagewright.agents.conversation.own_words import (
    read_correction,
    read_equal_size,
    read_gift,
    read_other_side,
    read_place_by_new,
    read_share_of_many,
)
from imagewright.agents.conversation.targets import NotThere, Unsure, find_boxes
from imagewright.agents.reading import lexicon, nouns, styling
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
    StyleEdit,
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
    parts = [part for part in _PART.split(rest) if part]
    parts = [part for part in parts if not _match(STAYS, part)] or parts  # what edits do anyway
    if len(parts) > 1 and (found := _each(parts, picture, same)):
        return found
    return _one(parts[0] if len(parts) == 1 else rest, picture, same)


_PART = re.compile(r",? (?:and then|and also|(?<!black )and|then|but)(?: please)? |[,;] ?|[.!] +")
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
    """One part; after the first, "triangle to square" takes the first one's verb, and "a white star" is added."""
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


def _match(patterns: Sequence[str], said: str) -> list[re.Match[str]]:
    return [found for pattern in patterns if (found := re.fullmatch(pattern, said))]


# --- the readers, in the order in which they are tried --------------------------------------


def _background(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if behind := _BEHIND.fullmatch(said):
        ground = parse_prompt(behind["g"])
        if ground.background and not ground.groups:
            return (BackgroundEdit(text=ground.background),)
    for found in _match(patterns.BACKGROUND_CHANGE, said):
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
    if scene and led and not _shown(body, picture):
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


def _shown(text: str, picture: Reference) -> bool:
    """Whether a word of ``text`` is the name of a thing in the picture."""
    names = {box.object for box in picture.shown.boxes} if picture.shown else set()
    return any(nouns.singular(word) in names for word in re.findall(r"[\w-]+", text))


def _style(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if re.fullmatch(
        r"(?:make it |in |all |turn it |now |everything |the whole (?:thing|picture|image) |of it )*black and white",
        said,
    ):
        return (StyleEdit(text="black and white"),)
    for found in _match(patterns.MOOD, said):
        return (StyleEdit(text=found["m"]),)
    parsed = parse_prompt(said)
    if not parsed.style or parsed.groups or parsed.background or parsed.negative:
        return ()
    text = styling.bare(parsed.style[0])
    return () if re.search(r"\b(?:looks?|less|not|it|them)\b", text) else (StyleEdit(text=text),)


def _recolour(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    if found := re.fullmatch(patterns.DARKER, said):
        return _shaded(find_boxes(_bare(found["t"]), picture), found["d"], picture)
    missing = None
    for found in _match(patterns.RECOLOUR, said):
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
    for found in _match(patterns.REMOVE, said):
        target = (
            found["t"] if "n" not in found.groupdict() else f"one of the {nouns.plural(nouns.singular(found['n']))}"
        )
        return (RemoveEdit(boxes=find_boxes(_bare(target), picture)),)
    return ()


def _swap(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in _match(patterns.SWAP, said):
        try:
            first, second = find_boxes(found["t"], picture), find_boxes(found["u"], picture)
        except NotThere:
            return ()
        if len(first) == len(second) == 1 and first != second:
            return (SwapEdit(boxes=(*first, *second)),)
    return ()


def _replace(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    for found in _match(patterns.REPLACE, said):
        group = _thing(found["n"])
        target = found.groupdict().get("t")
        if group is None or (target and re.search(r"\b(?:background|backdrop)\b", target)):
            continue
        boxes = find_boxes(_bare(target or "it"), picture)
        return (ReplaceEdit(boxes=boxes, text=_caption(group, picture, boxes, target or "")),)
    other = re.fullmatch(r"(?:it'?s |make it |draw )?(an? .+)", said) if same else None
    group = _thing(other[1]) if other else None
    if group is None or _shown(group.object, picture):
        return ()
    return (ReplaceEdit(boxes=find_boxes("it", picture), text=group.caption),)


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
    for found in _match(patterns.ADD, said):
        text = re.sub(r"\b(?:more|extra|additional)\b ?", "", found["n"]).strip()
        text = re.sub(r"^(?:another|one) ?", "a ", re.sub(r"^a (?:second|third) ", "a ", text))
        text, place, beside = _whereabouts(text, picture)
        parsed = parse_prompt(text)
        if not parsed.groups or len(parsed.groups) > 3:
            continue
        bare = re.match(r"more ", found["n"])
        new = [
            group for group in parsed.groups if not (f"the {group.object}" in text and _shown(group.object, picture))
        ]
        return tuple(
            AddEdit(text=_like_those(group, picture), count=1 if bare else min(group.count, 24),
                 place=place or group.position, beside=beside[0] if beside else None, also=beside[1:])
            for group in new
        )  # fmt: skip
    return ()


def _like_those(group: ParsedGroup, picture: Reference) -> str:
    """The caption of a new thing: one without adjectives looks like those that are there, where they are alike."""
    alike = {box.caption for box in picture.shown.boxes if box.object == group.object} if picture.shown else set()
    return alike.pop() if not group.attributes and len(alike) == 1 else group.caption


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
    for found in _match(patterns.RESIZE, said):
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
    for found in _match(patterns.MOVE, said):
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
    read_group_count, read_share_of_many, read_exchange, read_arrangement, read_likeness, read_equal_size,
    read_correction, read_other_side, read_gift, read_place_by_new,
    _background, _style, _swap, _recolour, _resize, _move, _replace, _remove, _add,
)  # fmt: skip

__all__ = ["NotThere", "Unsure", "read_edits", "strip_same"]
