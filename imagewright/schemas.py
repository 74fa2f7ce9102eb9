"""The values that cross layers, in the words of the design: flow, card, slot, evidence, layout, verdict, run.

Every value is immutable and serialisable. Boxes are ``x, y, width, height`` as fractions of the canvas with the
origin at the top left. Pictures never appear here, only their content hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from imagewright.cards import MINI as MINI
from imagewright.cards import Card as Card
from imagewright.cards import Flow as Flow
from imagewright.cards import Kind as Kind
from imagewright.cards import LayoutUse as LayoutUse
from imagewright.cards import ModelFile as ModelFile
from imagewright.cards import Problem as Problem
from imagewright.cards import Readiness as Readiness
from imagewright.cards import SlotBinding as SlotBinding
from imagewright.cards import SlotName as SlotName
from imagewright.delivered import open_picture, show_picture
from imagewright.draw_request import DrawRequest as DrawRequest
from imagewright.geometry import Rectangle
from imagewright.values import Value as Value
from imagewright.verdicts import AnyRepair
from imagewright.verdicts import Check as Check
from imagewright.verdicts import Detection as Detection
from imagewright.verdicts import Repair as Repair
from imagewright.verdicts import Verdict as Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

RelationName = Literal["left", "right", "above", "below", "inside", "near", "behind", "in-front"]
PlaceName = (
    RelationName | Literal["top", "bottom", "middle", "top-left", "top-right", "bottom-left", "bottom-right", ""]
)


class Evidence(Value):
    """One measured score of one flow on one prompt on one backend."""

    flow: str
    prompt: str
    backend: str
    scorer: str
    value: float
    seed: int
    seconds: float | None = None
    when: str
    """ISO 8601, UTC."""
    source: Literal["sweep", "person", "critic"] = "sweep"
    graph_hash: str = ""
    """Content hash of the graph that was scored, so that an edited flow does not inherit its old scores."""


class Candidate(Value):
    """A flow offered for a prompt, with its estimated score, an interval, and whether it can run here."""

    flow: str
    title: str
    estimate: float
    low: float
    high: float
    evidence: int = 0
    """How many measured scores stand behind the estimate (0: cold start)."""
    runnable: bool
    why_not: str = ""
    curable: bool = Field(default=True, exclude=True)
    """Whether files or memory are all that keeps it from running here."""
    cost: float | None = None
    base_model: str = ""
    backend: str = ""
    """The backend that would draw it."""

    @property
    def ships_with_us(self) -> bool:
        """As of the flow's card."""
        return self.base_model == MINI


# --- prompts and layouts --------------------------------------------------------------------


class ParsedGroup(Value):
    """Like things named together: "two red circles"."""

    object: str
    """The singular noun, without attributes: ``circle``, ``fire hydrant``."""
    attributes: tuple[str, ...] = ()
    """Adjectives in the order written: ``("small", "red")``."""
    count: int = 1
    exact: bool = True
    """Whether the prompt states ``count``; False where it is a guess ("some dogs", a bare plural)."""
    caption: str = ""
    """The prompt of one of them, singular, with article and attributes: ``a red circle``."""
    position: PlaceName = ""
    """An absolute place ("on the left", "at the top"); empty when none is stated."""


class ParsedRelation(Value):
    """``groups[subject]`` stands in ``relation`` to ``groups[object]``."""

    subject: int
    relation: RelationName
    object: int


class ParsedPrompt(Value):
    """What a prompt says: groups of things, relations, background, style and what must not appear."""

    groups: tuple[ParsedGroup, ...] = ()
    relations: tuple[ParsedRelation, ...] = ()
    background: str = ""
    negative: tuple[str, ...] = ()
    """Singular nouns that must not appear."""
    style: tuple[str, ...] = ()
    sure: bool = True
    """Whether the reading accounts for every word. Where it does not, nothing is claimed: no groups, no exclusions."""
    unread: tuple[str, ...] = ()
    """What was not read or not carried out, a line each, as the story tells it."""
    words: str = ""
    """The prompt's words without the field's marks (weights, LoRA tags, flags); empty where it has none."""


class Box(Rectangle, Value):
    """One captioned box of a layout."""

    caption: str
    object: str
    attributes: tuple[str, ...] = ()
    x: float
    y: float
    width: float
    height: float


class Layout(Value):
    """Where things go: captioned boxes, a background prompt and a negative prompt."""

    boxes: tuple[Box, ...] = ()
    background: str = ""
    negative: str = ""


SURE_ENOUGH = 0.455
"""From how sure on a category is told; the rules' confidence is a cosine, and lies at .46 for "four cars", Vehicles."""


