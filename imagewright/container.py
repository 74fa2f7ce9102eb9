"""The one place that wires objects together: the rooms of a data folder, backends, critics, and the parts of one run.

Nothing is opened or imported before it is needed: making a ``Container`` costs nothing. What people call is
``imagewright.api``.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from imagewright import registry
from imagewright.errors import Fault
from imagewright.language_models import critics_of, line_of, polisher_of, team_of
from imagewright.schemas import DrawRequest, Flow
from imagewright.settings import Settings

if TYPE_CHECKING:
    from imagewright.agents.team import Team
    from imagewright.graph.parts import Parts
    from imagewright.memory.artifacts import ArtifactStore
    from imagewright.memory.pictures import Pictures
    from imagewright.memory.preferences import Preferences
    from imagewright.memory.runs import RunLog
    from imagewright.memory.threads import Threads
    from imagewright.ports import Backend, Critic, Embedder
    from imagewright.retrieval.embed import EnglishWords, MiniLMEmbedder
    from imagewright.retrieval.index import FlowIndex

DEFAULT_BACKEND = "diffusers"
COMFYUI = "comfyui"
DEFAULT_CRITIC = "detector"


class Container:
    """Builds each object once, when it is first asked for, under one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._backends: dict[str, Backend] = {}
        self._making = threading.Lock()

    def for_client(self, name: str) -> Container:
        """The same objects for one of several people who share them: what ``name`` wishes is kept apart."""
        from imagewright.memory.preferences import Preferences

        theirs = copy.copy(self)
        theirs.__dict__["preferences"] = Preferences(self.settings.data_dir / "clients" / name / "store.sqlite")
        return theirs

    def close(self) -> None:
        """Let go of loaded models, and of the database files that this thread keeps open."""
        from imagewright.database import close_connections

        self._backends.clear()
        self.__dict__.pop("_usual", None)
        close_connections()

    # --- rooms ------------------------------------------------------------------------------

    @cached_property
    def index(self) -> FlowIndex:
        """The flow index, with the flows and scores of this release in it."""
        from imagewright.retrieval.index import FlowIndex

        index = FlowIndex(self.settings.database, self.settings.chroma_dir, self.index_embedder)
        index.ensure_builtin()
        return index

    def read_ahead(self) -> None:
        """Read the index, where it is large, before a request asks for it; beside the requests, by a thread."""
        from imagewright.retrieval.taking_up import read_ahead

        read_ahead(self.settings.database, lambda: self.index, self.usual_backends, self.settings.learn_critic)

    @cached_property
    def runs(self) -> RunLog:
        """The log of runs."""
        from imagewright.memory.runs import RunLog

        return RunLog(self.settings.database, self.settings.data_dir / "locks")

    @cached_property
    def threads(self) -> Threads:
        """The conversations."""
        from imagewright.memory.threads import Threads

        return Threads(self.settings.database)

    @cached_property
    def pictures(self) -> Pictures:
        """The delivered pictures, as a gallery asks for them."""
        from imagewright.memory.pictures import Pictures

        return Pictures(self.settings.database, self.store.has)

    @cached_property
    def preferences(self) -> Preferences:
        """The person's lasting wishes."""
        from imagewright.memory.preferences import Preferences

        return Preferences(self.settings.preferences)

    @cached_property
    def store(self) -> ArtifactStore:
        """The pictures."""
        from imagewright.memory.artifacts import ArtifactStore

        return ArtifactStore(self.settings.artifacts)

    def backend(self, name: str | None = None) -> Backend:
        """The backend called ``name``; the same one each time, so that its models stay loaded.

        Without a name it is all that draw unless one is asked for: this process, and ComfyUI where servers are named.

        Raises:
            BadInput: there is no such backend.
        """
        if name is None:
            return self._usual if len(self.usual_backends) > 1 else self.backend(DEFAULT_BACKEND)
        with self._making:
            if name not in self._backends:
                self._backends[name] = registry.load("backends", name)(self.settings)
            return self._backends[name]

    @property
    def usual_backends(self) -> tuple[str, ...]:
        """The names of the backends that draw unless one is asked for, in their order."""
        return (DEFAULT_BACKEND, *((COMFYUI,) if self.settings.comfyui else ()))

    @cached_property
    def _usual(self) -> Backend:
        return self._as_one({name: self.backend(name) for name in self.usual_backends})

    def _as_one(self, backends: Mapping[str, Backend]) -> Backend:
        if len(backends) == 1:
            return next(iter(backends.values()))
        from imagewright.t2i_backends.several import SeveralBackends

        return SeveralBackends(list(backends.values()))

    def _permitted(self, name: str, substitutes: bool) -> Backend:
        """The backend called ``name``; where it is ComfyUI's and that is asked for, one that may substitute models."""
        found = self.backend(name)
        if not substitutes or name != COMFYUI:
            return found
        from imagewright.t2i_backends.comfyui.backend import ComfyBackend

        return found.permissive if isinstance(found, ComfyBackend) else found

    def use_backend(self, name: str, backend: Backend) -> None:
        """Draw with ``backend`` wherever the one called ``name`` is asked for."""
        self._backends[name] = backend
        self.__dict__.pop("_usual", None)

    # --- critics and rules ------------------------------------------------------------------

    @cached_property
    def index_embedder(self) -> Embedder:
        """What makes the vectors of the index: the shipped embedder, or the one that the settings name.

        Categories and near words stay with the shipped one, whose cosines they are set by.

        Raises:
            BadInput: there is no such model here.
        """
        if not self.settings.embedder:
            return self._embedder
        from imagewright.retrieval.any_embedder import open_embedder

        return open_embedder(self.settings.database, self.settings.embedder)

    @cached_property
    def _embedder(self) -> MiniLMEmbedder:
        from imagewright.retrieval.embed import MiniLMEmbedder

        return MiniLMEmbedder(self.settings.database)

    def critic_for(self, flow: Flow) -> Critic:
        """The critic that knows the pictures of ``flow``: its detector was trained on mini's and no others."""
        from imagewright.agents.critic.verdict import NoCritic

        if flow.card.ships_with_us:
            return self._mini_critic
        if self._open_critic is not None:
            return self._open_critic
        from imagewright.tools.open_detector import why_none

        name = flow.card.base_model or flow.id
        why = f"no critic here knows the pictures of {name}; {why_none(self.settings.model_roots)}"
        return NoCritic(f"{why}, or name a model that sees: --llm critic=…")

    @cached_property
    def _english(self) -> EnglishWords:
        from imagewright.retrieval.embed import EnglishWords

        return EnglishWords()

    @cached_property
    def _open_critic(self) -> Critic | None:
        """The critic of any picture, where the weights of an open-vocabulary detector lie under a model root."""
        from imagewright.tools.open_detector import OpenDetector, find_detector

        folder = find_detector(self.settings.model_roots)
        if folder is None:
            return None
        from imagewright.agents.critic.open import OpenCritic

        return OpenCritic(lambda words: OpenDetector(folder, words))

    @cached_property
    def _mini_critic(self) -> Critic:
        """The critic of mini's pictures, or one that says why there is none."""
        from imagewright.agents.critic.verdict import NoCritic
        from imagewright.tools.detect import MiniDetector

        try:
            detector = MiniDetector.load("critic")
        except Fault as error:
            return NoCritic(str(error))
        return cast("Critic", registry.load("critics", DEFAULT_CRITIC)(detector, detector.synonyms))

    @cached_property
    def _rules(self) -> Team:
        """The agents that need no language model."""
        from imagewright.agents.categorizer.rules import RulesCategorizer
        from imagewright.agents.conversation.rules import RulesInterpreter
        from imagewright.agents.layout.rules import RulesLayoutPlanner
        from imagewright.agents.selector.rules import RulesSelector
        from imagewright.agents.team import Team

        return Team(RulesCategorizer(self._embedder), RulesSelector(), RulesLayoutPlanner(), RulesInterpreter())

    # --- wiring one run ---------------------------------------------------------------------

    def parts(self, request: DrawRequest, stop: threading.Event | None = None) -> Parts:
        """What one run works with."""
        from imagewright.agents.conversation.rules import RulesInterpreter
        from imagewright.agents.reading.describe import canonical_prompt
        from imagewright.flow_pictures import say_brought
        from imagewright.graph.catalogue import IndexCatalogue
        from imagewright.graph.parts import Parts
        from imagewright.retrieval.embed import liken

        fallbacks: list[str] = []
        stop = stop or threading.Event()
        line = line_of(self.settings, request, fallbacks.append, stop)
        team = team_of(self.settings, request.llm or self.settings.llm, self._rules, line)
        names = (request.backend,) if request.backend else self.usual_backends
        backends = {name: self._permitted(name, request.allow_substitute) for name in names}
        return Parts(
            interpreter=team.interpreter or RulesInterpreter(),
            categorizer=team.categorizer,
            selector=team.selector,
            planner=team.planner,
            writer=team.writer,
            critic=critics_of(team, self.critic_for) if request.use_critic else None,
            catalogue=IndexCatalogue(
                lambda: self.index,
                backends,
                fallbacks.append,
                self.settings.learn_critic,
                say_brought(request),
            ),
            backend=self._as_one(backends),
            store=self.store,
            runs=self.runs,
            canonical_prompt=canonical_prompt,
            preferences=self.preferences,
            learn=lambda row: self.index.add_evidence([row]),
            fallbacks=fallbacks,
            account=line.account,
            polisher=polisher_of(team) if request.polish or self.settings.polish else None,
            is_word=self._english,
            liken=lambda word, others: liken(self._embedder, word, others),
            stop=stop,
            explore=request.explore or self.settings.explore,
            rules=self.settings.rules,
        )
