"""The ``diffusers`` backend: runs a flow in this process, on models of FLUX.1, SD3.5, SDXL and SD1.5 that lie here.

Torch and diffusers are imported with the first picture, not before: ``check`` needs neither.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewright.errors import BadInput, Cancelled, CannotDraw, ImagewrightError
from imagewright.flow_format import Graph, links
from imagewright.needs import Need
from imagewright.ports import Drawn, IsCancelled, Job, OnStep
from imagewright.schemas import Flow, ParsedPrompt, Readiness, SlotName
from imagewright.settings import Settings
from imagewright.t2i_backends.execution import readiness
from imagewright.t2i_backends.execution.needs_check import NeedAnswers
from imagewright.t2i_backends.execution.node_cache import NodeCache
from imagewright.t2i_backends.execution.program import Program, compile_flow
from imagewright.t2i_backends.models.devices import check_device_name, pick_device, pick_dtype
from imagewright.t2i_backends.models.memory import below
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.worlds import World

if TYPE_CHECKING:
    from PIL import Image

    from imagewright.t2i_backends.denoising.lockstep import Lockstep
    from imagewright.t2i_backends.models.model_store import ModelStore
    from imagewright.t2i_backends.nodes.runtime import Runtime


class TooLittleMemory(CannotDraw):
    """Memory ran out while drawing."""


def open_diffusers(settings: Settings) -> DiffusersBackend:
    """The backend over the model folders and the device of ``settings``."""
    return DiffusersBackend(settings.model_roots, settings.device, settings.model_cache)


class DiffusersBackend:
    """Draws flows of our families with diffusers. One job at a time; others wait."""

    name = "diffusers"

    def __init__(self, model_roots: Sequence[Path], device: str = "auto", model_cache: int = 2) -> None:
        check_device_name(device)
        self.files = ModelFiles(model_roots)
        self.device = device
        self.model_cache = model_cache
        self.preview_seconds = 0.5
        """The least time between two previews."""
        self._cache = NodeCache()
        self._store: ModelStore | None = None
        self._busy = threading.Lock()
        self._answers = NeedAnswers(self.files, device)

    @property
    def store(self) -> ModelStore:
        """The loaded models; torch is imported here."""
        if self._store is None:
            _import_quietly()
            from imagewright.t2i_backends.models.model_store import ModelStore

            device = pick_device(self.device)
            self._store = ModelStore(device, pick_dtype(self.device), self.model_cache)
        return self._store

    def check(self, flow: Flow) -> Readiness:
        """Say what keeps ``flow`` from running here: nodes, values, files, family, memory, slots."""
        store = self._store
        held = (0, 0) if store is None else (store.loaded_bytes, store.waiting_bytes)
        return readiness.check_flow(flow, self.files, self.device, *held, self._answers.look)

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """For each need of flows what is missing here; the same tuple until files, folders or memory change."""
        store = self._store
        held = (0, 0) if store is None else (store.loaded_bytes, store.waiting_bytes)
        return self._answers.missing(needs, *held)

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """The words that a model of a small world cannot draw; none where the model states no world.

        Raises:
            BadInput: the flow's graph is broken; ``check`` says how.
        """
        for folder in self._worlds(compile_flow(flow)):
            from imagewright.t2i_backends.mini.limits import unknown_words

            return unknown_words(folder, prompt, parsed)
        return ()

    def is_closed(self, flow: Flow) -> bool:
        """Whether the flow's model states a world beside its weights.

        Raises:
            BadInput: the flow's graph is broken; ``check`` says how.
        """
        return bool(self._worlds(compile_flow(flow)))

    def state_world(self, flow: Flow) -> World | None:
        """What the flow's model says of its world; None for a model that says nothing.

        Raises:
            BadInput: the flow's graph is broken; ``check`` says how.
        """
        for folder in self._worlds(compile_flow(flow)):
            from imagewright.t2i_backends.mini.limits import world_of

            return world_of(folder)
        return None

    def can_redraw(self, flow: Flow) -> bool:
        """Whether the flow samples once, so that a region of its picture can be drawn anew."""
        return len(compile_flow(flow).samplers) == 1

    def _worlds(self, program: Program) -> list[Path]:
        """The folders of the flow's models that state a small world."""
        return [f for f in readiness.pipeline_folders(program, self.files) if (f / "world.json").is_file()]

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """Make one picture.

        Raises:
            BadInput: the flow, a value, a size or a model file cannot be used.
            CannotDraw: too little memory, or the numbers ran off.
            Cancelled: between two steps.
        """
        with self._busy:
            return self._draw_placed(job, self._runtime(job, on_step, is_cancelled))

    def draw_many(self, jobs: Sequence[Job], is_cancelled: IsCancelled) -> list[Drawn | ImagewrightError]:
        """Make a picture for each of ``jobs``, which share one flow, with their passes through its models batched.

        Each picture is the one that ``draw`` makes, up to rounding. What keeps one job from its picture stands in its
        place and leaves the others alone. ``seconds`` is each one's share of the whole time.

        Raises:
            BadInput: the jobs are of more than one flow.
            Cancelled: between two steps.
        """
        if len({job.flow.id for job in jobs}) > 1:
            raise BadInput("only pictures of one flow are drawn together", "give each flow a call of its own")
        from imagewright.t2i_backends.denoising.lockstep import Lockstep

        with self._busy:
            start, lockstep = time.perf_counter(), Lockstep()
            runs = [self._runtime(job, lambda step: None, is_cancelled, lockstep) for job in jobs]
            found = lockstep.run([partial(self._draw_placed, job, run) for job, run in zip(jobs, runs, strict=True)])
            share = (time.perf_counter() - start) / max(len(jobs), 1)
        return [_one_of(each, share, len(jobs)) for each in found]

    def _draw_placed(self, job: Job, run: Runtime) -> Drawn:
        """The picture of one job whose models may be placed now."""
        program = compile_flow(job.flow)
        for folder in self._worlds(program):
            from imagewright.t2i_backends.mini.limits import insist_on_size

            insist_on_size(folder, job.width, job.height)
        start, loaded = time.perf_counter(), run.store.seconds
        bound = _checked(job, run, program)
        held = run.store.loaded_bytes, run.store.waiting_bytes
        run.store.place(readiness.placement(bound, self.files, self.device, *held))
        image, *more = _draw(bound, run)
        if more:
            run.facts["batch"] = f"{1 + len(more)} pictures at once; the first is judged, the others are kept"
        run.facts["offload"] = run.store.level
        run.facts["load_seconds"] = f"{run.store.seconds - loaded:.3f}"
        return Drawn(image, time.perf_counter() - start, _facts(run), tuple(more))

    def _runtime(
        self, job: Job, on_step: OnStep, is_cancelled: IsCancelled, lockstep: Lockstep | None = None
    ) -> Runtime:
        store = self.store
        if job.regions and job.region_share is None:
            from imagewright.t2i_backends.mini.limits import region_share

            job = replace(job, region_share=region_share(self._worlds(compile_flow(job.flow))))
        from imagewright.t2i_backends.nodes.runtime import Runtime
        from imagewright.t2i_backends.pictures.previews import Previews

        previews = Previews(self.preview_seconds)
        return Runtime(job, self.files, store, self._cache, on_step, is_cancelled, previews, lockstep=lockstep)


