"""A share of what was counted: "half of them", "the rest", "the remaining two"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagewright.agents.reading import naming
from imagewright.agents.reading.noun_phrase import NounPhrase
from imagewright.agents.reading.numbers import read_count
from imagewright.agents.reading.slips import is_slip
from imagewright.agents.reading.words import words
from imagewright.schemas import RelationName

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_THEM = words("them these those which")
_REST = words("rest others remainder")
_OTHER = words("other remaining")
_RELATIONS: dict[str, RelationName] = {
    "above": "above", "below": "below", "under": "below", "beneath": "below", "behind": "behind", "beside": "near",
}  # fmt: skip


def read_share(reader: Reader, i: int) -> int | None:
    """The token after a share of an earlier group that starts at ``i``; None where none does."""
    return _read_half(reader, i) or _read_rest(reader, i) or _read_pair(reader, i)


def _read_half(reader: Reader, i: int) -> int | None:
    named = reader.record.history
    if reader.word(i) != "half" or not named:
        return None
    if reader.word(i + 1) == "of" and reader.word(i + 2) in _THEM:
        end = i + 3
    elif reader.state.glue in {"comma", "and"} and not reader.phrases_noun_after(i + 1):
        end = i + 1
    else:
        return None
    left = _find_left(reader)
    if left is not None:
        return _go_on_with(reader, left, end)
    whole = reader.record.groups[named[-1]]
    if whole.count < 2 or whole.count % 2 or whole.vague:
        return None
    return naming.name_some(reader, NounPhrase(i, end, count=whole.count // 2))


def _read_rest(reader: Reader, i: int) -> int | None:
    """ "The rest", "the others", "the other three": what is left of a group of which some were singled out."""
    left = _find_left(reader)
    if reader.word(i) != "the" or left is None:
        return None
    if reader.word(i + 1) in _REST:
        return _go_on_with(reader, left, i + 2)
    if reader.word(i + 1) not in _OTHER:
        return None
    named = reader.phrases.read(i + 2)
    if named is not None and named.words and named.noun == reader.record.groups[left].noun and not named.attributes:
        return _go_on_with(reader, left, named.end)
    number = read_count(reader.low[i + 2 : i + 8], 0)
    if number is not None and number.value != reader.record.groups[left].count:
        return None
    end = i + 2 + (number.tokens if number else 0)
    ones = reader.word(end) in {"one", "ones"}
    return _go_on_with(reader, left, end + ones) if number or ones else None


def _read_pair(reader: Reader, i: int) -> int | None:
    """ "A cat and a dog, one above the other": the first of two unlike things is so to the second."""
    if reader.word(i) != "one" or len(reader.state.recent) != 2:
        return None
    first, second = (reader.record.groups[index] for index in reader.state.recent)
    alike = first.noun == second.noun and first.attributes == second.attributes
    if alike or first.count > 1 or second.count > 1:
        return None
    phrase = reader.finder.at(i + 1) if i + 1 < len(reader.low) else None
    told = phrase is not None and phrase.kind == "rel"
    name = phrase.value if phrase is not None and told else _slipped(reader.word(i + 1))
    end = i + 1 + (phrase.tokens if phrase is not None and told else 1)
    if not name or reader.word(end) != "the" or reader.word(end + 1) != "other":
        return None
    reader.record.relate(reader.state.recent[:1], name, reader.state.recent[1:])
    reader.state.link, reader.state.glue, reader.state.mode = None, "none", "done"
    return end + 2


def _slipped(word: str) -> str:
    """The relation that a misspelt word is: "abve"."""
    return next((name for other, name in _RELATIONS.items() if is_slip(word, other)), "")


def _find_left(reader: Reader) -> int | None:
    """The latest group of which some were singled out."""
    return next((i for i, group in reversed(list(enumerate(reader.record.groups))) if group.divided), None)


def _go_on_with(reader: Reader, index: int, end: int) -> int:
    """What follows is said of group ``index``; the token after "of them"."""
    reader.record.groups[index].divided = False
    reader.state.recent, reader.state.related, reader.state.mode = [reader.record.mention(index)], [], "list"
    reader.state.link, reader.state.glue, reader.state.subject = None, "none", [index]
    return end + (2 if reader.word(end) == "of" and reader.word(end + 1) in _THEM else 0)
