"""Following one job of a server to its end, by what the websocket tells and by what queue and history say."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from imagewright.errors import Cancelled
from imagewright.flow_format import Graph
from imagewright.ports import IsCancelled, OnStep, Step
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.faults import ServerFault, tidy
from imagewright.t2i_backends.comfyui.watch import Told, Watch


@dataclass(frozen=True)
class Patience:
    """Seconds."""

    beat: float = 0.1
    """Between two looks at whether the person wants to stop."""
    poll: float = 5.0
    """Between two looks at queue and history while the websocket speaks."""
    deaf: float = 0.5
    """The same while it does not."""
    ended: float = 10.0
    """For a history to come after the end was told."""
    gone: float = 1.0
    """For a job to turn up that is in neither."""
    away: float = 120.0
    """For a server to come back that does not answer, or is still starting."""
    reconnect: float = 5.0
    """Between two tries to open the websocket again."""


PATIENCE = Patience()
_MOST_LEFT = 1000
"""Messages that are still read after the end."""


class Lost(Exception):
    """The server knows nothing of the job: it was restarted, or somebody deleted it."""


@dataclass
class Following:
    """One job that was sent."""

    client: Client
    prompt_id: str
    watch: Watch
    graph: Graph
    on_step: OnStep
    is_cancelled: IsCancelled
    patience: Patience = PATIENCE
    known: bool = False
    """Whether the server may have ended the job already."""
    clock: Callable[[], float] = time.monotonic
    cached: int = 0
    """The nodes that the server did not run again."""
    _done: int = 0
    _step: tuple[str, int, int] = ("", 0, 0)
    _notes: list[str] = field(default_factory=list)
    _sign: float = 0.0
    _running: bool = False
    _ended: float | None = None
    _missed: float | None = None
    _away: float | None = None

    def follow(self) -> dict[str, Any]:
        """The history of the job, once it has ended, well or not.

        Raises:
            Lost: the server knows nothing of it any more.
            Cancelled: the person stopped it; it was interrupted there, and nothing else was.
            ServerFault: the server stayed away, or the job hangs.
        """
        self._sign = self.clock()
        next_poll = self._sign + (0.0 if self.known else self.patience.deaf)
        next_try = self._sign + self.patience.reconnect
        while True:
            self._stop_if_cancelled()
            told = self.watch.read(self.patience.beat)
            if told is not None:
                self._hear(told)
            now = self.clock()
            if now >= next_poll or self._ended is not None:
                row = self._poll()
                if row is not None:
                    self._hear_the_rest()
                    return row
                next_poll = self.clock() + (self.patience.poll if self.watch.is_open else self.patience.deaf)
            if not self.watch.is_open and now >= next_try:
                self.watch.open()
                next_try = self.clock() + self.patience.reconnect
            self._insist_on_progress()

    # --- what is told -------------------------------------------------------------------------

    def _hear(self, told: Told) -> None:
        if told.prompt_id and told.prompt_id != self.prompt_id:
            return
        if told.prompt_id or told.event == "preview":
            self._sign, self._running = self.clock(), True
        node, data = told.data.get("node"), told.data
        if told.event == "execution_cached" and isinstance(data.get("nodes"), list):
            self.cached = len(data["nodes"])
        elif told.event == "progress" and isinstance(data.get("value"), int | float):
            self._progress(str(node), int(data["value"]), int(data.get("max") or 0))
        elif told.event == "preview":
            self._tell(told.preview)
        elif told.event == "executing" and node is not None:
            self._say_loading(str(node))
        elif told.event in ("execution_error", "execution_interrupted") or (
            told.event == "executing" and told.prompt_id
        ):
            self._ended = self._ended or self.clock()

    def _hear_the_rest(self) -> None:
        """What was told before the end and not read yet."""
        for _ in range(_MOST_LEFT):
            told = self.watch.read(0.0) if self.watch.is_open else None
            if told is None:
                return
            self._hear(told)

    def _progress(self, node: str, value: int, most: int) -> None:
        if self._step[0] not in ("", node):
            self._done += self._step[2]
        self._step = (node, value, most)
        self._tell()

    def _tell(self, preview: Image.Image | None = None) -> None:
        _, value, most = self._step
        if most > 0:
            total = max(_planned(self.graph), self._done + most)
            self.on_step(Step(self._done + value, total, preview))

    def _say_loading(self, node: str) -> None:
        name = str(self.graph.get(node, {}).get("class_type", ""))
        if "Loader" in name:
            self._note(f"server {self.client.name} is loading a model ({tidy(name, 60)}); minutes are normal")

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
            self.on_step(Step(0, 0, text=text))

    # --- what is so ---------------------------------------------------------------------------

    def _poll(self) -> dict[str, Any] | None:
        """The history, where the job has ended; else how it stands is noted."""
        try:
            row = None if self._ended is None else self.client.history(self.prompt_id)
            if row is None:
                running, pending = self.client.queue()
                row = None if self.prompt_id in (*running, *pending) else self.client.history(self.prompt_id)
        except ServerFault as fault:
            self._wait_for_server(fault)
            return None
        self._away = None
        if row is not None:
            return row
        if self.prompt_id in running:
            self._running, self._missed = True, None
        elif self.prompt_id in pending:
            self._missed, self._sign = None, self.clock()
            before = len(running) + pending.index(self.prompt_id)
            self._note(f"server {self.client.name}: {before} job{'s' if before != 1 else ''} before this one")
        else:
            self._miss()
        return None

    def _miss(self) -> None:
        now = self.clock()
        self._missed = now if self._missed is None else self._missed
        if now - self._missed > (self.patience.gone if self._ended is None else self.patience.ended):
            raise Lost

    def _wait_for_server(self, fault: ServerFault) -> None:
        if fault.kind not in ("unreachable", "loading"):
            raise fault
        now = self.clock()
        if self._away is None:
            self._away = now
            self.on_step(Step(0, 0, text=f"{fault}; waiting for it"))
        if now - self._away > self.patience.away:
            message = f"server {self.client.name} went away in the middle of a picture and did not come back"
            raise ServerFault("restarted", message, "start ComfyUI again; runs resume asks it whether it drew")

    def _insist_on_progress(self) -> None:
        limit = self.client.server.job_timeout
        if not self._running or self._away is not None or self.clock() - self._sign <= limit:
            return
        self.cancel()
        message = f"the job on server {self.client.name} made no progress for {limit:.0f} seconds and was stopped"
        raise ServerFault("hung", message, "look at the server's log; job_timeout in the settings allows more")

    def _stop_if_cancelled(self) -> None:
        if self.is_cancelled():
            self.cancel()
            raise Cancelled(f"stopped; the job on server {self.client.name} was taken back")

    def cancel(self) -> None:
        """Take this job back, as far as the server can be reached."""
        with contextlib.suppress(ServerFault):
            self.client.cancel(self.prompt_id)


def _planned(graph: Graph) -> int:
    """The steps that the graph's samplers and schedulers state."""
    found = (value["inputs"].get("steps") for value in graph.values())
    return sum(steps for steps in found if isinstance(steps, int) and not isinstance(steps, bool))
