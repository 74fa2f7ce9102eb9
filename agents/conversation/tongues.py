"""Whether a saying is in another language than English: by its script, or by small words that English has not."""

from __future__ import annotations

import re
import unicodedata

from imagewright.agents.reading.words import words

ONLY_ENGLISH = "the rules read English only; a language model reads any language (`--llm`)"
_SMALL = words(
    "el los las una unos haz hazlo más mas pon quita borra cambia añade perro gato por favor azul rojo verde grande "
    "ein eine einen einem der das den dem und mit bitte mach mache füge dazu größer kleiner zweites haus entferne ohne "
    "le les un une des avec sans plus s'il vous plaît ajoute enlève mets fais bleu rouge vert grand maison chien chat "
    "il lo gli uno più rimuovi aggiungi casa cane gatto rosso verde o os um uma mais remova adicione vermelho "
    "het een de maak verwijder groter kleiner met zonder"
)
_ENGLISH = words("the a an it is of to in on and with make put add remove no my this that one more i you")


def is_foreign(said: str) -> bool:
    """Whether most letters are of another script, or small words of other languages outnumber English ones."""
    letters = [character for character in said if character.isalpha()]
    latin = sum("LATIN" in unicodedata.name(character, "") for character in letters)
    if letters and latin < len(letters) / 2:
        return True
    told = re.findall(r"[^\W\d_]+", said.lower())
    foreign = sum(word in _SMALL or not word.isascii() for word in told)
    return foreign > 0 and foreign > sum(word in _ENGLISH for word in told) and foreign * 3 >= len(told)
