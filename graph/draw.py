"""Making one picture, once: the same job is known by its content key and its picture is used again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagewright.agents.critic.repairs.base import KnownRepair
from imagewright.agents.critic.repairs.close_up import CloseUp
from imagewright.errors import Cancelled
from imagewright.flow_format import graph_hash
from imagewright.graph import choose, own_picture
from imagewright.graph.budget import seconds_left
from imagewright.graph.parts import Parts
from imagewright.graph.repairs import close_up
from imagewright.graph.repairs.ladder import region
from imagewright.graph.state import Attempt, State
from imagewright.memory.artifacts import Made, content_key
from imagewright.ports import Drawn, Job, OnStep
from imagewright.schemas import DrawRequest, Flow, Layout, Region, Repair
from imagewright.starvation import starvation_errors

Stop = Callable[[], bool]


class OutOfTime(Exception):
    """The run's seconds ended in the middle of a picture."""


def attempt_key(state: State, attempt: Attempt, flow: Flow, backend: str) -> str:
    """The content key of the picture that ``attempt`` stands for in round ``len(state.rounds)`` of the run."""
    return content_key(
        {
            "run": state.run,
            "round": len(state.rounds),
            "backend": backend,
            "graph": graph_hash(flow.graph),
            "size": [state.request.width, state.request.height],
            "attempt": {**attempt.model_dump(mode="json", exclude={"repair"}), **_repair_of(attempt)},
        }
    )


def _repair_of(attempt: Attempt) -> dict[str, object]:
    """The repair without its reason, with the fields of every kind: so hold it the keys of pictures made long ago."""
    if attempt.repair is None:
        return {"repair": None}
    plain = attempt.repair.model_dump(mode="json", exclude={"reason"})
    return {"repair": {**dict.fromkeys(Repair.once), **plain}}


def make(parts: Parts, state: State, attempt: Attempt, on_step: OnStep) -> tuple[str, Made]:
    """The picture of ``attempt`` and its content key: the one made before where there is one, else drawn and stored.

    Raises:
        Cancelled: the person stopped the run.
        OutOfTime: the run's seconds ended before the picture was done.
        MachineTrouble: memory or file handles ran out.
    """
    flow = parts.catalogue.flow(close_up.flow_of(attempt.flow, attempt.repair))
    backend = choose.name_backend(parts, state.candidates, flow.id)
    key = attempt_key(state, attempt, flow, backend)
    if (before := parts.store.find(key)) is not None:
        return key, before
    deadline = parts.clock() + seconds_left(state)
    try:
        with starvation_errors():
            drawn = draw_attempt(parts, state, attempt, flow, on_step, _stop(parts, deadline), (key, backend))
    except Cancelled:
        if parts.stop.is_set() or state.request.max_seconds is None:
            raise
        raise OutOfTime from None
    image, more = parts.store.put_image(drawn.image), tuple(parts.store.put_image(other) for other in drawn.more)
    others = {"batch pictures": " ".join((image, *more))} if more else {}
    made = Made(
        image=image, seconds=drawn.seconds, facts={**drawn.facts, **others}, more=more, graph=drawn.graph, run=state.run
    )
    parts.store.put_made(key, made)
    return key, made


def _stop(parts: Parts, deadline: float) -> Stop:
    return lambda: parts.stop.is_set() or parts.clock() > deadline


def draw_attempt(
    parts: Parts,
    state: State,
    attempt: Attempt,
    flow: Flow,
    on_step: OnStep,
    stop: Stop,
    known_as: tuple[str, str] = ("", ""),
) -> Drawn:
    """What the backend draws for ``attempt``; a close-up is put back into its picture.

    ``known_as`` is the content key of the step and the backend that draws; without a key it is drawn in any case.

    Raises:
        ImagewrightError: what the backend raises.
    """
    repair, (key, backend) = attempt.repair, known_as
    if not isinstance(repair, CloseUp) or attempt.base is None:
        job = replace(job_of(parts, state, attempt, flow), key=key, backend=backend)
        drawn = parts.backend.draw(job, on_step, stop)
        return own_picture.keep_rest(parts, state.request, attempt.base, drawn, flow)
    whole = parts.store.open(attempt.base)
    job = replace(close_up.job(whole, repair, flow, attempt.seed), key=key, backend=backend, rules=parts.rules)
    drawn = parts.backend.draw(job, on_step, stop)
    return replace(drawn, image=close_up.put_back(whole, drawn.image, repair.moved))


def job_of(parts: Parts, state: State, attempt: Attempt, flow: Flow) -> Job:
    """The backend's job: the attempt, the flow's own settings, and the layout's boxes as regions."""
    layout = attempt.layout
    width, height = _size(parts, state.request, flow)
    job = Job(
        flow=flow,
        prompt=attempt.prompt,
        negative=negative_of(flow, wanted_negative(state.request, layout)),
        seed=attempt.seed,
        width=width,
        height=height,
        steps=state.request.steps,
        guidance=state.request.guidance,
        regions=tuple(region(box) for box in layout.boxes) if layout else (),
        rules=parts.rules,
    )
    return own_picture.start_job(parts, state.request, job, attempt.base, redrawn(attempt))


def _size(parts: Parts, request: DrawRequest, flow: Flow) -> tuple[int | None, int | None]:
    """The size that is asked for; that of a pasted block is left out where the model draws one size only."""
    left_out = request.pasted and choose.is_closed(parts, flow)
    return (None, None) if left_out else (request.width, request.height)


def redrawn(attempt: Attempt) -> tuple[Region, ...]:
    """The regions that ``attempt`` draws anew; none for a whole picture."""
    if attempt.base is None:
        return ()
    if attempt.base == attempt.edited and attempt.regions:
        return attempt.regions
    part = attempt.repair.part(attempt.layout) if isinstance(attempt.repair, KnownRepair) else None
    return () if part is None else (region(part),)


def wanted_negative(request: DrawRequest, layout: Layout | None) -> str:
    """What must not appear: of the layout, and of the request itself."""
    return ", ".join(text for text in (layout.negative if layout else "", request.negative) if text)


def negative_of(flow: Flow, wanted: str) -> str | None:
    """The layout's negative prompt joined to the flow's own; None leaves what the flow states."""
    bindings = flow.card.slots.get("negative", ())
    if not wanted or not bindings:
        return None
    own = flow.graph[bindings[0].node]["inputs"].get(bindings[0].input)
    return f"{own}, {wanted}" if isinstance(own, str) and own.strip() else wanted
