"""The scorer of mini's evidence: how much of the prompt a detector finds in the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from imagewright.ports import Detector, Picture
from imagewright.schemas import Detection, ParsedGroup, ParsedPrompt
from imagewright.synonyms import plainly
from imagewright.tools.detect import MiniDetector


class DetectorScorer:
    """Agreement of what was asked with what the *evidence* detector sees, in [0, 1].

    Three parts in ten are the relations kept (where any is asked), the rest is the F1 of asked and seen things; a
    thing of the right shape in a wrong colour counts half, and so does a half-formed one (``MiniDetector.sure``). The
    critic uses another detector, the judge none.
    """

    def __init__(self, detector: Detector | None = None, synonyms: Mapping[str, str] | None = None) -> None:
        if detector is None:
            detector = MiniDetector.load("evidence")
            synonyms = detector.synonyms
        self._detector, self._synonyms = detector, synonyms or {}
        rule = "agreement and form" if self._detector.sure else "agreement"
        self.name = f"{rule}/{getattr(self._detector, 'name', 'detector')}"

    def score(self, prompt: str, parsed: ParsedPrompt, image: Picture) -> float:
        """The agreement of ``image`` with ``parsed``; higher is better."""
        parsed = plainly(parsed, self._synonyms)
        things = [d for d in self._detector.detect(image) if d.object != "background"]
        agreement = things_score(parsed.groups, things, self._detector.colours, self._detector.sure)
        kept = relations_score(parsed, things, self._detector.colours)
        return agreement if kept is None else 0.7 * agreement + 0.3 * kept


def things_score(
    groups: Sequence[ParsedGroup], things: Sequence[Detection], colours: frozenset[str], sure: float = 0.0
) -> float:
    """The F1 of asked and seen things; a half for a right shape in a wrong colour or less sure than ``sure``."""
    asked = Counter({(g.object, _colour(g, colours)): g.count for g in groups})
    seen = Counter((d.object, d.attributes[0] if d.attributes else "", d.score >= sure) for d in things)
    total = asked.total() + seen.total()
    if not total:
        return 1.0
    matched = 0.0
    for (name, colour), count in list(asked.items()):
        keys = [k for k in seen if k[0] == name and colour in ("", k[1])]
        for key in sorted(keys, key=lambda k: not k[2]):
            taken = min(count, seen[key])
            matched, count = matched + taken * (1.0 if key[2] else 0.5), count - taken
            seen[key] -= taken
        asked[name, colour] = count
    shapes_asked, shapes_seen = Counter[str](), Counter[str]()
    for (name, _), count in asked.items():
        shapes_asked[name] += count
    for (name, _, _), count in seen.items():
        shapes_seen[name] += count
    half = (shapes_asked & shapes_seen).total()
    return 2 * (matched + 0.5 * half) / total


def relations_score(parsed: ParsedPrompt, things: Sequence[Detection], colours: frozenset[str]) -> float | None:
    """The share of the stated relations that every pair of their things keeps by centres; None if none is stated."""
    stated = [r for r in parsed.relations if r.relation in ("left", "right", "above", "below")]
    if not stated:
        return None
    kept = 0
    for relation in stated:
        first = _members(parsed.groups[relation.subject], things, colours)
        second = _members(parsed.groups[relation.object], things, colours)
        pairs = [(a, b) for a in first for b in second]
        kept += bool(pairs) and all(_holds(a, b, relation.relation) for a, b in pairs)
    return kept / len(stated)


def _members(group: ParsedGroup, things: Sequence[Detection], colours: frozenset[str]) -> list[Detection]:
    colour = _colour(group, colours)
    return [d for d in things if d.object == group.object and (not colour or colour in d.attributes)]


def _colour(group: ParsedGroup, colours: frozenset[str]) -> str:
    return next((a for a in group.attributes if a in colours), "")


def _holds(a: Detection, b: Detection, relation: str) -> bool:
    across, down = a.displacement(b)
    return {"left": across > 0, "right": across < 0, "above": down > 0, "below": down < 0}[relation]
