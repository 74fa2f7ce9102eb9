"""Drawing an edit: what is kept of the picture that it starts from (flow, seed, layout, pixels)."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.agents.conversation.edits import base_of
from imagewright.agents.critic.verdict import failed_checks
from imagewright.graph.parts import Parts
from imagewright.graph.repairs.ladder import next_seed
from imagewright.graph.repairs.own import follow_drawn
from imagewright.graph.repairs.tried import list_tried
from imagewright.graph.state import Attempt, State
from imagewright.intents import CreateIntent, EditIntent, Reference, Settled, VaryIntent
from imagewright.ports import Redraws
from imagewright.schemas import Candidate, Choice, ParsedPrompt, Planned, Round


def base(state: State) -> Reference | None:
    """The picture that the run changes; None for a new one."""
    if not isinstance(state.intent, EditIntent | VaryIntent):
        return None
    return base_of(state.intent, state.references)


def keep_flow(state: State, among: Sequence[Candidate]) -> Choice | None:
    """The flow of the picture that is changed, where it may draw this; None to choose anew."""
    before = base(state)
    if before is None or state.request.flow is not None or before.flow not in {c.flow for c in among}:
        return None
    return Choice(flow=before.flow, reason=f"it drew picture {before.number}", decided_by="thread")


def without_wishes(state: State) -> Settled | None:
    """A new picture as its own words say, without the person's lasting wishes; None where the person has none."""
    intent = state.intent
    if not isinstance(intent, CreateIntent) or not any(wish.on for wish in state.preferences):
        return None
    return Settled(prompt=intent.prompt, parsed=intent.parsed)


def carry_layout(state: State) -> Planned | None:
    """The layout carried over from the picture that is changed; None to plan one."""
    settled = state.settled
    if base(state) is None or settled is None or settled.layout is None:
        return None
    return Planned(parsed=settled.parsed, layout=settled.layout, decided_by="thread")


def first_seed(state: State) -> int:
    """The seed that was asked for; else an edit keeps its picture's, and a variation takes the next one."""
    before, intent = base(state), state.intent
    if isinstance(intent, EditIntent | VaryIntent) and intent.seed is not None:
        return intent.seed
    if before is None or state.request.seed is not None:
        return state.seed
    return before.seed if state.intent and state.intent.kind == "edit" else next_seed(before.seed, before_vary(state))


def before_vary(state: State) -> int:
    """How many pictures the thread has: each variation gets a seed of its own."""
    return max((reference.number for reference in state.references), default=0)


def in_the_base(parts: Parts, state: State, first: Attempt) -> tuple[Attempt, tuple[str, ...]]:
    """``first`` as a redraw of the changed regions, where the backend can do that; else with a note why it is not."""
    before, settled = base(state), state.settled
    if before is None or settled is None or not settled.redraw or first.layout is None:
        return first, ()
    flow = parts.catalogue.flow(first.flow)
    if not isinstance(parts.backend, Redraws) or not parts.backend.can_redraw(flow):
        note = f"the whole picture is drawn anew: {parts.backend.name} cannot redraw a region with {first.flow}"
        return first, (note,)
    return first.model_copy(update={"base": before.image, "edited": before.image, "regions": settled.redraw}), ()


def turn_of(state: State, made: Round) -> Reference:
    """What the thread remembers of the delivered picture."""
    settled, planned = state.settled, state.planned
    return Reference(
        run=state.run,
        prompt=settled.prompt if settled else state.request.prompt,
        said=state.said or state.request.prompt,
        image=made.image,
        flow=made.flow,
        seed=made.seed,
        number=before_vary(state) + 1,
        parsed=planned.parsed if planned else ParsedPrompt(),
        layout=made.layout,
        drawn=follow_drawn(made),
        faults=failed_checks(made.verdict.checks) if made.verdict else (),
        borne=made.verdict.borne if made.verdict else (),
        focus=settled.focus if settled else (),
        tried=list_tried(base(state), state.rounds),
    )
