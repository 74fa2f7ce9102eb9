"""The one place that wires objects together, and the Python interface of imagewright.

Nothing is opened or imported before it is needed: making an ``Imagewright`` costs nothing, and ``plan`` neither loads
a model nor imports diffusers.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from imagewright import registry
from imagewright.errors import BadInput, Fault
from imagewright.language_models import critics_of, line_of, polisher_of, team_of
from imagewright.schemas import Candidate, Categories, DrawRequest, Flow, ParsedPrompt, Plan, RunEvent, RunResult
from imagewright.settings import Settings, load_settings

if TYPE_CHECKING:
    from imagewright.agents.team import Team
    from imagewright.chat import Chat
    from imagewright.graph.parts import Parts
    from imagewright.graph.replay import Replay
    from imagewright.memory.artifacts import ArtifactStore
    from imagewright.memory.preferences import Preferences
    from imagewright.memory.runs import RunLog
    from imagewright.memory.threads import Threads
    from imagewright.ports import Backend, Critic
    from imagewright.retrieval.adding import Added, AlreadyThere, Refused
    from imagewright.retrieval.comfy.catalogue import Catalogue
    from imagewright.retrieval.embed import MiniLMEmbedder
    from imagewright.retrieval.index import FlowIndex
    from imagewright.schemas import Readiness

DEFAULT_BACKEND = "diffusers"
DEFAULT_CRITIC = "detector"
MINI = "mini"
"""The base model that ships with the package."""
_OnEvent = Callable[[RunEvent], None]


def ignore_event(event: RunEvent) -> None:
    """The listener of those who do not listen."""


class Imagewright:
    """Finds the workflow that serves a prompt best, and runs it.

    >>> from imagewright import Imagewright
    >>> result = Imagewright().draw("a red circle above a blue square", seed=1)  # doctest: +SKIP
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._backends: dict[str, Backend] = {}

    # --- what people call -------------------------------------------------------------------

    def draw(
        self,
        prompt: str | DrawRequest,
        *,
        on_event: _OnEvent | None = None,
        stop: threading.Event | None = None,
        **options: Any,
    ) -> RunResult:
        """Draw ``prompt``; ``options`` are the other fields of ``DrawRequest``.

        ``on_event`` hears the run's id first, then every step. Setting ``stop`` ends the run between two steps.

        Raises:
            BadInput: the request, a setting or the disk cannot be used.
            CannotDraw: no flow here can draw it.
            BudgetSpent: the budget ended before the first picture.
            Cancelled: Ctrl-C; ``resume`` goes on.
        """
        from imagewright.graph.request import check_request, out_path
        from imagewright.graph.runner import begin, thread_id
        from imagewright.memory.runs import RunRow, new_run_id

        request, listen = _request(prompt, options), on_event or ignore_event
        check_request(request)
        run = new_run_id()
        out = out_path(request, run, Path.cwd())
        seed = secrets.randbits(32) if request.seed is None else request.seed
        parts = self.parts(request, stop)
        row = RunRow.new(run, thread_id(run, request), request, seed, out)
        listen(RunEvent(kind="run", run=run, text=f"run {run}, seed {seed}"))
        return begin(parts, self.settings.checkpoints, row, listen)

    def chat(self, thread: str = "chat", **options: Any) -> Chat:
        """A conversation that is kept under the name ``thread`` and goes on where it was left.

        ``options`` are fields of ``DrawRequest`` that hold for all of its pictures.

        Raises:
            BadInput: an option or the name cannot be used.
        """
        from imagewright.chat import Chat

        return Chat(self, _request("a picture", {**options, "thread": thread}))

    def resume(self, run: str, on_event: _OnEvent | None = None) -> RunResult:
        """Go on with a run that was killed, stopped or failed; one that is delivered is only told again.

        Raises:
            BadInput: there is no such run, or another process is drawing it.
            CannotDraw, BudgetSpent, Cancelled: as ``draw``.
        """
        from imagewright.graph.runner import resume

        row, listen = self.runs.get(run), on_event or ignore_event
        listen(RunEvent(kind="run", run=run, text=f"run {run}, seed {row.seed}"))
        return resume(self.parts(row.request), self.settings.checkpoints, row, listen)

    def replay(self, run: str, on_event: _OnEvent | None = None) -> Replay:
        """Draw the picture of ``run`` again from its trace, and say whether it is the same and what differs here.

        Raises:
            BadInput: there is no such run, it delivered nothing, or its trace cannot be replayed.
            CannotDraw: its flow cannot be drawn here any more.
        """
        from imagewright.graph.replay import replay

        row = self.runs.get(run)
        return replay(self.parts(row.request), self.runs.show(run), on_event or ignore_event)

    def plan(self, prompt: str | DrawRequest, **options: Any) -> Plan:
        """What ``prompt`` would be drawn with, and where things would go. Draws nothing.

        ``options`` are the other fields of ``DrawRequest``.

        Raises:
            BadInput: the prompt is empty, an option cannot be used, or there is no such flow or language model.
        """
        from imagewright.graph.plan import plan_request

        request = _request(prompt, options).model_copy(update={"use_critic": False})
        return plan_request(self.parts(request), request)

    def readiness(self, backend: str = DEFAULT_BACKEND) -> dict[str, Readiness]:
        """For every flow of the index whether it can run here, and what it needs."""
        engine = self.backend(backend)
        return {flow.id: engine.check(flow) for flow in self.index.list()}

    def add_flows(
        self, paths: Sequence[Path | str], *, replace: bool = False, comfyui: str | None = None
    ) -> Iterator[Added | AlreadyThere | Refused]:
        """Put workflows into the index: files of any of ComfyUI's formats, PNGs it saved, or folders of them.

        Each is told of once it is stored, or refused with the reason; nothing stops at one that is refused. ``comfyui``
        is the address of a server whose nodes the workflows are read with, for nodes that the shipped list lacks.

        Raises:
            BadInput: a folder holds no workflow, the server does not answer, or the database cannot be written.
        """
        from imagewright.retrieval.adding import add_files, files_below

        files = files_below([Path(path) for path in paths])
        yield from add_files(self.index, files, self.node_catalogue(comfyui), replace)

    def node_catalogue(self, comfyui: str | None = None) -> Catalogue:
        """What is known of ComfyUI's nodes: of the server ``comfyui``, else of the last synced one, over the shipped.

        Raises:
            BadInput: the server does not answer.
        """
        from imagewright.retrieval.comfy.catalogue import catalogue_of

        kept = catalogue_of(self.settings.data_dir)
        if comfyui is None:
            return kept
        from imagewright.retrieval.comfy.sync import fetch_object_info

        return fetch_object_info(comfyui).over(kept)

    def sync_nodes(self, comfyui: str) -> tuple[Catalogue, Path]:
        """Keep the nodes of the server ``comfyui`` for later conversions: what it has, and the file that holds it.

        Raises:
            BadInput: the server does not answer, or the folder cannot be written; what was kept before stays.
        """
        from imagewright.memory.artifacts import write_whole
        from imagewright.retrieval.comfy.catalogue import SYNCED
        from imagewright.retrieval.comfy.sync import fetch_object_info

        found, path = fetch_object_info(comfyui), self.settings.data_dir / SYNCED
        write_whole(path, found.to_bytes())
        return found, path

    def close(self) -> None:
        """Let go of loaded models. Files are opened and closed with each piece of work."""
        self._backends.clear()

    # --- what it is made of -----------------------------------------------------------------

    @cached_property
    def index(self) -> FlowIndex:
        """The flow index, with the flows and scores of this release in it."""
        from imagewright.retrieval.index import FlowIndex

        index = FlowIndex(self.settings.database, self.settings.chroma_dir, self._embedder)
        index.ensure_builtin()
        return index

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
    def preferences(self) -> Preferences:
        """The person's lasting wishes."""
        from imagewright.memory.preferences import Preferences

        return Preferences(self.settings.preferences)

    @cached_property
    def store(self) -> ArtifactStore:
        """The pictures."""
        from imagewright.memory.artifacts import ArtifactStore

        return ArtifactStore(self.settings.artifacts)

    def backend(self, name: str = DEFAULT_BACKEND) -> Backend:
        """The backend called ``name``; the same one each time, so that its models stay loaded.

        Raises:
            BadInput: there is no such backend.
        """
        if name not in self._backends:
            settings = self.settings
            factory = registry.load("backends", name)
            self._backends[name] = factory(settings.model_roots, settings.device, settings.model_cache)
        return self._backends[name]

    def use_backend(self, name: str, backend: Backend) -> None:
        """Draw with ``backend`` wherever the one called ``name`` is asked for."""
        self._backends[name] = backend

    @cached_property
    def _embedder(self) -> MiniLMEmbedder:
        from imagewright.retrieval.embed import MiniLMEmbedder

        return MiniLMEmbedder(self.settings.database)

    def _critic_for(self, flow: Flow) -> Critic:
        """The critic that knows the pictures of ``flow``: its detector was trained on mini's and no others."""
        from imagewright.agents.critic.verdict import NoCritic

        base = flow.card.base_model
        if base == MINI:
            return self._mini_critic
        if self._open_critic is not None:
            return self._open_critic
        from imagewright.tools.open_detector import why_none

        why = f"no critic here knows the pictures of {base or flow.id}; {why_none(self.settings.model_roots)}"
        return NoCritic(f"{why}, or name a model that sees: --llm critic=…")

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
        from imagewright.graph.parts import Parts

        fallbacks: list[str] = []
        stop = stop or threading.Event()
        line = line_of(self.settings, request, fallbacks.append, stop)
        team = team_of(self.settings, request.llm or self.settings.llm, self._rules, line)
        name = request.backend or DEFAULT_BACKEND
        return Parts(
            interpreter=team.interpreter or RulesInterpreter(),
            categorizer=team.categorizer,
            selector=team.selector,
            planner=team.planner,
            writer=team.writer,
            critic=critics_of(team, self._critic_for, MINI) if request.use_critic else None,
            catalogue=IndexCatalogue(self, name, fallbacks.append),
            backend=self.backend(name),
            store=self.store,
            runs=self.runs,
            canonical_prompt=canonical_prompt,
            preferences=self.preferences,
            learn=lambda row: self.index.add_evidence([row]),
            fallbacks=fallbacks,
            account=line.account,
            polisher=polisher_of(team) if request.polish or self.settings.polish else None,
            stop=stop,
        )


