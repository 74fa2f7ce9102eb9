"""The small world that mini draws: its things, colours, patterned backgrounds and three styles, and its scenes.

A scene is one to four groups of like things, five things at most, with an optional relation between the first two
groups. Objects, colours and counts are drawn evenly, so that no combination is rarer than its neighbours. Plain data
and seeded randomness: the same seed gives the same scene on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

RGB = tuple[int, int, int]

SHAPES: tuple[str, ...] = tuple(
    "circle square triangle star heart house tree flower fish cup moon car boat mushroom".split()
)
#: GenEval's ten colours (Ghosh et al. 2023, arXiv:2310.11513) and gray.
COLOURS: dict[str, RGB] = {
    "red": (220, 35, 40),
    "orange": (255, 140, 0),
    "yellow": (252, 218, 30),
    "green": (30, 150, 60),
    "blue": (30, 90, 225),
    "purple": (130, 45, 185),
    "pink": (252, 150, 195),
    "brown": (122, 70, 30),
    "black": (18, 18, 20),
    "white": (250, 250, 250),
    "gray": (140, 142, 146),
}
PATTERNS: tuple[str, ...] = ("plain", "striped", "dotted", "checkered")
STYLES: tuple[str, ...] = ("flat", "outline", "soft")
RELATIONS: tuple[str, ...] = ("left", "right", "above", "below")
MOST_THINGS = 5
_TOO_CLOSE = {
    "red": "orange brown pink gray",
    "orange": "yellow brown pink",
    "brown": "black purple gray green",
    "white": "yellow pink gray",
    "gray": "pink green purple",
    "purple": "blue black",
    "black": "blue",
}
"""Colours too close for one to be read on the other, or on its tint: each pair once."""
_POOR_CONTRAST = frozenset(frozenset((one, other)) for one, others in _TOO_CLOSE.items() for other in others.split())
CLASHES: tuple[tuple[str, str], ...] = tuple(
    (one, other) for one, others in _TOO_CLOSE.items() for other in others.split()
)
_USUAL = {
    "red": "circle heart house flower car mushroom",
    "blue": "square star cup moon boat",
    "green": "triangle tree",
    "orange": "fish",
}
USUAL_COLOURS: dict[str, str] = {shape: colour for colour, shapes in _USUAL.items() for shape in shapes.split()}
"""The colour of a thing that nobody gave one: all can be seen on white."""
PAPERS: tuple[str, ...] = (
    "white", "yellow", "pink", "gray", "blue", "green", "black", "purple", "orange", "red", "brown",
)  # fmt: skip
"""The background that nobody asked for: the first on which all things can be seen; plain and light."""
SCENE_KINDS: tuple[str, ...] = ("one", "few", "two", "mixed", "many")
"""What a scene holds: one thing; two to five alike; two things; two groups with more; three or four groups."""
_COUNTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "one": ((1,),),
    "few": ((2,), (3,), (4,), (5,)),
    "two": ((1, 1),),
    "mixed": ((2, 1), (1, 2), (3, 1), (1, 3), (2, 2), (3, 2), (2, 3), (4, 1), (1, 4)),
    "many": ((1, 1, 1), (1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
}
_SIZES = {1: (0.36, 0.68), 2: (0.28, 0.42), 3: (0.25, 0.34), 4: (0.23, 0.30), 5: (0.21, 0.27)}
GAP = 0.04
"""The least distance between two things, as a fraction of the picture's side."""
EDGE = 0.02
"""The least distance between a thing and the picture's edge."""
PLACED_MOST = 0.46
"""The largest side of a thing whose place is told."""
HARD_SHAPES = ("boat", "car")
"""What comes apart first: a sail on a mast of a few pixels, a roof over windows."""


@dataclass(frozen=True)
class Group:
    """``count`` like things: one noun phrase of a caption."""

    count: int
    colour: str
    shape: str


@dataclass(frozen=True)
class Thing:
    """One drawn thing. ``x, y`` is the centre and ``size`` the side of its box, as fractions."""

    shape: str
    colour: str
    x: float
    y: float
    size: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(x, y, width, height)`` with the origin at the top left, as fractions of the canvas."""
        half = self.size / 2
        return (self.x - half, self.y - half, self.size, self.size)


@dataclass(frozen=True)
class Scene:
    """A picture of mini's world, before it is drawn."""

    groups: tuple[Group, ...]
    relation: str | None
    position: str | None
    background: str
    things: tuple[Thing, ...]
    scale: float
    """How large the things are within the range that their number allows: 0 smallest, 1 largest."""
    pattern: str = "plain"
    """How the background is patterned: one of ``PATTERNS``."""
    style: str = "flat"
    """How the things are painted: one of ``STYLES``."""


def compatible(colour: str, background: str) -> bool:
    """Whether a thing of ``colour`` can be seen on ``background``, patterned or not."""
    return colour != background and frozenset((colour, background)) not in _POOR_CONTRAST


def tint(rgb: RGB) -> RGB:
    """The second colour of a patterned background: the same hue, lighter, or darker where it is light already."""
    light = (0.3 * rgb[0] + 0.59 * rgb[1] + 0.11 * rgb[2]) / 255
    target, share = (0, 0.13) if light > 0.59 else (255, 0.2 if light > 0.15 else 0.14)
    r, g, b = (round(c + (target - c) * share) for c in rgb)
    return (r, g, b)


