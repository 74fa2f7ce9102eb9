"""Marks inside a prompt that an encoder or a web UI reads: weights, brackets, LoRA tags, BREAK, trailing flags.

The grammar gets the words without them; the prompt itself goes to the flow as it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FILE = re.compile(r"<\s*(lora|lyco|locon|hypernet|hn)\s*:\s*([^:<>]+)(?::[^<>]*)?>", re.I)
_EMBEDDING = re.compile(r"\bembedding:\s*([\w./\\-]+)(?::[\d.]+)?", re.I)
_NAMED = re.compile(r"\s*\\\([^()\n]*?\\\)")
_WEIGHT = re.compile(r"[(\[]([^()\[\]]*?)\s*:\s*[-+]?\d*\.?\d+\s*[)\]]")
_SCHEDULE = re.compile(r"\[([^\[\]:]*):([^\[\]:]*):\s*\d*\.?\d+\s*\]")
_TURNS = re.compile(r"\[([^\[\]|]+)(?:\|[^\[\]|]+)+\]")
_DOUBLE = re.compile(r"\(\(+([^()]*)\)\)+|\[\[+([^\[\]]*)\]\]+")
_WEAKER = re.compile(r"\[([^\[\]\n]+)\]")
_EMPHASIS = re.compile(r"(?:^|(?<=[,\n]))(\s*)\(([^()\n]+)\)(?=\s*(?:,|\n|$))")
_PLUS = re.compile(r"(?<=[\w)])(?:\+{1,4}|-{2,4})(?=[\s,.]|$)")
_BREAK = re.compile(r"(?:^|(?<=[\s,.;]))(?:BREAK|ADDCOMM|ADDBASE|ADDROW|ADDCOL)(?=[\s,.;]|$)")
_AND = re.compile(r"(?<=\s)AND(?=\s)")
_FLAGS = re.compile(r"(?:^|\s)--(?=[a-z])(?:[a-z][\w-]*)(?:\s+(?!--)[^\n]*?)?(?=\s--[a-z]|\s*$)", re.I)
_VALUED = re.compile(
    r"(?:^|\s)--(?:ar|aspect|v|version|s|stylize|q|quality|c|chaos|seed|sameseed|w|weird|iw|niji|style|steps|cfg|sampler|"
    r"stop|repeat|r|width|height|n|number|p|profile|exp|sref|cref|cw|sw)\s+[\w.:,/-]+(?=\s|$)|"
    r"(?:^|\s)--(?:tile|raw|hd|fast|relax|turbo|draft|video|test|testp|creative)(?=\s|$)",
    re.I,
)
"""Flags whose value is one word, or none: text may follow them."""
_WITHOUT = re.compile(r"(?:^|\s)--(?:no|neg|negative)\s+((?:(?!\s--)[^\n])+)", re.I)
_NOT_WORDS = re.compile(r"\s+([,.;])")


@dataclass(frozen=True)
class Unmarked:
    """A prompt's words without the field's marks."""

    text: str
    told: tuple[str, ...] = ()
    """What the marks ask for that no encoder here reads out of a prompt, a line each."""
    excluded: tuple[str, ...] = ()
    """What ``--no`` names."""
    marked: bool = False
    """Whether any mark stood there."""
    weighted: bool = False
    """Whether words are weighed, as prompts of tags do."""


@dataclass
class _Taken:
    told: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)


def strip_marks(text: str) -> Unmarked:
    """``text`` without marks; text without any comes back as it is."""
    taken = _Taken()
    plain = _FILE.sub(lambda hit: _told_file(hit, taken), text)
    plain = _EMBEDDING.sub(lambda hit: _told_embedding(hit, taken), plain)
    plain = _flags(plain, taken)
    plain = _BREAK.sub(". ", plain)
    plain = _AND.sub("and", plain)
    named = _NAMED.sub("", plain).replace("\\(", "").replace("\\)", "")
    plain = _brackets(named)
    if plain == text:
        return Unmarked(text)
    text = re.sub(r"[ \t]{2,}", " ", _NOT_WORDS.sub(r"\1", plain)).strip(" ,")
    return Unmarked(text, tuple(taken.told), tuple(taken.excluded), marked=True, weighted=plain != named)


def find_loras(text: str) -> tuple[str, ...]:
    """The names of the LoRAs that tags in ``text`` ask for, as written, each once."""
    return tuple(dict.fromkeys(hit.group(2).strip() for hit in _FILE.finditer(text)))


def find_weighed(text: str) -> tuple[str, ...]:
    """The words that ``text`` gives a weight, ``(word:1.3)``, each once."""
    found = (hit.group(1).strip() for hit in _WEIGHT.finditer(_FILE.sub("", text)) if hit.group().startswith("("))
    return tuple(dict.fromkeys(words for words in found if words))


def _told_file(hit: re.Match[str], taken: _Taken) -> str:
    taken.told.append(f"{hit.group()} loads nothing: a LoRA is loaded by a LoRA node of the flow")
    return ""


def _told_embedding(hit: re.Match[str], taken: _Taken) -> str:
    taken.told.append(
        f"{hit.group()} names no thing: the flow's encoder reads it where it lies in embeddings/ of a model folder, "
        "and leaves it out where it does not"
    )
    return ""


def _flags(text: str, taken: _Taken) -> str:
    """Text without its trailing flags, which are told; what ``--no`` names is excluded."""
    for hit in _WITHOUT.finditer(text):
        taken.excluded += [part.strip() for part in hit.group(1).split(",") if part.strip()]
    found = [" ".join(hit.group().split()) for hit in _VALUED.finditer(text)]
    text = _VALUED.sub("", text)
    found += [" ".join(hit.group().split()) for hit in _FLAGS.finditer(text)]
    others = [flag for flag in found if not _WITHOUT.match(flag)]
    if others:
        taken.told.append(f"flags are not read: {' '.join(others)}; the size and the seed are options here")
    return _FLAGS.sub("", text)


def _brackets(text: str) -> str:
    """Text without weights and emphasis; brackets of prose stay."""
    for _ in range(6):
        before = text
        text = _SCHEDULE.sub(lambda hit: hit.group(1) or hit.group(2), text)
        text = _TURNS.sub(r"\1", text)
        text = _WEIGHT.sub(r"\1", text)
        text = _DOUBLE.sub(lambda hit: hit.group(1) or hit.group(2) or "", text)
        text = _WEAKER.sub(r"\1", text)
        if text == before:
            break
    text = _EMPHASIS.sub(lambda hit: hit.group(1) + _emphasised(hit.group(2)), text)
    return _PLUS.sub("", text)


def _emphasised(body: str) -> str:
    """A whole segment in round brackets is emphasis, unless it denies or counts: "(not three!)", "(3)"."""
    denies = re.match(r"\s*(?:not?|never|without|\d+)\b", body, re.I)
    return f"({body})" if denies else body
