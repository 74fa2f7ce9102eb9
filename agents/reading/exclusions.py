"""What must not appear: "no dogs", "without a hat or a coat", "free of cars", "dogs are absent"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, nouns, scenes
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.phrases import Phrase
from imagewright.agents.reading.words import listed

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_BARE = frozenset({"", "any", "all", "the", "some", "more"})
_NOTHING = listed("exclusions.nothing")
_MOST = 24


def negation(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """Exclude the noun phrase after the negating words, and the list that goes on from it."""
    found = _thing(reader, end)
    if found is None:
        return _nobody(reader, i, end)
    first = found
    for _ in range(_MOST):
        _exclude(reader, found)
        following = _next_in_list(reader, first, found)
        if following is None:
            break
        found = following
    state = reader.state
    if state.glue in {"and", "comma"} or reader.low[i] in {"and", "but"}:
        state.recent = []
    state.link, state.glue, state.mode, state.attached = None, "none", "done", False
    return found.end


def negation_after(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "… are absent": what was just named must not appear."""
    state = reader.state
    named = list(state.subject if state.glue == "verb" else state.recent) or reader.record.history[-1:]
    reader.record.drop(named)
    state.recent, state.subject, state.related, state.link = [], [], [], None
    state.mode, state.glue, state.fronted_relation = "done", "none", None
    return end


def _thing(reader: Reader, i: int) -> NounPhrase | None:
    found = reader.phrases.read(i)
    return found if found is not None and found.words else None


def _nobody(reader: Reader, i: int, end: int) -> int:
    """ "no one": a person; "not red", "not moving": one word is passed over."""
    if reader.word(end) == "one" and reader.low[end - 1] == "no":
        reader.record.exclude("person")
        return end + 1
    return end


def _exclude(reader: Reader, found: NounPhrase) -> None:
    further = reader.low[found.start - 1] in {"other", "more"} or {"other", "more"} & set(found.attributes)
    if further and any(g.noun == found.noun for g in reader.record.groups):
        return
    if found.noun not in _NOTHING:
        reader.record.latest_noun = found.noun
        reader.record.exclude(" ".join([*found.attributes, found.noun]))


def _next_in_list(reader: Reader, first: NounPhrase, found: NounPhrase) -> NounPhrase | None:
    """The next excluded thing, when the list goes on: always after "or", else when it is built like the first."""
    at = found.end
    joints: list[str] = []
    while reader.word(at) in {",", "or", "nor", "and", "any"} and len(joints) < 3:
        joints.append(reader.word(at))
        at += 1
    turned = reader.word(at) in {"only", "just", "instead"}
    following = (
        _thing(reader, at) if joints and not turned and at < len(reader.low) and reader.finder.at(at) is None else None
    )
    if following is None or _is_style(reader, following):
        return None
    if {"or", "nor"} & set(joints):
        return following
    if reader.word(first.start - 2) in {"instead", "rather", "other"}:
        return None
    alike = _is_bare(following) == _is_bare(first) and following.count == first.count
    alike = (
        alike
        and (_listed(first, following) or (first.head in nouns.PART) == (following.head in nouns.PART))
        and reader.word(following.end) != "with"
    )
    if not alike or reader.predicates(following.end) or (set(joints) == {","} and scenes.is_scene(following, "")):
        return None
    return following


def _listed(first: NounPhrase, following: NounPhrase) -> bool:
    """ "ovens and hats": two plain plurals."""
    return first.plural and following.plural and not following.attributes


def _is_bare(phrase: NounPhrase) -> bool:
    return phrase.determiner in _BARE and phrase.count is None


def _is_style(reader: Reader, phrase: NounPhrase) -> bool:
    last = nouns.singular(phrase.words[-1])
    return last in lexicon.KNOWN_STYLES or last in lexicon.STYLE_HEADS
