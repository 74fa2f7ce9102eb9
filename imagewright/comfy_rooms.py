"""What an engine does with ComfyUI servers: it brings in workflows, says what each lacks, and times them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from imagewright.rooms import Rooms
from imagewright.schemas import Flow, Readiness

if TYPE_CHECKING:
    from imagewright.comfy_import import ImportedWorkflow
    from imagewright.t2i_backends.comfyui.bench import ServerSpeed
    from imagewright.t2i_backends.comfyui.servers import Server


class ServerState(NamedTuple):
    """One server of the settings, as it is now."""

    name: str
    url: str
    version: str
    """ComfyUI's, as it last said; empty where it never answered."""
    node_classes: int
    waiting: int | None
    """Jobs in its queue; None where it does not answer."""
    fault: str
    """Why it cannot be asked; empty where it can."""
    remedy: str


class ComfyRooms(Rooms):
    """The part of ``Imagewright`` that knows servers."""

    def import_comfyui(self, server: str | None = None) -> Iterator[ImportedWorkflow]:
        """Bring in the workflows saved on a ComfyUI server, and those of its templates that it can run.

        ``server`` is an address or a name of the settings; all named ones for None. Called again it adds only what is
        new.

        Raises:
            BadInput: it is no address, or the database cannot be written.
            CannotDraw: the server does not answer as ComfyUI does.
        """
        from imagewright.comfy_import import import_workflows

        yield from import_workflows(self.container, server)

    def check_servers(self, flow: Flow) -> Mapping[str, Readiness]:
        """What each server of the settings lacks for ``flow``, by its name; nothing where none is named."""
        if not self.settings.comfyui:
            return {}
        from imagewright.t2i_backends.comfyui.backend import ComfyBackend

        backend = self.backend("comfyui")
        return backend.check_servers(flow) if isinstance(backend, ComfyBackend) else {}

    def tell_servers(self) -> tuple[ServerState, ...]:
        """Each server of the settings: whether it answers, what it is and how long its queue is.

        Raises:
            BadInput: a key that a server needs cannot be read.
        """
        if not self.settings.comfyui:
            return ()
        from imagewright.t2i_backends.comfyui.backend import ComfyBackend

        backend = self.backend("comfyui")
        return tuple(map(_tell_server, backend.pool.servers)) if isinstance(backend, ComfyBackend) else ()

    def bench_server(self, server: str, flow: str, prompt: str = "a red circle", repeats: int = 5) -> ServerSpeed:
        """Time our way to a picture on ``server``, an address or a name, against a bare script with the same graph.

        Raises:
            BadInput: there is no such flow, or it is no address.
            CannotDraw: the server cannot run the flow, or does not answer.
        """
        from imagewright.comfy_settings import find_servers
        from imagewright.t2i_backends.comfyui.backend import open_comfyui
        from imagewright.t2i_backends.comfyui.bench import compare_server

        named = find_servers(self.settings.comfyui, server)
        with closing(open_comfyui(self.settings.model_copy(update={"comfyui": tuple(named)}))) as backend:
            return compare_server(backend, self.index.get(flow), prompt, repeats)


def _tell_server(server: Server) -> ServerState:
    from imagewright.t2i_backends.comfyui.faults import ServerFault

    server.look()
    waiting: int | None = None
    fault = server.fault
    if fault is None:
        try:
            waiting = server.count_waiting()
        except ServerFault as found:
            fault = found
    version, classes = (server.facts.version, len(server.facts.rows)) if server.facts else ("", 0)
    url, (said, remedy) = server.client.server.url, (str(fault), fault.remedy) if fault else ("", "")
    return ServerState(server.name, url, version, classes, waiting, said, remedy)
