"""Edits of several things at once: counts, exchanges, mirrored, spread and aligned things, likeness to another."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagewright.agents.conversation.targets import Already, NotThere, Unsure, find_boxes, list_boxes, name_of
from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.intents import (
    AddEdit,
    AnyEdit,
    FlipEdit,
    MoveEdit,
    RecolourEdit,
    Reference,
    RemoveEdit,
    ResizeEdit,
    SwapEdit,
)
from imagewright.schemas import Box

_N = rf"(?P<n>\d{{1,2}}|no|zero|only one|{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})"
_X = r"(?: of them)?(?: (?P<x>(?!of\b|(?:more|fewer|less|extra)\b)[a-z][\w -]*?))?"
_NOT = r"(?:,? ?(?:and )?(?:not|instead of|rather than) (?P<m>\w+)(?: of them)?(?: [\w -]+)?)?"
_COUNTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:there|it|they) (?:should|must|ought to|has to|have to|need to|needs to) (?:only |just |really )?be "
        rf"(?:only |exactly |just )?{_N}{_X}{_NOT}(?: in total| altogether)?",
        rf"(?:i (?:only |just |really )?(?:want|need|asked for|said|wanted|meant)|make (?:it|them|that)|draw|have|"
        rf"show|give me|let there be|with|use|keep|leave)(?: only| just| exactly)? {_N}{_X}{_NOT}",
        rf"(?:only|just|exactly) {_N}{_X}{_NOT}",
        rf"(?!one\b|no\b|zero\b|\d){_N}(?: of them)?",
        rf"there are too (?:many|few) ?(?P<x>[\w -]*?)[,:;.]? {_N}(?: of them)?(?: (?:would|will|should|is|are|is))?"
        r"(?: be)? ?(?:enough|fine|plenty|ok|better|right|good)?",
        rf"{_N}{_X},? (?:instead of|not|rather than) (?P<m>\d+|{'|'.join(NUMBER_WORDS)})(?: [\w -]+)?(?:,? please)?",
        rf"{_N} (?P<x>[\w -]+?) (?:would|will|is|are) (?:be )?(?:enough|plenty|fine)",
    )
)
_TAKE = re.compile(
    rf"(?:(?:remove|delete|erase|drop|take away|lose|minus) (?!one of\b){_N} (?:of the )?(?P<x>[\w -]+)|"
    rf"(?:that'?s|that is|there(?:'s| is| are)|it'?s|you (?:drew|made)) {_N.replace('<n>', '<m>')} (?P<y>[\w "
    rf"-]+?) too many)"
)
_SWAP_ALL = re.compile(
    r"(?:swap|switch|exchange|interchange)(?: (?:them|the two|both|these|those|the two of them|places|positions|"
    r"sides))*"
    r"(?: (?:around|over|round))?"
)
_SWAP_COLOURS = re.compile(
    r"(?:swap|switch|exchange)(?: the| their)? colou?rs?(?: of (?P<t>.+?) (?:and|with) (?P<u>.+)| around)?"
)
_FLIP = re.compile(
    r"(?:flip|mirror|reverse|reflect)(?: (?:it|this|that|everything|the (?:whole )?(?:picture|image|arrangement|layout|"
    r"scene)))?"
    r"(?: (?P<how>horizontally|vertically|left to right|left-right|upside down|over))?"
)
_SPREAD = re.compile(
    r"(?:space|move|put|spread|bring|pull|push|place|set|draw) (?P<t>them|everything|both|all|the two|these|the things|"
    r"the .+?) (?:out )?(?:a (?:bit|little) |much |more |further |farther )*(?P<how>apart|out|together|closer(?: "
    r"together)?|nearer"
    r"(?: together)?)(?: a (?:bit|little))?"
)
_ALIGN = re.compile(
    r"(?:align|line up|level|arrange) (?P<t>them|everything|both|all|the two|these|the .+?)(?: up)?(?: (?:at|on|"
    r"to|along|by) "
    r"(?:the|their) (?P<side>top|bottom|left|right|middle|centre|center)s?(?: edges?| side)?)?"
)
_CENTRE = re.compile(
    r"(?:cent(?:er|re)|put|move) (?P<t>.+?)(?: (?:in|into|to|at) the (?:very )?(?:middle|cent(?:er|re)))?(?: of .+)?"
)
_SAME_SIZE = re.compile(
    r"(?:make|draw|have) (?P<t>.+?) (?:be )?(?:the same size as|as (?:big|large|small|tall) as) (?P<u>.+)"
)
_THAN = re.compile(
    r"(?:(?:make|draw|have) )?(?P<t>.+?) (?:should be |must be |be |to be )?"
    r"(?P<w>bigger|larger|taller|wider|smaller|shorter|tinier) than (?P<u>the .+)"
)
_SAME_COLOUR = re.compile(
    r"(?:make|paint|draw|colou?r|have) (?P<t>.+?) (?:be |in )?(?:the same colou?r as|match) (?P<u>.+)"
)
_COPY = re.compile(r"(?:duplicate|copy|clone|double up|repeat) (?P<t>(?!it to|this to).+)")


def find_all(text: str, picture: Reference) -> tuple[int, ...]:
    """The boxes of "them", "everything", or those that are named; all of them for "the two", of which there are two."""
    if re.fullmatch(r"them|everything|both|all|these|the two|the things", text):
        found = tuple(range(len(list_boxes(picture))))
        if not found:
            raise NotThere(text)
        if text in ("both", "the two") and len(found) != 2:
            raise Unsure(text, [name_of(n, list_boxes(picture)) for n in found])
        return found
    return find_boxes(text, picture)


# --- how many ---------------------------------------------------------------------------------


def read_group_count(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "there should be four, not five": as many of the thing as are asked for."""
    for pattern in _COUNTS:
        if found := pattern.fullmatch(said):
            number = _number(found["n"])
            if edits := _counted(number, (found.groupdict().get("x") or "").strip(), picture):
                return edits
    if found := _TAKE.fullmatch(said):
        fitting = _of_kind(found["x"] or found["y"], picture)
        number = _number(found["n"] or found["m"])
        if number < len(fitting):
            return (RemoveEdit(boxes=fitting[len(fitting) - number :]),)
    return ()


