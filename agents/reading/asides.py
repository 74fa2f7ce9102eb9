"""What is named and yet is no thing with a place of its own: stuff, parts, likenesses, crowds in passing, tags.

"A knight kneels, steam rising", "a parrot on his shoulder", "dressed as Napoleon", "covered in raindrops", "…, flowers
everywhere". The words go to the model all the same; no box and no count comes of them. A thing whose number, colour or
place is stated is never set aside.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import DETERMINERS, PREPOSITIONS
from imagewright.agents.reading.record import NamedGroup
from imagewright.agents.reading.words import listed, words

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_DIRECTIONS = frozenset({"left", "right", "above", "below", "behind", "in-front"})
_OWN = words("its his her their my your our")
_LIKENESS = words("as like into of from about after")
_STATE = words("with in of from by as into out")
"""What leads from "covered", "made", "lit" to what is only a manner of being so."""
_STUFF = listed("asides.stuff")
_PATTERNS = listed("asides.patterns")
"""What no number is stated of is how the picture looks: "abstract shapes", "flowing lines"."""
_SHEETS = words("poster pattern polaroid design infographic sticker perspective cutaway blueprint diagram sheet")
"""What the whole picture is, where it is named first."""
_ABSTRACT = re.compile(r"(ness|[eiltv]ity|ism|ation|itude|algia|hood)$")
_STATES = listed("asides.states")


def set_aside(reader: Reader) -> list[str]:
    """Take out of the reading what has no place of its own; the words that were taken out."""
    groups = reader.record.groups
    placed = {i for s, name, o in reader.record.relations if name in _DIRECTIONS for i in (s, o)}
    free = [i for i, group in enumerate(groups) if _can_go(group)]
    gone = [i for i, group in enumerate(groups) if group.start >= 0 and _names_nothing(reader, group)]
    gone += [i for i in free if _described(reader, groups[i])]
    later = [i for i in free if i not in placed and (i != 0 or groups[i].in_scene)]
    loose = [i for i in free if groups[i].bare and not groups[i].vague and (i != 0 or groups[i].in_scene)]
    loose += [i for i in later if groups[i].vague]
    telegram = not any(group.determiner or group.counted for group in groups)
    gone += [i for i in loose if not telegram or (i in later and _is_passing(reader, groups[i]))]
    taken = [groups[i].noun for i in sorted(set(gone))]
    for i in gone:
        groups[i].count = 0
    return taken


def _can_go(group: NamedGroup) -> bool:
    """Whether neither number nor colour nor place is stated of it."""
    coloured = any(lexicon.KNOWN_COLOURS & set(text.split()) for text in group.attributes)
    told = group.counted or group.position or (coloured and group.noun not in lexicon.MATERIALS)
    return group.start >= 0 and group.count > 0 and not told


def _described(reader: Reader, group: NamedGroup) -> bool:
    """Whether its place in the sentence makes it a part, a likeness or a manner of another thing."""
    at = group.start
    before, earlier = reader.word(at - 1), reader.word(at - 2)
    sheet = at < 3 and group.noun.rpartition(" ")[2] in _SHEETS
    stuff = group.bare and group.noun in lexicon.MATERIALS | _STUFF
    abstract = group.bare and bool(_ABSTRACT.search(group.noun))
    head = group.noun.rpartition(" ")[2]
    look = group.bare and (group.noun in lexicon.KNOWN_STYLES or (at > 0 and group.noun in lexicon.KNOWN_COLOURS))
    look = look or (group.vague and not group.counted and not group.determiner and head in _PATTERNS)
    owned = reader.word(at) in _OWN and (before in PREPOSITIONS or group.noun.rpartition(" ")[2] in nouns.PART)
    passing = group.vague and not group.counted and before in {"with", "from", "of"} and at > 1
    likeness = before in {"as", "like"} and at > 1 and reader.word(at) != "many"
    done = earlier.endswith("ed") or earlier in _STATES
    state = before in _STATE and done and reader.word(at) not in DETERMINERS
    part = group.noun in nouns.REGION_NOUNS and (
        reader.word(group.end) == "of" or any(tail.startswith("of ") for tail in group.tails)
    )
    return sheet or owned or abstract or passing or stuff or look or likeness or state or part


def _names_nothing(reader: Reader, group: NamedGroup) -> bool:
    return _is_deed(reader, group) or (group.bare and group.start == 0 and _is_likened(reader, group))


def _is_likened(reader: Reader, group: NamedGroup) -> bool:
    """A name at the start: "emma watson as a mermaid", "walter white as a doll"."""
    end = group.end
    while lexicon.is_strict_adjective(reader.word(end)):
        end += 1
    return reader.word(end) == "as" and reader.word(end + 1) in {"a", "an"}


def _is_deed(reader: Reader, group: NamedGroup) -> bool:
    """What is done by the word before: "one wearing red", "a giant guarding a bridge"."""
    last = group.noun.rpartition(" ")[2]
    governs = last.endswith("ing") and last not in nouns.GERUND_NOUN and reader.word(group.end) in DETERMINERS
    return governs or last in lexicon.WEARING | lexicon.RIDING


def _is_passing(reader: Reader, group: NamedGroup) -> bool:
    return _is_tag(reader, group) or _is_done(reader, group)


def _is_tag(reader: Reader, group: NamedGroup) -> bool:
    """Words between commas: "…, parchment", "…, film still"."""
    starts = reader.word(group.start - 1) in {",", "(", "["}
    following = reader.word(group.end)
    ends = following in {"", ",", ".", ")", "]"} or following.endswith("ing") or lexicon.is_adverb(following)
    return starts and ends and not group.determiner


def _is_done(reader: Reader, group: NamedGroup) -> bool:
    """What is done rather than seen: "play football", "doing yoga"."""
    before = reader.word(group.start - 1)
    named = any(other.end == group.start for other in reader.record.groups)
    acts = not named and (lexicon.is_verb(before) or before in lexicon.ALL_FORMS)
    return group.bare and (acts or before in {"by", "of", "with", "from", "through"})
