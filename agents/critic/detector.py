"""The critic by rules: asks a detector what is in the picture and compares it with what was asked.

The checks follow GenEval's questions (Ghosh et al. 2023: presence, count, colour, position by box centres). What the
detector does not know is listed as not judged and never fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from imagewright.agents.critic.repair import offer_later, propose, see_wrong
from imagewright.agents.critic.sight import Sight, Wanted, locate, see, stand_in_place, stand_some
from imagewright.agents.critic.verdict import failed_checks, not_judged, verdict
from imagewright.ports import Detector, Picture
from imagewright.schemas import Check, Layout, ParsedPrompt, Verdict
from imagewright.synonyms import plain_boxes, plainly


@dataclass(frozen=True)
class DetectorCritic:
    """Judges what its detector can see."""

    detector: Detector
    synonyms: Mapping[str, str] = field(default_factory=dict)
    """Other words for the labels and colours of the detector."""

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """The verdict on ``image``, with the first repair of the fitting ladder that ``tried`` has not used up."""
        parsed = plainly(parsed, self.synonyms) if parsed.sure else ParsedPrompt(sure=False)
        layout = layout and plain_boxes(layout, self.synonyms)
        eye = self.detector
        sight = see(eye.detect(image), parsed, eye.labels, eye.colours, eye.sure)
        checks = (*_kinds(sight), *_forms(sight), *_colours(sight), *_relations(sight, parsed), *_absent(sight, parsed))
        checks = (*checks, *_others(sight, parsed), *_background(sight, parsed), *_layout(sight, layout))
        failed, drawn = failed_checks(checks), locate(sight, layout)
        if not failed:
            return verdict(checks, None, "detector").model_copy(update={"drawn": drawn})
        seen = see_wrong(sight, parsed, layout, failed)
        more = {"drawn": drawn, "nearer": offer_later(seen)}
        return verdict(checks, propose(seen, tried), "detector").model_copy(update=more)


def _kinds(sight: Sight) -> Iterator[Check]:
    """Presence and number of each kind of thing."""
    for name in dict.fromkeys(wanted.object for wanted in sight.wanted):
        if name not in sight.labels:
            yield not_judged("present", f"this critic does not know {name!r}")
            continue
        same = tuple(wanted for wanted in sight.wanted if wanted.object == name)
        asked, seen = _asked_for(same), len(sight.of_kind(name))
        told = f"{name}: {asked} wanted"
        yield Check(name="present", passed=seen > 0, detail=f"{name}: wanted, {seen or 'none'} seen", wanted=name)
        yield Check(name="count", passed=_suffices(same, seen), detail=f"{told}, {seen} seen", wanted=told)


def _forms(sight: Sight) -> Iterator[Check]:
    """Whether the things of each kind that was asked for are whole, where the detector's scores tell."""
    for name in dict.fromkeys(wanted.object for wanted in sight.wanted):
        seen = sight.of_kind(name)
        if seen and sight.sure:
            broken = sum(not thing.whole for thing in seen)
            told = f"{name}: whole"
            detail = f"{told} wanted, {f'{broken} half-formed' if broken else 'whole'}"
            yield Check(name="form", passed=not broken, detail=detail, wanted=told)


def _asked_for(same: Sequence[Wanted]) -> str:
    """The number that groups of one kind ask for together, in words: ``3``, or ``some`` for a guess."""
    total = sum(wanted.count for wanted in same)
    stated = sum(wanted.count for wanted in same if wanted.exact)
    return str(total) if stated == total else f"more than {stated}" if stated else "some"


def _suffices(same: Sequence[Wanted], seen: int) -> bool:
    """Whether ``seen`` things meet groups of one kind: their sum exactly, or any more where a count is a guess."""
    stated = sum(wanted.count for wanted in same if wanted.exact)
    return seen == stated if all(wanted.exact for wanted in same) else seen > stated


def _colours(sight: Sight) -> Iterator[Check]:
    for wanted in sight.wanted:
        same = sight.alike(wanted)
        if wanted.colour and wanted.object in sight.labels and same[0] is wanted:
            seen = len(sight.matching(wanted))
            told = f"{wanted.name}: {_asked_for(same)} wanted"
            yield Check(name="attribute", passed=_suffices(same, seen), detail=f"{told}, {seen} seen", wanted=told)
        for word in wanted.unknown:
            yield not_judged("attribute", f"this critic cannot tell whether a {wanted.object} is {word}")


def _relations(sight: Sight, parsed: ParsedPrompt) -> Iterator[Check]:
    for relation in parsed.relations:
        subject, other = sight.wanted[relation.subject], sight.wanted[relation.object]
        words = f"{subject.name} {relation.relation} {other.name}"
        known = {subject.object, other.object} <= sight.labels
        answer = stand_some(relation.relation, sight, subject, other) if known else None
        yield _place(answer, words)
    for wanted, group in zip(sight.wanted, parsed.groups, strict=True):
        if group.position:
            known = wanted.object in sight.labels
            answer = stand_in_place(group.position, sight.matching(wanted)) if known else None
            yield _place(answer, f"{wanted.name} at the {group.position}")


def _place(answer: bool | None, words: str) -> Check:
    if answer is None:
        return not_judged("relation", words)
    return Check(name="relation", passed=answer, detail=words if answer else f"{words}: not so", wanted=words)


def _absent(sight: Sight, parsed: ParsedPrompt) -> Iterator[Check]:
    for name in parsed.negative:
        if name in sight.labels:
            seen = len(sight.of_kind(name))
            told = f"{name}: none wanted"
            yield Check(name="absent", passed=not seen, detail=f"{told}, {seen or 'none'} seen", wanted=told)
        else:
            yield not_judged("absent", f"this critic does not know {name!r}")


def _others(sight: Sight, parsed: ParsedPrompt) -> Iterator[Check]:
    """Things that nobody asked for count only where the detector knows all that was asked for."""
    if parsed.groups and sight.knows_all:
        extra = [f"{thing.colour} {thing.object}".strip() for thing in sight.unasked]
        told = "nothing else wanted"
        detail = f"{told}, {', '.join(extra) or 'nothing'} seen"
        yield Check(name="absent", passed=not extra, detail=detail, wanted=told)


def _background(sight: Sight, parsed: ParsedPrompt) -> Iterator[Check]:
    """Only a plain colour can be judged."""
    words = parsed.background.lower().replace("grey", "gray").split()
    asked = [word for word in words if word in sight.colours or word == sight.background]
    if asked and sight.background:
        told = f"a {asked[0]} background wanted"
        detail = f"{told}, {sight.background} seen"
        yield Check(name="background", passed=asked[0] == sight.background, detail=detail, wanted=told)
    elif parsed.background:
        yield not_judged("background", f"this critic cannot judge {parsed.background!r}")


def _layout(sight: Sight, layout: Layout | None) -> Iterator[Check]:
    """How well the picture keeps to the plan; told, never counted."""
    for number, box in enumerate(layout.boxes if layout else ()):
        if box.object not in sight.labels:
            continue
        wanted = Wanted.of(box.object, box.attributes, 1, sight.colours)
        overlap = max((box.iou(thing.box) for thing in sight.matching(wanted)), default=0.0)
        detail = f"{box.caption}: overlap with its box {overlap:.2f}"
        yield Check(name="layout", passed=True, detail=detail, box=number)
