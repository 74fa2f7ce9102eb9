"""Choosing a flow among those that can run here and can draw the prompt, and saying why where none can.

Beside it what the chosen flow decides: whether the planned layout governs its picture, and in which words its model
takes the prompt. ``draw`` and ``plan`` share this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from imagewright.agents.selector.explore import sample_flow
from imagewright.errors import CannotDraw
from imagewright.flow_pictures import check_with, say_brought
from imagewright.graph.fitting import needs_boxes, writer_for
from imagewright.graph.parts import Parts
from imagewright.ports import KnowsWorlds, StatesWorlds
from imagewright.schemas import (
    Candidate,
    Categories,
    Choice,
    DrawRequest,
    Flow,
    Layout,
    ParsedPrompt,
    Value,
    Written,
)
from imagewright.t2i_backends.several import SeveralBackends

_MOST_NEAR = 3
"""For how many words a refusal names the nearest one."""


class Ranked(Value):
    """The index's answer for one prompt, and what the backend says of it."""

    candidates: tuple[Candidate, ...]
    """Every flow, best first."""
    offered: tuple[Candidate, ...]
    """Those that may be chosen from; all can run here."""
    limits: Mapping[str, tuple[str, ...]]
    """For each offered flow the words that its model cannot draw."""

    @property
    def able(self) -> tuple[Candidate, ...]:
        """The offered flows whose models can draw all of the prompt."""
        return tuple(candidate for candidate in self.offered if not self.limits[candidate.flow])

    @property
    def elsewhere(self) -> Candidate | None:
        """The flow that would serve best of those that cannot run here: first of those that files or memory would help.

        What this backend can never run is named only where there is no such flow.
        """
        others = [candidate for candidate in self.candidates if not candidate.runnable]
        return next((other for other in others if other.curable), others[0] if others else None)


def label(parts: Parts, request: DrawRequest, prompt: str, parsed: ParsedPrompt) -> Categories:
    """The prompt's categories; none where the request wants none, and evidence then counts by nearness alone."""
    if request.use_categories:
        return parts.categorizer.categorize(prompt, parsed)
    return Categories(labels=(), decided_by="the request")


def rank_flows(parts: Parts, request: DrawRequest, prompt: str, parsed: ParsedPrompt, categories: Categories) -> Ranked:
    """Rank the index for ``prompt`` and ask the backend what the offered flows cannot draw of it.

    A flow that is run with a layout is not offered where ``request`` wants none, as long as there are others; and only
    such flows are where the prompt says in words that the model does not have where things stand.
    """
    candidates = parts.catalogue.rank(prompt, parsed, categories, request.flow)
    offered = tuple(parts.catalogue.offer(candidates))
    if not request.use_layout or request.image is not None:
        free = tuple(c for c in offered if parts.catalogue.flow(c.flow).card.layout != "regions")
        offered = free or offered
    elif offered and needs_boxes(parts, parts.catalogue.flow(offered[0].flow), prompt, parsed):
        boxed = tuple(c for c in offered if parts.catalogue.flow(c.flow).card.layout == "regions")
        offered = boxed or offered
    offered = tuple(c for c in offered if not why_no_size(parts, request, c.flow)) or offered
    return _limited(parts, prompt, parsed, candidates, offered)


def why_no_size(parts: Parts, request: DrawRequest, flow: str) -> str:
    """Why ``flow`` draws nothing of the size that ``request`` names; empty where it does. A pasted size is a wish."""
    asked = (request.width, request.height)
    if request.pasted or asked == (None, None) or not isinstance(parts.backend, StatesWorlds):
        return ""
    world = parts.backend.state_world(parts.catalogue.flow(flow))
    if world is None or all(side in (None, world.side) for side in asked):
        return ""
    model = parts.catalogue.flow(flow).card.base_model or flow
    return f"{model} draws {world.side}x{world.side} pixels and no other size"


def _limited(
    parts: Parts, prompt: str, parsed: ParsedPrompt, candidates: tuple[Candidate, ...], offered: Sequence[Candidate]
) -> Ranked:
    limits = {c.flow: parts.backend.limits(parts.catalogue.flow(c.flow), prompt, parsed) for c in offered}
    return Ranked(candidates=candidates, offered=tuple(offered), limits=limits)


def narrow_to_named(parts: Parts, request: DrawRequest, found: Ranked, parsed: ParsedPrompt) -> Ranked:
    """``found`` narrowed to the flow that the request names, which may be one that is never offered.

    Raises:
        BadInput: there is no such flow.
        CannotDraw: the flow cannot run here.
    """
    if request.flow is None:
        return found
    flow = parts.catalogue.flow(request.flow)
    readiness = check_with(parts.backend, flow, say_brought(request), named=True)
    if not readiness.runnable:
        raise CannotDraw(f"flow {flow.id} cannot run here: {readiness.why_not}", "or leave --flow out")
    mine = [c for c in found.candidates if c.flow == flow.id] or [
        Candidate(flow=flow.id, title=flow.card.title, estimate=0.0, low=0.0, high=0.0, runnable=True)
    ]
    return _limited(parts, request.prompt, parsed, found.candidates, mine)


