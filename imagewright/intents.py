"""What a person wants of a conversation, as one typed decision: the seam between interpreters and the graph.

An interpreter, by rules or by a language model, returns an ``Intent``. It names the picture that it is about and what
is to change, and computes nothing: ``agents.conversation.edits.settle`` applies the edits, the same way for every
interpreter.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from imagewright.box_changes import Spot
from imagewright.schemas import Check, Layout, ParsedPrompt, PlaceName, Region, Value
from imagewright.values import Tagged
from imagewright.verdicts import Repair, load_repairs

IntentKind = Literal[
    "create", "edit", "vary", "undo", "branch", "question", "feedback", "preference", "command", "unclear"
]
EditOp = Literal[
    "recolour", "resize", "move", "place", "swap", "flip", "add", "put", "remove", "replace", "background", "style"
]
Topic = Literal[
    "flow", "layout", "seed", "prompt", "verdict", "cost", "picture", "preferences", "world", "change", "colour",
    "sureness", "look", "",
]  # fmt: skip
CommandName = Literal["help", "save", "cannot"]
IdeaKind = Literal[
    "brighter", "darker", "more contrast", "softer contrast", "richer colours", "calmer colours", "lower angle",
    "higher angle", "closer", "wider", "soft light", "golden light", "mist",
]  # fmt: skip
"""All suggestions for beauty that there are: exposure, angle, atmosphere."""
Thumb = Literal["up", "down", ""]
_Said = Annotated[str, Field(max_length=300)]


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

    def tell(self) -> str:
        """One line: what was tried for what, and what came of it."""
        what = load_repairs().get(self.kind, Repair).tell_tried(self.kind, self.target)
        cured = [fault for fault in self.faults if fault not in self.left]
        outcome = "did not help" if not cured else f"cured {'; '.join(cured)}"
        return (
            f"{what} on {self.flow} for {self.faults[0] if self.faults else 'nothing'}: {self.tell_move()}, {outcome}"
        )

    def tell_move(self) -> str:
        """How the score moved."""
        return f"score {self.before:.2f} → {self.after:.2f}"


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
    drawn: Layout | None = None
    """The layout with each box where its thing was seen; None where nobody looked."""
    faults: tuple[Check, ...] = ()
    """What was wrong with it when it was delivered."""
    borne: tuple[Check, ...] = ()
    """What was wrong with a picture that it was changed from, and is so still; told before."""
    focus: tuple[int, ...] = ()
    """The boxes that the edit which led here changed: what "it" means."""
    tried: tuple[Tried, ...] = ()
    """What was tried to put the picture right, in this turn and in those that it was changed from."""

    @property
    def shown(self) -> Layout | None:
        """Where things are: as they were seen, else as they were planned."""
        return self.drawn or self.layout


class Edit(Tagged):
    """One change of a picture; ``Edit(op=…)`` makes the variant. Positions and sizes are shares of the canvas."""

    tag: ClassVar[str] = "op"
    once: ClassVar[frozenset[str]] = frozenset(
        {"boxes", "text", "count", "factor", "across", "down", "place", "beside"}
    )

    op: EditOp


class BoxesEdit(Edit):
    """A change of some boxes of the base picture's layout."""

    boxes: tuple[int, ...] = ()


class RecolourEdit(BoxesEdit):
    """Another colour."""

    op: Literal["recolour"] = "recolour"
    text: _Said = ""
    """The colour."""


class ResizeEdit(BoxesEdit):
    """Larger or smaller."""

    op: Literal["resize"] = "resize"
    factor: float = Field(default=1.0, ge=0.2, le=5.0)
    """How much larger each side becomes."""


class MoveEdit(BoxesEdit):
    """Elsewhere: to a place where one is given, else by a way."""

    op: Literal["move"] = "move"
    across: float = Field(default=0.0, ge=-1.0, le=1.0)
    """To the right; negative to the left."""
    down: float = Field(default=0.0, ge=-1.0, le=1.0)
    """Down; negative up."""
    place: PlaceName = ""
    """Where to; relative to ``beside`` where that is given, else to the canvas."""
    beside: int | None = None
    """The box that ``place`` is relative to."""
    also: tuple[int, ...] = ()
    """Further boxes that it is relative to: "above the tree and the house"."""


class PlaceEdit(BoxesEdit):
    """Exactly there, and so large; nothing gives way to it, and nothing holds it off."""

    op: Literal["place"] = "place"
    spot: Spot


class SwapEdit(BoxesEdit):
    """The two boxes change places: each stands where the other stood."""

    op: Literal["swap"] = "swap"


class RemoveEdit(BoxesEdit):
    """Gone."""

    op: Literal["remove"] = "remove"


