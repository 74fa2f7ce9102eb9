"""What a request is drawn with, decided once: the nodes of a run and ``plan`` call the same functions.

``remember_thread`` and ``read_request`` say what is wanted, ``weigh_flows`` which flows may draw it, ``decide_flow``
which one does, and ``decide_layout`` where things go, whether that governs the pixels, and in which words. Nothing is
told and nothing is drawn here. ``plan_request`` asks one after the other; a run asks each in its node, so that a
checkpoint follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagewright.agents.conversation.edits import settle
from imagewright.agents.conversation.kinds import assume, wants_picture
from imagewright.errors import BadInput, CannotDraw
from imagewright.graph import box_order, change, choose, own_picture
from imagewright.graph.budget import nothing_made, why_stop
from imagewright.graph.field_marks import tell_marks
from imagewright.graph.fitting import fit_request, needs_boxes
from imagewright.graph.parts import Parts
from imagewright.graph.request import unpack_request
from imagewright.graph.state import Attempt, State, Update, require
from imagewright.intents import Intent, Preference, QuestionIntent, Reference, Settled
from imagewright.memory.threads import Threads
from imagewright.schemas import Candidate, DrawRequest, Layout, ParsedPrompt, Plan, Written

_OTHER_SIZES = "leave the size out; other sizes need another model: imagewright setup names ways to one"
MAX_REFERENCES = 100
"""How many earlier pictures of a thread are kept in mind."""


# --- what is wanted -------------------------------------------------------------------------


def remember_thread(state: State, parts: Parts) -> Update:
    """The thread's earlier pictures that are still kept, and the person's lasting wishes."""
    live = [turn for turn in state.turns if parts.store.has(turn.image)]
    others: list[Reference] = []
    if state.request.thread is not None:
        known = {turn.run for turn in state.turns}
        pictures = Threads(parts.runs.path).pictures(state.request.thread, before=state.run)
        others = [p for p in pictures if p.run not in known and parts.store.has(p.image)]
    wishes = parts.preferences.all() if parts.preferences else ()
    kept = (*others, *live)[-MAX_REFERENCES:]
    return {"references": box_order.with_base(parts, state.request.boxes, kept), "preferences": wishes}


def read_request(state: State, parts: Parts) -> Update:
    """The intent, and what is to be drawn for it; where nobody can be asked, the first reading is assumed.

    Raises:
        BadInput: nobody can be asked, and what is said is unclear or asks for no picture.
    """
    said = state.said or state.request.prompt
    by_hand = box_order.read_boxes(state, parts)
    intent = by_hand or parts.interpreter.interpret(said, state.references)
    notes = state.notes
    if not parts.asks:
        intent, assumption = assume(intent, lambda text: parts.interpreter.interpret(text, state.references))
        notes = (*notes, *((assumption,) if assumption else ()))
        if not wants_picture(intent):
            remedy = "say it in a conversation: imagewright chat"
            if isinstance(intent, QuestionIntent) and intent.topic == "world":
                remedy = "imagewright words lists what can be drawn here"
            raise BadInput(f"{said[:80]!r} asks for no picture", remedy)
    if intent.read_as:
        notes = (*notes, f"read as: {intent.read_as}")
    if not wants_picture(intent):
        return {"intent": intent}
    settled = add_wishes(settle(intent, state.references), intent, state.preferences)
    words = (said, *(reference.said for reference in state.references))
    fitted = fit_request(parts, state.request, settled, words)
    notes = (*notes, *(say_unread(fitted.settled.parsed) if intent.kind == "create" else ()), *fitted.told)
    request, left_out = own_picture.leave_out(state.request, intent, fitted.settled)
    update: Update = {"intent": intent, "settled": fitted.settled, "notes": (*notes, *left_out)}
    return {**update, "request": request} if left_out else update


def say_unread(parsed: ParsedPrompt) -> tuple[str, ...]:
    """What the reading left alone, in a line: all of it where nothing is claimed, else what has no place."""
    if not parsed.unread:
        return ()
    lead = "not read" if parsed.sure else "left alone"
    tail = "" if parsed.sure else "; no boxes and no counts, the words go to the model as they are"
    return (f"{lead}: {'; '.join(parsed.unread)}{tail}",)


def add_wishes(settled: Settled, intent: Intent, preferences: tuple[Preference, ...]) -> Settled:
    """A new picture with the person's lasting wishes, where its prompt does not say otherwise itself."""
    wishes = [wish for wish in preferences if wish.on]
    if intent.kind != "create" or not wishes:
        return settled
    parsed = settled.parsed
    named = {group.object for group in parsed.groups}
    style = () if parsed.style else tuple(w.text for w in wishes if w.kind == "style")
    never = tuple(w.text for w in wishes if w.kind == "never" and w.text not in {*named, *parsed.negative})
    prompt = ", ".join([settled.prompt, *style, *(f"no {text}" for text in never)])
    parsed = parsed.model_copy(update={"style": (*parsed.style, *style), "negative": (*parsed.negative, *never)})
    return settled.model_copy(update={"prompt": prompt, "parsed": parsed})


