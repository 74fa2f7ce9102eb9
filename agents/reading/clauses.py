"""Places and relations: "on the left", "to the left of", "between", "on either side of", "to its right"."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, naming
from imagewright.agents.reading.function_words import DETERMINERS
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.numbers import NUMBER_WORDS
from imagewright.agents.reading.phrases import Phrase
from imagewright.agents.reading.state import PhraseLink

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_AS_PLACE = {"above": "top", "below": "bottom", "behind": "behind", "in-front": "in-front", "inside": "middle"}
_MOST_OF_THEM = 3
_THEM = frozenset({"which", "whom", "it", "them", "him", "her", "this", "that", "these", "those"})


def place(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """A place in the frame, of what was just named or of what comes next."""
    state, record = reader.state, reader.record
    if _place_is_fronted(reader, end):
        state.fronted, state.fronted_relation, state.link, state.mode = phrase.value, None, None, "done"
        state.recent, state.subject, state.related, state.glue = [], [], [], "start"
        return end
    if state.glue == "verb":
        targets = state.subject
    elif state.mode == "object" and not state.scene:
        targets = [g for g in state.related if not record.groups[g].position] or record.history[-1:]
    else:
        targets = [g for g in state.recent if not record.groups[g].position] or state.recent[-1:]
    for index in targets:
        record.groups[index].position = phrase.value
    state.link, state.mode, state.glue = None, "done", "none"
    return end


def _place_is_fronted(reader: Reader, end: int) -> bool:
    """Whether the place belongs to what follows: "on the left there is a dog"."""
    state, groups = reader.state, reader.record.groups
    direct = reader.phrases.starts(end)
    if state.glue == "verb" and (state.subject or direct):
        return not state.subject
    if state.glue == "none":
        return direct and bool(state.recent) and all(groups[g].position for g in state.recent)
    through = reader.after_filler(end)
    if not reader.phrases.starts(through):
        return False
    placed = not state.recent or all(groups[g].position for g in state.recent) or bool(state.fronted)
    return reader.opens() or placed or direct or (through > end and reader.word(end) != ",")


def relation(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """A relation to the noun phrase that follows; fronted when its subject comes after that."""
    state = reader.state
    if not reader.phrases.starts(end) and reader.word(end) not in _THEM:
        return (
            place(reader, i, end, Phrase("pos", _AS_PLACE.get(phrase.value, ""), phrase.tokens))
            if phrase.value in _AS_PLACE
            else end
        )
    if state.glue in {"and", "comma"} or reader.opens():
        after = front(reader, i, end, phrase.value)
        if after is not None:
            return after
    state.link = PhraseLink("rel", phrase.value, reader.subjects_for_relation(), i)
    return end


def front(reader: Reader, i: int, end: int, name: str) -> int | None:
    """ "Below the bench is a cat": read the object now, the subject comes later."""
    state, record = reader.state, reader.record
    if reader.word(end) in _THEM and not _is_noun_next(reader, end):
        if not record.history or not _subject_follows(reader, end + 1, definite=True):
            return None
        anchor = record.anchor if record.anchor is not None else record.history[-1]
        record.anchor = anchor
        _await_subject(reader, name, [anchor])
        return end + 1
    found = reader.phrases.read(end)
    if found is None or not found.words:
        return None
    said, after = _description(reader, found.end)
    if not _subject_follows(reader, after, reader.opens() or found.determiner == "the"):
        return None
    if not reader.opens() and reader.word(after) == "," and found.determiner != "the":
        return None
    state.link = PhraseLink("rel", name, [], i)
    if naming.name_scenery(reader, found):
        state.link, state.glue = None, "start"
        return found.end
    state.link = None
    index = record.add(found)
    if index is not None and said:
        naming.predicate(reader, said, [index])
    _await_subject(reader, name, [] if index is None else [index])
    return after


def _description(reader: Reader, i: int) -> tuple[int, int]:
    """Where the adjectives of "that is blue", "painted blue" at ``i`` begin and end; 0 and ``i`` where none stand."""
    relative = reader.word(i) in {"that", "which"} and reader.word(i + 1) in {"is", "are", "was", "were"}
    first = i + 2 if relative else i + 1 if reader.word(i) in {"coloured", "colored", "painted"} else 0
    end = first
    while first and end < first + 4 and naming.is_predicate_adjective(reader, end):
        end += 1
    return (first, end) if end > first else (0, i)


def _is_noun_next(reader: Reader, i: int) -> bool:
    """ "that dog", not "that" alone."""
    found = reader.phrases.read(i)
    return reader.word(i) in DETERMINERS and found is not None and bool(found.words)


def _subject_follows(reader: Reader, i: int, definite: bool) -> bool:
    """Whether a verb, "there", or a comma and then a noun phrase come at ``i``."""
    word = reader.word(i)
    if word == "," or word == ":":
        return definite and reader.phrases.starts(reader.after_filler(i))
    verb = word in lexicon.AUXILIARY or lexicon.is_verb(word) or word in lexicon.BASE_VERBS or word == "there"
    through = reader.after_filler(i)
    if verb and reader.phrases.starts(through):
        return True
    return definite and (word in DETERMINERS or word in NUMBER_WORDS or word.isdigit()) and reader.phrases.starts(i)


def _await_subject(reader: Reader, name: str, objects: list[int]) -> None:
    state = reader.state
    state.fronted_relation, state.fronted, state.link = (name, objects), "", None
    state.recent, state.subject, state.related, state.glue, state.mode = [], [], [], "start", "done"


def relation_to_pronoun(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "to its left": of what was just named, or of what comes next."""
    state, record = reader.state, reader.record
    if not record.history:
        return end
    if state.glue != "none" and reader.phrases.starts(reader.after_filler(end)):
        anchor = record.anchor if record.anchor is not None else record.history[-1]
        record.anchor = anchor
        _await_subject(reader, phrase.value, [anchor])
        return end
    relate_to_pronoun(reader, PhraseLink("rel", phrase.value, reader.subjects_for_relation()))
    return end


