"""The nodes: each reads the state, does one thing with the parts of the run, and returns what it sets."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator

from langgraph.runtime import Runtime

from imagewright.agents.critic.repairs.close_up import alone
from imagewright.agents.critic.verdict import why_unchecked
from imagewright.errors import Cancelled, Fault, ImagewrightError
from imagewright.graph import budget, change, choose, decide, delivery, draw
from imagewright.graph.budget import ground, insist_on_room, nothing_made, pick_delivered, why_stop
from imagewright.graph.choose import governing, placing
from imagewright.graph.events import (
    flow_in_words,
    phrase_layout,
    phrase_repair,
    phrase_verdict,
    tell,
    tell_node,
    tell_notes,
)
from imagewright.graph.fitting import needs_boxes
from imagewright.graph.parts import Parts
from imagewright.graph.repairs import own
from imagewright.graph.repairs import polish as polishing
from imagewright.graph.repairs.ladder import refine_attempt
from imagewright.graph.repairs.tried import list_tried
from imagewright.graph.spending import meter, picture_name
from imagewright.graph.state import State, Update
from imagewright.graph.state import require as _there
from imagewright.intents import Settled
from imagewright.ports import Redraws, Step
from imagewright.schemas import Box, Categories, Flow, ParsedPrompt, Round, RunEvent, Verdict

GraphNode = Callable[[State, Runtime[Parts]], Update]


def node(work: Callable[[State, Parts], Update]) -> GraphNode:
    """Make a node of ``work``: it is announced, it can be stopped, and what it spends is counted."""

    @functools.wraps(work)
    def run(state: State, runtime: Runtime[Parts]) -> Update:
        parts = runtime.context
        if parts.stop.is_set():
            raise Cancelled("the run was stopped", f"go on with: imagewright runs resume {state.run}")
        tell_node(state, work.__name__)
        with meter(state, parts, work.__name__) as counted:
            update = _with_fallbacks(counted.state, parts, work(counted.state, parts))
        return {**update, **counted.update(update)}

    run.__annotations__ = {"state": State, "runtime": Runtime[Parts], "return": Update}
    del run.__wrapped__  # LangGraph reads the signature to know what to pass
    return run


def _with_fallbacks(state: State, parts: Parts, update: Update) -> Update:
    """Tell what a language model left to the rules, and note it for the trace."""
    fallbacks = parts.take_fallbacks()
    for text in fallbacks:
        tell(RunEvent(kind="fallback", run=state.run, text=text))
    return {**update, "notes": (*update.get("notes", state.notes), *fallbacks)} if fallbacks else update


def _settled(state: State) -> Settled:
    return _there(state.settled, "settled intent")


def _noted(state: State, *notes: str) -> tuple[str, ...]:
    """The notes with new ones, which are told."""
    tell_notes(state, notes)
    return (*state.notes, *notes)


# --- before drawing -------------------------------------------------------------------------


@node
def categorize(state: State, parts: Parts) -> Update:
    """Label the prompt."""
    settled = _settled(state)
    categories = choose.label(parts, state.request, settled.prompt, settled.parsed)
    tell(RunEvent(kind="categories", run=state.run, text=", ".join(categories.telling) or "none that is sure"))
    return {"categories": categories}


@node
def select_flow(state: State, parts: Parts) -> Update:
    """Choose the flow that has best served prompts like this one and can draw it here."""
    insist_on_room(state, parts.asks)
    weighed = decide.weigh_flows(state, parts)
    if weighed.refusal is not None:
        raise weighed.refusal
    update = decide.decide_flow(state, parts, weighed)
    choice = update["choice"]
    text = flow_in_words(choice.flow, choice.reason, weighed.candidates, update["able"])
    tell(RunEvent(kind="flow", run=state.run, text=text))
    tell_notes(state, weighed.notes)
    return update


@node
def plan_layout(state: State, parts: Parts) -> Update:
    """Place what the prompt names, or carry the earlier picture's layout over, and set up the first picture."""
    update = decide.decide_layout(state, parts)
    tell(phrase_layout(state.run, update["attempt"].layout))
    tell_notes(state, update["notes"][len(state.notes) :])
    return update


# --- drawing and judging --------------------------------------------------------------------


@node
def generate(state: State, parts: Parts) -> Update:
    """Draw the attempt, or take the picture that it made before; keep what there is when a later round fails."""
    attempt = _there(state.attempt, "attempt")
    state, reason = budget.allow(state, parts, attempt)
    if reason:
        return _ended(state, reason)
    try:
        key, made = draw.make(parts, state, attempt, lambda step: _tell_step(state, parts, step))
    except draw.OutOfTime:
        return _ended(state, budget.out_of_time(state, parts))
    except ImagewrightError as error:
        if isinstance(error, Cancelled) or not state.rounds:
            raise
        return _ended(state, str(error))
    parts.account.add_picture(picture_name(parts, state, attempt.flow))
    number = len(state.rounds) + 1
    tell(RunEvent(kind="image", run=state.run, text=f"picture {number}, seed {attempt.seed}", image=made.image))
    drawn = Round(
        image=made.image,
        flow=attempt.flow,
        seed=attempt.seed,
        prompt=attempt.prompt,
        layout=attempt.layout,
        repair=attempt.repair,
        base=attempt.base,
        redrawn=draw.redrawn(attempt),
        seconds=round(made.seconds, 3),
    )
    return {"rounds": (*state.rounds, drawn), "keys": (*state.keys, key), **_limits(state)}


def _ended(state: State, reason: str) -> Update:
    """No further picture may be made, or none could be: deliver what there is.

    Raises:
        BudgetSpent: there is nothing.
    """
    if not state.rounds:
        raise nothing_made(reason)
    words = f"stopped: {reason}; the best picture is delivered"
    return {"stopped": reason, "notes": _noted(state, words), **_limits(state)}