# --- the flow -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weighed:
    """The flows for one request, and which of them may be chosen from."""

    settled: Settled
    """What is drawn: without the person's lasting wishes, where no flow here can draw them."""
    generation: int
    candidates: tuple[Candidate, ...]
    """Every flow, best first."""
    among: tuple[Candidate, ...]
    """Those to choose from; all can run here."""
    notes: tuple[str, ...] = ()
    """What the person should know when one of them draws."""
    refusal: CannotDraw | None = None
    """Why none of them draws; with ``anyway`` one of ``among`` would."""


def weigh_flows(state: State, parts: Parts) -> Weighed:
    """Rank the flows for what is wanted.

    Raises:
        BadInput: there is no flow of the name that the request gives.
    """
    settled, categories = require(state.settled, "settled intent"), require(state.categories, "categories")
    generation = parts.catalogue.generation()
    found = choose.rank_flows(parts, state.request, settled.prompt, settled.parsed, categories)
    if not found.able and (bare := change.without_wishes(state)) is not None:
        plain = fit_request(parts, state.request, bare).settled
        found, settled = choose.rank_flows(parts, state.request, plain.prompt, plain.parsed, categories), plain
    request = state.request.model_copy(update={"prompt": settled.prompt})
    found, among, refusal = _choosable(parts, request, found, settled.parsed)
    notes = ("your lasting wishes are left out: no flow here can draw them",) if settled != state.settled else ()
    if warning := choose.cannot_draw(found):
        notes = (*notes, f"{warning}; drawn anyway")
    return Weighed(settled, generation, found.candidates, among, () if refusal else notes, refusal)


def _choosable(
    parts: Parts, request: DrawRequest, found: choose.Ranked, parsed: ParsedPrompt
) -> tuple[choose.Ranked, tuple[Candidate, ...], CannotDraw | None]:
    """The ranking narrowed to a named flow, the candidates to choose from, and why none of them draws."""
    try:
        found = own_picture.insist_on_start(parts, request, choose.narrow_to_named(parts, request, found, parsed))
    except CannotDraw as refusal:
        return found, (), refusal
    try:
        near = partial(choose.name_nearest, parts, found)
        return found, choose.insist_on_able(found, request.anyway, parts.asks, near), None
    except CannotDraw as refusal:
        return found, found.offered, refusal


def decide_flow(state: State, parts: Parts, weighed: Weighed) -> Update:
    """The flow that has best served prompts like this one, of those that may be chosen from.

    Raises:
        BadInput: its model does not draw the size that is asked for.
    """
    categories, among = require(state.categories, "categories"), weighed.among
    choice = change.keep_flow(state, among) or choose.choose_flow(parts, state.request, categories, among, state.seed)
    if why := choose.why_no_size(parts, state.request, choice.flow):
        raise BadInput(why, _OTHER_SIZES)
    marks = tell_marks(state.request.prompt, weighed.settled, parts, choice.flow)
    beside = _note_pasted_size(state.request, parts, choice.flow) + marks
    return {
        "settled": weighed.settled,
        "generation": weighed.generation,
        "candidates": weighed.candidates,
        "choice": choice,
        "able": tuple(candidate.flow for candidate in among),
        "notes": (*state.notes, *weighed.notes, *beside),
    }


def _note_pasted_size(request: DrawRequest, parts: Parts, flow: str) -> tuple[str, ...]:
    """That the size of a pasted block is left out, where the flow's model draws one size only."""
    if not request.pasted or not choose.is_closed(parts, parts.catalogue.flow(flow)):
        return ()
    return (f"the pasted size {request.width}x{request.height} is left out: this model draws one size",)