def sample_scene(rng: random.Random, kind: str | None = None) -> Scene:
    """Draw one scene at random, of ``kind`` where that is given."""
    while True:
        chosen = kind or rng.choice(SCENE_KINDS)
        counts = rng.choice(_COUNTS[chosen])
        background = "white" if rng.random() < 0.2 else rng.choice(tuple(COLOURS))
        groups = _sample_groups(rng, counts, background)
        relation = rng.choice(RELATIONS) if len(groups) > 1 and rng.random() < _related(len(groups)) else None
        position = rng.choice((*RELATIONS, "middle")) if counts == (1,) and rng.random() < 0.25 else None
        scale = rng.random()
        things = _place(rng, groups, relation, position, scale)
        if things is not None:
            pattern = "plain" if rng.random() < 0.6 else rng.choice(PATTERNS[1:])
            style = "flat" if rng.random() < 0.6 else rng.choice(STYLES[1:])
            return Scene(groups, relation, position, background, things, scale, pattern, style)


def lesson_scene(rng: random.Random, kind: str) -> Scene:
    """A scene of ``kind`` for training: one without outlines and ``HARD_SHAPES`` is drawn again half of the time."""
    while True:
        scene = sample_scene(rng, kind)
        hard = scene.style == "outline" or any(group.shape in HARD_SHAPES for group in scene.groups)
        if hard or rng.random() < 0.5:
            return scene


def _related(groups: int) -> float:
    return 0.65 if groups == 2 else 0.3


def _sample_groups(rng: random.Random, counts: Sequence[int], background: str) -> tuple[Group, ...]:
    colours = [colour for colour in COLOURS if compatible(colour, background)]
    while True:
        groups = tuple(Group(n, rng.choice(colours), rng.choice(SHAPES)) for n in counts)
        if len({(g.colour, g.shape) for g in groups}) == len(groups):
            return groups


# --- where the things stand -----------------------------------------------------------------


def size_of(things: int, scale: float, most: float = 1.0) -> float:
    """The side of each of so many things, at most ``most``: ``scale`` 0 is the smallest, 1 the largest."""
    low, high = _SIZES[things]
    return low + (min(high, most) - low) * scale


def _place(
    rng: random.Random, groups: Sequence[Group], relation: str | None, position: str | None, scale: float
) -> tuple[Thing, ...] | None:
    owners = [i for i, group in enumerate(groups) for _ in range(group.count)]
    base = size_of(len(owners), scale, PLACED_MOST if position else 1.0)
    for _ in range(80):
        things: list[Thing] = []
        for owner in owners:
            thing = _try_one(rng, groups[owner], base * rng.uniform(0.93, 1.07), position, things)
            if thing is None:
                break
            things.append(thing)
        if len(things) == len(owners) and obeys(things, owners, relation):
            return tuple(things)
    return None


def _try_one(
    rng: random.Random, group: Group, size: float, position: str | None, placed: Sequence[Thing]
) -> Thing | None:
    half = size / 2 + EDGE
    room, random_number = 1 - half - half, rng.random
    near = [(thing.x, thing.y, (size + thing.size) / 2 + GAP) for thing in placed]
    for _ in range(16):  # run a million times for a thousand prompts, hence no ``uniform`` and no ``all``
        x, y = half + room * random_number(), half + room * random_number()
        if position is not None:
            x, y = at(rng, position, half)
        for there_x, there_y, apart in near:
            if abs(x - there_x) < apart and abs(y - there_y) < apart:
                break
        else:
            return Thing(group.shape, group.colour, x, y, size)
    return None


def at(rng: random.Random, position: str, half: float, shift: float = 0.08) -> tuple[float, float]:
    """A centre at one edge or in the middle, ``half`` from the edge at least, ``shift`` from the other axis's middle.

    All are fractions of the picture's side; at most 0.05 is left between the thing and the place that is told.
    """
    along = rng.uniform(max(half, 0.5 - shift), min(1 - half, 0.5 + shift))
    near = rng.uniform(half, half + min(0.05, 2 * shift))
    across = near if position in ("left", "above") else 1 - near
    if position == "middle":
        spread = min(0.05, shift)
        across = rng.uniform(0.5 - spread, 0.5 + spread)
    return (across, along) if position in ("left", "right", "middle") else (along, across)


def obeys(things: Sequence[Thing], owners: Sequence[int], relation: str | None) -> bool:
    """Whether every thing of the first group stands clear of every one of the second, on the stated side."""
    if relation is None:
        return True
    axis = "x" if relation in ("left", "right") else "y"
    sign = 1 if relation in ("left", "above") else -1
    first = [t for t, owner in zip(things, owners, strict=True) if owner == 0]
    second = [t for t, owner in zip(things, owners, strict=True) if owner == 1]
    gaps = [sign * (getattr(b, axis) - getattr(a, axis)) - (a.size + b.size) * 0.45 for a in first for b in second]
    return bool(min(gaps) >= 0)
