"""What a model of a small world says of itself: the words that it was taught, and what it has to be told."""

from __future__ import annotations

from pydantic import Field

from imagewright.values import Value


class World(Value):
    """A model's own statement of its world. What it does not state is not asked of a prompt, nor added to one."""

    objects: tuple[str, ...]
    """Singular nouns that it draws."""
    attributes: tuple[str, ...]
    """Adjectives that it obeys or that change nothing: colours, sizes, "plain"."""
    backgrounds: tuple[str, ...]
    """Words that may describe a background."""
    side: int
    """The side of the square pictures it was trained on, in pixels; it draws no other."""
    most_things: int
    """How many things in one picture it was trained on."""
    filler: tuple[str, ...]
    """Other words that it understands or that ask for nothing."""
    region_share: float | None = None
    """The share of the steps in which it obeys regions best, where that is known; None leaves it to the backend."""
    things: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Each thing that it draws, with its other names."""
    colours: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Each colour, with its other names."""
    patterns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """How a background may be patterned, with other names."""
    styles: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    """How things may stand to one another, in the words of ``schemas.RelationName``; empty where nothing is said."""
    usual_colours: dict[str, str] = Field(default_factory=dict)
    """The colour of a thing that a prompt names without one. Empty for a model that need not be told."""
    papers: tuple[str, ...] = ()
    """The background's colour where a prompt names none, best first; empty for a model that need not be told."""
    clashes: tuple[tuple[str, str], ...] = ()
    """Colours too close for a thing of one to be seen on a background of the other."""

    def find_thing(self, noun: str) -> str | None:
        """The thing that a singular noun names; None for any other word."""
        return _meant(noun, self.things)

    def find_colour(self, word: str) -> str | None:
        """The colour that a word names; None for any other word."""
        return _meant(word, self.colours)

    def can_show(self, colour: str, background: str) -> bool:
        """Whether a thing of ``colour`` can be seen on ``background``."""
        return colour != background and not {(colour, background), (background, colour)} & set(self.clashes)

    def list_words(self) -> tuple[tuple[str, str], ...]:
        """What the model can draw, as labels and words: things, colours, numbers, relations, backgrounds, styles."""
        things = _listed(self.things) or ", ".join(self.objects)
        papers = f"any of the colours; {_listed(self.patterns)}" if self.patterns else ", ".join(self.backgrounds)
        rows = (
            ("things", things),
            ("colours", _listed(self.colours)),
            ("numbers", f"up to {self.most_things} things in one picture"),
            ("relations", ", ".join(_SAID.get(name, name) for name in self.relations)),
            ("background", papers),
            ("styles", ", ".join(self.styles)),
            ("size", f"{self.side}x{self.side} pixels"),
        )
        return tuple((label, words) for label, words in rows if words)


_SAID = {"left": "left of", "right": "right of", "near": "next to"}


def _listed(names: dict[str, tuple[str, ...]]) -> str:
    """Names, each with its other names in brackets."""
    return ", ".join(f"{name} ({', '.join(others)})" if others else name for name, others in names.items())


def _meant(word: str, names: dict[str, tuple[str, ...]]) -> str | None:
    return word if word in names else next((name for name, others in names.items() if word in others), None)
