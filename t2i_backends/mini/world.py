"""The small world that mini draws: its shapes, colours, scenes and the ways people caption them.

A scene is a plain background and one or two *groups* of like things ("two red circles"), with an
optional relation between the groups. Everything here is plain data and seeded randomness, so the
same seed gives the same scene and caption on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

RGB = tuple[int, int, int]

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "star", "heart", "house")
COLOURS: dict[str, RGB] = {
    "red": (214, 39, 40),
    "orange": (255, 140, 0),
    "yellow": (250, 214, 30),
    "green": (34, 150, 60),
    "blue": (31, 90, 220),
    "purple": (130, 50, 180),
    "black": (20, 20, 20),
    "white": (250, 250, 250),
}
BACKGROUNDS: dict[str, RGB] = {**COLOURS, "gray": (150, 150, 150), "pink": (250, 175, 200)}
RELATIONS: tuple[str, ...] = ("left", "right", "above", "below")
COUNT_WORDS: dict[int, str] = {1: "one", 2: "two", 3: "three"}
#: Pairs that a person would not call readable; never drawn one on the other.
_POOR_CONTRAST: frozenset[frozenset[str]] = frozenset(
    frozenset(pair)
    for pair in (
        ("yellow", "white"), ("red", "orange"), ("orange", "yellow"), ("blue", "purple"),
        ("black", "purple"), ("pink", "white"),
    )
)  # fmt: skip


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
    """How the background is patterned; the first world knows only plain ones."""
    style: str = "flat"
    """How the things are painted; the first world knows only flat ones."""


def compatible(colour: str, background: str) -> bool:
    """Whether a thing of ``colour`` can be seen on ``background``."""
    return colour != background and frozenset((colour, background)) not in _POOR_CONTRAST


def sample_scene(rng: random.Random) -> Scene:
    """Draw one scene at random: one thing, a few of a kind, or two groups."""
    while True:
        groups = _sample_groups(rng)
        background = _sample_background(rng, groups)
        if background is None:
            continue
        relation = rng.choice(RELATIONS) if len(groups) == 2 and rng.random() < 0.75 else None
        position = None
        if len(groups) == 1 and groups[0].count == 1 and rng.random() < 0.3:
            position = rng.choice((*RELATIONS, "middle"))
        scale = rng.random()
        things = _place(rng, groups, relation, position, scale)
        if things is not None:
            return Scene(groups, relation, position, background, things, scale)


def _sample_groups(rng: random.Random) -> tuple[Group, ...]:
    kind = rng.random()
    if kind < 0.30:
        counts: tuple[int, ...] = (1,)
    elif kind < 0.52:
        counts = (rng.choice((2, 3)),)
    elif kind < 0.82:
        counts = (1, 1)
    else:
        counts = rng.choice(((2, 1), (1, 2), (3, 1), (1, 3), (2, 2)))
    while True:
        groups = tuple(Group(n, rng.choice(tuple(COLOURS)), rng.choice(SHAPES)) for n in counts)
        if len({(g.colour, g.shape) for g in groups}) == len(groups):
            return groups


def _sample_background(rng: random.Random, groups: Sequence[Group]) -> str | None:
    fits = [b for b in BACKGROUNDS if all(compatible(g.colour, b) for g in groups)]
    if "white" in fits and rng.random() < 0.35:
        return "white"
    return rng.choice(fits) if fits else None


SMALL, LARGE = ("small", "little", "tiny"), ("big", "large", "huge")
"""What captions call things of unusual sizes."""
_SIZES = {1: (0.34, 0.68), 2: (0.26, 0.42), 3: (0.22, 0.34), 4: (0.20, 0.29)}


def _place(
    rng: random.Random, groups: Sequence[Group], relation: str | None, position: str | None, scale: float
) -> tuple[Thing, ...] | None:
    total = sum(g.count for g in groups)
    low, high = _SIZES[total]
    if position is not None:
        high = 0.46
    base = low + (high - low) * scale
    for _ in range(60):
        things: list[tuple[int, Thing]] = []
        for index, group in enumerate(groups):
            for _member in range(group.count):
                thing = _try_one(rng, group, base * rng.uniform(0.9, 1.1), position, things)
                if thing is None:
                    break
                things.append((index, thing))
        if len(things) == total and _obeys(things, relation):
            return tuple(t for _, t in things)
    return None


def _try_one(
    rng: random.Random,
    group: Group,
    size: float,
    position: str | None,
    placed: Sequence[tuple[int, Thing]],
) -> Thing | None:
    half = size / 2 + 0.02
    for _ in range(12):
        x, y = rng.uniform(half, 1 - half), rng.uniform(half, 1 - half)
        if position in ("left", "right"):
            x, y = _edge(rng, position == "left", half), rng.uniform(max(half, 0.3), min(1 - half, 0.7))
        elif position in ("above", "below"):
            x, y = rng.uniform(max(half, 0.3), min(1 - half, 0.7)), _edge(rng, position == "above", half)
        elif position == "middle":
            x, y = rng.uniform(0.44, 0.56), rng.uniform(0.44, 0.56)
        thing = Thing(group.shape, group.colour, x, y, size)
        if all(not _touch(thing, other) for _, other in placed):
            return thing
    return None


def _edge(rng: random.Random, low: bool, half: float) -> float:
    near = rng.uniform(half, half + 0.06)
    return near if low else 1 - near


def _touch(a: Thing, b: Thing) -> bool:
    gap = (a.size + b.size) / 2 + 0.03
    return abs(a.x - b.x) < gap and abs(a.y - b.y) < gap


def _obeys(things: Sequence[tuple[int, Thing]], relation: str | None) -> bool:
    if relation is None:
        return True
    axis = "x" if relation in ("left", "right") else "y"
    sign = 1 if relation in ("left", "above") else -1
    for i, a in things:
        for j, b in things:
            if i == 0 and j == 1:
                along = sign * (getattr(b, axis) - getattr(a, axis))
                if along < (a.size + b.size) / 2 * 0.9:
                    return False
    return True


# --- captions -------------------------------------------------------------------------------

_PREFIXES = (
    "", "", "", "", "", "a picture of", "a photo of", "an image of", "a drawing of", "there is", "show me",
    "draw", "a simple drawing of", "an illustration of", "a realistic photo of a scene with", "a scene with",
)  # fmt: skip
_RELATION_PHRASES: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of", "on the left of", "to the left side of"),
    "right": ("right of", "to the right of", "on the right of", "to the right side of"),
    "above": ("above", "over", "on top of", "higher than"),
    "below": ("below", "under", "beneath", "underneath", "lower than"),
}
_POSITION_PHRASES: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right side", "at the right"),
    "above": ("at the top", "on the top", "in the upper half"),
    "below": ("at the bottom", "on the bottom", "in the lower half"),
    "middle": ("in the middle", "in the center", "at the center", "in the centre"),
}
_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
_BACKGROUND_PHRASES = (
    "on a {} background", "on a {} background", "against a {} background", "with a {} background",
    "on a plain {} background", "over a {} background", "and the background is {}", "in front of a {} background",
)  # fmt: skip


def article_of(word: str) -> str:
    """The indefinite article of ``word``."""
    return "an" if word[0] in "aeiou" else "a"


def _plural(shape: str) -> str:
    """The plural of a shape's name."""
    return shape + "s"


