"""The closed classes: determiners, prepositions, conjunctions, pronouns."""

from __future__ import annotations

from imagewright.agents.reading import lexicon
from imagewright.agents.reading.words import listed, words

DETERMINERS = listed("function_words.determiners")
PREPOSITIONS = listed("function_words.prepositions")
CONJUNCTIONS = listed("function_words.conjunctions")
PRONOUNS = listed("function_words.pronouns")
CLOSED = PREPOSITIONS | CONJUNCTIONS | PRONOUNS | lexicon.AUXILIARY | words("not no none never")
