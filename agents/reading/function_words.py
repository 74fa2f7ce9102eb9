"""The closed classes: determiners, prepositions, conjunctions, pronouns."""

from __future__ import annotations

from imagewright.agents.reading import lexicon
from imagewright.agents.reading.words import words

DETERMINERS = words(
    "a an the this that these those its his her their my your our another some every each all any such both many most"
)
PREPOSITIONS = words(
    "in on at by for from with of to into onto over under above below beneath underneath behind beside near "
    "through across along around against between among amid amidst during inside outside within without toward "
    "towards upon off past beyond despite like as than via per until since about after before atop alongside "
    "featuring including plus"
)
CONJUNCTIONS = words("and or but nor yet so while whereas although though because if when where which who that whose")
PRONOUNS = words(
    "it them they he she him her i me we us you himself herself itself themselves there what whom something "
    "someone somebody anyone anybody everyone everybody"
)
CLOSED = PREPOSITIONS | CONJUNCTIONS | PRONOUNS | lexicon.AUXILIARY | words("not no none never")
