"""What lies behind an engine and may be asked directly: its settings, the rooms of its data folder, its backends."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Self

from imagewright.container import Container
from imagewright.errors import BadInput
from imagewright.settings import Settings, load_settings

if TYPE_CHECKING:
    from imagewright.memory.artifacts import ArtifactStore
    from imagewright.memory.pictures import Pictures
    from imagewright.memory.preferences import Preferences
    from imagewright.memory.runs import RunLog
    from imagewright.memory.threads import Threads
    from imagewright.ports import Backend
    from imagewright.retrieval.index import FlowIndex


_CLIENT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Rooms:
    """The rooms that ``Container`` builds, each opened when it is first asked for."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.container = Container(settings or load_settings())

    def for_client(self, name: str) -> Self:
        """This engine for one of several people who share it: ``name``'s lasting wishes are kept apart.

        Raises:
            BadInput: the name is not made of 1 to 40 small letters, digits and ``-``.
        """
        if not _CLIENT.fullmatch(name):
            raise BadInput(f"{name[:60]!r} cannot be a client's name", "use small letters, digits and -")
        theirs = type(self)(self.settings)
        theirs.container = self.container.for_client(name)
        return theirs

    def read_ahead(self) -> threading.Thread:
        """Begin to read a large index, so that the first request does not wait for it; the thread that does."""
        thread = threading.Thread(target=self.container.read_ahead, name="read ahead", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """Let go of loaded models. Files are opened and closed with each piece of work."""
        self.container.close()

    @property
    def settings(self) -> Settings:
        """What this engine was told by the environment, the settings file or its maker."""
        return self.container.settings

    @property
    def index(self) -> FlowIndex:
        """The flow index, with the flows and scores of this release in it."""
        return self.container.index

    @property
    def runs(self) -> RunLog:
        """The log of runs."""
        return self.container.runs

    @property
    def threads(self) -> Threads:
        """The conversations."""
        return self.container.threads

    @property
    def pictures(self) -> Pictures:
        """The delivered pictures, as a gallery asks for them."""
        return self.container.pictures

    @property
    def preferences(self) -> Preferences:
        """The person's lasting wishes."""
        return self.container.preferences

    @property
    def store(self) -> ArtifactStore:
        """The pictures."""
        return self.container.store

    def backend(self, name: str | None = None) -> Backend:
        """The backend called ``name``; the same one each time, so that its models stay loaded.

        Without a name it is all that draw unless one is asked for, as one.

        Raises:
            BadInput: there is no such backend.
        """
        return self.container.backend(name)

    def use_backend(self, name: str, backend: Backend) -> None:
        """Draw with ``backend`` wherever the one called ``name`` is asked for."""
        self.container.use_backend(name, backend)

    def name_run(self) -> str:
        """An id for a run that is yet to begin: ``draw`` and ``Chat.say`` take it."""
        from imagewright.memory.runs import new_run_id

        return new_run_id()
