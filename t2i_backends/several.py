"""Several backends as one: whoever can run a flow draws it, the first in their order where more than one can."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.needs import Need
from imagewright.ports import AnswersNeeds, Backend, Drawn, IsCancelled, Job, KnowsWorlds, OnStep, Redraws, StatesWorlds
from imagewright.schemas import Flow, ParsedPrompt, Readiness
from imagewright.worlds import World


class SeveralBackends:
    """The backends of one run. ``Job.backend`` names the one that draws; each keeps its own name in the evidence."""

    def __init__(self, members: Sequence[Backend]) -> None:
        self.members = tuple(members)
        self.name = self.members[0].name
        """Of the first, for where nothing else says who draws."""
        self._told: tuple[tuple[Readiness, ...], ...] = ()
        self._least: tuple[Readiness, ...] = ()

    def find(self, flow: Flow, name: str = "") -> Backend:
        """The backend called ``name``; without one the first that can run ``flow``, else the first of all."""
        named = next((member for member in self.members if member.name == name), None)
        return named or next((m for m in self.members if m.check(flow).runnable), self.members[0])

    def check(self, flow: Flow) -> Readiness:
        """What keeps every one of them from running ``flow``, by the one that lacks least."""
        return min((member.check(flow) for member in self.members), key=lambda told: len(told.problems))

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """For each need what the one that lacks least lacks; the same tuple until one of them changes its answers."""
        told = tuple(m.missing(needs) for m in self.members if isinstance(m, AnswersNeeds))
        if len(told) != len(self._told) or any(a is not b for a, b in zip(told, self._told, strict=True)):
            self._told = told
            self._least = tuple(min(each, key=lambda one: len(one.problems)) for each in zip(*told, strict=True))
        return self._least

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """The words that the model of ``flow`` cannot draw, as the backend that runs it knows them."""
        return self.find(flow).limits(flow, prompt, parsed)

    def is_closed(self, flow: Flow) -> bool:
        """Whether the model of ``flow`` draws only the words that it was trained on."""
        member = self.find(flow)
        return isinstance(member, KnowsWorlds) and member.is_closed(flow)

    def state_world(self, flow: Flow) -> World | None:
        """The world of the model of ``flow``; None for a model that states none."""
        member = self.find(flow)
        return member.state_world(flow) if isinstance(member, StatesWorlds) else None

    def can_redraw(self, flow: Flow) -> bool:
        """Whether the backend that runs ``flow`` can draw a part of its picture anew."""
        member = self.find(flow)
        return isinstance(member, Redraws) and member.can_redraw(flow)

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """Make one picture with the backend that ``job`` names, else with the first that can. Raises what it raises."""
        return self.find(job.flow, job.backend).draw(job, on_step, is_cancelled)
