"""What a repair is made of: a class with the fields of its kind and the hooks that critics and the loop ask.

==========  =======================================================================================================
hook        who asks, and for what
==========  =======================================================================================================
propose     a critic that goes down its ladder: the repair for what it has seen
answer      the critic that asks a language model: the repair that the model has chosen; ``words`` offer it
offer       a critic: a repair for later, once another whole picture has not helped
bring       the loop: a repair that it tries by itself, whatever the critic proposes
follow      the loop: a repair to try once the one before it on the ladder is no use
change      the loop: what the repair changes of the picture that it starts from; None where it is not allowed
part        the loop: which part of the picture alone is drawn anew
target      the memory: what it was applied to
==========  =======================================================================================================

Each has an answer that fits most repairs, so that a file writes those in which its repair differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypedDict

from pydantic import BaseModel, Field, field_validator
from pydantic.config import JsonDict

from imagewright.agents.critic.sight import Sight
from imagewright.intents import Tried
from imagewright.schemas import Box, Check, Layout, ParsedPrompt, Repair, Round
from imagewright.verdicts import load_repairs

Case = Literal["one box", "place", "number"]
"""What is wrong: one box alone, or things that stand wrongly to one another, or else what is there."""
MIN_ANSWERED_PLACE = 0.06
"""The least side of a box that a language model may ask for, as a share of the canvas."""


@dataclass(frozen=True)
class WrongPicture:
    """A picture that is not right, as its critic sees it."""

    failed: Sequence[Check]
    parsed: ParsedPrompt
    layout: Layout | None
    case: Case = "number"
    wrong: int | None = None
    """The box that alone is wrong."""
    sight: Sight | None = None
    """What a detector saw; None where a language model looked."""

    @property
    def reason(self) -> str:
        """What is wrong first."""
        return self.failed[0].detail


@dataclass(frozen=True)
class Ground:
    """The picture from which the next one starts, what was tried for its fault, and what there is to draw with."""

    made: Round
    rounds: Sequence[Round]
    """All pictures of the run so far."""
    failed: Sequence[Check]
    fault: str
    """The first thing that is wrong, in the words by which the memory knows it."""
    reason: str
    """Why the critic wants another picture, in its own words."""
    tried: Sequence[Tried]
    planned: Layout | None
    may_place: bool
    """Whether the request lets boxes govern the picture."""
    canonical: str
    """The prompt in the planner's plain words."""
    flows: Sequence[str]
    """The flows that may draw this, best first."""
    from_words: Sequence[str]
    """Those that draw from words alone, best first, where this picture's flow needs boxes."""
    named_flow: bool
    """Whether the person asked for the flow."""
    edited: bool
    """Whether the picture changes an earlier one, of which the rest is kept."""
    focus: Sequence[int]
    """The boxes that the person named in such a change."""
    only_form: bool
    """Whether all is there and only the form of a thing is doubted."""
    drawn_again: bool
    """Whether such a picture was followed by another already."""
    flow_for_part: Callable[[str, Box], str | None]
    """The flow that can draw one thing of the picture anew from a prompt for it alone; None where none can."""

    @property
    def layout(self) -> Layout | None:
        """The boxes that the picture was drawn from."""
        return self.made.layout

    @property
    def has_boxes(self) -> bool:
        """Whether boxes governed the picture."""
        return bool(self.layout and self.layout.boxes)

    def in_vain(self, kind: str) -> tuple[Tried, ...]:
        """The times that a repair of ``kind`` was tried for this fault and did not cure it, on whatever flow."""
        return tuple(tried for tried in self.tried if tried.kind == kind and tried.in_vain(self.fault))


class Change(TypedDict, total=False):
    """What a repair changes of the next attempt; what it does not name stays, but for the seed, which is another."""

    prompt: str
    layout: Layout
    flow: str
    base: str
    """SHA-256 of the picture of which only a part is drawn anew."""