def _limits(state: State) -> Update:
    """What the person said about limits."""
    return {"extended": state.extended, "declined": state.declined}


def _tell_step(state: State, parts: Parts, step: Step) -> None:
    if step.text:
        tell(RunEvent(kind="note", run=state.run, text=step.text))
        return
    text = f"step {step.step} of {step.total}"
    tell(RunEvent(kind="step", run=state.run, text=text, step=step.step, total=step.total))
    if step.preview is not None:
        preview = parts.store.put_preview(state.run, step.preview)
        tell(RunEvent(kind="preview", run=state.run, text=text, step=step.step, total=step.total, image=preview))


@node
def critique(state: State, parts: Parts) -> Update:
    """Judge the last picture, and say why no further one is made where none is."""
    last = state.rounds[-1]
    if parts.critic is None:
        raise Fault("critique was reached without a critic")
    tried = tuple(_answered(state.rounds, last.flow))
    parsed = _there(state.planned, "plan").parsed
    critic = parts.critic(parts.catalogue.flow(last.flow))
    judged_so = critic.judge(parts.store.open(last.image), _settled(state).prompt, parsed, last.layout, tried)
    verdict = own.narrow_to_edit(state, judged_so)
    tell(phrase_verdict(state.run, verdict, last.image))
    rounds = (*state.rounds[:-1], last.model_copy(update={"verdict": verdict}))
    judged = state.model_copy(update={"rounds": rounds})
    reason = "" if verdict.accepted or polishing.is_polished(last) else why_stop(judged, parts.asks)
    silent = why_unchecked(verdict)
    notes = [f"stopped: {reason}; the best picture is delivered"] if reason else []
    notes += [f"the picture was not checked: {silent}"] if silent else []
    notes += own.list_borne(state, verdict)
    beauty, more = polishing.judge_polish(judged, parts)
    return {"rounds": rounds, "stopped": reason, "notes": _noted(state, *notes, *more), **beauty}


def _answered(rounds: tuple[Round, ...], flow: str) -> Iterator[Verdict]:
    """The earlier verdicts on ``flow``'s pictures, each with the repair that was made of it, proposed or not."""
    for before, after in itertools.pairwise(rounds):
        if before.verdict is not None and before.flow == flow:
            yield before.verdict.model_copy(update={"repair": after.repair})


@node
def refine(state: State, parts: Parts) -> Update:
    """Apply the verdict's repair to the next attempt, or to a picture that is right the suggestion for its beauty."""
    if polishing.pending(state):
        attempt = polishing.attempt(state)
        tell(phrase_repair(state.run, _there(attempt.repair, "repair"), attempt.layout))
        return {"attempt": attempt}
    canonical = parts.canonical_prompt(_there(state.planned, "plan").parsed)
    tried = list_tried(change.base(state), state.rounds)
    attempt = refine_attempt(state, canonical, tried, _others(state, parts), _flow_for_part(state, parts))
    if attempt.flow != ground(state.rounds).flow:
        boxes = placing(attempt.layout) or _there(state.planned, "plan").layout
        flow, parsed = parts.catalogue.flow(attempt.flow), _there(state.planned, "plan").parsed
        needed = needs_boxes(parts, flow, _settled(state).prompt, parsed)
        layout = governing(state.request, flow, boxes, needed)
        attempt = attempt.model_copy(update={"layout": layout})
    tell(phrase_repair(state.run, _there(attempt.repair, "repair"), attempt.layout))
    return {"attempt": attempt}


def _others(state: State, parts: Parts) -> tuple[str, ...]:
    """The flows that draw from words alone, best first, where the best picture so far is by one that needs boxes."""
    drawn_with_boxes = parts.catalogue.flow(ground(state.rounds).flow).card.layout == "regions"
    if not drawn_with_boxes or state.request.thread or state.request.use_layout == "always":
        return ()
    return tuple(flow for flow in state.able if parts.catalogue.flow(flow).card.layout == "words")


def _flow_for_part(state: State, parts: Parts) -> Callable[[str, Box], str | None]:
    """How the flow is found that draws one thing of the best picture so far anew.

    The flow on the picture's own model that draws from words alone and served prompts for such a thing best; a flow
    that the person asked for by name is kept. None where no flow can redraw.
    """

    def find(prompt: str, thing: Box) -> str | None:
        backend = parts.backend
        if not isinstance(backend, Redraws):
            return None
        return next((flow.id for flow in _fitting(state, parts, prompt, thing) if backend.can_redraw(flow)), None)

    return find


def _fitting(state: State, parts: Parts, prompt: str, thing: Box) -> Iterator[Flow]:
    if state.request.flow:
        yield parts.catalogue.flow(state.request.flow)
        return
    nothing = Categories(labels=(), decided_by="the close-up")
    found = parts.catalogue.offer(parts.catalogue.rank(prompt, alone(thing, ParsedPrompt()), nothing))
    model = parts.catalogue.flow(ground(state.rounds).flow).card.base_model
    for flow in (parts.catalogue.flow(candidate.flow) for candidate in found):
        if flow.card.layout != "regions" and flow.card.base_model == model:
            yield flow


@node
def deliver(state: State, parts: Parts) -> Update:
    """Deliver the best picture, once."""
    result = delivery.deliver(parts, state)
    turn = change.turn_of(state, pick_delivered(state))
    tell(RunEvent(kind="delivered", run=state.run, text=result.path, image=result.image))
    return {"result": result, "turns": (*(t for t in state.turns if t.run != state.run), turn)}