def relation_to_owner(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "to the girl's left": of a thing that is named inside the phrase."""
    state, record = reader.state, reader.record
    noun = next(w.removesuffix("'s") for w in reader.low[i:end] if w.endswith("'s"))
    owner = NounPhrase(i, end, determiner="the", words=(noun,))
    subjects = reader.subjects_for_relation() if state.glue in {"none", "verb"} else []
    index = record.add(owner)
    if index is None:
        return end
    if subjects:
        record.relate(subjects, phrase.value, [index])
        state.link, state.glue, state.mode = None, "none", "done"
    else:
        _await_subject(reader, phrase.value, [index])
    return end


def relate_to_pronoun(reader: Reader, link: PhraseLink, *, many: bool = False) -> None:
    """Relate to the latest group that is not itself a subject; "them" is every thing of the list that it ends."""
    state, record = reader.state, reader.record
    listed = _listed_before(reader, link) if many else []
    if len(link.subjects) > 1 and set(record.history) <= set(link.subjects):
        link = PhraseLink(link.kind, link.name, record.history[-1:])
    known = [record.anchor] if record.anchor is not None else []
    anchors = [g for g in [*known, *reversed(record.history)] if g not in link.subjects]
    if anchors and link.subjects:
        record.anchor = anchors[0]
        record.relate(link.subjects, link.name, listed or [anchors[0]])
    state.link, state.glue, state.mode = None, "none", "done"


def _listed_before(reader: Reader, link: PhraseLink) -> list[int]:
    """What "them" is: the list before its last thing, what that one is "with", else several of a kind, else all."""
    state, groups = reader.state, reader.record.groups
    last = reader.record.history[-1:]
    if state.mode == "list" and len(state.recent) > 2 and set(last) <= set(link.subjects) <= set(state.recent):
        link.subjects = last
        return [g for g in state.recent if g not in last]
    held_by = [s for s, name, o in reader.record.relations if name == "near" and [o] == last]
    if link.subjects == last and len(held_by) > 1:
        return held_by
    before = [g for g in range(len(groups)) if link.subjects and g < min(link.subjects) and groups[g].count > 0]
    if not before or groups[before[-1]].count > 1:
        return []
    several = [g for g in before if groups[g].count > 1]
    return several[-1:] or (before if len(before) <= _MOST_OF_THEM else [])


def series(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "from left to right": an order for the list just named, or for the one that follows."""
    state, record = reader.state, reader.record
    if len(state.recent) > 1:
        for first, second in pairwise(state.recent):
            record.relate([first], phrase.value, [second])
        state.mode = "done"
    else:
        record.series, record.series_last = phrase.value, None
        state.glue, state.mode = "start", "list"
    return end


def between(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "between a dog and a cat", "flanked by two lamps"."""
    first = reader.phrases.read(end)
    if reader.word(end) in {"them", "both"}:
        return _between_named(reader, end)
    if first is None or not first.words:
        return end
    record, state = reader.record, reader.state
    subjects = reader.subjects_for_relation() if state.glue != "start" else []
    left, right, after = _two_sides(reader, first)
    if left is None or right is None:
        return after
    if subjects and not (state.glue in {"and", "comma"} and _subject_follows(reader, after, definite=False)):
        record.relate([left], "left", subjects)
        record.relate(subjects, "left", [right])
        state.link, state.glue, state.mode, state.recent = None, "none", "done", subjects
    else:
        _await_subject(reader, "between", [left, right])
    return after


def _between_named(reader: Reader, end: int) -> int:
    """ "…, and a child between them": the last named stands between the two before it."""
    record, state = reader.record, reader.state
    named = list(dict.fromkeys(record.history))
    if len(named) >= 3 and all(record.groups[n].count == 1 for n in named[-3:-1]):
        record.relate([named[-3]], "left", named[-1:])
        record.relate(named[-1:], "left", [named[-2]])
    state.link, state.glue, state.mode = None, "none", "done"
    return end + 1


def _two_sides(reader: Reader, first: NounPhrase) -> tuple[int | None, int | None, int]:
    """The groups on the left and on the right, and the index after them."""
    record = reader.record
    left = record.add(first)
    second = reader.phrases.read(first.end + 1) if reader.word(first.end) == "and" else None
    if second is not None and second.words:
        return left, record.add(second), second.end
    if left is None:
        return None, None, first.end
    record.groups[left].count = max(2, record.groups[left].count if first.count else 2)
    return left, record.split(left, record.groups[left].count // 2), first.end


def sides(reader: Reader, i: int, end: int, phrase: Phrase) -> int:
    """ "a lamp on either side of a bed": some on the left, some on the right."""
    record, state = reader.record, reader.state
    subjects = reader.subjects_for_relation()
    fronted = state.glue in {"start", "and", "comma"} and reader.low[end - 1] == "of"
    found = reader.phrases.read(end) if reader.low[end - 1] == "of" else None
    if found is not None and found.words and fronted and _subject_follows(reader, found.end, definite=True):
        index = record.add(found)
        _await_subject(reader, "sides", [] if index is None else [index])
        return found.end
    anchor: int | None
    if found is not None and found.words:
        anchor, end = record.add(found), found.end
    else:
        anchor = next((g for g in reversed(record.history) if g not in subjects), None)
        end = end + 1 if reader.word(end) in _THEM else end
    if anchor is not None and subjects:
        spread(reader, subjects, anchor)
    state.link, state.glue, state.mode = None, "none", "done"
    return end


def spread(reader: Reader, subjects: list[int], anchor: int) -> None:
    """Put half of the subjects on the left of ``anchor``, half on the right."""
    record = reader.record
    if len(subjects) >= 2:
        half = len(subjects) // 2
        record.relate(subjects[:half], "left", [anchor])
        record.relate(subjects[half:], "right", [anchor])
        return
    group = record.groups[subjects[0]]
    group.count = max(2, group.count)
    other = record.split(subjects[0], group.count // 2)
    record.relate([subjects[0]], "left", [anchor])
    if other is not None:
        record.relate([other], "right", [anchor])
