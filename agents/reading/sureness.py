"""Whether a reading accounts for every word of its prompt, so that counts and places may be claimed of it.

Claimed is what is plainly stated: how many, where, in what colours, of a few things. A short prompt that is read to
its last word is claimed, too. A long one without any of these is a mood or a story: its words go to the model alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.function_words import CLOSED, CONJUNCTIONS, DETERMINERS
from imagewright.agents.reading.numbers import NUMBER_WORDS, VAGUE_WORDS
from imagewright.agents.reading.words import listed
from imagewright.schemas import ParsedGroup, ParsedPrompt

if TYPE_CHECKING:
    from imagewright.agents.reading.reader import Reader

_SILENT = (
    CLOSED
    | CONJUNCTIONS
    | DETERMINERS
    | lexicon.ADVERBS
    | lexicon.IMPERATIVES
    | lexicon.AUXILIARY
    | listed("sureness.silent")
)
_STORY = 14
"""A prompt of more different words states a count, a place or colours, or nothing of it is claimed."""
_COMPARED = re.compile(
    r"\b(?:(?:big|larg|small|tall|short|long|wid|old|young|bright|dark|heavi|light|fat|thinn?|thick)g?"
    r"er|(?:more|less) [a-z]{4,}) than (?:an?|the|it|its|all|both|any|another)\b"
)
_LETTERED = re.compile(
    r"\b(?:word|words|text|phrase|slogan|title|message|lettering)s? ([A-Z0-9]{2,}(?: [A-Z0-9]{2,})*)\b"
)
_LONGEST_NOUN = 3
_SHOWN = 5


def find_doubt(reader: Reader, parsed: ParsedPrompt, text: str) -> str:
    """What makes the reading of ``text`` unsure, in words; empty where it is sure."""
    if not parsed.groups:
        return (
            f"no thing with a place of its own is named, only {_quoted(reader.aside)}"
            if reader.aside and not parsed.negative
            else ""
        )
    if _COMPARED.search(text.lower()):
        return "the rules read no comparisons of size or colour"
    if lettered := _LETTERED.search(text):
        return f"what is written ({lettered[1]}) is no thing with a place"
    passed = [reader.low[i] for i in dict.fromkeys(reader.unread) if _says_something(reader.low[i])]
    if passed:
        return f"the rules do not know what to do with {_quoted(passed)}"
    strange = [group.object for group in parsed.groups if _is_strange(group)]
    if strange:
        return f"the rules cannot tell what kind of thing is meant by {_quoted(strange)}"
    different = len(set(re.findall(r"[^\W_]+", text.lower())))
    loose = bool(reader.aside) or any(not group.exact for group in parsed.groups)
    if different > 2 * _STORY and (loose or not _counts_or_ranks(parsed)):
        return "the prompt tells a story; it states no numbers and no left and right"
    if different > _STORY and not states_arrangement(parsed):
        return "no count, place or colour of several things is stated"
    bare = [group.noun for group in reader.record.groups if group.bare and group.count]
    if different > _STORY and bare:
        return f"the rules cannot tell whether {_quoted(bare)} is a thing with a place"
    if different > 3 * _STORY:
        return "the prompt is a story longer than the rules read"
    return ""


def _counts_or_ranks(parsed: ParsedPrompt) -> bool:
    return _counts_or_colours(parsed) or any(found.relation in ("left", "right") for found in parsed.relations)


def states_arrangement(parsed: ParsedPrompt) -> bool:
    """Whether a prompt plainly states how many, where, or in what colours several things are."""
    placed = any(group.position and group.exact for group in parsed.groups)
    placed = placed or any(relation.relation != "near" for relation in parsed.relations)
    return placed or _counts_or_colours(parsed)


def _counts_or_colours(parsed: ParsedPrompt) -> bool:
    counted = any(group.exact and group.count > 1 for group in parsed.groups)
    coloured = sum(any(_is_plain(a) for a in g.attributes) for g in parsed.groups)
    return counted or coloured > 1


def _is_plain(attribute: str) -> bool:
    return lexicon.is_strict_adjective(attribute) or bool(lexicon.KNOWN_COLOURS & set(attribute.split()))


def _says_something(word: str) -> bool:
    """Whether a word that was passed over could have named or placed something; what is done needs no place."""
    known = word in _SILENT or word in NUMBER_WORDS or word in VAGUE_WORDS
    acts = word in lexicon.ALL_FORMS or lexicon.is_verb(word)
    return word[:1].isalnum() and not known and not acts and not lexicon.is_adverb(word)


def _is_strange(group: ParsedGroup) -> bool:
    """A thing of more words than nouns have, with a number in it, of one letter, of no body, or what is done."""
    said = group.object.split()
    odd = any(word[0].isdigit() or (len(word) == 1) for word in said)
    odd = odd or (said[-1] in lexicon.VERB_FORMS and not said[-1].endswith("ing") and not group.attributes)
    return odd or len(said) > _LONGEST_NOUN or (said[-1] in nouns.ABSTRACT and not group.exact)


def _quoted(found: list[str]) -> str:
    shown = ", ".join(repr(word) for word in dict.fromkeys(found[:_SHOWN]))
    return shown + (", …" if len(found) > _SHOWN else "")
