"""What has been read of a prompt so far: groups, relations, background, exclusions, styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from imagewright.agents.reading import lexicon, nouns, scenes
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.words import listed, words
from imagewright.schemas import ParsedGroup, ParsedPrompt, ParsedRelation, PlaceName, RelationName

MAX_GROUPS = 24
_DIRECTIONS = frozenset({"left", "right", "above", "below"})
MAX_RELATIONS = 96
MAX_COUNT = 999
_BARE_SCENE = listed("record.bare_scene")

_BARE_GROUND = words("a background,the background,a backdrop,the backdrop", ",")


@dataclass
class NamedGroup:
    """Like things named together, while reading."""

    noun: str
    attributes: list[str] = field(default_factory=list)
    described: str = ""
    count: int = 1
    position: str = ""
    tails: list[str] = field(default_factory=list)
    divided: bool = False
    """Some of it were singled out ("one red"), and the rest may still be."""
    vague: bool = False
    """The count is a guess ("cats"), which "three of them" may still settle."""
    bare: bool = False
    """Named without article, number or plural: "chaos", "ink"."""
    determiner: str = ""
    counted: bool = False
    """A number is stated, be it vague ("several")."""
    start: int = -1
    """Its first token where it was first named; -1 where it came of another group."""
    end: int = -1
    in_scene: bool = False
    """Scenery was named before it, so that it need not be what the picture is of."""

    def describe_as(self, words: list[str], text: str) -> None:
        """Add adjectives that a predicate gives ("is blue"); repeated ones are kept once."""
        fresh = [w for w in words if w not in self.attributes]
        if fresh:
            self.attributes += fresh
            self.described = f"{self.described} {text}".strip()

    def caption(self) -> str:
        """The prompt of one of them, with article and attributes."""
        body = f"{self.described} {self.noun}".strip()
        return " ".join([nouns.article(body), body, *self.tails])[:240]


class Record:
    """Collects what the reader finds, and resolves "the dog", "it", "the red one"."""

    def __init__(self) -> None:
        self.groups: list[NamedGroup] = []
        self.relations: list[tuple[int, RelationName, int]] = []
        self.background: list[str] = []
        self.negative: list[str] = []
        self.style: list[str] = []
        self.anchor: int | None = None
        """What "its" stands for in "to its left … to its right"."""
        self.series = ""
        """The relation of each thing to the next in a list "from left to right"."""
        self.series_last: int | None = None
        self.latest_noun = ""
        """The noun that was excluded last, for "no red hearts, only blue ones"."""
        self.history: list[int] = []
        """Group indexes in the order of mention, latest last."""

    def mention(self, index: int) -> int:
        """Note that group ``index`` was named."""
        self.history.append(index)
        del self.history[:-50]
        return index

    def add(self, phrase: NounPhrase, place: str = "") -> int | None:
        """The group that ``phrase`` names: an earlier one for "the dog", else a new one; None when it is full.

        ``place`` is where the phrase is said to be: "the cup on the right" is not the one on the left.
        """
        known = self._known(phrase)
        elsewhere = known is not None and place and self.groups[known].position not in {"", place}
        if known is not None and not elsewhere:
            return self.mention(known)
        return self.new(phrase.noun, phrase)

    def new(self, noun: str, phrase: NounPhrase) -> int | None:
        """A new group of ``noun`` with the phrase's adjectives and count."""
        if len(self.groups) >= MAX_GROUPS:
            return None
        count = phrase.count
        if count is None:
            bare_plural = phrase.plural and noun not in nouns.PLURAL_TANTUM
            count = 3 if bare_plural or (phrase.head == "person" and phrase.words[-1:] == ("people",)) else 1
        attributes = [a for a in phrase.attributes if not self._excludes(a)]
        described = " ".join(w for w in phrase.described.split(" ") if not w.endswith("-free"))
        group = NamedGroup(noun, attributes, described, max(1, min(count, MAX_COUNT)))
        group.tails = [phrase.tail] if phrase.tail else []
        group.vague = phrase.vague or (phrase.count is None and count > 1)
        group.determiner, group.counted = phrase.determiner, phrase.count is not None
        group.in_scene = bool(self.background)
        group.start, group.end = phrase.start, phrase.end
        group.bare = not phrase.determiner and phrase.count is None and not phrase.plural and not phrase.collective
        self.groups.append(group)
        return self.mention(len(self.groups) - 1)

    def _excludes(self, attribute: str) -> bool:
        if attribute.endswith("-free"):
            self.exclude(nouns.singular(attribute.removesuffix("-free")))
            return True
        return False

    def _known(self, phrase: NounPhrase) -> int | None:
        if phrase.determiner not in {"the", "both", "this", "that", "these", "those"} or phrase.collective:
            return None
        for index in reversed(range(len(self.groups))):
            group = self.groups[index]
            same = group.noun == phrase.noun or (group.noun.endswith(" " + phrase.noun) and not phrase.attributes)
            fits = set(phrase.attributes) <= set(group.attributes) and phrase.count in (None, group.count)
            if same and fits:
                return index
        return None

    def elliptical(self, phrase: NounPhrase) -> int | None:
        """ "one red", "the other", "two black ones": split off the latest group of several, or repeat its noun."""
        if not self.history:
            return (
                self.new(self.latest_noun, replace(phrase, words=(nouns.plural(self.latest_noun),)))
                if self.latest_noun
                else None
            )
        index = self.history[-1]
        wanted = phrase.count or 1
        index = self._divisible(wanted, index)
        group = self.groups[index]
        if group.divided and group.count == wanted:
            group.divided = False
            group.describe_as(list(phrase.attributes), phrase.described)
            return self.mention(index)
        if wanted == group.count and not group.attributes:
            group.describe_as(list(phrase.attributes), phrase.described)
            return self.mention(index)
        if group.count > wanted and not phrase.words and not _other_colour(group.attributes, phrase.attributes):
            group.divided = True
            return self.split(index, wanted, phrase)
        return self.new(
            group.noun,
            NounPhrase(
                phrase.start, phrase.end, "a", wanted, False, phrase.attributes, phrase.described, (group.noun,)
            ),
        )

    def _divisible(self, wanted: int, latest: int) -> int:
        """The group that "one red" is one of: one begun to be divided, else the latest of several, else the latest."""
        begun = [i for i, g in enumerate(self.groups) if g.divided and g.count >= wanted]
        several = [i for i in reversed(self.history[-6:]) if self.groups[i].count > wanted]
        return (begun or several or [latest])[0]

    def split(self, index: int, count: int, phrase: NounPhrase | None = None) -> int | None:
        """Move ``count`` members of a group into a new group, which is returned."""
        if len(self.groups) >= MAX_GROUPS:
            return None
        group = self.groups[index]
        group.count -= count
        part = NamedGroup(group.noun, list(group.attributes), group.described, count, tails=list(group.tails))
        if phrase is not None:
            part.describe_as(list(phrase.attributes), phrase.described)
        self.groups.append(part)
        twin = len(self.groups) - 1
        for s, name, o in list(self.relations):
            if index in (s, o):
                self.relate([twin if s == index else s], name, [twin if o == index else o])
        return self.mention(twin)

    def relate(self, subjects: list[int], name: str, objects: list[int]) -> None:
        """Every subject stands in ``name`` to every object; nothing relates to itself."""
        for s in subjects if name else ():
            for o in objects:
                entry = (s, cast(RelationName, name), o)
                if s != o and entry not in self.relations and len(self.relations) < MAX_RELATIONS:
                    self.relations.append(entry)

    def exclude(self, noun: str) -> None:
        """Note a thing that must not appear."""
        if noun and noun not in self.negative and len(self.negative) < MAX_GROUPS:
            self.negative.append(noun)

    def drop(self, indexes: list[int]) -> None:
        """Turn groups that were named into exclusions ("dogs are absent")."""
        for index in sorted(set(indexes), reverse=True):
            group = self.groups.pop(index)
            self.exclude(" ".join([*group.attributes, group.noun]))
            self.relations = [
                (s - (s > index), name, o - (o > index)) for s, name, o in self.relations if index not in (s, o)
            ]
            self.history = [h - (h > index) for h in self.history if h != index]
            self.anchor = None

    def parsed(self) -> ParsedPrompt:
        """The finished value."""
        self._settle_contradictions()
        self._settle_members()
        groups = tuple(
            ParsedGroup(
                object=g.noun,
                attributes=tuple(g.attributes),
                count=g.count,
                caption=g.caption(),
                position=cast(PlaceName, g.position),
                exact=not g.vague,
            )
            for g in self.groups
            if g.count > 0
        )
        kept = [i for i, g in enumerate(self.groups) if g.count > 0]
        place = {old: new for new, old in enumerate(kept)}
        relations = [(place[s], n, place[o]) for s, n, o in self._with_positions() if s in place and o in place]
        return ParsedPrompt(
            groups=groups,
            relations=tuple(ParsedRelation(subject=s, relation=n, object=o) for s, n, o in relations),
            background=self._background(),
            negative=tuple(self.negative),
            style=tuple(dict.fromkeys(self.style)),
        )

    def _settle_members(self) -> None:
        """ "A pair of parrots, one green parrot and one blue parrot": the members of what was counted before."""
        for index, whole in enumerate(self.groups):
            if whole.count < 2 or whole.vague or whole.attributes or not whole.counted:
                continue
            later = range(index + 1, len(self.groups))
            alike = [(i, self.groups[i]) for i in later if self.groups[i].noun == whole.noun]
            members = [i for i, group in alike if group.counted and group.attributes]
            if len(members) > 1 and sum(self.groups[i].count for i in members) == whole.count:
                whole.count = 0
                self._hand_on(index, members)

    def _hand_on(self, whole: int, members: list[int]) -> None:
        """Where a whole is, its members are."""
        for s, name, o in list(self.relations):
            if whole in (s, o):
                self.relate(members if s == whole else [s], name, members if o == whole else [o])

    def _settle_contradictions(self) -> None:
        """A thing both named and excluded: a count that was stated stays, a bare mention ("its cars: no cars") goes."""
        for noun in list(self.negative):
            same = [g for g in self.groups if g.noun == noun and not g.attributes]
            if any(not g.vague for g in same):
                self.negative.remove(noun)
            for group in same:
                group.count = 0 if group.vague and noun in self.negative else group.count

    def _with_positions(self) -> list[tuple[int, RelationName, int]]:
        """The stated relations and those that opposite places imply ("a dog on the left, a cat on the right")."""
        relations = list(self.relations)
        for s, a in enumerate(self.groups):
            for o, b in enumerate(self.groups):
                for mine, theirs, name in (("left", "right", "left"), ("top", "bottom", "above")):
                    implied = (s, cast(RelationName, name), o)
                    if mine in a.position.split("-") and theirs in b.position.split("-") and implied not in relations:
                        relations.append(implied)
        directed = {frozenset((s, o)) for s, name, o in relations if name in _DIRECTIONS}
        # "Balls with a car to the left of them": where the direction is told, nearness was a manner of speaking.
        told = [(s, name, o) for s, name, o in relations if name != "near" or frozenset((s, o)) not in directed]
        return told[:MAX_RELATIONS]

    def _background(self) -> str:
        """The pieces joined; one that begins with a preposition takes no comma, and excluded things are left out."""
        text = ""
        plain = any(piece.endswith(("background", "backdrop")) for piece in self.background)
        for piece in self.background:
            if piece in _BARE_GROUND and (self.groups or len(self.background) > 1):
                continue
            if set(piece.split(" ")) <= (_BARE_SCENE if plain else scenes.BARE if self.groups else frozenset()):
                continue
            if any(word in piece.split(" ") for noun in self.negative for word in (noun, nouns.plural(noun))):
                continue
            joint = "" if not text else (" " if piece.split(" ")[0] in lexicon.LINKS else ", ")
            text = (text + joint + piece)[:400]
        return text


def _other_colour(named: Sequence[str], said: Sequence[str]) -> bool:
    """ "three green apples and two red ones": what has a colour is not divided by another."""
    before = {word for text in named for word in text.split()} & lexicon.KNOWN_COLOURS
    after = {word for text in said for word in text.split()} & lexicon.KNOWN_COLOURS
    return bool(before and after and before.isdisjoint(after))
