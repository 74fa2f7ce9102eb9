"""What a person wants of a conversation, as one typed decision: the seam between interpreters and the graph.

An interpreter, by rules or by a language model, returns an ``Intent``. It names the picture that it is about and what
is to change, and computes nothing: ``agents.conversation.edits.settle`` applies the edits, the same way for every
interpreter.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from imagewright.schemas import Layout, ParsedPrompt, PlaceName, Region, Value

IntentKind = Literal["create", "edit", "vary", "undo", "branch", "question", "feedback", "preference", "unclear"]
EditOp = Literal["recolour", "resize", "move", "add", "remove", "replace", "background", "style"]
Topic = Literal["flow", "layout", "seed", "prompt", "verdict", "cost", "picture", "preferences", ""]
IdeaKind = Literal[
    "brighter", "darker", "more contrast", "softer contrast", "richer colours", "calmer colours", "lower angle",
    "higher angle", "closer", "wider", "soft light", "golden light", "mist",
]  # fmt: skip
"""All suggestions for beauty that there are: exposure, angle, atmosphere."""
Thumb = Literal["up", "down", ""]


class Tried(Value):
    """A repair that was tried, what it was for, and how the score moved: the memory of the refinement."""

    flow: str
    """The flow whose picture had the faults."""
    faults: tuple[str, ...]
    """What was wrong before."""
    kind: str
    target: str = ""
    """What it was applied to: a box, a place, a prompt, a flow. It tells one repair of a kind from another."""
    seed: int
    before: float
    after: float
    left: tuple[str, ...] = ()
    """The faults that were still there afterwards."""

    def in_vain(self, fault: str) -> bool:
        """Whether it was tried for ``fault`` and did not cure it."""
        return fault in self.faults and fault in self.left


class Idea(Value):
    """One suggestion for the beauty of a picture that is right already; never about what is to be seen in it."""

    kind: IdeaKind
    words: str
    """What is added to the prompt."""
    reason: str = ""
    decided_by: str = "rules"


class Reference(Value):
    """An earlier picture of the same thread: what a prompt may refer to, and what an edit starts from."""

    run: str
    prompt: str
    """The whole prompt that it was drawn from."""
    image: str
    """SHA-256 of the PNG in the artifact store."""
    flow: str
    seed: int
    said: str = ""
    """What the person said to get it."""
    number: int = 0
    """Which picture of the thread it is, from 1, in the order of their making; what people call "the second one"."""
    live: bool = True
    """Whether it is on the present line of the conversation; False after an undo or a branch left it behind."""
    parsed: ParsedPrompt = ParsedPrompt()
    layout: Layout | None = None
    focus: tuple[int, ...] = ()
    """The boxes that the edit which led here changed: what "it" means."""
    tried: tuple[Tried, ...] = ()
    """What was tried to put the picture right, in this turn and in those that it was changed from."""


class Edit(Value):
    """One change of a picture. Positions and sizes are shares of the canvas."""

    op: EditOp
    boxes: tuple[int, ...] = ()
    """Which boxes of the base picture's layout; none for ``add``, ``background`` and ``style``."""
    text: str = Field(default="", max_length=300)
    """``recolour``: the colour; ``add`` and ``replace``: the caption of one thing ("a yellow star"); ``background``:
    what is behind everything ("a blue background", "at night"); ``style``: its name; else empty."""
    count: int = Field(default=1, ge=1, le=24)
    """How many things ``add`` adds."""
    factor: float = Field(default=1.0, ge=0.2, le=5.0)
    """``resize``: how much larger each side becomes."""
    across: float = Field(default=0.0, ge=-1.0, le=1.0)
    """``move``: to the right; negative to the left."""
    down: float = Field(default=0.0, ge=-1.0, le=1.0)
    """``move``: down; negative up."""
    place: PlaceName = ""
    """``move`` and ``add``: where to; relative to ``beside`` where that is given, else to the canvas."""
    beside: int | None = None
    """The box that ``place`` is relative to."""


class Preference(Value):
    """A wish that outlives every thread: a style that the person likes, or a thing that must never appear."""

    kind: Literal["style", "never"]
    text: str = Field(min_length=1, max_length=100)
    on: bool = True


class Intent(Value):
    """The interpreter's decision. Fields that a kind does not use keep their defaults.

    ==============  ==========================================================================================
    kind            uses
    ==============  ==========================================================================================
    ``create``      ``prompt``, ``parsed``
    ``edit``        ``base``, ``edits``; ``seed`` where another one is asked for
    ``vary``        ``base``; ``seed`` where one is asked for
    ``undo``        ``base``: the picture to go back to
    ``branch``      ``base``
    ``question``    ``topic``; ``base`` where it is about a picture
    ``feedback``    ``thumb``, ``base``
    ``preference``  ``preference``; its ``on`` switches it on or off
    ``unclear``     ``reason``: what to say; with ``choices``, sayings that would be clear, best first, it is asked
    ==============  ==========================================================================================
    """

    kind: IntentKind
    prompt: str = ""
    parsed: ParsedPrompt = ParsedPrompt()
    base: str = ""
    """The run whose picture it is about."""
    edits: tuple[Edit, ...] = ()
    seed: int | None = None
    thumb: Thumb = ""
    topic: Topic = ""
    preference: Preference | None = None
    reason: str = ""
    choices: tuple[str, ...] = ()
    decided_by: str = "rules"


class Settled(Value):
    """An intent made ready to draw by ``agents.conversation.edits.settle``."""

    prompt: str
    parsed: ParsedPrompt
    layout: Layout | None = None
    """The carried-over layout; None lets the planner place things."""
    redraw: tuple[Region, ...] = ()
    """The regions to draw anew in the base picture; none for a whole picture."""
    focus: tuple[int, ...] = ()
    """The boxes that the edits changed."""


class Question(Value):
    """What a run asks the person before it can go on."""

    text: str
    choices: tuple[str, ...] = ()


class Answer(Value):
    """What a run says when it makes no picture."""

    text: str
    back_to: str = ""
    """The run whose picture the conversation goes on from; empty for the present one."""
