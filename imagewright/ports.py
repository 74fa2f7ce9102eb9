"""The seams between layers: small protocols that agents, backends, detectors and scorers implement.

Built-in and outside implementations go through the same seam, and lower layers receive them as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from PIL import Image

from imagewright.errors import ImagewrightError
from imagewright.intents import AnyIntent, Idea, Reference
from imagewright.needs import Need
from imagewright.schemas import (
    Candidate,
    Card,
    Categories,
    Choice,
    Detection,
    Flow,
    Layout,
    ParsedPrompt,
    Planned,
    Readiness,
    Region,
    Verdict,
    Written,
)
from imagewright.worlds import World

Picture = Image.Image


@dataclass(frozen=True)
class Redraw:
    """Change only the inside of some boxes of an earlier picture."""

    image: Picture
    regions: tuple[Region, ...]
    """The boxes to draw anew; everything else is kept."""
    strength: float = 1.0
    """How far to go back toward noise inside the boxes: 1 draws anew, 0 changes nothing."""
    mask: Picture | None = None
    """Instead of the boxes, in the size of ``image``: white is drawn anew, black is kept, grey blends."""


@dataclass(frozen=True)
class Job:
    """One picture to make: a flow with its slots filled, and the layout beside the graph.

    ``None`` leaves the value that the flow's graph states.
    """

    flow: Flow
    prompt: str
    negative: str | None = None
    seed: int = 0
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    regions: tuple[Region, ...] = ()
    region_share: float | None = None
    """The share of the steps, from the first, that obey the regions; None for the backend's default."""
    redraw: Redraw | None = None
    key: str = ""
    """The content key of the drawing step, by which a backend knows a job again after a kill; empty for none."""
    backend: str = ""
    """The backend that draws, where there are several; empty leaves it to them."""
    rules: str = ""
    """By which rules the backend draws, as its facts called them for an earlier picture; empty for its newest."""
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """Pictures of our own by the names that LoadImage nodes of the flow have: RGB, or RGBA with a mask as alpha."""


@dataclass(frozen=True)
class Step:
    """Progress of one job: ``step`` of ``total`` is done; sometimes with a small preview, or with a word instead."""

    step: int
    total: int
    preview: Picture | None = None
    text: str = ""
    """What goes on before or between steps: a queue, a model that is being loaded."""


@dataclass(frozen=True)
class Drawn:
    """A finished picture and the facts that a trace needs."""

    image: Picture
    seconds: float
    facts: dict[str, str] = field(default_factory=dict)
    """Device, dtype, library versions, model hashes, fallbacks: plain strings."""
    more: tuple[Picture, ...] = ()
    """The other pictures of a flow that draws a batch, in its order; ``image`` is the first."""
    graph: str = ""
    """The graph as it was run, as JSON, where that is not the flow's own with its slots filled."""


OnStep = Callable[[Step], None]
IsCancelled = Callable[[], bool]


@runtime_checkable
class Backend(Protocol):
    """What runs a flow."""

    name: str

    def check(self, flow: Flow) -> Readiness:
        """Say whether ``flow`` can run here, now, and if not what is missing. Loads nothing; takes milliseconds."""
        ...

    def limits(self, flow: Flow, prompt: str, parsed: ParsedPrompt) -> tuple[str, ...]:
        """The words of ``prompt`` that the flow's model is known not to draw; empty for an open-world model."""
        ...

    def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
        """Make one picture. Raises ``Cancelled`` between two steps when ``is_cancelled()`` turns true."""
        ...


@runtime_checkable
class AnswersNeeds(Protocol):
    """A backend that says for many needs at once whether they are met; one that cannot is asked flow by flow."""

    def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
        """What each need lacks here, now. The very same tuple is given for the same ``needs`` until an answer changes.

        ``check`` stays the exact word: what is met here may still be refused there.
        """
        ...


@runtime_checkable
class Redraws(Protocol):
    """A backend that can draw some boxes of a picture anew and keep the rest."""

    def can_redraw(self, flow: Flow) -> bool:
        """Whether it can do that with ``flow``."""
        ...


@runtime_checkable
class KnowsWorlds(Protocol):
    """A backend with models that know only the words that they were trained on; any other draws whatever is said."""

    def is_closed(self, flow: Flow) -> bool:
        """Whether the model of ``flow`` is one of them."""
        ...


