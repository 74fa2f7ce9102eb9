"""The trace of a run as a value: all that is needed to understand a run and to replay it.

It is written once, beside the picture and into the log of runs, and read by field everywhere else. A trace of any
earlier version can be read: what it lacks has its default. So can one of a later version, without the parts that this
one does not know; they are named.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field, PrivateAttr, SerializerFunctionWrapHandler, ValidationError, model_serializer

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.intents import Intent, Settled, Tried
from imagewright.schemas import (
    Candidate,
    Categories,
    Choice,
    DrawRequest,
    Kind,
    Layout,
    ParsedPrompt,
    Round,
    SlotBinding,
    SlotName,
    Value,
)

TRACE_FORMAT = 1
"""Raised when a reader of the format before would misread it; a new field alone does not raise it."""
V = TypeVar("V", bound=Value)


class TraceRound(Round):
    """One picture of a run; a reader does without what is missing."""

    image: str = ""
    layout: Layout | None = None


class TraceFlow(Value):
    """A flow as it was when the run drew with it."""

    title: str = ""
    slots: dict[SlotName, tuple[SlotBinding, ...]] | None = None
    """Where a request enters the graph; None in traces from before it was noted, and is then found in the graph."""
    graph_hash: str = ""
    graph: dict[str, dict[str, Any]] = Field(default_factory=dict)
    kind: Kind = "text-to-image"
    """Written only of a flow that draws from a picture, too."""

    @model_serializer(mode="wrap")
    def _without_usual(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "kind" or value != "text-to-image"}


class TraceSpent(Value):
    """What the run used."""

    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float | Literal["unknown"] = 0.0
    """US dollars; unknown where something was used that has no price."""
    model_seconds: float = 0.0
    unpriced: tuple[str, ...] = ()
    """What was used without a price."""
    money_at_least: float | None = None
    """What had a price, where ``money`` is unknown."""

    @model_serializer(mode="wrap")
    def _without_none(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class Trace(Value):
    """What is known of a run. Of one that has delivered nothing, only what the log says."""

    model_config = ConfigDict(frozen=True, extra="allow")

    imagewright: int = Field(default=TRACE_FORMAT, strict=True)
    """The format, ``TRACE_FORMAT`` when it was written."""
    run: str = ""
    prompt: str = ""
    path: str = ""
    """Where the PNG was written."""
    image: str = ""
    """SHA-256 of the delivered picture in the artifact store; empty where there is none."""
    seed: int = 0
    flow: str = ""
    categories: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    layout: Layout | None = None
    rounds: tuple[TraceRound, ...] = ()
    images: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    trace: str = ""
    """Where the trace was written."""
    request: DrawRequest | None = None
    first_seed: int = 0
    """The seed that the run began with."""
    thread: str | None = None
    said: str = ""
    intent: Intent | None = None
    settled: Settled | None = None
    categorised: Categories | None = None
    choice: Choice | None = None
    generation: int = 0
    """The index's generation when the flow was chosen."""
    rejected: dict[str, str] = Field(default_factory=dict)
    """The flows that cannot run here, and what each needs."""
    parsed: ParsedPrompt | None = None
    planned_by: str = ""
    tried: tuple[Tried, ...] = ()
    spent: TraceSpent | None = None
    backend: str = ""
    flows: dict[str, TraceFlow] = Field(default_factory=dict)
    facts: tuple[dict[str, str], ...] = ()
    """What the backend says of each round's picture: device, models, sampler."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Python, the platform and the packages that a picture depends on."""
    batch: tuple[str, ...] = ()
    """The files of the other pictures that the flow drew at once, beside the delivered one."""
    id: str = ""
    """This and what follows is of the log of runs, and is not written into a trace: the run."""
    out: str = ""
    status: str = ""
    created: str = ""
    error: str = ""

    _unread: tuple[str, ...] = PrivateAttr(default=())

    @property
    def delivered(self) -> bool:
        """Whether the run has delivered a picture."""
        return bool(self.image)

    @property
    def is_newer(self) -> bool:
        """Whether it was written in a format that this version does not know."""
        return self.imagewright > TRACE_FORMAT

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of the parts that this version does not know: those of the trace itself, then those within."""
        return (*(self.model_extra or {}), *self._unread)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with the keys that were set and no others, in the order of the fields."""
        plain = self.model_dump(mode="json", exclude={"request": {"out"}})
        return {name: value for name, value in plain.items() if name in self.model_fields_set}


def read_trace(value: Trace | Mapping[str, Any], name: str = "the trace") -> Trace:
    """The trace that plain JSON holds; one that is read already is given back. Errors call it ``name``.

    Raises:
        BadInput: it has a part of another kind than this version knows.
    """
    if isinstance(value, Trace):
        return value
    try:
        trace, unread = read_known(Trace, value)
    except ValidationError as error:
        raise _unreadable(value, name, error) from None
    trace._unread = unread
    return trace


def _unreadable(value: Mapping[str, Any], name: str, error: ValidationError) -> BadInput:
    written = value.get("imagewright")
    if isinstance(written, int) and written > TRACE_FORMAT:
        return BadInput(f"{name} was written by a newer version of imagewright", "upgrade imagewright")
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return BadInput(f"{name} cannot be read by this version: {where}: {first['msg']}", _VERSION)


_VERSION = "it is broken, or of another version; `imagewright runs show RUN --json` prints it as it is"


class Replay(Value):
    """What came of drawing a run's picture again."""

    run: str
    recorded: str
    """SHA-256 of the picture that was delivered."""
    image: str
    """SHA-256 of the one drawn now."""
    same: bool
    mean_difference: float | None = None
    """The mean absolute difference of the channels, 0 to 255, where the recorded picture is still kept."""
    differences: tuple[str, ...] = ()
    """What differs here from where it was made, in words."""


def parse_trace(text: str | bytes, name: str) -> dict[str, Any]:
    """The plain JSON of a trace. Errors call it ``name``.

    Raises:
        BadInput: it is no JSON object.
    """
    try:
        value = untrusted.parse_json(text, name)
    except BadInput:
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"{name} is no trace of a run: it is no JSON object", "it is broken, or another file")
    return value


def open_trace(path: Path) -> Trace:
    """The trace in a file.

    Raises:
        BadInput: the file cannot be read, is no JSON object, or has a part of another kind than this version knows.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}", "name the .json beside a picture") from None
    return read_trace(parse_trace(text, str(path)), str(path))


def read_known(model: type[V], value: object) -> tuple[V, tuple[str, ...]]:
    """``value`` as ``model``, without the fields that this version does not know, and their names.

    Fields that are null or empty say nothing and are left out silently.

    Raises:
        ValidationError: a field that is known has a value of another kind.
    """
    unread: list[str] = []
    while True:
        try:
            return model.model_validate(value), tuple(unread)
        except ValidationError as error:
            extra = [found["loc"] for found in error.errors() if found["type"] == "extra_forbidden"]
            if not extra:
                raise
            value = copy.deepcopy(value)
            for loc in extra:
                left_out = _take(value, loc)
                unread += [".".join(map(str, loc))] if left_out not in (None, "", [], {}) else []


def _take(value: Any, loc: Sequence[str | int]) -> Any:
    """Take the field at ``loc`` out of ``value``. A place also names the kinds of unions, which stand in no value."""
    *way, last = loc
    for step in way:
        if isinstance(value, list) and isinstance(step, int):
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step, value)
    return value.pop(last, None) if isinstance(value, dict) else None
