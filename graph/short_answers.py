"""Short answers to questions about a picture: what changed, what it shows, how sure the critic is, why a colour."""

from __future__ import annotations

import re
from collections.abc import Callable

from imagewright.agents.conversation.edits import base_of
from imagewright.agents.critic.verdict import failed_checks
from imagewright.agents.reading.describe import describe_layout
from imagewright.agents.reading.lexicon import KNOWN_COLOURS
from imagewright.graph.fitting import list_offered, writer_for
from imagewright.graph.parts import Parts
from imagewright.graph.state import State
from imagewright.intents import QuestionIntent, Reference
from imagewright.schemas import Verdict
from imagewright.trace import Trace, read_trace

_MOST_FLOWS = 3
_OTHERS = "a larger model draws anything: `imagewright flows list` has them, and what each needs"


def tell_world(parts: Parts) -> str:
    """What can be drawn here: the words of a small model's world, or the best flows with what their cards say."""
    flows = list_offered(parts)
    if not flows:
        return "no flow can run here; `imagewright doctor` says what is missing"
    writer = writer_for(parts, flows[0])
    if writer is not None:
        rows = (f"{label}: {words}" for label, words in writer.world.list_words())
        return "\n".join((f"{writer.model} draws this and nothing else", *rows, _OTHERS))
    lines = [f"{flow.id}: {(flow.card.description or flow.card.title).splitlines()[0]}" for flow in flows[:_MOST_FLOWS]]
    return "\n".join(
        (*lines, "what a flow cannot draw is said before anything is drawn; `imagewright flows list` has all")
    )


def tell_briefly(parts: Parts, state: State, intent: QuestionIntent) -> str:
    """The answer in a line or a few; empty for a topic that the trace answers."""
    tell = _ABOUT.get(intent.topic)
    if tell is None:
        return ""
    return tell(base_of(intent, state.references), read_trace(parts.runs.trace(intent.base)), intent.about)


def _change(picture: Reference, trace: Trace, about: str) -> str:
    said = trace.said or picture.said
    if not picture.focus and said == picture.prompt:
        return f"picture {picture.number} is new, from your words: {said}"
    boxes = picture.shown.boxes if picture.shown else ()
    touched = ", ".join(dict.fromkeys(boxes[n].caption for n in picture.focus if n < len(boxes)))
    notes = "".join(f"; {note}" for note in trace.notes if note.startswith("left as it was"))
    return f"picture {picture.number} came of {said!r}{f': changed {touched}' if touched else ''}{notes}"


def _look(picture: Reference, trace: Trace, about: str) -> str:
    where = f"\n{describe_layout(picture.shown)}" if picture.shown and picture.shown.boxes else ""
    return f"picture {picture.number}: {picture.prompt}{where}"


def _sureness(picture: Reference, trace: Trace, about: str) -> str:
    verdict = _verdict(picture, trace)
    if verdict is None:
        return "nobody has checked this picture"
    judged = [check for check in verdict.checks if check.counts]
    failed = failed_checks(verdict.checks)
    wrong = f"; wrong: {'; '.join(check.detail for check in failed)}" if failed else ""
    return (
        f"the critic found {len(judged) - len(failed)} of {len(judged)} checks right, score {verdict.score:.2f}{wrong}"
    )


def _verdict(picture: Reference, trace: Trace) -> Verdict | None:
    return next((made.verdict for made in reversed(trace.rounds) if made.image == picture.image), None)


def _colour(picture: Reference, trace: Trace, about: str) -> str:
    boxes = (
        [box for box in picture.shown.boxes if re.search(rf"\b{re.escape(about)}\b", f"{box.object} {box.object}s")]
        if picture.shown and about
        else []
    )
    if about in ("background", "sky", "ground"):
        told = picture.parsed.background
        return f"the prompt says {told!r}" if told else "the prompt says nothing of the background: the model chose it"
    if not boxes:
        return f"there is no {about or 'such thing'} in picture {picture.number}: {picture.prompt}"
    colours = [word for word in boxes[0].attributes if word.split()[-1] in KNOWN_COLOURS]
    if colours:
        return f"because the prompt says so: {boxes[0].caption} ({picture.prompt})"
    thing = boxes[0].object
    return f"the prompt names no colour for the {thing}: the model chose it; say `make the {thing} red`"


_ABOUT: dict[str, Callable[[Reference, Trace, str], str]] = {
    "change": _change, "look": _look, "sureness": _sureness, "colour": _colour,
}  # fmt: skip
