"""A backend that draws layouts with Pillow, a detector for it, and the smallest index: parts to run the graph with.

Run as a script it draws one prompt, so that a test can kill it: ``kit.py HOME PROMPT [RUN]``; with ``RUN`` it resumes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import imagewright  # noqa: F401  (first: it makes LangGraph strict)
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.agents.critic.detector import DetectorCritic
from imagewright.agents.llm.account import Account, Prices
from imagewright.agents.reading.parse import parse_prompt
from imagewright.agents.selector.rules import RulesSelector
from imagewright.errors import BadInput, Cancelled
from imagewright.evals.exact_checker import look
from imagewright.graph import lines, runner
from imagewright.graph.parts import Parts
from imagewright.graph.request import out_path
from imagewright.memory.artifacts import ArtifactStore, content_key
from imagewright.memory.runs import RunLog, RunRow, new_run_id
from imagewright.memory.threads import Threads
from imagewright.ports import Drawn, IsCancelled, Job, OnStep, Picture, Step
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import (
    Box,
    Candidate,
    Card,
    Categories,
    Detection,
    DrawRequest,
    Flow,
    Layout,
    LayoutUse,
    ParsedPrompt,
    Planned,
    Problem,
    Readiness,
    Region,
    RunEvent,
    RunResult,
)
from imagewright.t2i_backends.mini.render import draw_scene
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Scene, Thing

GRAPH = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 0, "steps": 4, "cfg": 4.0, "denoise": 1.0, "model": ["4", 0],
          "positive": ["1", 0], "negative": ["2", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "paint.safetensors"}},
    "5": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
}  # fmt: skip
Flaw = Callable[[Job, list[Region]], list[Region]]
"""What goes wrong in one picture: the regions as they are painted."""


def flow(name: str, **card: Any) -> Flow:
    """A flow that the painter can run."""
    graph = json.loads(json.dumps(GRAPH))
    graph["3"]["inputs"]["steps"] = 4 + len(name)
    slots = dict(find_slots(graph))
    return Flow(id=name, graph=graph, card=Card(title=f"Paint {name}", base_model="paint", slots=slots, **card))


def flawless(job: Job, regions: list[Region]) -> list[Region]:
    """Nothing goes wrong."""
    return regions


class Painter:
    """Paints the regions of a job as shapes in their colours, four steps a picture; knows mini's words only."""

    name = "painter"

    def __init__(self, log: Path, flaw: Flaw = flawless, delay: float = 0.0, missing: Sequence[str] = ()) -> None:
        self.log, self.flaw, self.delay, self.missing = log, flaw, delay, set(missing)
        self.jobs: list[Job] = []

    def check(self, flow: Flow) -> Readiness:
        """Runnable unless the flow is on the list of missing ones."""
        if flow.id not in self.missing:
            return Readiness()
        return Readiness(problems=(Problem(kind="model", name="big.safetensors", remedy="put big.safetensors there"),))

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """The nouns that are not shapes; flows called ``open…`` draw anything."""
        if flow.id.startswith("open"):
            return ()
        return tuple(group.object for group in parsed.groups if group.object not in SHAPES)

    def is_closed(self, flow: Flow) -> bool:
        """All but flows called ``open…``."""
        return not flow.id.startswith("open")

    def can_redraw(self, flow: Flow) -> bool:
        """Whatever it has painted."""
        return True

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """Paint; the log gets a line when a picture is begun and one when it is done."""
        self.jobs.append(job)
        self._write("begin", job)
        for step in range(1, 5):
            time.sleep(self.delay)
            if is_cancelled():
                raise Cancelled("stopped between two steps")
            on_step(Step(step, 4, preview() if step == 2 else None))
        regions = [r for r in self.flaw(job, list(job.regions)) if r.caption.split()[-1] in SHAPES]
        image = draw_scene(Scene((), None, None, "white", tuple(map(_thing, regions)), 0.5))
        if job.width not in (None, image.width):
            image = image.resize((job.width, job.width), Image.Resampling.BOX)
        if job.redraw is not None:
            image = _pasted(job.redraw.image, image, job.redraw.regions)
        self._write("done", job)
        return Drawn(image, 0.01, {"device": "paper"})

    def _write(self, what: str, job: Job) -> None:
        with self.log.open("a") as file:
            file.write(f"{what} {job.flow.id} {job.seed} {content_key({'regions': repr(job.regions)})[:8]}\n")


def preview() -> Picture:
    """What a picture in the making looks like."""
    return Image.new("RGB", (8, 8), "gray")