class ReplaceEdit(BoxesEdit):
    """Another thing in its place."""

    op: Literal["replace"] = "replace"
    text: _Said = ""
    """The caption of the new thing: ``a yellow star``."""


class AddEdit(Edit):
    """Something more."""

    op: Literal["add"] = "add"
    text: _Said = ""
    """The caption of one thing."""
    count: int = Field(default=1, ge=1, le=24)
    place: PlaceName = ""
    """Where to; relative to ``beside`` where that is given, else to the canvas."""
    beside: int | None = None
    also: tuple[int, ...] = ()
    """Further boxes that it is relative to."""


class PutEdit(Edit):
    """Something more, exactly there, and so large."""

    op: Literal["put"] = "put"
    text: _Said = ""
    """Its caption."""
    spot: Spot


class FlipEdit(Edit):
    """All things mirrored: what stood on the left stands on the right."""

    op: Literal["flip"] = "flip"
    upright: bool = False
    """Whether top and bottom change places instead."""


class BackgroundEdit(Edit):
    """Another background."""

    op: Literal["background"] = "background"
    text: _Said = ""
    """What is behind everything: ``a blue background``, ``at night``."""


class StyleEdit(Edit):
    """Another style."""

    op: Literal["style"] = "style"
    text: _Said = ""
    """Its name."""


AnyEdit = Annotated[
    RecolourEdit
    | ResizeEdit
    | MoveEdit
    | PlaceEdit
    | SwapEdit
    | FlipEdit
    | RemoveEdit
    | ReplaceEdit
    | AddEdit
    | PutEdit
    | BackgroundEdit
    | StyleEdit,
    Field(discriminator="op"),
]


class Preference(Value):
    """A wish that outlives every thread: a style that the person likes, or a thing that must never appear."""

    kind: Literal["style", "never"]
    text: str = Field(min_length=1, max_length=100)
    on: bool = True


class Intent(Tagged):
    """The interpreter's decision; ``Intent(kind=…)`` makes the variant."""

    tag: ClassVar[str] = "kind"
    once: ClassVar[frozenset[str]] = frozenset(
        {"prompt", "parsed", "base", "edits", "seed", "thumb", "topic", "preference", "reason", "choices"}
    )

    kind: IntentKind
    decided_by: str = "rules"
    read_as: str = ""
    """What a misspelt saying was taken for; empty where it was read as it stands."""


class CreateIntent(Intent):
    """A new picture."""

    kind: Literal["create"] = "create"
    prompt: str = ""
    parsed: ParsedPrompt = ParsedPrompt()


class PictureIntent(Intent):
    """About an earlier picture."""

    base: str = ""
    """The run whose picture it is about; empty where there is none."""


class EditIntent(PictureIntent):
    """A change of the picture."""

    kind: Literal["edit"] = "edit"
    edits: tuple[AnyEdit, ...] = ()
    seed: int | None = None
    """Where another one is asked for."""


class VaryIntent(PictureIntent):
    """The same again, drawn anew."""

    kind: Literal["vary"] = "vary"
    seed: int | None = None
    """Where one is asked for."""


class UndoIntent(PictureIntent):
    """Back to the picture."""

    kind: Literal["undo"] = "undo"


class BranchIntent(PictureIntent):
    """On from the picture."""

    kind: Literal["branch"] = "branch"


class QuestionIntent(PictureIntent):
    """Something is asked, of a picture or of the person's wishes."""

    kind: Literal["question"] = "question"
    topic: Topic = ""
    about: str = ""
    """The thing that is asked about, where one is named."""


class FeedbackIntent(PictureIntent):
    """A thumb for the picture."""

    kind: Literal["feedback"] = "feedback"
    thumb: Thumb = ""


class PreferenceIntent(Intent):
    """A lasting wish; its ``on`` switches it on or off."""

    kind: Literal["preference"] = "preference"
    preference: Preference


class CommandIntent(PictureIntent):
    """An order that makes no picture; or one that cannot be carried out here."""

    kind: Literal["command"] = "command"
    name: CommandName
    text: str = ""
    """Of ``save`` the file's name; of ``cannot`` why not, with what can be done."""


class UnclearIntent(Intent):
    """Nothing that can be done as it was said."""

    kind: Literal["unclear"] = "unclear"
    reason: str = ""
    """What to say."""
    choices: tuple[str, ...] = ()
    """Sayings that would be clear, best first: then it is asked which is meant."""


AnyIntent = Annotated[
    CreateIntent | EditIntent | VaryIntent | UndoIntent | BranchIntent | QuestionIntent | FeedbackIntent
    | PreferenceIntent | CommandIntent | UnclearIntent,
    Field(discriminator="kind"),
]  # fmt: skip


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
