"""What people call: ``Imagewright``, with every feature that any door has (the command line, LangChain, a server).

Nothing is opened or imported before it is needed: making an ``Imagewright`` costs nothing, and ``plan`` neither loads
a model nor imports diffusers. The values that methods give can be imported from here, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast, get_args

from imagewright.comfy_rooms import ComfyRooms
from imagewright.container import DEFAULT_BACKEND
from imagewright.draw_request import ChatOptions, DrawOptions
from imagewright.endings import require_picture
from imagewright.errors import BadInput
from imagewright.flow_calls import FlowCalls, FlowSize, SyncedNodes
from imagewright.keeping import Keeping
from imagewright.limits import MAX_VARIATIONS
from imagewright.run_work import OnEvent, OwnProcess, Workplace, begin_work, ignore_event
from imagewright.schemas import DrawRequest, Plan, RunResult

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from imagewright.batch import BatchRow, DrawnBatch
    from imagewright.chat import Chat
    from imagewright.comfy_import import ImportedWorkflow
    from imagewright.comfy_rooms import ServerState
    from imagewright.doctor import Finding
    from imagewright.graph.parts import Parts
    from imagewright.graph.shown_layout import BoxFinding, ShownBox
    from imagewright.memory.pictures import PicturePage, PictureQuery, PictureRow
    from imagewright.memory.runs import RunRow
    from imagewright.model_folders import Download, ModelPage, ModelScan, NeededModel, OnFile
    from imagewright.onward import Machine, Onward, Way
    from imagewright.retrieval.adding import Added, AlreadyThere, PreviewedFlow, Refused
    from imagewright.retrieval.evidence_stream import Imported
    from imagewright.retrieval.listing import FlowPage, ListedFlow
    from imagewright.retrieval.score_table import ScoreTable
    from imagewright.run_work import Reply
    from imagewright.t2i_backends.bench.speed import BackendSpeed, Compared
    from imagewright.t2i_backends.comfyui.bench import ServerSpeed
    from imagewright.t2i_backends.models.download import Remote
    from imagewright.trace import Replay
    from imagewright.world_words import KnownWorld

__all__ = [
    "DEFAULT_BACKEND", "Added", "AlreadyThere", "BackendSpeed", "BatchRow", "BoxFinding", "Chat", "Compared",
    "Download", "DrawnBatch", "Finding", "FlowPage", "FlowSize", "Imagewright", "Imported", "ImportedWorkflow",
    "ListedFlow", "Machine", "ModelPage", "ModelScan", "NeededModel", "OnEvent", "PicturePage", "PictureQuery",
    "PictureRow", "PreviewedFlow", "Refused", "Remote", "Replay", "Reply", "RunRow", "ScoreTable", "ServerSpeed",
    "ServerState", "ShownBox", "SyncedNodes", "Way",
]  # fmt: skip
_LAZY = {
    "batch": "BatchRow DrawnBatch", "chat": "Chat", "comfy_import": "ImportedWorkflow", "comfy_rooms": "ServerState",
    "doctor": "Finding", "graph.replay": "Replay", "graph.shown_layout": "BoxFinding ShownBox",
    "memory.pictures": "PicturePage PictureQuery PictureRow", "memory.runs": "RunRow",
    "model_folders": "Download ModelPage ModelScan NeededModel", "onward": "Machine Way",
    "retrieval.adding": "Added AlreadyThere PreviewedFlow Refused", "retrieval.evidence_stream": "Imported",
    "retrieval.listing": "FlowPage ListedFlow", "retrieval.score_table": "ScoreTable", "run_work": "Reply",
    "t2i_backends.bench.speed": "BackendSpeed Compared", "t2i_backends.comfyui.bench": "ServerSpeed",
    "t2i_backends.models.download": "Remote",
}  # fmt: skip
_PLACES = {name: module for module, names in _LAZY.items() for name in names.split()}
"""Where the values lie whose modules are imported only when they are asked for."""


def __getattr__(name: str) -> object:
    if name in _PLACES:
        import importlib

        return getattr(importlib.import_module(f"imagewright.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'imagewright.api' has no attribute {name!r}")


def serve_graph(engine: Callable[[], Imagewright]) -> StateGraph[Any, None, Any, Any]:
    """The graph of ``Imagewright.as_graph`` for an engine that is made when the first run begins."""
    from imagewright.graph.served import build_served

    def begin(request: DrawRequest, seed: int | None) -> tuple[Parts, RunRow]:
        parts, _, row, _ = begin_work(engine().container, request, None, seed=seed, asks=True)
        return parts, row

    return build_served(begin, lambda request: replace(engine().container.parts(request), asks=True))


class Imagewright(FlowCalls, ComfyRooms, Keeping):
    """Finds the workflow that serves a prompt best, and runs it.

    >>> from imagewright import Imagewright
    >>> result = Imagewright().draw("a red circle above a blue square", seed=1)  # doctest: +SKIP
    """

    # --- drawing ----------------------------------------------------------------------------

    _elsewhere: Workplace | None = None

    @property
    def workplace(self) -> Workplace:
        """Where runs are done: here, unless ``work_at`` said otherwise."""
        return self._elsewhere or OwnProcess(self.container)

    def work_at(self, workplace: Workplace) -> None:
        """Have runs done at ``workplace`` from now on; everything else is looked up here."""
        self._elsewhere = workplace

    def draw(
        self,
        prompt: str | DrawRequest,
        *,
        on_event: OnEvent | None = None,
        stop: threading.Event | None = None,
        ask: bool = False,
        run: str | None = None,
        **options: Unpack[DrawOptions],
    ) -> RunResult:
        """Draw ``prompt``; ``options`` are the other fields of ``DrawRequest``, as ``DrawOptions`` tells them.

        ``on_event`` hears the run's id first, then every step. Setting ``stop`` ends the run between two steps. What is
        not clear is assumed and told in the notes, and a limit that is reached ends the run, unless ``ask`` is set.
        ``run`` is an id of ``name_run``, for callers that must know it beforehand.

        Raises:
            NeedsAnswer: with ``ask``, something must be answered first; ``resume`` takes the reply.
            BadInput: the request, a setting or the disk cannot be used.
            CannotDraw: no flow here can draw it.
            BudgetSpent: the budget ended before the first picture.
            Cancelled: Ctrl-C; ``resume`` goes on.
        """
        request = _request(prompt, options)
        made = self.workplace.begin(request, on_event, seed=request.seed, asks=ask, stop=stop, run=run)
        return require_picture(made.run, made.result, made.question)

    def plan(self, prompt: str | DrawRequest, **options: Unpack[DrawOptions]) -> Plan:
        """What ``prompt`` would be drawn with, and where things would go. Draws nothing.

        ``options`` are the other fields of ``DrawRequest``, as ``DrawOptions`` tells them.

        Raises:
            BadInput: the prompt is empty, an option cannot be used, or there is no such flow or language model.
        """
        from imagewright.graph.decide import plan_request

        request = _request(prompt, options).model_copy(update={"use_critic": False})
        return plan_request(self.container.parts(request), request, self.settings.checkpoints)

    def draw_batch(
        self,
        prompts: Sequence[str],
        folder: Path | str,
        *,
        on_event: OnEvent | None = None,
        on_row: Callable[[int, BatchRow], None] | None = None,
        **options: Unpack[DrawOptions],
    ) -> DrawnBatch:
        """Draw each prompt into ``folder``, with a manifest and a contact sheet; called again, it goes on.

        ``options`` are the other fields of ``DrawRequest``, for every picture. ``on_row`` hears the number of each
        prompt, from 0, and how it stands. A prompt that cannot be drawn is written down, and the batch goes on.

        Raises:
            BadInput: an option, the folder or the manifest in it cannot be used.
            Cancelled: Ctrl-C; the same call goes on.
        """
        from imagewright.batch import draw_all

        request = _request("a batch", {**options, "out": None})
        tell = on_row or (lambda number, row: None)
        return draw_all(self, prompts, Path(folder), request, on_event or ignore_event, tell)

    def draw_variations(
        self,
        prompt: str | DrawRequest,
        count: int,
        folder: Path | str,
        *,
        on_event: OnEvent | None = None,
        on_row: Callable[[int, BatchRow], None] | None = None,
        **options: Unpack[DrawOptions],
    ) -> DrawnBatch:
        """Draw ``prompt`` ``count`` times into ``folder``, each with a seed of its own, as ``draw_batch`` does.

        With ``seed`` the seeds are that one and those that follow it; else they are by chance.

        Raises:
            BadInput: ``count`` is not from 1 to 1,000, or as ``draw_batch``.
            Cancelled: Ctrl-C; the same call goes on.
        """
        from imagewright.batch import draw_all

        if not 1 <= count <= MAX_VARIATIONS:
            raise BadInput(f"{count} pictures are not drawn at once", f"ask for 1 to {MAX_VARIATIONS}")
        request = _request(prompt, {**options, "out": None, "thread": None})
        tell = on_row or (lambda number, row: None)
        prompts = [request.prompt] * count
        return draw_all(self, prompts, Path(folder), request, on_event or ignore_event, tell, own_seeds=True)

    def chat(self, thread: str = "chat", **options: Unpack[ChatOptions]) -> Chat:
        """A conversation that is kept under the name ``thread`` and goes on where it was left.

        ``options`` are fields of ``DrawRequest`` that hold for all of its pictures, as ``ChatOptions`` tells them.

        Raises:
            BadInput: an option or the name cannot be used.
        """
        from imagewright.chat import Chat

        return Chat(self.container, _request("a picture", {**options, "thread": thread}), self.workplace)

    def as_graph(self) -> StateGraph[Any, None, Any, Any]:
        """The engine as a graph of LangGraph's with its own nodes, for servers that compile it with their own memory.

        Input and output are ``graph.served.DrawInput`` and ``DrawOutput``; a question to the person is an interrupt.
        """
        return serve_graph(lambda: self)

    # --- runs -------------------------------------------------------------------------------

    def resume(
        self,
        run: str,
        on_event: OnEvent | None = None,
        *,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> RunResult:
        """Go on with a run that was killed, stopped or failed, or that waits for ``reply``.

        One that is delivered is only told again. Setting ``stop`` ends it between two steps.

        Raises:
            NeedsAnswer: it waits for an answer, still or again.
            BadInput: there is no such run, or another process is drawing it.
            CannotDraw, BudgetSpent, Cancelled: as ``draw``.
        """
        asks = self.runs.get(run).status == "asked"
        made = self.go_on(run, on_event, ask=asks, reply=reply, stop=stop)
        return require_picture(made.run, made.result, made.question)

    def go_on(
        self,
        run: str,
        on_event: OnEvent | None = None,
        *,
        ask: bool = False,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        """As ``resume``, for whoever takes a picture, an answer and, with ``ask``, a question alike.

        Raises:
            BadInput: there is no such run, or another process is drawing it.
            CannotDraw, BudgetSpent, Cancelled: as ``draw``.
        """
        return self.workplace.go_on(self.runs.get(run), on_event, asks=ask, reply=reply, stop=stop)

    def replay(self, run: str, on_event: OnEvent | None = None, out: Path | str | None = None) -> Replay:
        """Draw the picture of ``run`` again from its trace, and say whether it is the same and what differs here.

        With ``out`` the picture is kept there, too, as a PNG.

        Raises:
            BadInput: there is no such run, it delivered nothing, its trace cannot be replayed, or ``out`` is unusable.
            CannotDraw: its flow cannot be drawn here any more.
        """
        from imagewright.memory.artifacts import write_whole

        if out is not None and Path(out).exists():
            raise BadInput(f"{out} is there already", "name a .png file that is not there yet")
        drawn = self.workplace.replay(self.runs.get(run), on_event)
        if out is not None:
            write_whole(Path(out), self.store.get(drawn.image).read_bytes())
        return drawn

    def explain(self, run: str | None = None, about: str = "") -> str:
        """Why the picture of ``run`` came out as it did; of the newest delivered one for None.

        ``about`` is one of ``imagewright.intents.Topic``; everything, where it is empty.

        Raises:
            BadInput: there is no such run or topic, or nothing was delivered yet.
        """
        from imagewright.graph.why import explain
        from imagewright.intents import Topic

        if about not in get_args(Topic):
            topics = "topics: flow, layout, seed, prompt, verdict, cost"
            raise BadInput(f"there is nothing to say about {about!r}", topics)
        name = run or next((row.id for row in self.runs.list(100) if row.result is not None), None)
        if name is None:
            raise BadInput("no run has delivered a picture yet", 'draw something: imagewright draw "a red circle"')
        return explain(self.runs.trace(name), cast(Topic, about))

    # --- models and this machine ------------------------------------------------------------

    def scan_models(self, *, add_flows: bool = True) -> ModelScan:
        """Every model in the model folders; unless told otherwise, a flow for each checkpoint that none uses yet."""
        from imagewright.model_folders import scan_folders

        return scan_folders(self.container, add_flows=add_flows)

    def list_models(self) -> tuple[NeededModel, ...]:
        """Every model file that a flow needs, where it is or belongs, and which flows need it."""
        from imagewright.model_folders import list_needed

        return tuple(list_needed(self.container))

    def page_models(self, *, search: str = "", limit: int = 50, offset: int = 0) -> ModelPage:
        """A page of the same, by folder and name; ``search`` is part of a name. A large index is not read for it.

        Raises:
            BadInput: the database cannot be read.
        """
        from imagewright.model_folders import page_needed

        return page_needed(self.container, search, limit, offset)

    def pull_models(
        self, flow: str, agree: Callable[[Download], bool], on_bytes: OnFile | None = None
    ) -> tuple[Path, ...]:
        """Fetch the models that ``flow`` lacks; the files that were fetched. After an interruption it goes on.

        ``agree`` is asked once, with sizes and addresses, where anything is lacking: nothing is downloaded unasked.
        ``on_bytes`` hears the file, its bytes that are here, and those that there are.

        Raises:
            BadInput: there is no such flow, its card has no address for a file, or a licence must be accepted first.
            CannotDraw: the connection broke.
        """
        from imagewright.model_folders import pull_missing

        return pull_missing(self.container, flow, agree, on_bytes)

    def examine(self) -> tuple[Finding, ...]:
        """What works here, what is missing and how to get it, what is needed first."""
        from imagewright.doctor import examine_home

        return tuple(examine_home(self.container, self.list_flows))

    @property
    def onward(self) -> Onward:
        """What this machine could draw with beyond the small model that ships."""
        from imagewright.onward import Onward

        return Onward(self.container)

    def bench_backend(
        self, checkpoint: str = "mini", *, size: int = 64, steps: int = 10, repeats: int = 7, levels: str = ""
    ) -> BackendSpeed:
        """Time our denoising loop against the stock diffusers pipeline on the same weights, in turns.

        ``size`` is the picture's side in pixels, ``repeats`` the pictures of each; ``levels`` names offload levels
        with commas (``none,model,group``), all of them on a GPU for none named.

        Raises:
            BadInput: there is no such checkpoint or level.
        """
        from imagewright.t2i_backends.bench.speed import BackendSpeed, SpeedOrder, compare, levels_of, machine

        order, device = SpeedOrder(checkpoint, size, steps, repeats), self.settings.device
        compared = compare(self.settings.model_roots, device, order, levels_of(levels, device))
        return BackendSpeed(order, machine(device), tuple(compared))

    def list_worlds(self, sheet: Path | None = None) -> tuple[KnownWorld, ...]:
        """What each small model here was taught to draw; ``sheet`` is a PNG to write drawings of it to."""
        from imagewright.world_words import list_worlds

        return list_worlds(self.container, sheet)

    def suggest_names(self, kind: Literal["flows", "runs", "threads"], typed: str, most: int = 200) -> Sequence[str]:
        """Up to ``most`` names that begin with ``typed``: flows by name, runs and conversations newest first.

        Reads what is there and makes nothing: in a home that does not exist yet it raises.

        Raises:
            BadInput: there is no database, or it cannot be read.
        """
        if kind == "flows":
            from imagewright.retrieval.flow_names import find_flow_names

            return find_flow_names(self.settings.database, typed, most)
        return self.runs.find_names(typed, most) if kind == "runs" else self.threads.find_names(typed, most)


def _request(prompt: str | DrawRequest, options: Mapping[str, object]) -> DrawRequest:
    """One request from what was passed to ``draw`` or ``plan``.

    Raises:
        BadInput: an option that there is not, or a value of the wrong type.
    """
    given = prompt.model_dump() if isinstance(prompt, DrawRequest) else {"prompt": prompt}
    return DrawRequest.model_validate({**given, **options})