def _thing(region: Region) -> Thing:
    colour = next((word for word in region.caption.split() if word in COLOURS), "black")
    side = min(region.width, region.height)
    middle = (region.x + region.width / 2, region.y + region.height / 2)
    return Thing(region.caption.split()[-1], colour, *middle, side)


def _pasted(base: Picture, new: Picture, regions: Sequence[Region]) -> Picture:
    image = base.copy()
    for r in regions:
        box = tuple(round(v * image.width) for v in (r.x, r.y, r.x + r.width, r.y + r.height))
        image.paste(new.crop(box), (box[0], box[1]))
    return image


class PixelDetector:
    """Sees shapes by their pixels."""

    labels = frozenset({*SHAPES, "background"})
    colours = frozenset(COLOURS)
    sure = 0.0

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What the exact checker finds."""
        seen = look(image)
        things = [
            Detection(object=p.shape, attributes=(p.colour,), score=p.match, x=p.x, y=p.y, width=p.width,
                      height=p.height)
            for p in seen.pieces
        ]  # fmt: skip
        paper = Detection(object="background", attributes=(seen.background,), score=1, x=0, y=0, width=1, height=1)
        return (*things, paper)


class GridPlanner:
    """Places the groups of a prompt in rows, one group a row."""

    def plan(self, prompt: str) -> Planned:
        """Boxes side by side; nothing overlaps."""
        parsed = parse_prompt(prompt)
        rows = max(len(parsed.groups), 1)
        boxes = [
            Box(caption=group.caption, object=group.object, attributes=group.attributes, x=(n + 0.25) / group.count,
                y=(row + 0.25) / rows, width=0.5 / max(group.count, rows), height=0.5 / max(group.count, rows))
            for row, group in enumerate(parsed.groups) for n in range(group.count)
        ]  # fmt: skip
        negative = ", ".join(parsed.negative)
        return Planned(parsed=parsed, layout=Layout(boxes=tuple(boxes), background="white", negative=negative))


class FixedCategorizer:
    """Everything is Geometric."""

    def categorize(self, prompt: str, parsed: ParsedPrompt) -> Categories:
        """One label."""
        return Categories(labels=("Geometric",))


class Shelf:
    """An index of a few flows with fixed estimates, best first."""

    def __init__(self, backend: Painter, flows: dict[str, float]) -> None:
        self.backend, self.estimates = backend, flows
        self.layouts: dict[str, LayoutUse] = {}
        self.loras: dict[str, tuple[str, ...]] = {}

    def flow(self, name: str) -> Flow:
        """One of the flows."""
        if name not in self.estimates:
            raise BadInput(f"no flow is called {name!r}", "see them with: imagewright flows list")
        return flow(name, layout=self.layouts.get(name, "either"))

    def carry_lora(self, name: str) -> tuple[str, ...]:
        """The flows that are said to load it."""
        return tuple(flow for flow, loras in self.loras.items() if name in loras)

    def generation(self) -> int:
        """It never changes."""
        return 3

    def rank(
        self, prompt: str, parsed: ParsedPrompt, categories: Categories, named: str | None = None
    ) -> tuple[Candidate, ...]:
        """All of them."""
        found = []
        for name, value in sorted(self.estimates.items(), key=lambda item: -item[1]):
            ready = self.backend.check(flow(name))
            found.append(
                Candidate(flow=name, title=f"Paint {name}", estimate=value, low=value - 0.1, high=value + 0.1,
                          evidence=3, runnable=ready.runnable, why_not=ready.why_not, base_model="paint")
            )  # fmt: skip
        return tuple(found)

    def offer(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those that can run."""
        return tuple(candidate for candidate in candidates if candidate.runnable)


FLOWS = {"big": 0.9, "fine": 0.8, "fast": 0.7}