def _one_of(found: Drawn | BaseException, seconds: float, count: int) -> Drawn | ImagewrightError:
    """A picture with its share of the time; what kept a job from its picture, where that is its own affair.

    Raises:
        Cancelled: the person stopped it; and any error that is a bug.
    """
    if isinstance(found, Cancelled) or not isinstance(found, Drawn | ImagewrightError):
        raise found
    if isinstance(found, ImagewrightError):
        return found
    return replace(found, seconds=seconds, facts={**found.facts, "drawn_together": str(count)})


def _import_quietly() -> None:
    """Import diffusers and all that draws, without transformers' remarks about optional packages."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        import imagewright.t2i_backends.execution.executor  # noqa: F401
    finally:
        logging.set_verbosity(level)


def _checked(job: Job, run: Runtime, program: Program) -> Program:
    """``program`` with the job in its slots, found good; the runtime learns how many steps it has."""
    bound = _bound(job, run, program)
    if bound.flaws:
        raise BadInput(bound.flaws[0].message, bound.flaws[0].remedy)
    if bound.output is None:
        raise BadInput(f"flow {job.flow.id!r} has no SaveImage node", "end it with a SaveImage")
    if job.redraw is not None and len(bound.samplers) != 1:
        raise BadInput(f"a redraw needs a flow with one KSampler, not {len(bound.samplers)}", "choose another flow")
    run.planned_steps = sum(_steps(bound.graph, sampler) for sampler in bound.samplers)
    return bound


def _steps(graph: Graph, sampler: str) -> int:
    """The steps that a sampler states, itself or in its schedule; 0 where nothing does."""
    inputs = graph[sampler]["inputs"]
    source = links(inputs).get("sigmas")
    value = (graph[source[0]]["inputs"] if source else inputs).get("steps")
    if not isinstance(value, int):
        return 0
    first, last = inputs.get("start_at_step", 0), inputs.get("end_at_step", value)
    return max(min(last, value) - first, 0) if isinstance(first, int) and isinstance(last, int) else value


def _bound(job: Job, run: Runtime, program: Program) -> Program:
    width, height = (job.width, job.height) if job.redraw is None else job.redraw.image.size
    if job.redraw is not None and (job.width or width, job.height or height) != (width, height):
        raise BadInput(f"a redraw keeps the size of its picture, {width} x {height}", "leave the size out")
    values: Mapping[SlotName, object] = {
        "positive": job.prompt, "negative": job.negative, "seed": job.seed, "width": width, "height": height,
        "steps": job.steps, "guidance": job.guidance,
    }  # fmt: skip
    for name in readiness.slots_without_place(program, values):
        if job.redraw is None or name not in ("width", "height"):
            run.note(f"the flow has no slot for {name}: it was left out")
    insist: tuple[SlotName, ...] = ("positive",)
    return program.bind(values, insist)


def _draw(program: Program, run: Runtime) -> list[Image.Image]:
    """The pictures of a program, as nobody else holds them."""
    from imagewright.t2i_backends.denoising.redraw import paste
    from imagewright.t2i_backends.execution.executor import execute

    images = _with_less(lambda: execute(program, run), run)
    redraw = run.job.redraw
    if redraw is None:
        return [image.copy() for image in images]
    if not redraw.strength:
        return [redraw.image.copy()]
    return [paste(images[0], redraw.image, redraw.regions, run.cell_pixels, redraw.mask)]


def _with_less(draw: Callable[[], Any], run: Runtime) -> Any:
    """What ``draw`` gives; where memory runs out it is tried once more with the models placed one level leaner.

    Raises:
        CannotDraw: there is too little memory even so, or nowhere to offload to.
    """
    try:
        return _out_of_memory_is_ours(draw)
    except CannotDraw as error:
        leaner = below(run.store.level) if _can_offload(run) and run.lockstep is None else None
        if not isinstance(error, TooLittleMemory) or leaner is None:
            raise
        run.note(f"memory ran out: drawn again with offload level {leaner}")
        run.restart()
        run.store.clear()
        run.store.place(leaner)
    return _out_of_memory_is_ours(draw)


def _can_offload(run: Runtime) -> bool:
    """Whether the device has a memory of its own, so that models can wait elsewhere."""
    return run.store.device.type == "cuda"


_LEANER = "close other programs, or choose a smaller size or a flow on a smaller model"


def _out_of_memory_is_ours(draw: Callable[[], Any]) -> Any:
    import torch

    try:
        return draw()
    except (torch.OutOfMemoryError, MemoryError):
        raise TooLittleMemory("there is too little memory for this picture", _LEANER) from None
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise TooLittleMemory("there is too little memory for this picture", _LEANER) from None


def _facts(run: Runtime) -> dict[str, str]:
    """Plain strings for the trace."""
    versions = {f"{name}_version": metadata.version(name) for name in ("torch", "diffusers", "transformers")}
    models = {f"model {name}": found.digest for name, found in run.models.items()}
    fallbacks = {"fallbacks": "; ".join(run.notes)} if run.notes else {}
    return {
        "backend": "diffusers",
        "device": run.device_name,
        "dtype": run.dtype_name,
        "rules": str(run.rules),
        **versions,
        **models,
        **run.facts,
        **fallbacks,
    }
