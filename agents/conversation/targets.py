"""Which boxes of a picture, or which picture of a thread, a person means: "the left one", "both circles", "the owl"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.words import words
from imagewright.intents import Reference
from imagewright.schemas import Box, ParsedGroup

ORDINALS = {word: n for n, text in enumerate(
    ("first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th",
     "ninth 9th", "tenth 10th", "eleventh 11th", "twelfth 12th"), 1) for word in text.split()}  # fmt: skip
_THIS = words("it this that them these those thing things")
_ALL = words("all every each everything both everyone")
_ONE = words("one ones guy thing object shape shapes objects things")
_ARTICLES = words("the a an my your its of in on at to side corner hand")
_SOME = re.compile(
    r"(?P<n>half|two|three|four|five|six|seven|eight|nine|ten|\d{1,2}) of (?P<t>them|these|those|the .+)"
)
_ALL_BUT = re.compile(
    r"(?:everything|all|anything)(?: else)? (?:except|but|other than|apart from|besides)(?: for)? (.+)"
)
_SPOTS: dict[str, tuple[int, int]] = {
    "left": (-1, 0), "leftmost": (-1, 0), "right": (1, 0), "rightmost": (1, 0), "top": (0, -1), "upper": (0, -1),
    "topmost": (0, -1), "highest": (0, -1), "bottom": (0, 1), "lower": (0, 1), "lowest": (0, 1), "bottommost": (0, 1),
}  # fmt: skip
_MIDDLE = words("middle central centre center")
_BIG = words("big bigger biggest large larger largest")
_SMALL = words("small smaller smallest little")
_SAME_COLOUR = {"grey": "gray"}


class Unsure(Exception):
    """A phrase may mean several boxes; ``choices`` name each, best first."""

    def __init__(self, phrase: str, choices: Sequence[str]) -> None:
        super().__init__(phrase)
        self.phrase, self.choices = phrase, tuple(choices)


class Already(Exception):
    """What is asked for is so; the words say what."""


class NotThere(Exception):
    """A phrase names a thing that the picture does not show."""


def list_boxes(picture: Reference) -> tuple[Box, ...]:
    """The boxes that ``picture`` shows; none for one without a layout."""
    return picture.shown.boxes if picture.shown else ()


def find_boxes(phrase: str, picture: Reference) -> tuple[int, ...]:
    """The indexes of the boxes that ``phrase`` means, in the layout's order.

    Raises:
        Unsure: one thing is meant and several would fit.
        NotThere: no box fits.
    """
    boxes = list_boxes(picture)
    said = [_SAME_COLOUR.get(word, word) for word in re.findall(r"[\w'-]+", phrase.lower())]
    if not boxes or not said:
        raise NotThere(phrase)
    if found := _ALL_BUT.match(phrase):
        kept = find_boxes(found[1], picture)
        return tuple(number for number in range(len(boxes)) if number not in kept)
    if some := _SOME.fullmatch(phrase):
        return _some_of(some["n"], find_boxes(some["t"], picture), phrase)
    if " and " in phrase and not set(said) & {"black-and-white"}:
        return _joined(phrase, picture)
    if set(said) <= _ARTICLES - set(_SPOTS):
        raise NotThere(phrase)
    if set(said) <= _THIS | _ARTICLES or ("both" in said and set(said) <= _THIS | _ARTICLES | {"both", "of"}):
        return _this(phrase, said, picture, boxes)
    return _described(phrase, said, picture, boxes)


def _some_of(number: str, found: tuple[int, ...], phrase: str) -> tuple[int, ...]:
    """So many of them, or half; the first ones, as of "one of them".

    Raises:
        NotThere: there are fewer.
    """
    many = len(found) // 2 if number == "half" else NUMBER_WORDS.get(number) or int(number)
    if not 0 < many <= len(found):
        raise NotThere(phrase)
    return found[:many]


def _joined(phrase: str, picture: Reference) -> tuple[int, ...]:
    found: set[int] = set()
    for part in re.split(r"\s+and\s+", phrase):
        found |= set(find_boxes(part, picture))
    return tuple(sorted(found))


def _this(phrase: str, said: Sequence[str], picture: Reference, boxes: Sequence[Box]) -> tuple[int, ...]:
    """ "it", "them": what was changed last, else the only thing, else all where they are alike."""
    many = bool(set(said) & {"them", "these", "those", "things", "both"})
    focus = tuple(number for number in picture.focus if number < len(boxes))
    if "both" in said and len(boxes) > 2 and len(focus) != 2:
        raise Unsure(phrase, [name_of(number, boxes) for number in range(len(boxes))])
    if focus and (many or len(focus) == 1 or len({boxes[n].caption for n in focus}) == 1):
        return focus
    if len(boxes) == 1 or many:
        return tuple(range(len(boxes)))
    raise Unsure(phrase, [name_of(number, boxes) for number in range(len(boxes))])


def _described(phrase: str, said: list[str], picture: Reference, boxes: Sequence[Box]) -> tuple[int, ...]:
    found = _alike(said, boxes)
    if "other" in said or "others" in said:
        rest = tuple(number for number in found if number not in picture.focus)
        found = rest or found
    found = _in_place(said, found, boxes)
    if not found:
        raise NotThere(phrase)
    if "both" in said and len(found) > 2:
        raise Unsure(phrase, [name_of(number, boxes) for number in found])
    if len(found) == 1 or _means_many(said, len(found)):
        return found
    if re.match(r"(?:one|any|some) of\b|an?\s", phrase):
        return found[:1]
    raise Unsure(phrase, [name_of(number, boxes) for number in found])


def _means_many(said: Sequence[str], found: int) -> bool:
    """Whether the phrase asks for all that fit: "both", "all", a plural, or their very number."""
    if said[0] in ("one", "any") and "of" in said:
        return False
    if set(said) & (_ALL | {"ones", "others", "shapes", "objects", "things"}):
        return True
    if any(NUMBER_WORDS.get(word, int(word) if word.isdigit() else None) == found for word in said):
        return True
    return any(nouns.is_plural(word) and word not in _ALL for word in said if word not in lexicon.KNOWN_COLOURS)


def _alike(said: Sequence[str], boxes: Sequence[Box]) -> tuple[int, ...]:
    """The boxes that fit the noun and the adjectives of the phrase; empty where a word fits none."""
    skip = _ARTICLES | _THIS | _ALL | _ONE | _MIDDLE | _BIG | _SMALL | set(_SPOTS) | set(ORDINALS)
    skip |= {"other", "others", "last", "new", "any", "only", "same", "far", "most"} | set(NUMBER_WORDS)
    asked = [word for word in said if word not in skip and not word.isdigit()]
    own = [word for word in said if word in _BIG | _SMALL and any(word in box.attributes for box in boxes)]
    return tuple(number for number, box in enumerate(boxes) if all(_fits(word, box) for word in (*asked, *own)))


def _fits(word: str, box: Box) -> bool:
    one = nouns.singular(word)
    told = {*box.object.lower().split(), box.object.lower()}
    told |= {_SAME_COLOUR.get(part, part) for text in box.attributes for part in text.lower().split()}
    told |= {nouns.singular(part) for part in re.findall(r"[\w-]+", box.caption.lower())}
    return word in told or one in told or (len(one) > 3 and box.object.lower().endswith(one))


def _in_place(said: Sequence[str], found: tuple[int, ...], boxes: Sequence[Box]) -> tuple[int, ...]:
    """Narrowed by "left", "upper", "middle", "biggest", "second", "last"."""
    if len(found) < 2:
        return found
    for word in said:
        if word in _SPOTS:
            found = _farthest(found, boxes, *_SPOTS[word])
        elif word in _MIDDLE:
            found = _first(found, lambda n: abs(boxes[n].centre[0] - 0.5) + abs(boxes[n].centre[1] - 0.5))
        elif word in _BIG | _SMALL and not any(word in boxes[n].attributes for n in found):
            sign = -1 if word in _BIG else 1
            found = _first(found, lambda n, s=sign: s * boxes[n].width * boxes[n].height)  # type: ignore[misc]
        elif word in ORDINALS or word == "last":
            ordered = sorted(found, key=lambda n: (round(boxes[n].centre[0], 2), boxes[n].centre[1]))
            place = ORDINALS.get(word, len(ordered)) - 1
            if "every" in said and word != "last":
                return tuple(sorted(ordered[place :: place + 1]))
            found = (ordered[place],) if place < len(ordered) else ()
    return found


def _farthest(found: tuple[int, ...], boxes: Sequence[Box], across: int, down: int) -> tuple[int, ...]:
    """The box farthest that way, with those that are level with it."""
    reach = {n: across * boxes[n].centre[0] + down * boxes[n].centre[1] for n in found}
    far = max(reach.values())
    return tuple(n for n in found if reach[n] > far - 0.05)


def _first(found: tuple[int, ...], key: Callable[[int], float]) -> tuple[int, ...]:
    return (min(found, key=key),)


def name_of(number: int, boxes: Sequence[Box]) -> str:
    """Words that mean box ``number`` and no other: "red circle", "left red circle", "second red circle"."""
    body = re.sub(r"^an?\s+", "", boxes[number].caption)
    same = [n for n, box in enumerate(boxes) if box.caption == boxes[number].caption]
    if len(same) == 1:
        return f"the {body}"
    for word, (across, down) in (("left", (-1, 0)), ("right", (1, 0)), ("top", (0, -1)), ("bottom", (0, 1))):
        if _farthest(tuple(same), boxes, across, down) == (number,):
            return f"the {word} {body}"
    ordered = sorted(same, key=lambda n: (round(boxes[n].centre[0], 2), boxes[n].centre[1]))
    return f"the {next(w for w, n in ORDINALS.items() if n == ordered.index(number) + 1)} {body}"


def names_shown(text: str, picture: Reference) -> bool:
    """Whether a word of ``text`` is the name of a thing in the picture."""
    names = {box.object for box in picture.shown.boxes} if picture.shown else set()
    return any(nouns.singular(word) in names for word in re.findall(r"[\w-]+", text))


def caption_like_those(group: ParsedGroup, picture: Reference) -> str:
    """The caption of a new thing: one without adjectives looks like those that are there, where they are alike."""
    alike = {box.caption for box in list_boxes(picture) if box.object == group.object}
    return alike.pop() if not group.attributes and len(alike) == 1 else group.caption


# --- pictures -------------------------------------------------------------------------------


def find_picture(phrase: str, pictures: Sequence[Reference]) -> Reference | None:
    """The picture of the thread that ``phrase`` means; None where none does.

    "the second one", "picture 3", "the last one", "the previous one", "the owl" (the latest that shows one, other
    than the present picture).
    """
    said = re.findall(r"[\w'-]+", phrase.lower())
    by_number = {picture.number: picture for picture in pictures}
    for word in said:
        number = ORDINALS.get(word) or (int(word) if word.isdigit() else None)
        if number is not None and (number in by_number or set(said) <= _COUNTED | {word}):
            return by_number.get(number)
    live = [picture for picture in pictures if picture.live]
    if set(said) & {"previous", "before", "earlier"} and set(said) <= _COUNTED | {"previous", "before", "earlier"}:
        return live[-2] if len(live) > 1 else None
    if set(said) & {"last", "latest", "current", "newest"} and set(said) <= _COUNTED:
        return live[-1] if live else None
    if set(said) & {"original", "start", "beginning"}:
        return min(pictures, key=lambda p: p.number, default=None)
    return _showing(said, pictures)


_COUNTED = words(
    "the a one picture image version number no try draft turn last latest current newest to from with of back "
    "drawing result"
)


def _showing(said: Sequence[str], pictures: Sequence[Reference]) -> Reference | None:
    """The latest picture whose words hold all that is asked for; the present one only when no other does."""
    silent = _COUNTED | words(
        "only just an that which where had has was were is and in on at when it showed showing there"
    )
    asked = {nouns.singular(word) for word in said if word not in silent}
    if not asked:
        return None
    fitting = [p for p in pictures if asked <= _words_of(p)]
    if "only" in said or "just" in said:
        fitting = [p for p in fitting if p.shown and {nouns.singular(box.object) for box in p.shown.boxes} <= asked]
    ordered = sorted(fitting, key=lambda p: p.number)
    present = pictures[-1] if pictures else None
    others = [p for p in ordered if present is None or p.run != present.run]
    found = others or ordered
    return found[-1] if found else None


def _words_of(picture: Reference) -> set[str]:
    text = f"{picture.prompt} {picture.said}".lower()
    return {nouns.singular(word) for word in re.findall(r"[\w'-]+", text)}