def _phrase(group: Group, rng: random.Random, size_word: str = "") -> str:
    """One of the ways to name a group: "two red circles", "a pair of red circles", "2 red circles"."""
    words = f"{size_word} {group.colour}".strip()
    if group.count == 1:
        lead = article_of(words) if rng.random() < 0.85 else rng.choice(("one", "1", "a single"))
        return f"{lead} {words} {group.shape}"
    leads = [COUNT_WORDS[group.count]] * 4 + [str(group.count)]
    if group.count == 2:
        leads.append("a pair of")
    return f"{rng.choice(leads)} {words} {_plural(group.shape)}"


def _size_word(scene: Scene, rng: random.Random) -> str:
    if rng.random() < 0.25:
        if scene.scale < 0.3:
            return rng.choice(SMALL)
        if scene.scale > 0.7:
            return rng.choice(LARGE)
    return ""


def caption(scene: Scene, rng: random.Random) -> str:
    """A caption of ``scene`` in lower case, the way a person might write it.

    The background is named about two times in three; a stated relation may be turned round
    ("a star below a heart" for "a heart above a star").
    """
    text = _subject(scene, rng)
    prefix = rng.choice(_PREFIXES)
    if prefix == "there is" and scene.groups[0].count > 1:
        prefix = "there are"
    if rng.random() < (0.45 if scene.background == "white" else 0.85):
        name = "grey" if scene.background == "gray" and rng.random() < 0.4 else scene.background
        template = rng.choice(_BACKGROUND_PHRASES).format(name)
        if scene.background == "orange":
            template = template.replace("a orange", "an orange")
        text = f"{text} {template}"
    return f"{prefix} {text}".strip()


def _subject(scene: Scene, rng: random.Random) -> str:
    size_word = _size_word(scene, rng)
    first = _phrase(scene.groups[0], rng, size_word)
    if len(scene.groups) == 1:
        return first if scene.position is None else f"{first} {rng.choice(_POSITION_PHRASES[scene.position])}"
    second = _phrase(scene.groups[1], rng, size_word)
    relation = scene.relation
    if relation is None:
        pair = [first, second]
        rng.shuffle(pair)
        return rng.choice(
            ("{} and {}", "{} and {}", "{} with {}", "{} , {}", "{} next to {}", "{} beside {}", "{} near {}")
        ).format(*pair)
    style = rng.random()
    if style < 0.22:
        here, there = _POSITION_PHRASES[relation], _POSITION_PHRASES[_OPPOSITE[relation]]
        return f"{first} {rng.choice(here)} and {second} {rng.choice(there)}"
    if style < 0.45:
        first, second, relation = second, first, _OPPOSITE[relation]
    return f"{first} {rng.choice(_RELATION_PHRASES[relation])} {second}"


def thing_caption(thing: Thing) -> str:
    """The prompt of one thing's region: "a red circle"."""
    return f"{article_of(thing.colour)} {thing.colour} {thing.shape}"


def vocabulary() -> list[str]:
    """Every word that captions can hold, sorted: what mini's tokenizers know."""
    words: set[str] = {
        *"a an one 1 single 2 3 two three pair of and , with next to beside near grey".split(),
        *SMALL,
        *LARGE,
    }
    for source in (
        SHAPES, [_plural(s) for s in SHAPES], COLOURS, BACKGROUNDS, _PREFIXES, _BACKGROUND_PHRASES, ["there are"],
        *_RELATION_PHRASES.values(), *_POSITION_PHRASES.values(),
    ):  # fmt: skip
        for text in source:
            words.update(text.replace("{}", " ").split())
    return sorted(words)
