"""Which of the servers can run which flow: asked by needs, for the whole index at once, or for one flow exactly."""

from __future__ import annotations

import time
from collections.abc import Sequence

from imagewright.needing import read_need
from imagewright.needs import Need
from imagewright.schemas import Card, Flow, Problem, Readiness
from imagewright.t2i_backends.comfyui.lacks import find_lacks
from imagewright.t2i_backends.comfyui.servers import Pool, Server


class Abilities:
    """The answers for the servers of ``pool``, kept until one of them changes."""

    def __init__(self, pool: Pool, substitutes: bool = False) -> None:
        self._pool, self._substitutes = pool, substitutes
        self._known: dict[tuple[str, Need], Readiness] = {}
        self._stamp: tuple[object, ...] = ()
        self._asked: Sequence[Need] = ()
        self._given: tuple[Readiness, ...] = ()

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """What the server that lacks least lacks, for each need; the very tuple of before while nothing changed."""
        stamp = self._look()
        if needs is self._asked and stamp == self._stamp:
            return self._given
        if stamp != self._stamp:
            self._known.clear()
        self._stamp, self._asked = stamp, needs
        self._given = tuple(_least([self._of(server, need) for server in self._pool.servers]) for need in needs)
        return self._given

    def check(self, flow: Flow) -> Readiness:
        """What the server that lacks least for ``flow`` lacks."""
        return _least(list(self.check_servers(flow).values()))

    def check_servers(self, flow: Flow) -> dict[str, Readiness]:
        """What each server lacks for ``flow``."""
        self._look()
        need = read_need(flow)
        return {server.name: _lacks(server, need, flow.card, self._substitutes) for server in self._pool.servers}

    def find_able(self, flow: Flow) -> list[Server]:
        """The servers that can run ``flow`` now, in the order of the settings.

        One that could a moment ago is not asked again, so that no job waits for the lists of all its files: it refuses
        the job where it lacks something by now, and is doubted then.
        """
        need = read_need(flow)
        return [server for server in self._pool.servers if self._can(server, need, flow.card)]

    def _can(self, server: Server, need: Need, card: Card) -> bool:
        if server.is_sure and _lacks(server, need, card, self._substitutes).runnable:
            return True
        server.look()
        return _lacks(server, need, card, self._substitutes).runnable

    def _look(self) -> tuple[object, ...]:
        for server in self._pool.servers:
            server.look()
        return tuple(server.answer_stamp for server in self._pool.servers)

    def _of(self, server: Server, need: Need) -> Readiness:
        key = (server.name, need)
        if key not in self._known:
            self._known[key] = _lacks(server, need, None, self._substitutes)
        return self._known[key]


def _lacks(server: Server, need: Need, card: Card | None, substitutes: bool) -> Readiness:
    """What a server lacks; of one that does not answer what it lacked when it last did."""
    facts, fault = server.facts, server.fault
    if facts is None:
        said = f"{fault}: {fault.remedy}" if fault else f"server {server.name} was never asked"
        return Readiness(problems=(Problem(kind="backend", name=server.name, remedy=said),))
    problems = tuple(find_lacks(need, facts, server.name, card, substitutes))
    if fault is None:
        return Readiness(problems=problems)
    kept = "it had all that this flow needs" if not problems else "what it lacked is told by what was kept of it"
    remedy = f"{fault} ({kept}, {facts.say_age(time.time())})"
    return Readiness(problems=(Problem(kind="backend", name=server.name, remedy=remedy), *problems))


def _least(told: Sequence[Readiness]) -> Readiness:
    return min(told, key=lambda readiness: len(readiness.problems))
