"""Edits as people say them in passing: "blue, not black", "give it a hat", "the other side", "half as many circles"."""

from __future__ import annotations

import re

from imagewright.agents.conversation.change_patterns import COLOUR, NEW
from imagewright.agents.conversation.change_words import MOVE_VERB, RELATION, relation_of
from imagewright.agents.conversation.targets import (
    Already,
    NotThere,
    Unsure,
    caption_like_those,
    find_boxes,
    list_boxes,
    names_shown,
)
from imagewright.agents.reading import nouns
from imagewright.agents.reading.numbers import number_word
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    BackgroundEdit,
    MoveEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ReplaceEdit,
    ResizeEdit,
    SwapEdit,
)
from imagewright.schemas import PlaceName

_OLD = COLOUR.replace("?P<c>", "?P<old>")
_CORRECTED = re.compile(
    rf"(?:no,? )?(?:(?:i|we) (?:meant|said|wanted|want) )?(?:it in )?{COLOUR},? (?:and )?"
    rf"(?:not|instead of|rather than) {_OLD}"
)
_TURNED_COLOUR = re.compile(
    rf"(?:change|turn|swap|replace|switch|make) (?:all |everything |anything |the )*{_OLD}"
    rf"(?: parts?| bits?| ones?| things?| colou?rs?)? (?:to|into|for|with|by|in)(?: the)? {COLOUR}(?: ones?)?"
    r"(?: instead)?"
)
_EACH_SIDE = re.compile(
    rf"(?:(?:{MOVE_VERB}|add|draw|have|i want) )?(?P<n>(?:an?|one|another) .+?) (?:on|at|to) (?:each|either|both) "
    r"sides? of (?P<u>(?:the|it|them|that|this)\b.*)"
)
_FOR = re.compile(
    rf"(?:not {_OLD}[,;]? (?:but )?)?(?:an? )?(?:[a-z]+en )?{COLOUR}(?: one| colou?r)? for (?P<t>the .+|it|both|them)"
)
_GIVE = re.compile(rf"give (?P<t>the .+?|it|them|both|all of them|each(?: of them)?) (?P<n>{NEW}|[a-z]+s)")
_WITH = re.compile(r"(?:and |but |now )?with ((?:an?|two|some) (?:(?!in\b|on\b|behind\b)[a-z]+ ?){1,3})")
_OTHER_SIDE = re.compile(
    rf"(?:(?:{MOVE_VERB}) )?(?P<t>.+?) (?:should (?:be|go|stand) |goes )?(?:over )?"
    r"(?:to|on|onto|at) the (?:other|opposite) side(?: of (?P<u>.+))?"
)
_WHERE = re.compile(
    rf"(?:{MOVE_VERB}|draw|have) (?P<t>(?:the|it|that|this|my)\b.*?) "
    r"(?:where|(?:in|at|to|into) the (?:place|spot|position) of) (?P<u>(?:the|that|my) .+?)"
    r"(?: (?:is|was|stands?|sits?|used to be))?(?: now)?"
)
_INTO = re.compile(
    rf"(?:{MOVE_VERB}|draw|have|add|i want) (?P<t>.+?) (?P<on>in|inside of|into|inside|on|onto|upon) "
    r"(?P<u>(?:the|that|my) (?!left|right|top|bottom|other|side|same).+)"
)
_SHARE = re.compile(
    r"(?:(?:draw|make|show|i want|i'd like|use|with|only|just|have|there should be) )*"
    r"(?:(?P<half>half|twice|double|three times|two times) "
    r"(?:as many|the (?:number|amount|count) of|the) (?P<x>[\w -]+?))"
    r"(?: (?:as|than) .+)?"
)
_FEWER = re.compile(r"(?:(?:make it|draw|show|have|with) )?(?:fewer|less|not so many|not as many) (?P<x>[\w -]+)")
_ALIKE = re.compile(
    r"(?:(?:make|draw|have) )?(?:(?P<t>both|them|all|everything|these|the .+?)(?: of them)? )?(?:be )?(?:of )?"
    r"(?:the )?(?:same|equal|equal in|identical in) size(?: for (?P<u>.+))?|"
    r"(?:make )?(?P<v>them|both|all|the .+?) equally (?:big|large)"
)
_BY_NEW = re.compile(
    rf"(?:(?:{MOVE_VERB}|draw|have) )?(?P<t>the .+?|it|them|both) "
    rf"(?:should (?:be |stand |sit |go )?|is to be )?(?:[a-z]+ing )?(?P<rel>{RELATION}) (?P<n>an? .+)"
)
_TURNED: dict[PlaceName, PlaceName] = {
    "left": "right", "right": "left", "above": "below", "below": "above", "behind": "in-front", "in-front": "behind",
    "near": "near",
}  # fmt: skip
_SHARES = {"half": 0.5, "twice": 2.0, "double": 2.0, "two times": 2.0, "three times": 3.0}


