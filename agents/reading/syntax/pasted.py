"""A pasted block of a web UI: the prompt, "Negative prompt: …", then "Steps: 20, Sampler: …, Seed: 12"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEGATIVE = re.compile(r"^\s*negative prompt\s*:\s*", re.I | re.M)
_FACTS = re.compile(r"^\s*steps\s*:\s*\d+\s*,.*", re.I | re.M | re.S)
_FACT = re.compile(r"(?:^|,)\s*([A-Za-z][\w ]*?)\s*:\s*(\"[^\"]*\"|[^,\n]*)")
_SIZE = re.compile(r"^\s*(\d{2,5})\s*[x×]\s*(\d{2,5})\s*$")


@dataclass(frozen=True)
class Pasted:
    """What a block says. ``None`` where it does not."""

    positive: str
    negative: str = ""
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    others: tuple[str, ...] = ()
    """The names of the other settings, which are the flow's own here."""


def read_pasted(text: str) -> Pasted | None:
    """The block that ``text`` is; None for a plain prompt."""
    facts = _FACTS.search(text)
    rest = text[: facts.start()] if facts else text
    negative = _NEGATIVE.search(rest)
    if facts is None and negative is None:
        return None
    positive = rest[: negative.start()] if negative else rest
    said = dict(_said(facts.group())) if facts else {}
    size = _SIZE.match(said.get("size", ""))
    return Pasted(
        positive=positive.strip(),
        negative=rest[negative.end() :].strip() if negative else "",
        seed=_whole(said.get("seed", "")),
        width=int(size.group(1)) if size else None,
        height=int(size.group(2)) if size else None,
        steps=_whole(said.get("steps", "")),
        others=tuple(name for name in said if name not in {"steps", "seed", "size"}),
    )


def _said(line: str) -> list[tuple[str, str]]:
    return [(hit.group(1).lower(), hit.group(2).strip()) for hit in _FACT.finditer(line)]


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None
