"""How alike two prompts are in what a sentence embedding cannot see: objects, attributes, counts, relations, style.

A swap of left and right is .99 alike to the embedder, and so is "two" against "three"; the parsed prompt tells them
apart: by its structure (how many things, in how many groups, related or not) and by what it says of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from imagewright.schemas import ParsedPrompt, ParsedRelation

FEATURE_PARTS = {"objects": 0.40, "attributes": 0.20, "relations": 0.33, "style": 0.07}
"""What each part weighs among what a prompt says, where a prompt mentions it."""
STRUCTURE = 0.6
"""How much of the similarity of two parsed prompts is their structure: how many things and groups, related or not. It,
more than what the things are, decides which flow gets a prompt right: held-out selection on the shipped matrix
(``imagewright eval selection``) recovers twice as much of the ceiling as with a quarter."""
EMBEDDING_SHARE = 0.5
"""How much of the rest is the cosine of their embeddings; the other half is what the parsed prompts say."""
RELATED_PART = 0.5
"""The structure's similarity where one prompt states relations or places and the other none."""
_TURNED = {"right": "left", "below": "above", "in-front": "behind"}


@dataclass(frozen=True)
class Features:
    """What a parsed prompt says, ready to be compared: a bag for each part, and how many things and groups."""

    bags: Mapping[str, Counter[Hashable]]
    things: int
    groups: int


def features(prompt: ParsedPrompt | None) -> Features | None:
    """The features of a parsed prompt; None where it was never parsed, not surely read, or names nothing."""
    if prompt is None or not prompt.sure or not prompt.groups:
        return None
    bags: dict[str, Counter[Hashable]] = {
        "objects": Counter(group.object for group in prompt.groups),
        "attributes": Counter(attribute for group in prompt.groups for attribute in group.attributes),
        "relations": _relations(prompt),
        "style": Counter(prompt.style),
    }
    things = sum(max(1, group.count) for group in prompt.groups)
    return Features(bags, things, len(prompt.groups))


def prompt_similarity(cosine: float, a: Features | None, b: Features | None) -> float:
    """The similarity in [0, 1] that evidence is weighed by: structure, embedding and what the prompts say.

    Where one of the two has no features, the embedding stands alone.
    """
    near = min(1.0, max(0.0, cosine))
    if a is None or b is None:
        return near
    said = EMBEDDING_SHARE * near + (1.0 - EMBEDDING_SHARE) * feature_similarity(a, b)
    return STRUCTURE * structure_similarity(a, b) + (1.0 - STRUCTURE) * said


def structure_similarity(a: Features, b: Features) -> float:
    """1 for as many things in as many groups, related or not in both; it falls in proportion to the ratio of either."""
    same = bool(a.bags["relations"]) == bool(b.bags["relations"])
    return _ratio(a.things, b.things) * _ratio(a.groups, b.groups) * (1.0 if same else RELATED_PART)


def feature_similarity(a: Features, b: Features) -> float:
    """The weighted mean of the parts' similarities, in [0, 1]; 1 for prompts that name the same.

    Bags are compared by intersection over union; parts that neither prompt mentions do not count.
    """
    found = total = 0.0
    for name, weight in FEATURE_PARTS.items():
        one, other = a.bags[name], b.bags[name]
        if one or other:
            shared = sum(min(count, other[key]) for key, count in one.items() if key in other)
            found += weight * shared / (sum(one.values()) + sum(other.values()) - shared)
            total += weight
    return found / total if total else 1.0


def _ratio(a: int, b: int) -> float:
    return min(a, b) / max(a, b)


def _relations(prompt: ParsedPrompt) -> Counter[Hashable]:
    """Two marks for each relation, its kind and what stands on which side, and one for each absolute place.

    "A right of B" is "B left of A", so that turned phrases are the same and a swap of the sides is not.
    """
    found: Counter[Hashable] = Counter(f"at {group.position}" for group in prompt.groups if group.position)
    inside = range(len(prompt.groups))
    for relation in prompt.relations:
        if relation.subject not in inside or relation.object not in inside:
            continue
        sides = _sides(prompt, relation)
        kind = _TURNED.get(relation.relation, relation.relation)
        found[kind] += 1
        found[kind, *(sides if kind == relation.relation else sides[::-1])] += 1
    return found


def _sides(prompt: ParsedPrompt, relation: ParsedRelation) -> tuple[str, str]:
    """What a relation is between; told apart by attributes where both are of a kind."""
    first, second = (prompt.groups[place] for place in (relation.subject, relation.object))
    if first.object != second.object:
        return first.object, second.object
    return " ".join([*first.attributes, first.object]), " ".join([*second.attributes, second.object])