def insist_on_able(
    found: Ranked, anyway: bool, asks: bool = False, near: Callable[[], str] = str
) -> tuple[Candidate, ...]:
    """The candidates to choose from; in a conversation (``asks``) no option is named that cannot be given there.

    ``near`` says what would work, where none of them draws the prompt.

    Raises:
        CannotDraw: nothing can run here, or no flow here can draw all of the prompt and ``anyway`` is off.
    """
    if not found.offered:
        raise CannotDraw("no flow of the index can run here", why_elsewhere(found) or "add one: imagewright flows add")
    if found.able or anyway:
        return found.able or found.offered
    told = [part for part in (near(), why_elsewhere(found)) if part]
    option = [] if asks else ["imagewright draw --anyway draws what it can"]
    raise CannotDraw(cannot_draw(found), "; ".join((*told, *option)))


def cannot_draw(found: Ranked) -> str:
    """Which words the best flow that can run here does not know; empty where some flow knows them all."""
    if found.able or not found.offered:
        return ""
    first = found.offered[0]
    limits, model = found.limits[first.flow], first.base_model or first.flow
    if limits[0].startswith("nothing "):  # no word of the prompt, but that there is none
        return f"{model} cannot draw this: the prompt names {limits[0]}"
    return f"{model} cannot draw {', '.join(repr(word) for word in limits)}"


def name_nearest(parts: Parts, found: Ranked) -> str:
    """The words nearest to those that the best flow's model cannot draw, and where all of them are listed."""
    flow = parts.catalogue.flow(found.offered[0].flow)
    writer = writer_for(parts, flow)
    if writer is None:
        return ""
    words = [word for word in found.limits[flow.id] if word.isalpha()][:_MOST_NEAR]
    pairs = [(word, near) for word in words if (near := writer.name_near(word, parts.liken))]
    nearest = ", ".join(f"{near!r} for {word!r}" for word, near in pairs)
    listed = f"imagewright words lists what {writer.model} draws"
    return f"nearest: {nearest}; {listed}" if nearest else listed


def why_elsewhere(found: Ranked) -> str:
    """Which flow that cannot run here would serve best, and what it needs; empty where there is none."""
    other = found.elsewhere
    if other is None:
        return ""
    first, *more = other.why_not.split("; ")
    rest = f" (and {len(more)} more: imagewright flows check {other.flow})" if more else ""
    return f"{other.title} ({other.flow}) would serve best; it needs: {first}{rest}"


def name_backend(parts: Parts, candidates: Sequence[Candidate], flow: str) -> str:
    """The backend that draws ``flow`` in a run with these candidates: the one that it was offered on."""
    offered = next((candidate.backend for candidate in candidates if candidate.flow == flow), "")
    if offered or not isinstance(parts.backend, SeveralBackends):
        return offered or parts.backend.name
    return parts.backend.find(parts.catalogue.flow(flow)).name


def choose_flow(
    parts: Parts, request: DrawRequest, categories: Categories, among: Sequence[Candidate], seed: int
) -> Choice:  # fmt: skip
    """The selector's choice, or the one that the request names; where exploring is on, the one that ``seed`` draws."""
    if request.flow is not None:
        return Choice(flow=request.flow, reason="asked for by name", decided_by="person")
    if parts.explore:
        return sample_flow(among, seed)
    return parts.selector.select(request.prompt, categories, among)


# --- what the chosen flow decides ------------------------------------------------------------


def placing(layout: Layout | None) -> Layout | None:
    """``layout`` where it has boxes; what only says what must not appear places nothing."""
    return layout if layout is not None and layout.boxes else None


def governing(request: DrawRequest, flow: Flow, layout: Layout | None, needed: bool = False) -> Layout | None:
    """``layout`` where it governs what ``flow`` draws for ``request``; None where the flow places things itself.

    A flow that was measured from words alone is run so: of the layout only what must not appear is left. The layout
    governs it all the same where the request says ``always``, where the words cannot say where things stand
    (``needed``), where they were placed by hand, and in a conversation, for the next edit has to know it.
    """
    layout = placing(layout)
    if layout is None or not request.use_layout or request.image is not None:
        return None
    asked = request.use_layout == "always" or request.thread is not None or request.boxes is not None
    if flow.card.layout != "words" or needed or asked:
        return layout
    return Layout(background=layout.background, negative=layout.negative) if layout.negative else None


def word_prompt(parts: Parts, prompt: str, parsed: ParsedPrompt, flow: Flow) -> Written:
    """``prompt`` for the model of ``flow``; a model of a closed world gets it in the few words that it knows."""
    if (writer := writer_for(parts, flow)) is not None:
        return Written(prompt=writer.word(prompt, parsed))
    if parts.writer is None or is_closed(parts, flow):
        return Written(prompt=prompt)
    return parts.writer.write(prompt, parsed, flow.card)


def is_closed(parts: Parts, flow: Flow) -> bool:
    """Whether the flow's model knows only the words that it was trained on."""
    return isinstance(parts.backend, KnowsWorlds) and parts.backend.is_closed(flow)


def additions(written: Written) -> tuple[str, ...]:
    """What the person should know about a prompt that was written anew."""
    if written.decided_by == "rules":
        return ()
    return (f"the prompt was worded for the model; added: {', '.join(written.added) or 'nothing'}",)
