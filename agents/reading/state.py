"""The little state that the reader keeps between tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagewright.agents.reading.noun_phrase import NounPhrase


@dataclass
class PhraseLink:
    """What the next noun phrase will be to something read before."""

    kind: str
    """``rel``, ``with``, ``attach``, ``ignore``, ``sides``."""
    name: str = ""
    subjects: list[int] = field(default_factory=list)
    start: int = 0
    """The token where the linking words begin, for the text of a background or a tail."""
    soft: bool = False
    """A plain "on" or "in": only the first noun phrase after it is meant."""


@dataclass
class ReaderState:
    """What the reader remembers between tokens."""

    glue: str = "start"
    """What stands right before: ``start``, ``and``, ``comma``, ``colon``, ``none`` (a noun phrase), ``verb``."""
    mode: str = "list"
    """``list``: naming things; ``object``: naming what a relation points to; ``done``: a list was closed."""
    recent: list[int] = field(default_factory=list)
    subject: list[int] = field(default_factory=list)
    related: list[int] = field(default_factory=list)
    """The subjects of the latest relation."""
    relation: str = ""
    link: PhraseLink | None = None
    fronted: str = ""
    """A place that was named before its thing: "on the left there is …"."""
    fronted_relation: tuple[str, list[int]] | None = None
    count: int | None = None
    """A number that was said before its thing: "five, and only five, apples"."""
    ahead: NounPhrase | None = None
    """A phrase whose noun is still to come: "one gray, one pink elephant"."""
    described: tuple[list[str], str] | None = None
    """Adjectives that were said before their thing: "green is the chair"."""
    asked: bool = False
    """The latest verb only asks for what follows: "draw", "let me see", "there is"."""
    progressive: bool = False
    """The clause has a verb in -ing ("is playing"), so that "and running" is another."""
    scene: bool = False
    """The latest noun phrase was scenery."""
    attached: bool = False
    """The latest noun phrase described a thing ("with a red collar"); "and a hat" goes on doing so."""