@runtime_checkable
class StatesWorlds(Protocol):
    """A backend whose small models say what they were taught, and what they have to be told."""

    def state_world(self, flow: Flow) -> World | None:
        """The world of the model of ``flow``; None for a model that states none."""
        ...


@runtime_checkable
class DrawsTogether(Protocol):
    """A backend that makes several pictures of one flow at once, faster than one by one."""

    def draw_many(self, jobs: Sequence[Job], is_cancelled: IsCancelled) -> list[Drawn | ImagewrightError]:
        """A picture for each of ``jobs``, the one that ``draw`` makes; in its place what kept it from being made.

        Raises ``Cancelled`` between two steps when ``is_cancelled()`` turns true.
        """
        ...


class Interpreter(Protocol):
    """Reads what the person wants."""

    def interpret(self, prompt: str, references: Sequence[Reference]) -> AnyIntent:
        """What ``prompt`` asks for, given the thread's earlier pictures; the last one is the present one.

        The pictures before it are in no particular order: ``number`` says when each was made, ``live`` whether it is
        on the present line of the conversation. An intent names a picture by its ``run`` and boxes by their index in
        that picture's layout; ``agents.conversation.edits.settle`` applies it.
        """
        ...


class Categorizer(Protocol):
    """Labels a prompt."""

    def categorize(self, prompt: str, parsed: ParsedPrompt) -> Categories:
        """The categories of ``prompt``, best first; never empty."""
        ...


class Selector(Protocol):
    """Chooses among runnable candidates."""

    def select(self, prompt: str, categories: Categories, candidates: Sequence[Candidate]) -> Choice:
        """One of ``candidates``, all of which can run here."""
        ...


class LayoutPlanner(Protocol):
    """Reads a prompt and places what it names."""

    def plan(self, prompt: str) -> Planned:
        """The parsed prompt and a layout without overlaps; works for any nouns."""
        ...


class Writer(Protocol):
    """Words a prompt for one base model."""

    def write(self, prompt: str, parsed: ParsedPrompt, card: Card) -> Written:
        """The prompt for the model of ``card``, with every stated fact kept and what was added named."""
        ...


class Detector(Protocol):
    """Finds things in a picture."""

    labels: frozenset[str]
    """The objects (singular nouns) that it knows."""
    colours: frozenset[str]
    """The colour words that it can tell apart."""
    sure: float
    """The score from which a thing is whole and plain to see: below it something is half-formed. 0 where scores do not
    tell that."""

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What it sees, surest first."""
        ...


class Critic(Protocol):
    """Judges a picture against what was asked and proposes one repair."""

    def judge(
        self, image: Picture, prompt: str, parsed: ParsedPrompt, layout: Layout | None, tried: Sequence[Verdict]
    ) -> Verdict:
        """The verdict; ``tried`` holds those of this run so far, so that no repair is proposed twice in vain."""
        ...


class Polisher(Protocol):
    """Proposes what would make a picture that is right more beautiful, and says whether it did."""

    def suggest(self, image: Picture, prompt: str) -> Idea | None:
        """At most one suggestion of the closed set."""
        ...

    def prefers(self, before: Picture, after: Picture, prompt: str, idea: Idea) -> tuple[bool, str]:
        """Whether ``after``, drawn with ``idea``, is the more beautiful one, and why."""
        ...


class FamilyHints(Protocol):
    """What a model family says of flows that draw with it; classes of the registry's ``families`` have it."""

    name: str
    model_names: tuple[tuple[str, str], ...]
    """``(pattern, base model)``: how its files are called; an empty base model is the file's own name."""
    vague_names: tuple[tuple[str, str], ...]
    """The same for names that other models' files may bear too: every other name is tried first."""
    node_names: str
    """A pattern for the node classes that only its flows use; empty for none."""
    clip_types: frozenset[str]
    """The ``type`` values of ComfyUI's text encoder loaders that mean it."""


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector a text, all of one length."""
        ...


class Scorer(Protocol):
    """Turns a prompt and a picture into a number; what scores evidence is never the critic nor the judge."""

    name: str

    def score(self, prompt: str, parsed: ParsedPrompt, image: Picture) -> float:
        """The score; higher is better."""
        ...