class Categories(Value):
    """The labels of a prompt, best first."""

    labels: tuple[str, ...]
    confidence: tuple[float, ...] = ()
    """How sure the agent is of each label, from 0 to 1, where it says so."""
    decided_by: str = "rules"

    @property
    def telling(self) -> tuple[str, ...]:
        """The labels that are worth telling: without those that count but of which the agent is hardly sure."""
        if not self.confidence:
            return self.labels
        sure = zip(self.labels, self.confidence, strict=True)
        return tuple(label for label, confidence in sure if confidence >= SURE_ENOUGH)


class Written(Value):
    """The prompt writer's decision: the prompt for the model, and the phrases that nobody asked for."""

    prompt: str
    added: tuple[str, ...] = ()
    decided_by: str = "rules"


class Choice(Value):
    """The selector's decision."""

    flow: str
    reason: str
    decided_by: str = "rules"


class Planned(Value):
    """The layout agent's decision: what it read and where it puts things."""

    parsed: ParsedPrompt
    layout: Layout
    decided_by: str = "rules"


class Plan(Value):
    """What ``imagewright plan`` says of a prompt, before anything is drawn."""

    prompt: str
    categories: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    layout: Layout
    """Where things would go; empty where the request wants no layout."""
    notes: tuple[str, ...] = ()
    """Things that the person should know: words outside the model's world, fallbacks taken."""
    flow: str = ""
    """The flow that would draw, where need be with ``anyway``; empty where none here can."""
    reason: str = ""
    """Why that flow, in the words of whoever chose it; empty where it was named."""
    governs: bool = False
    """Whether the boxes of ``layout`` govern the pixels of the first picture; else ``flow`` places things itself."""
    drawn_from: str = ""
    """The prompt that the flow's model is given: with the person's lasting wishes, and worded for the model."""


# --- pictures -------------------------------------------------------------------------------


class Region(Rectangle, Value):
    """A box with the prompt that governs it."""

    caption: str
    x: float
    y: float
    width: float
    height: float


class Round(Value):
    """One picture of a run: how it was made and what the critic said."""

    image: str
    """SHA-256 of the PNG in the artifact store."""
    flow: str
    seed: int
    prompt: str
    layout: Layout | None
    verdict: Verdict | None = None
    repair: AnyRepair | None = None
    """The repair that led to *this* picture; none for the first."""
    base: str | None = None
    """SHA-256 of the picture of which only ``redrawn`` was drawn anew; None for a whole picture."""
    redrawn: tuple[Region, ...] = ()
    seconds: float = 0.0


class RunEvent(Value):
    """One line of progress, the same for every interface."""

    kind: Literal[
        "run", "node", "note", "fallback", "categories", "flow", "layout", "step", "preview", "image", "verdict",
        "repair", "delivered", "error", "answer",
    ]  # fmt: skip
    run: str
    text: str
    step: int | None = None
    total: int | None = None
    image: str | None = None
    layout: Layout | None = None
    """Of a layout, and of a repair that moves something: where things go from here on."""
    accepted: bool | None = None
    """Of a verdict that counts."""


class RunResult(Value):
    """A delivered run: what ``draw`` returns."""

    run: str
    prompt: str
    path: str
    """Where the PNG was written."""
    image: str
    """Its SHA-256 in the artifact store."""
    seed: int
    flow: str
    categories: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    layout: Layout | None
    rounds: tuple[Round, ...]
    images: int
    seconds: float
    notes: tuple[str, ...] = ()
    trace: str = ""
    """Where the trace was written."""

    @property
    def picture(self) -> Image:
        """The picture that was delivered, as an RGB image of Pillow.

        Raises:
            BadInput: its file is gone, or is no picture any more.
        """
        return open_picture(self.path)

    def _repr_png_(self) -> bytes | None:
        """The picture, for a notebook; None where its file is gone."""
        return show_picture(self.path)

    @property
    def verdict(self) -> Verdict | None:
        """What the critic said of the delivered picture; None where nothing of it was checked."""
        judged = [made.verdict for made in self.rounds if made.image == self.image and made.verdict is not None]
        return judged[-1] if judged and any(check.counts for check in judged[-1].checks) else None

    @property
    def accepted(self) -> bool | None:
        """Whether the critic accepted the delivered picture; None where it was not judged."""
        return self.verdict.accepted if self.verdict else None

    @property
    def score(self) -> float | None:
        """The delivered picture's score, from 0 to 1; None where it was not judged."""
        return self.verdict.score if self.verdict else None

    @property
    def judgement(self) -> str:
        """Acceptance and score in words: ``accepted 0.97``, ``not accepted 0.62`` or ``not judged``."""
        return say_judgement(self.accepted, self.score)


def say_judgement(accepted: bool | None, score: float | None) -> str:
    """How a picture was judged, in words."""
    if accepted is None or score is None:
        return "not judged"
    return f"{'accepted' if accepted else 'not accepted'} {score:.2f}"