def _request(prompt: str | DrawRequest, options: dict[str, Any]) -> DrawRequest:
    """One request from what was passed to ``draw`` or ``plan``.

    Raises:
        BadInput: an option that there is not, or a value of the wrong type.
    """
    given = prompt.model_dump() if isinstance(prompt, DrawRequest) else {"prompt": prompt}
    try:
        return DrawRequest.model_validate({**given, **options})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadInput(f"{name}: {first['msg']}", f"options: {', '.join(DrawRequest.model_fields)}") from None


class IndexCatalogue:
    """The flow index and a backend, as the graph sees them."""

    def __init__(self, owner: Imagewright, backend: str, on_note: Callable[[str], None]) -> None:
        self._owner, self._backend, self._on_note = owner, backend, on_note

    @property
    def _index(self) -> FlowIndex:

        return self._owner.index.heard_by(self._on_note)

    def generation(self) -> int:
        """The number that every change of flows or evidence raises."""
        return self._index.generation

    def flow(self, name: str) -> Flow:
        """The flow with this id."""
        return self._index.get(name)

    def rank(
        self, prompt: str, parsed: ParsedPrompt, categories: Categories, named: str | None = None
    ) -> tuple[Candidate, ...]:
        """The short list for ``prompt``, best first."""
        from imagewright.retrieval.candidates import rank

        index, backend = self._index, self._owner.backend(self._backend)
        ready, learn = index.ready_for(backend), self._owner.settings.learn_critic
        limits = ready.limits_of(lambda flow: backend.limits(flow, prompt, parsed))
        return rank(
            index, prompt, parsed, categories, ready, self._backend, limits=limits, learn_critic=learn, named=named
        )

    def offer(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those that the selector may choose from."""
        from imagewright.retrieval.candidates import offer

        return offer(candidates)