class KnownRepair(Repair):
    """A repair of which there is a file here."""

    rank: ClassVar[int] = 0
    """Its place on the ladder, which goes from the smallest change to the largest; 0 stands on none."""
    turn: ClassVar[int] = 3
    """Where several may be tried next: the lower goes first. A proposal of the critic is 3 unless it says otherwise."""
    repeats: ClassVar[bool] = False
    """Whether it may come again though it was in vain before."""
    remembered: ClassVar[bool] = True
    """Whether it is kept among what was tried against a fault."""
    words: ClassVar[str] = ""
    """What it does, for a language model that may choose it, with the fields that it must give; empty: not offered."""

    @classmethod
    def rank_for(cls, case: Case) -> int:
        """Its place on the ladder of a critic for ``case``."""
        return cls.rank

    @classmethod
    def propose(cls, seen: WrongPicture) -> Self | None:
        """The repair for ``seen``; None where it has none to offer."""
        return None

    @classmethod
    def answer(cls, said: Proposed, reason: str, layout: Layout | None) -> Self | None:
        """What a language model has chosen; None where that cannot be carried out."""
        return None

    @classmethod
    def offer(cls, seen: WrongPicture) -> Self | None:
        """A repair for later, once another whole picture has not helped."""
        return None

    @classmethod
    def bring(cls, ground: Ground) -> Self | None:
        """The repair that the loop tries by itself, in its ``turn``."""
        return None

    @classmethod
    def follow(cls, ground: Ground) -> Self | None:
        """The repair to try once a smaller one is no use."""
        return None

    def change(self, ground: Ground) -> Change | None:
        """What it changes; None where it is not allowed, or has nothing new to offer."""
        return None

    def part(self, layout: Layout | None) -> Box | None:
        """The part of the picture that alone is drawn anew; None where all of it is."""
        return None

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """What it is applied to: it tells two repairs of a kind apart, whatever their seeds."""
        return ""

    @property
    def rung(self) -> tuple[str, int | None]:
        """What counts as the same proposal again."""
        return self.kind, None


class PlainRepair(KnownRepair):
    """A repair that needs nothing but its reason, so that it can always be proposed."""

    @classmethod
    def propose(cls, seen: WrongPicture) -> Self | None:
        """Always."""
        return cls(kind=cls.model_fields["kind"].default, reason=seen.reason)

    @classmethod
    def answer(cls, said: Proposed, reason: str, layout: Layout | None) -> Self | None:
        """Always."""
        return cls(kind=cls.model_fields["kind"].default, reason=reason)

    @classmethod
    def follow(cls, ground: Ground) -> Self | None:
        """Always."""
        return cls(kind=cls.model_fields["kind"].default, reason=ground.reason)


class BoxRepair(KnownRepair):
    """A repair of one box of the layout."""

    box: int

    def box_in(self, layout: Layout | None) -> Box | None:
        """The box; None where the layout has none of that number."""
        there = layout is not None and 0 <= self.box < len(layout.boxes)
        return layout.boxes[self.box] if layout is not None and there else None

    def put(self, layout: Layout | None, moved: Box) -> Layout | None:
        """``layout`` with ``moved`` in the place of the box; None where there is no such box."""
        if layout is None or self.box_in(layout) is None:
            return None
        boxes = [moved if number == self.box else box for number, box in enumerate(layout.boxes)]
        return layout.model_copy(update={"boxes": tuple(boxes)})

    def say_place(self, moved: Box) -> str:
        """Where the box goes."""
        return f"box {self.box} to {moved.x:.2f},{moved.y:.2f} ({moved.width:.2f} x {moved.height:.2f})"

    def target(self, layout: Layout | None, flow: str, prompt: str) -> str:
        """The box by its number and caption."""
        box = self.box_in(layout)
        return f"box {self.box} ({box.caption})" if box else ""


def list_ladder(case: Case | None = None) -> list[type[KnownRepair]]:
    """The repairs of the ladder, from the smallest change to the largest; in the order of a critic for ``case``."""
    known = [shape for shape in list_repairs() if shape.rank]
    return sorted(known, key=lambda shape: shape.rank if case is None else shape.rank_for(case))


def list_repairs() -> Iterator[type[KnownRepair]]:
    """All that there are, in the order of their table."""
    return (shape for shape in load_repairs().values() if issubclass(shape, KnownRepair))


def list_words() -> dict[str, str]:
    """What a language model may choose, by kind, and what each does, in words."""
    return {shape.model_fields["kind"].default: shape.words for shape in list_repairs() if shape.words}


def _list_choices(schema: JsonDict) -> None:
    schema["enum"] = ["none", *list_words()]


class Proposed(BaseModel):
    """The one repair."""

    kind: str = Field(json_schema_extra=_list_choices)
    reason: str = Field(default="", max_length=200)
    box: int | None = None
    x: float | None = Field(default=None, ge=0, le=1)
    y: float | None = Field(default=None, ge=0, le=1)
    width: float | None = Field(default=None, ge=MIN_ANSWERED_PLACE, le=1)
    height: float | None = Field(default=None, ge=MIN_ANSWERED_PLACE, le=1)

    @field_validator("kind")
    @classmethod
    def _one_of_the_choices(cls, kind: str) -> str:
        if kind not in (choices := ("none", *list_words())):
            raise ValueError(f"choose one of {', '.join(choices)}")
        return kind