def read_correction(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "I meant blue, not black", "blue for the cup": what is black, or the cup, becomes blue."""
    if found := _FOR.fullmatch(said):
        return (RecolourEdit(boxes=find_boxes(found["t"], picture), text=found["c"]),)
    found = _CORRECTED.fullmatch(said) or _TURNED_COLOUR.fullmatch(said)
    if found is None:
        return ()
    old = found["old"].split()[-1]
    wrong = tuple(n for n, box in enumerate(list_boxes(picture)) if old in " ".join(box.attributes).split())
    if not wrong and old in picture.parsed.background.split():
        return (BackgroundEdit(text=f"{nouns.article(found['c'])} {found['c']} background"),)
    if not wrong:
        raise NotThere(f"anything {old}")
    return (RecolourEdit(boxes=wrong, text=found["c"]),)


def read_gift(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Give the star a yellow outline": a part is drawn with its thing; what is no part stands beside it."""
    found = _GIVE.fullmatch(said)
    alone = _WITH.fullmatch(said) if len(list_boxes(picture)) == 1 else None
    if alone is not None and nouns.singular(alone[1].split()[-1]) in nouns.PART | nouns.WEARABLE:
        return (ReplaceEdit(boxes=(0,), text=_with(list_boxes(picture)[0].caption, alone[1])),)
    if found is None:
        return ()
    groups = parse_prompt(found["n"]).groups
    if re.fullmatch(rf"(?:an? )?{COLOUR}(?: colou?r)?", found["n"]) or len(groups) > 1:
        return ()
    boxes = find_boxes(found["t"].removeprefix("each of "), picture)
    last = nouns.singular(found["n"].split()[-1])
    if last in nouns.PART or last in nouns.WEARABLE or not groups:
        shown = list_boxes(picture)
        return tuple(ReplaceEdit(boxes=(n,), text=_with(shown[n].caption, found["n"])) for n in boxes)
    group = groups[0]
    return tuple(AddEdit(text=group.caption, count=min(group.count, 24), place="near", beside=n) for n in boxes)


def _with(caption: str, part: str) -> str:
    return f"{caption} {'and' if ' with ' in caption else 'with'} {part}"


def read_other_side(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Put the circle on the other side of the square", "the car to the other side"."""
    found = _OTHER_SIDE.fullmatch(said)
    if found is None:
        return ()
    mine, shown = find_boxes(found["t"], picture), list_boxes(picture)
    if not found["u"]:
        here = sum(shown[n].centre[0] for n in mine) / len(mine)
        return (MoveEdit(boxes=mine, place="right" if here < 0.5 else "left"),)
    other = find_boxes(found["u"], picture)[0]
    across, down = (shown[mine[0]].centre[axis] - shown[other].centre[axis] for axis in (0, 1))
    place: PlaceName = "left" if across > 0 else "right"
    if abs(down) > abs(across):
        place = "above" if down > 0 else "below"
    return (MoveEdit(boxes=mine, place=place, beside=other),)


def read_place_by_new(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "The fish should be under a boat", of which there is none: the boat comes in, above the fish."""
    found = _BY_NEW.fullmatch(said)
    groups = parse_prompt(found["n"]).groups if found else ()
    place = _TURNED.get(relation_of(found["rel"])) if found else None
    if found is None or place is None or len(groups) != 1:
        return ()
    first, *others = find_boxes(found["t"], picture)
    return (AddEdit(text=groups[0].caption, place=place, beside=first, also=tuple(others)),)


def read_trade_place(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Put the house where the tree is": each stands where the other stood."""
    found = _WHERE.fullmatch(said)
    if found is None:
        return ()
    mine, other = find_boxes(found["t"], picture), find_boxes(found["u"], picture)
    return (SwapEdit(boxes=(*mine, *other)),) if len(mine) == len(other) == 1 and mine != other else ()


def read_put_into(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Put the fish in the cup", "a hat on the dog": in or upon a thing that is there; "in the corner" is none."""
    found = _INTO.fullmatch(said)
    if found is None or not names_shown(found["u"], picture):
        return ()
    other = find_boxes(found["u"], picture)
    place: PlaceName = "above" if found["on"] in ("on", "onto", "upon") else "inside"
    if re.match(r"(?:the|it|them|both|all|that|this|my)\b", found["t"]):
        mine = find_boxes(found["t"], picture)
        return (MoveEdit(boxes=mine, place=place, beside=other[0]),) if not set(mine) & set(other) else ()
    groups = parse_prompt(found["t"]).groups
    if len(groups) != 1 or len(other) != 1:
        return ()
    return (AddEdit(text=groups[0].caption, count=min(groups[0].count, 24), place=place, beside=other[0]),)


def read_each_side(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "A star on each side of the boat": one more on the left of it and one on the right."""
    found = _EACH_SIDE.fullmatch(said)
    groups = parse_prompt(re.sub("^another ", "a ", found["n"])).groups if found else ()
    if found is None or len(groups) != 1:
        return ()
    first, *others = find_boxes(found["u"], picture)
    sides: tuple[PlaceName, ...] = ("left", "right")
    return tuple(
        AddEdit(text=caption_like_those(groups[0], picture), place=side, beside=first, also=tuple(others))
        for side in sides
    )


def read_share_of_many(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Half as many circles", "twice as many stars"; "fewer circles" is asked about."""
    if found := _SHARE.fullmatch(said):
        many = _all_of(found["x"], picture)
        wanted = len(many) * _SHARES[found["half"]]
        if len(many) < 2 and wanted < 1:
            return ()
        return _as_many(many, int(wanted), picture)
    found = _FEWER.fullmatch(said)
    if found and (nouns.is_plural(found["x"].split()[-1]) or found["x"].split()[-1] in nouns.INVARIANT):
        many = _all_of(found["x"], picture)
        if len(many) < 2:
            raise Already(f"there is one {nouns.singular(found['x'].split()[-1])}")
        name = found["x"].split()[-1]
        counts = range(len(many) - 1, max(len(many) - 4, 0), -1)
        raise Unsure(found[0], [f"only {number_word(n)} {name if n > 1 else nouns.singular(name)}" for n in counts])
    return ()


def _all_of(thing: str, picture: Reference) -> tuple[int, ...]:
    words = thing.removeprefix("of ").removeprefix("the ").split()
    return find_boxes(" ".join(["all the", *words[:-1], nouns.plural(nouns.singular(words[-1]))]), picture)


def _as_many(many: tuple[int, ...], wanted: int, picture: Reference) -> tuple[AnyEdit, ...]:
    if wanted < len(many):
        return (RemoveEdit(boxes=many[wanted:]),)
    return (AddEdit(text=list_boxes(picture)[many[-1]].caption, count=min(wanted - len(many), 24)),)


def read_equal_size(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "Make them the same size": each as large as they are on the average."""
    found = _ALIKE.fullmatch(said)
    if found is None:
        return ()
    text = found["t"] or found["u"] or found["v"] or "them"
    every = re.fullmatch(r"both|them|all|everything|these", text) is not None
    shown = list_boxes(picture)
    which = tuple(range(len(shown))) if every else find_boxes(text, picture)
    if len(which) < 2 or (text == "both" and len(which) != 2):
        raise NotThere("two things")
    sides = {n: (shown[n].width * shown[n].height) ** 0.5 for n in which}
    mean = sum(sides.values()) / len(sides)
    factors = {n: round(min(max(mean / side, 0.2), 5.0), 3) for n, side in sides.items()}
    if all(abs(factor - 1) < 0.03 for factor in factors.values()):
        raise Already("they are of one size")
    ordered = sorted(factors, key=lambda n: factors[n])
    return tuple(ResizeEdit(boxes=(n,), factor=factors[n]) for n in ordered)
