"""What a detector saw, set against what a prompt wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from imagewright.geometry import Rectangle
from imagewright.schemas import Detection, Layout, ParsedPrompt

_BACKGROUND = "background"
"""What a detector calls the detection that is the whole canvas."""
_MARGIN = 0.1
"""How far centres must lie apart along an axis, as a share of the two sides together (GenEval's threshold)."""
MAIN_DIRECTION = 0.5
"""The least share of the distance that must run along the axis (GenEval's direction test)."""
_NEAR = 0.2
"""The widest gap between boxes that are near each other, as a share of the canvas."""
MOST_SPLIT = 8
"""Of how many like things it is tried which of them are meant; of more all are."""


@dataclass(frozen=True)
class SeenThing:
    """One detection with its colour picked out."""

    object: str
    colour: str
    box: Detection
    whole: bool = True
    """Whether it is plain to see; a half-formed thing is not."""


@dataclass(frozen=True)
class Wanted:
    """One group of the prompt as the detector can look for it."""

    object: str
    colour: str
    count: int
    unknown: tuple[str, ...] = ()
    """Attributes that the detector cannot tell."""
    exact: bool = True
    """Whether ``count`` was stated; a guess ("some dogs") is met by one or more."""

    @classmethod
    def of(
        cls, name: str, attributes: Sequence[str], count: int, colours: frozenset[str], exact: bool = True
    ) -> Wanted:
        """What to look for, given the attributes as written."""
        known = [word for word in attributes if word in colours]
        unknown = tuple(word for word in attributes if word not in colours)
        return cls(name, known[0] if known else "", count, unknown, exact)

    @property
    def name(self) -> str:
        """In words: ``red circle``."""
        return f"{self.colour} {self.object}".strip()


@dataclass(frozen=True)
class Sight:
    """The detections and the groups that were asked for."""

    things: tuple[SeenThing, ...]
    wanted: tuple[Wanted, ...]
    labels: frozenset[str]
    colours: frozenset[str]
    background: str = ""
    """The background's colour, where the detector tells it."""
    sure: float = 0.0
    """The score from which a thing is whole; 0 where the detector's scores do not tell."""

    @property
    def knows_all(self) -> bool:
        """Whether the detector knows every object that was asked for."""
        return all(wanted.object in self.labels for wanted in self.wanted)

    @property
    def unasked(self) -> tuple[SeenThing, ...]:
        """Things of kinds that nobody asked for."""
        kinds = {wanted.object for wanted in self.wanted}
        return tuple(thing for thing in self.things if thing.object not in kinds)

    def alike(self, wanted: Wanted) -> tuple[Wanted, ...]:
        """The groups with ``wanted``'s object and colour, itself included: their counts are judged as one sum."""
        key = (wanted.object, wanted.colour)
        return tuple(other for other in self.wanted if (other.object, other.colour) == key)

    def of_kind(self, name: str) -> tuple[SeenThing, ...]:
        """The things of one kind, whatever their colour."""
        return tuple(thing for thing in self.things if thing.object == name)

    def matching(self, wanted: Wanted) -> tuple[SeenThing, ...]:
        """The things that may be meant by ``wanted``; without a colour, those that no other group claims."""
        if wanted.colour:
            return tuple(thing for thing in self.of_kind(wanted.object) if thing.colour == wanted.colour)
        claimed = {other.colour for other in self.wanted if other.object == wanted.object and other.colour}
        return tuple(thing for thing in self.of_kind(wanted.object) if thing.colour not in claimed)


def see(
    detections: Sequence[Detection], parsed: ParsedPrompt, labels: frozenset[str], colours: frozenset[str],
    sure: float = 0.0,
) -> Sight:  # fmt: skip
    """Set what was detected against what ``parsed`` wants; a detection of ``background`` is no thing."""
    things = tuple(
        SeenThing(
            found.object, next((word for word in found.attributes if word in colours), ""), found, found.score >= sure
        )
        for found in detections
        if found.object != _BACKGROUND
    )
    papers = [" ".join(found.attributes) for found in detections if found.object == _BACKGROUND]
    wanted = tuple(
        Wanted.of(group.object, group.attributes, group.count, colours, group.exact) for group in parsed.groups
    )
    return Sight(things, wanted, labels - {_BACKGROUND}, colours, papers[0] if papers else "", sure)


def locate(sight: Sight, layout: Layout | None) -> tuple[Detection | None, ...]:
    """For each box of ``layout`` the detection of its thing: of its kind and colour, the nearest, each used once."""
    boxes = layout.boxes if layout else ()
    wanted = [Wanted.of(box.object, box.attributes, 1, sight.colours) for box in boxes]
    pairs = [
        (_apart(box, thing.box), number, at)
        for number, box in enumerate(boxes)
        for at, thing in enumerate(sight.things)
        if thing.object == wanted[number].object and wanted[number].colour in ("", thing.colour)
    ]
    found: dict[int, int] = {}
    for _, number, at in sorted(pairs):
        if number not in found and at not in found.values():
            found[number] = at
    return tuple(sight.things[found[n]].box if n in found else None for n in range(len(boxes)))


def _apart(a: Rectangle, b: Rectangle) -> float:
    across, down = a.displacement(b)
    return abs(across) + abs(down)


def stands(relation: str, subjects: Sequence[SeenThing], others: Sequence[SeenThing]) -> bool | None:
    """Whether every subject stands in ``relation`` to every other; None where boxes cannot tell."""
    if relation in ("behind", "in-front"):
        return None
    return bool(subjects and others) and all(_pair(relation, a.box, b.box) for a in subjects for b in others)


def stand_some(relation: str, sight: Sight, subject: Wanted, other: Wanted) -> bool | None:
    """Whether ``subject``'s things stand in ``relation`` to ``other``'s; None where boxes cannot tell.

    Of like things that were asked for in two groups, as "between two trees" does, some must stand so, not all.
    """
    subjects, others = sight.matching(subject), sight.matching(other)
    if len(sight.alike(subject)) == 1 == len(sight.alike(other)):
        return stands(relation, subjects, others)
    some = [_some_of(sight, each, things) for each, things in ((subject, subjects), (other, others))]
    answers = [stands(relation, mine, theirs) for mine in some[0] for theirs in some[1]]
    return None if None in answers else any(answers)


def _some_of(sight: Sight, wanted: Wanted, things: tuple[SeenThing, ...]) -> list[tuple[SeenThing, ...]]:
    """The things that may be ``wanted``'s: all, or each choice of as many as it asks for."""
    if len(sight.alike(wanted)) == 1 or len(things) > MOST_SPLIT:
        return [things]
    return list(combinations(things, min(wanted.count, len(things))))


def stand_in_place(position: str, subjects: Sequence[SeenThing]) -> bool | None:
    """Whether every subject's centre lies in that part of the canvas; None for a place that is not known."""
    if position not in _PARTS:
        return None
    (left, right), (top, bottom) = _PARTS[position]
    centres = [thing.box.centre for thing in subjects]
    return bool(centres) and all(left <= x <= right and top <= y <= bottom for x, y in centres)


_ALL, _FIRST, _SECOND, _MIDDLE = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0), (0.3, 0.7)
_PARTS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "left": (_FIRST, _ALL),
    "right": (_SECOND, _ALL),
    "above": (_ALL, _FIRST),
    "top": (_ALL, _FIRST),
    "below": (_ALL, _SECOND),
    "bottom": (_ALL, _SECOND),
    "middle": (_MIDDLE, _MIDDLE),
    "top-left": (_FIRST, _FIRST),
    "top-right": (_SECOND, _FIRST),
    "bottom-left": (_FIRST, _SECOND),
    "bottom-right": (_SECOND, _SECOND),
}
"""Ranges of x and y."""


def _pair(relation: str, a: Rectangle, b: Rectangle) -> bool:
    if relation == "near":
        return a.gap(b) <= _NEAR
    if relation == "inside":
        return a.intersection(b) >= 0.8 * a.width * a.height
    dx, dy = a.displacement(b)
    along, margin = {
        "left": (dx, _MARGIN * (a.width + b.width)),
        "right": (-dx, _MARGIN * (a.width + b.width)),
        "above": (dy, _MARGIN * (a.height + b.height)),
        "below": (-dy, _MARGIN * (a.height + b.height)),
    }[relation]
    return along > margin and along >= MAIN_DIRECTION * (dx * dx + dy * dy) ** 0.5