def _number(word: str) -> int:
    word = word.removeprefix("only ")
    return 0 if word in ("no", "zero") else int(word) if word.isdigit() else NUMBER_WORDS[word]


def _counted(number: int, thing: str, picture: Reference) -> tuple[AnyEdit, ...]:
    fitting = _of_kind(thing, picture) if thing else find_only_kind(picture)
    if not fitting:
        return ()
    if number < len(fitting):
        return (RemoveEdit(boxes=fitting[number:]),)
    caption = list_boxes(picture)[fitting[-1]].caption
    if number == len(fitting):
        raise Already(f"{number} of {caption!r}")
    return (AddEdit(text=caption, count=number - len(fitting)),)


def _of_kind(thing: str, picture: Reference) -> tuple[int, ...]:
    """All the boxes that are called so; none where the picture shows none."""
    words = [
        word for word in re.findall(r"[\w-]+", thing) if word not in ("the", "please", "in", "total", "of", "them")
    ]
    name = nouns.singular(words[-1]) if words else ""
    try:
        return find_boxes("all the " + " ".join([*words[:-1], nouns.plural(name)]), picture) if name else ()
    except NotThere:
        return ()


def find_only_kind(picture: Reference) -> tuple[int, ...]:
    """What a bare number counts: the things of the one kind, or of the one of which there are several."""
    boxes = list_boxes(picture)
    kinds = {box.object: tuple(n for n, other in enumerate(boxes) if other.object == box.object) for box in boxes}
    several = [found for found in kinds.values() if len(found) > 1] or list(kinds.values())
    return several[0] if len(several) == 1 else ()