class Studio:
    """A home folder and the parts to draw with."""

    def __init__(self, home: Path, *, flaw: Flaw = flawless, delay: float = 0.0, flows: dict[str, float] | None = None,
                 missing: Sequence[str] = ("big",), **parts: Any) -> None:  # fmt: skip
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.backend = Painter(home / "draws.log", flaw, delay, missing)
        self.runs = RunLog(home / "db.sqlite", home / "locks")
        self.store = ArtifactStore(home / "artifacts")
        self.checkpoints = home / "checkpoints.sqlite"
        self.parts = Parts(**{
            "interpreter": RulesInterpreter(), "categorizer": FixedCategorizer(), "selector": RulesSelector(),
            "planner": GridPlanner(), "critic": lambda flow: DetectorCritic(PixelDetector()),
            "catalogue": Shelf(self.backend, flows or FLOWS), "backend": self.backend, "store": self.store,
            "runs": self.runs, "canonical_prompt": lambda parsed: " and ".join(g.caption for g in parsed.groups),
            "account": Account(prices=Prices(pictures={"painter:*": 0.0})), **parts,
        })  # fmt: skip
        self.events: list[RunEvent] = []

    def draw(self, prompt: str, *, on_event: Callable[[RunEvent], None] | None = None, **options: Any) -> RunResult:
        """Draw ``prompt`` into the home folder with seed 7 unless told otherwise."""
        request = DrawRequest(prompt=prompt, **{"seed": 7, "out": str(self.home), **options})
        run = new_run_id()
        row = RunRow(
            id=run, thread=runner.thread_id(run, request), prompt=prompt, request=request, seed=request.seed or 0,
            out=str(out_path(request, run, self.home)), status="running", created="",
        )  # fmt: skip
        return runner.begin(self.parts, self.checkpoints, row, self._listener(on_event, run))

    def say(
        self,
        said: str,
        thread: str = "t",
        seed: int = 7,
        on_event: Callable[[RunEvent], None] | None = None,
        **options: Any,
    ) -> runner.Outcome:
        """Say something in a conversation."""
        request = DrawRequest(prompt=said, thread=thread, out=str(self.home), **options)
        run = new_run_id()
        row = RunRow(
            id=run, thread=runner.thread_id(run, request), prompt=said, request=request, seed=seed,
            out=str(out_path(request, run, self.home)), status="running", created="",
        )  # fmt: skip
        parts = dataclasses.replace(self.parts, asks=True)
        return runner.begin_turn(parts, self.checkpoints, row, self._listener(on_event, run))

    def finish(self, thread: str = "t") -> None:
        """Finish the turn that a kill cut off, as a chat does when it is opened."""
        row = self.runs.last_of(f"thread {thread}")
        cut = lines.find_unfinished(self.checkpoints, f"thread {thread}")
        if row is not None and (row.status == "interrupted" or (row.status == "delivered" and cut == row.id)):
            parts = dataclasses.replace(self.parts, asks=True)
            runner.resume_turn(parts, self.checkpoints, row, self._listener(None, row.id))

    def turns(self, thread: str = "t") -> list[tuple[str, str, str]]:
        """What was said, how it ended, and the picture that it gave."""
        return [(turn.said, turn.status, turn.image) for turn in Threads(self.runs.path).turns(thread)]

    def reply(self, said: str, thread: str = "t") -> runner.Outcome:
        """Answer the question that a conversation waits with."""
        row = self.runs.last_of(f"thread {thread}")
        assert row is not None
        parts = dataclasses.replace(self.parts, asks=True)
        return runner.resume_turn(parts, self.checkpoints, row, self._listener(None, row.id), said)

    def line(self, thread: str = "t") -> list[str]:
        """The prompts of the pictures on the present line of a conversation."""
        return [turn.prompt for turn in lines.present(self.checkpoints, f"thread {thread}")]

    def resume(self, run: str, on_event: Callable[[RunEvent], None] | None = None) -> RunResult:
        """Go on with a run."""
        return runner.resume(self.parts, self.checkpoints, self.runs.get(run), self._listener(on_event, run))

    def _listener(self, on_event: Callable[[RunEvent], None] | None, run: str) -> Callable[[RunEvent], None]:
        def listen(event: RunEvent) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        listen(RunEvent(kind="run", run=run, text=run))
        return listen

    def told(self, kind: str) -> list[str]:
        """The texts of the events of one kind."""
        return [event.text for event in self.events if event.kind == kind]

    def draws(self, what: str = "begin") -> list[str]:
        """The pictures that were begun (or done), as ``flow seed layout``."""
        if not self.backend.log.exists():
            return []
        lines = [line.split(maxsplit=1) for line in self.backend.log.read_text().splitlines()]
        return [rest for word, rest in lines if word == what]


def always_a_star_too_many(job: Job, regions: list[Region]) -> list[Region]:
    """A flaw that no repair cures."""
    return [*regions, Region(caption="a purple star", x=0.84, y=0.84, width=0.15, height=0.15)]


def main() -> None:
    """Draw or resume slowly, telling every event on standard output."""
    home, prompt, *run = sys.argv[1:]
    studio = Studio(Path(home), flaw=always_a_star_too_many, delay=0.01)

    def tell(event: RunEvent) -> None:
        print(event.kind, event.run, event.text, flush=True)

    result = studio.resume(run[0], tell) if run else studio.draw(prompt, on_event=tell)
    print("RESULT", result.model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