# --- the layout and the words ---------------------------------------------------------------


def decide_layout(state: State, parts: Parts) -> Update:
    """The layout, planned or carried over from the earlier picture, and the first attempt: what governs it, its words.

    ``planned`` is where things would go; the attempt has of it what governs the pixels.
    """
    settled = require(state.settled, "settled intent")
    flow = parts.catalogue.flow(require(state.choice, "choice").flow)
    carried = change.carry_layout(state)
    planned = carried or parts.planner.plan(settled.prompt)
    needed = needs_boxes(parts, flow, settled.prompt, planned.parsed)
    words = Written(prompt=settled.prompt)
    if carried is None or needed:
        words = choose.word_prompt(parts, settled.prompt, planned.parsed, flow)
    layout = choose.governing(state.request, flow, planned.layout, needed)
    first = Attempt(flow=flow.id, seed=change.first_seed(state), prompt=words.prompt, layout=layout)
    attempt, why = change.in_the_base(parts, state, first)
    attempt, started = own_picture.start_from(parts, state, attempt)
    return {"planned": planned, "attempt": attempt, "notes": (*state.notes, *choose.additions(words), *why, *started)}


# --- all of it, drawing nothing -------------------------------------------------------------


def plan_request(parts: Parts, request: DrawRequest, checkpoints: Path | None = None) -> Plan:
    """What ``request`` would be drawn with, what else there is, and where things would go.

    ``checkpoints`` are read for a request in a thread: what it says may be about the pictures there. A prompt that
    nothing here can draw is no error: the notes say so, and the plan is what ``anyway`` would do.

    Raises:
        BadInput: the request cannot be carried out as it stands, or there is no flow of the name that it gives.
    """
    request, seed = unpack_request(request, lambda: 0)
    own_picture.check_pictures(request)
    state = State(run="", request=request, seed=seed, out="", turns=_turns(request, checkpoints))
    for step in (remember_thread, read_request):
        state = state.model_copy(update=dict(step(state, parts)))
    settled = require(state.settled, "settled intent")
    categories = choose.label(parts, request, settled.prompt, settled.parsed)
    state = state.model_copy(update={"categories": categories})
    weighed = weigh_flows(state, parts)
    refused = _refused(state, weighed)
    if weighed.among:
        state = state.model_copy(update=dict(decide_flow(state, parts, weighed)))
        state = state.model_copy(update=dict(decide_layout(state, parts)))
    return _as_plan(state, parts, weighed).model_copy(
        update={"notes": (*refused, *state.notes, *parts.take_fallbacks())}
    )


def _turns(request: DrawRequest, checkpoints: Path | None) -> tuple[Reference, ...]:
    """What the present line of the request's thread has delivered."""
    if request.thread is None or checkpoints is None:
        return ()
    from imagewright.graph.lines import present
    from imagewright.graph.runner import thread_id

    return present(checkpoints, thread_id("", request))


def _refused(state: State, weighed: Weighed) -> tuple[str, ...]:
    """Why a run would end before its first picture, and what would help."""
    reason = why_stop(state)
    errors = (nothing_made(reason) if reason else None, weighed.refusal)
    return tuple(text for error in errors if error for text in (str(error), error.remedy) if text)


def _as_plan(state: State, parts: Parts, weighed: Weighed) -> Plan:
    """The decisions of ``state``, as far as they went."""
    attempt, settled = state.attempt, require(state.settled, "settled intent")
    first = state.choice.flow if state.choice else state.request.flow
    known = {candidate.flow: candidate for candidate in (*weighed.among, *weighed.candidates)}
    layout = Layout()
    if state.request.use_layout:
        layout = state.planned.layout if state.planned else parts.planner.plan(settled.prompt).layout
    return Plan(
        prompt=state.request.prompt,
        categories=state.categories.telling if state.categories else (),
        candidates=tuple(sorted(known.values(), key=lambda candidate: candidate.flow != first)),
        layout=layout,
        flow=attempt.flow if attempt else "",
        reason=state.choice.reason if state.choice and not state.request.flow else "",
        governs=attempt is not None and choose.placing(attempt.layout) is not None,
        drawn_from=attempt.prompt if attempt else settled.prompt,
    )
