"""The ``comfyui`` backend: a job goes to one of the person's servers, is followed there, fetched, and told as drawn.

A row stands in the database before anything is sent (``job_log``). After a kill at any moment the same content key
finds it: what the server still has is waited for or fetched, and only what it lost is sent again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from functools import cached_property

from imagewright.comfy_settings import find_servers
from imagewright.errors import BadInput, Cancelled, CannotDraw, ImagewrightError
from imagewright.flow_format import bind
from imagewright.keys import read_keys
from imagewright.needing import read_need
from imagewright.needs import Need
from imagewright.ports import Drawn, IsCancelled, Job, OnStep, Step
from imagewright.schemas import Flow, ParsedPrompt, Readiness
from imagewright.settings import Settings
from imagewright.t2i_backends.comfyui import inpaint
from imagewright.t2i_backends.comfyui.ability import Abilities
from imagewright.t2i_backends.comfyui.client import Client
from imagewright.t2i_backends.comfyui.facts import FactStore
from imagewright.t2i_backends.comfyui.faults import ServerFault, explain_failure, explain_partly
from imagewright.t2i_backends.comfyui.follow import PATIENCE, Following, Lost
from imagewright.t2i_backends.comfyui.job_log import JobLog, SentJob
from imagewright.t2i_backends.comfyui.lacks import folder_of
from imagewright.t2i_backends.comfyui.prepare import Prepared, prepare
from imagewright.t2i_backends.comfyui.results import fetch_pictures
from imagewright.t2i_backends.comfyui.servers import Pool, Server
from imagewright.t2i_backends.comfyui.splice import Unspliceable
from imagewright.t2i_backends.comfyui.watch import Watch
from imagewright.t2i_backends.denoising.redraw import paste

MOST_TRIES = 4
"""How often one job is sent in all, to one server that loses it or to several that fail."""
A_SERVER = 2
"""Jobs that are given to each server at once: one is drawn, one waits, so that none is idle between two."""


def open_comfyui(settings: Settings) -> ComfyBackend:
    """The backend over the servers of ``settings``; over ComfyUI's own address where they name none.

    Raises:
        BadInput: the keys' file cannot be used.
    """
    named = find_servers(settings.comfyui)
    keys = read_keys(settings.keys_file) if settings.keys_file else {}
    store = FactStore(settings.database)
    servers = [Server(Client(each, keys), store) for each in named]
    return ComfyBackend(Pool(servers), JobLog(settings.database))


class ComfyBackend:
    """Draws flows on ComfyUI servers. Threads may draw at once; each job follows its own websocket."""

    name = "comfyui"

    def __init__(self, pool: Pool, jobs: JobLog, substitutes: bool = False) -> None:
        self.pool, self.jobs, self.substitutes = pool, jobs, substitutes
        self.patience = PATIENCE
        self._abilities = Abilities(pool, substitutes)

    @cached_property
    def permissive(self) -> ComfyBackend:
        """The same servers, with another precision of a model in place of one that a server lacks; the facts say so."""
        return ComfyBackend(self.pool, self.jobs, substitutes=True)

    # --- what can run -----------------------------------------------------------------------

    def check(self, flow: Flow) -> Readiness:
        """Say what keeps ``flow`` from running on every server; by the server that lacks least."""
        return self._abilities.check(flow)

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """For each need what the servers lack; the same tuple until one of them changes."""
        return self._abilities.missing(needs)

    def check_servers(self, flow: Flow) -> dict[str, Readiness]:
        """What each server lacks for ``flow``, by its name."""
        return self._abilities.check_servers(flow)

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """Nothing: what a model on a server does not know is not known here."""
        return ()

    def can_redraw(self, flow: Flow) -> bool:
        """Whether the flow samples once, from a latent that a picture can take the place of."""
        with suppress(Unspliceable, BadInput):
            inpaint.find_place(bind(flow, {}))
            return True
        return False

    def close(self) -> None:
        """Let go of the connections."""
        for server in self.pool.servers:
            server.client.close()

    # --- drawing ----------------------------------------------------------------------------

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """Make one picture on one of the servers.

        Raises:
            BadInput: the flow, a value or a size cannot be used.
            CannotDraw: no server can run it, or it failed there; ``ServerFault`` says why.
            Cancelled: between two steps; the job is taken back from its server.
        """
        start = time.perf_counter()
        if job.redraw is not None and not job.redraw.strength:
            return Drawn(job.redraw.image.convert("RGB"), 0.0, {"backend": self.name})
        drawing = _Drawing(self, job if job.key else replace(job, key=uuid.uuid4().hex), on_step, is_cancelled)
        drawn = drawing.run()
        return replace(drawn, seconds=time.perf_counter() - start)

    def draw_many(self, jobs: Sequence[Job], is_cancelled: IsCancelled) -> list[Drawn | ImagewrightError]:
        """A picture for each of ``jobs``, drawn on all servers at once; in its place what kept it from being made.

        Raises:
            Cancelled: the person stopped it.
        """
        with ThreadPoolExecutor(max(1, min(len(jobs), A_SERVER * len(self.pool.servers)))) as threads:
            return list(threads.map(lambda job: self._draw_one(job, is_cancelled), jobs))

    def _draw_one(self, job: Job, is_cancelled: IsCancelled) -> Drawn | ImagewrightError:
        try:
            return self.draw(job, lambda step: None, is_cancelled)
        except Cancelled:
            raise
        except ImagewrightError as error:
            return error

    def find_able(self, flow: Flow) -> list[Server]:
        """The servers that can run ``flow`` now.

        Raises:
            CannotDraw: there is none; with what they lack.
        """
        able = self._abilities.find_able(flow)
        if not able:
            why = self.check(flow).why_not or "no ComfyUI server can run it"
            raise CannotDraw(f"flow {flow.id} cannot run on any ComfyUI server: {why}", "imagewright doctor tells more")
        return able


class _Drawing:
    """One job on its way, over as many tries as it takes."""

    def __init__(self, backend: ComfyBackend, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> None:
        self.backend, self.job, self.on_step, self.is_cancelled = backend, job, on_step, is_cancelled
        self.jobs, self.pool = backend.jobs, backend.pool
        values = read_need(job.flow).values
        self.models = frozenset(each.value for each in values if each.drawn and folder_of(each))
        self.failed: list[str] = []
        """The servers that failed with this job."""
        self.notes: list[str] = []
        self.prefix = ""
        self.fresh = False
        """Whether the row of this try was made by it, so that no server can know the id yet."""

    def run(self) -> Drawn:
        """The picture, from whichever server draws it in the end."""
        fault: ServerFault | None = None
        for _ in range(MOST_TRIES):
            server, sent = self._place(fault)
            try:
                with server.busy_with(self.models):
                    drawn = self._on(server, sent)
            except Lost:
                fault = self._lost(server, sent)
            except ServerFault as found:
                fault = self._give_up(server, sent, found)
            except (Cancelled, KeyboardInterrupt):
                self.jobs.mark(sent, "cancelled", "stopped by the person")
                raise
            except ImagewrightError as error:
                self.jobs.mark(sent, "failed", str(error))
                raise
            else:
                server.recover()
                return drawn
        raise fault or ServerFault("restarted", "the servers lost the job again and again", "look at their logs")

    def _place(self, fault: ServerFault | None) -> tuple[Server, SentJob]:
        """The server that has the job already, else one that can take it; with the row that says so."""
        self.fresh, sent = False, self.jobs.find_open(self.job.key)
        if sent is not None:
            server = self.pool.find(sent.server)
            if server is not None:
                server.look()
                server.take()
                return server, sent
            self.jobs.mark(sent, "left", "its server is no longer in the settings")
        able = [server for server in self.backend.find_able(self.job.flow) if server.name not in self.failed]
        if not able and fault is not None:
            raise fault
        server, self.fresh = self.pool.pick(able, self.models), True
        return server, self.jobs.begin_job(self.job.key, server.name)

    def _lost(self, server: Server, sent: SentJob) -> ServerFault:
        """The server forgot the job: it is sent again."""
        self.jobs.mark(sent, "lost", "the server knows nothing of it")
        self._note(f"server {server.name} was restarted or lost the job: it is drawn again")
        message = f"server {server.name} lost the job again and again"
        return ServerFault("restarted", message, "look at its log: it may run out of memory")

    def _give_up(self, server: Server, sent: SentJob, fault: ServerFault) -> ServerFault:
        """Remember why a server failed, and go on where that may help.

        Raises:
            ServerFault: no other server can help.
        """
        if fault.kind == "file-gone" and not self.prefix:
            self.prefix = f"imagewright/{sent.prompt_id}"
            self.jobs.mark(sent, "lost", str(fault))
            self._note("the server had drawn it before and lost the file: it is drawn again")
            return fault
        if fault.of_server:
            server.fail(fault)
        if fault.kind == "missing":
            server.doubt()
        self.failed.append(server.name)
        others = fault.may_work_elsewhere and any(s.name not in self.failed for s in self._others(fault))
        waits = fault.kind in ("restarted", "unreachable", "loading") and not others
        if not waits:  # else the row stays: a resumed run asks that server again
            self.jobs.mark(sent, "left" if others else "failed", str(fault))
        if not others:
            raise fault
        self._note(f"{fault}; another server draws it")
        return fault

    def _others(self, fault: ServerFault) -> list[Server]:
        with suppress(CannotDraw):
            return self.backend.find_able(self.job.flow)
        return []

    # --- one try ----------------------------------------------------------------------------

    def _on(self, server: Server, sent: SentJob) -> Drawn:
        client, facts = server.client, server.facts
        if facts is None:
            raise server.fault or ServerFault("unreachable", f"server {server.name} does not answer")
        prepared = prepare(self.job, client, facts, self.prefix, self.backend.substitutes)
        for text in prepared.substituted:
            self.on_step(Step(0, 0, text=text))
        client_id = uuid.uuid4().hex
        with closing(Watch(client, client_id)) as watch:
            watch.open()
            if sent.status == "made":
                self._send(client, sent, prepared, client_id)
            following = Following(
                client,
                sent.prompt_id,
                watch,
                prepared.graph,
                self.on_step,
                self.is_cancelled,
                self.backend.patience,
                known=sent.status != "made",
            )
            try:
                row = following.follow()
            except KeyboardInterrupt:
                following.cancel()
                raise
        status = row.get("status")
        if not isinstance(status, dict) or status.get("status_str") != "success":
            raise explain_failure(client.name, status.get("messages") if isinstance(status, dict) else None)
        fetched = fetch_pictures(client, row, prepared.graph)
        images = [self._pasted(image) if place == 0 else image for place, image in enumerate(fetched.images)]
        self.jobs.mark(sent, "done", files=fetched.digests)
        told = {
            "backend": "comfyui",
            "server": client.name,
            "comfyui_version": facts.version,
            "prompt_id": sent.prompt_id,
            "output_node": fetched.node,
            "file_sha256": fetched.digests[0],
        }
        if following.cached >= len(prepared.graph):
            told["cached"] = "the server had drawn this very picture before"
        return self._drawn(prepared, tuple(images), told)

    def _drawn(self, prepared: Prepared, images: tuple[object, ...], told: dict[str, str]) -> Drawn:
        notes = [*prepared.notes, *prepared.substituted, *self.notes]
        if self.job.regions and self.job.redraw is None and prepared.spliced:
            told["regions"] = f"{len(self.job.regions)} as areas in the graph"
        if notes:
            told["fallbacks"] = "; ".join(notes)
        if len(images) > 1:
            told["batch"] = f"{len(images)} pictures at once; the first is judged, the others are kept"
        image, *more = images
        return Drawn(image, 0.0, told, tuple(more), prepared.text)  # type: ignore[arg-type]

    def _pasted(self, image: object) -> object:
        redraw = self.job.redraw
        if redraw is None:
            return image
        if image.size != redraw.image.size:  # type: ignore[attr-defined]
            raise ServerFault("bad-file", "the redrawn picture came back in another size", "choose another flow")
        border = inpaint.border_of(redraw.image.size)
        return paste(image, redraw.image, redraw.regions, border, redraw.mask)  # type: ignore[arg-type]

    def _send(self, client: Client, sent: SentJob, prepared: Prepared, client_id: str) -> None:
        """Put the job into the queue, unless a process before this one has done so.

        Raises:
            ServerFault: the server does not take it, or not all of it.
        """
        if self.fresh or not _knows(client, sent.prompt_id):
            try:
                answer = client.submit(prepared.graph, sent.prompt_id, client_id)
            except ServerFault as fault:
                if not fault.maybe_taken:
                    raise
                answer = {}  # queue and history say whether it was taken
            if answer.get("node_errors"):
                with suppress(ServerFault):
                    client.cancel(sent.prompt_id)
                raise explain_partly(client.name, answer)
        self.jobs.mark(sent, "sent")

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.on_step(Step(0, 0, text=text))


def _knows(client: Client, prompt_id: str) -> bool:
    """Whether the server has the job: waiting, running or done."""
    return (
        prompt_id in {each for section in client.queue() for each in section} or client.history(prompt_id) is not None
    )
