"""How alike two prompts are in what a sentence embedding cannot see: objects, attributes, counts, relations, style.

A swap of left and right is .99 alike to the embedder, and so is "two" against "three"; the parsed prompt tells them
apart. Each part gives a similarity in [0, 1]; parts that neither prompt mentions do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from imagewright.schemas import ParsedPrompt, ParsedRelation

PARTS = {"objects": 0.30, "attributes": 0.15, "relations": 0.25, "style": 0.05}
"""What each part weighs where a prompt mentions it."""
COUNTS = 0.25
"""What the number of things and of groups weighs."""
EMBEDDING_SHARE = 0.5
"""How much of the similarity of two parsed prompts is the cosine of their embeddings."""
_TURNED = {"right": "left", "below": "above", "in-front": "behind"}


@dataclass(frozen=True)
class Features:
    """What a parsed prompt says, ready to be compared: a bag for each part, and how many things and groups."""

    bags: Mapping[str, Counter[Hashable]]
    things: int
    groups: int


def features(prompt: ParsedPrompt | None) -> Features | None:
    """The features of a parsed prompt; None where it was never parsed, or names nothing."""
    if prompt is None or not prompt.groups:
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
    """The similarity in [0, 1] that evidence is weighed by: embedding and parsed features, half each.

    Where one of the two has no features, the embedding stands alone.
    """
    near = min(1.0, max(0.0, cosine))
    if a is None or b is None:
        return near
    return EMBEDDING_SHARE * near + (1.0 - EMBEDDING_SHARE) * feature_similarity(a, b)


def feature_similarity(a: Features, b: Features) -> float:
    """The weighted mean of the parts' similarities, in [0, 1]; 1 for prompts that say the same.

    Bags are compared by intersection over union; the similarity of counts is 1 for as many things in as many groups,
    and falls in proportion to the ratio of either.
    """
    found = COUNTS * _ratio(a.things, b.things) * _ratio(a.groups, b.groups)
    total = COUNTS
    for name, weight in PARTS.items():
        one, other = a.bags[name], b.bags[name]
        if one or other:
            shared = sum(min(count, other[key]) for key, count in one.items() if key in other)
            found += weight * shared / (sum(one.values()) + sum(other.values()) - shared)
            total += weight
    return found / total


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