# --- exchanged, mirrored ----------------------------------------------------------------------


def read_exchange(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "swap them", "swap colours", "mirror the picture"."""
    boxes = list_boxes(picture)
    if found := _SWAP_COLOURS.fullmatch(said):
        pair = (*find_boxes(found["t"], picture), *find_boxes(found["u"], picture)) if found["t"] else ()
        return _recoloured(_two(said, picture, pair), boxes)
    if _SWAP_ALL.fullmatch(said):
        return (SwapEdit(boxes=_two(said, picture)),)
    if (found := _FLIP.fullmatch(said)) and boxes and (said not in ("flip", "flip it", "reverse it", "reverse")):
        return (FlipEdit(upright=found["how"] in ("vertically", "upside down")),)
    return ()


def _two(said: str, picture: Reference, pair: Sequence[int] = ()) -> tuple[int, ...]:
    """The two things that are meant.

    Raises:
        Unsure: there are more than two.
        NotThere: there are fewer.
    """
    boxes = list_boxes(picture)
    found = tuple(pair) or (picture.focus if len(picture.focus) == 2 else tuple(range(len(boxes))))
    if len(found) < 2:
        raise NotThere("two things")
    if len(found) > 2:
        names = [name_of(n, boxes) for n in found]
        raise Unsure("them", [f"{a} and {b}" for at, a in enumerate(names) for b in names[at + 1 :]][:6])
    return found


def _recoloured(pair: Sequence[int], boxes: Sequence[Box]) -> tuple[AnyEdit, ...]:
    colours = [_colour(boxes[n]) for n in pair]
    if not all(colours):
        raise NotThere("a colour of both")
    return tuple(RecolourEdit(boxes=(n,), text=colour) for n, colour in zip(pair, reversed(colours), strict=True))


def _colour(box: Box) -> str:
    return next((word for word in box.attributes if word.split()[-1] in lexicon.KNOWN_COLOURS), "")


# --- arranged ---------------------------------------------------------------------------------


def read_arrangement(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "space them further apart", "align them at the bottom", "centre everything"."""
    boxes = list_boxes(picture)
    if found := _SPREAD.fullmatch(said):
        return _spread(find_all(found["t"], picture), boxes, apart=bool(re.search("apart|out", found["how"])))
    if found := _ALIGN.fullmatch(said):
        return _aligned(find_all(found["t"], picture), boxes, found["side"] or "bottom")
    if (found := _CENTRE.fullmatch(said)) and re.search(r"cent(?:er|re)\b", said):
        if re.fullmatch(r"everything|all|them|it all|the (?:picture|image|whole thing)", found["t"]):
            return _centred(boxes)
        return (MoveEdit(boxes=find_boxes(found["t"], picture), place="middle"),)
    return ()


def _spread(numbers: Sequence[int], boxes: Sequence[Box], *, apart: bool) -> tuple[AnyEdit, ...]:
    """Each thing away from the middle of all, or towards it; the outermost first where they part."""
    x, y = (sum(boxes[n].centre[axis] for n in numbers) / len(numbers) for axis in (0, 1))
    share = 0.35 if apart else -0.35

    def far(n: int) -> float:
        return abs(boxes[n].centre[0] - x) + abs(boxes[n].centre[1] - y)

    ordered = sorted(numbers, key=far, reverse=apart)
    return tuple(
        MoveEdit(boxes=(n,), across=round(share * (across - x), 4), down=round(share * (down - y), 4))
        for n in ordered
        for across, down in [boxes[n].centre]
    )  # fmt: skip


def _aligned(numbers: Sequence[int], boxes: Sequence[Box], side: str) -> tuple[AnyEdit, ...]:
    them = [boxes[n] for n in numbers]
    if side in ("left", "right"):
        edge = min(b.x for b in them) if side == "left" else max(b.x + b.width for b in them)
        ways = [(edge - (b.x if side == "left" else b.x + b.width), 0.0) for b in them]
    elif side in ("top", "bottom"):
        edge = min(b.y for b in them) if side == "top" else max(b.y + b.height for b in them)
        ways = [(0.0, edge - (b.y if side == "top" else b.y + b.height)) for b in them]
    else:
        middle = sum(b.centre[1] for b in them) / len(them)
        ways = [(0.0, middle - b.centre[1]) for b in them]
    edits = tuple(
        MoveEdit(boxes=(n,), across=round(across, 4), down=round(down, 4))
        for n, (across, down) in zip(numbers, ways, strict=True) if abs(across) + abs(down) > 1e-3
    )  # fmt: skip
    if not edits:
        raise Already(f"all level at the {side}")
    return edits


def _centred(boxes: Sequence[Box]) -> tuple[AnyEdit, ...]:
    """All together, as they stand to one another."""
    if not boxes:
        return ()
    left, right = min(b.x for b in boxes), max(b.x + b.width for b in boxes)
    top, bottom = min(b.y for b in boxes), max(b.y + b.height for b in boxes)
    across, down = round(0.5 - (left + right) / 2, 4), round(0.5 - (top + bottom) / 2, 4)
    order = sorted(range(len(boxes)), key=lambda n: -(across * boxes[n].x + down * boxes[n].y))
    return tuple(MoveEdit(boxes=(n,), across=across, down=down) for n in order)


# --- like another -----------------------------------------------------------------------------


def read_likeness(said: str, picture: Reference, same: bool) -> tuple[AnyEdit, ...]:
    """ "the same size as", "the same colour as", "duplicate"."""
    boxes = list_boxes(picture)
    if found := _SAME_SIZE.fullmatch(said):
        mine, other = find_boxes(found["t"], picture), boxes[find_boxes(found["u"], picture)[0]]
        ratios = {n: _ratio(boxes[n], other) for n in mine}
        if all(abs(ratio - 1) < 0.03 for ratio in ratios.values()):
            raise Already(f"{found['t']} as large as {found['u']}")
        return tuple(ResizeEdit(boxes=(n,), factor=ratio) for n, ratio in ratios.items())
    if found := _THAN.fullmatch(said):
        return _sized_past(
            find_boxes(found["t"], picture), found["w"], boxes[find_boxes(found["u"], picture)[0]], boxes
        )
    if found := _SAME_COLOUR.fullmatch(said):
        mine, other = find_boxes(found["t"], picture), boxes[find_boxes(found["u"], picture)[0]]
        if colour := _colour(other):
            return (RecolourEdit(boxes=mine, text=colour),)
        raise NotThere(f"colour of {found['u']}")
    if found := _COPY.fullmatch(said):
        return tuple(AddEdit(text=boxes[n].caption) for n in find_boxes(found["t"], picture))
    return ()


def _sized_past(mine: Sequence[int], word: str, other: Box, boxes: Sequence[Box]) -> tuple[AnyEdit, ...]:
    """Those that are not plainly larger, or smaller, than ``other`` become so."""
    small = word in ("smaller", "shorter", "tinier")
    past = {n: _ratio(boxes[n], other) * (1 / _PLAINLY if small else _PLAINLY) for n in mine}
    edits = tuple(
        ResizeEdit(boxes=(n,), factor=round(min(max(factor, 0.2), 5.0), 3))
        for n, factor in past.items()
        if (factor < 0.99 if small else factor > 1.01)
    )
    if not edits:
        raise Already(f"it is {word}")
    return edits


_PLAINLY = 1.3
"""How many times as long the sides of a thing are that is plainly larger than another."""


def _ratio(box: Box, other: Box) -> float:
    share = (other.width * other.height / max(box.width * box.height, 1e-6)) ** 0.5
    return float(round(min(max(share, 0.2), 5.0), 3))
