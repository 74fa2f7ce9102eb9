"""Move box: one box of the layout goes elsewhere or grows, and the whole picture is drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from imagewright.agents.critic.repairs.base import BoxRepair, Case, Change, Ground, Proposed, WrongPicture
from imagewright.agents.critic.sight import Sight, Wanted, stands
from imagewright.schemas import Box, Layout, ParsedPrompt, ParsedRelation

_STEP = 0.12
"""How far a box is moved, as a share of the canvas."""
_EDGE = 0.02
"""The margin that boxes keep from the edge of the canvas and from one another."""
CROWDED = 0.3
"""A box whose shorter side is below this share of the canvas is crowded: small models draw small things badly."""
GROWTH = 1.25
"""By how much a crowded box is enlarged."""


class MoveBox(BoxRepair):
    """Proposed by a critic that measures places; not of an edited picture, where what the person placed stays."""

    rank: ClassVar[int] = 30
    words: ClassVar[str] = (
        "moves one box (give `box` and its new place `x`, `y`, `width`, `height` as fractions of the canvas, origin "
        "top left)"
    )

    kind: Literal["move_box"] = "move_box"
    moved: Box
    """The box in its new place."""

    @classmethod
    def rank_for(cls, case: Case) -> int:
        """First where things stand wrongly to one another."""
        return 1 if case == "place" else cls.rank

    @classmethod
    def propose(cls, seen: WrongPicture) -> Self | None:
        """The boxes of a relation that does not hold further apart, or more room for a crowded box."""
        if seen.sight is None or seen.layout is None or seen.case == "one box":
            return None
        for number, moved in (*_spread(seen.sight, seen.parsed, seen.layout), *_enlarged(seen.layout)):
            if _is_free(moved, number, seen.layout):
                return cls(reason=seen.reason, box=number, moved=moved)
        return None

    @classmethod
    def answer(cls, said: Proposed, reason: str, layout: Layout | None) -> Self | None:
        """The box at the place that the model gives; None where that leaves the canvas or is no place."""
        if layout is None or said.box is None or not 0 <= said.box < len(layout.boxes):
            return None
        moved = _place(said, layout.boxes[said.box])
        return None if moved is None else cls(reason=reason, box=said.box, moved=moved)

    @classmethod
    def follow(cls, ground: Ground) -> Self | None:
        """More room for the smallest crowded box that can have it: once, for nobody asked for it."""
        if ground.layout is None or any(tried.flow == ground.made.flow for tried in ground.in_vain("move_box")):
            return None
        for number, moved in _enlarged(ground.layout):
            if _is_free(moved, number, ground.layout):
                return cls(reason=ground.reason, box=number, moved=moved)
        return None

    def change(self, ground: Ground) -> Change | None:
        """The layout."""
        layout = self.put(ground.layout, self.moved)
        return {"layout": layout} if layout and not ground.edited else None

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The box and its new place."""
        return self.say_place(self.moved) if self.box_in(layout) else ""


def _place(said: Proposed, box: Box) -> Box | None:
    if said.x is None or said.y is None:
        return None
    width, height = said.width or box.width, said.height or box.height
    if said.x + width > 1 or said.y + height > 1:
        return None
    return box.model_copy(update={"x": said.x, "y": said.y, "width": width, "height": height})


def _spread(sight: Sight, parsed: ParsedPrompt, layout: Layout) -> Iterator[tuple[int, Box]]:
    for relation in parsed.relations:
        subject, other = sight.wanted[relation.subject], sight.wanted[relation.object]
        if stands(relation.relation, sight.matching(subject), sight.matching(other)) is False:
            yield from _away(relation, layout, subject, other, sight.colours)


def _away(
    relation: ParsedRelation, layout: Layout, subject: Wanted, other: Wanted, colours: frozenset[str]
) -> Iterator[tuple[int, Box]]:
    """Each box of the subject a step along the relation, then each box of the other a step against it."""
    across, down = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}.get(relation.relation, (0, 0))
    for wanted, sign in ((subject, 1), (other, -1)):
        for number, box in enumerate(layout.boxes):
            if Wanted.of(box.object, box.attributes, 1, colours).name == wanted.name:
                yield number, box.shift(sign * across * _STEP, sign * down * _STEP, _EDGE)


def _enlarged(layout: Layout) -> Iterator[tuple[int, Box]]:
    """Each crowded box, smallest first, grown about its centre."""
    sides = {number: min(box.width, box.height) for number, box in enumerate(layout.boxes)}
    for number in sorted((n for n in sides if sides[n] < CROWDED), key=lambda n: (sides[n], n)):
        yield number, layout.boxes[number].grow(GROWTH, _EDGE)


def _is_free(moved: Box, number: int, layout: Layout) -> bool:
    """Whether the new box differs from the old one and comes no nearer to the others than it was or than a margin."""
    if moved == layout.boxes[number]:
        return False
    others = [box for at, box in enumerate(layout.boxes) if at != number]
    before = layout.boxes[number]
    return all(moved.intersection(box) == 0 and moved.gap(box) >= min(_EDGE, before.gap(box)) - 1e-9 for box in others)
