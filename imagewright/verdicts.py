"""What a critic says of a picture: checks, a score, and the repair that it would try next.

Which repairs there are is a table (``imagewright.registry``) that other packages add to: a file in
``agents/critic/repairs`` says of each what proposes it, when it is allowed, what it changes and how it is told.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

from pydantic import SerializeAsAny

from imagewright import registry
from imagewright.errors import Fault
from imagewright.geometry import Rectangle
from imagewright.values import Tagged, Value

NOT_JUDGED = "not judged"
"""How the detail of a check begins that a critic cannot answer; it passes and does not count."""
INFORMATIONAL = frozenset({"layout"})
"""Checks that are told and do not count: a picture may be right without keeping to the plan."""


class Detection(Rectangle, Value):
    """One thing that a detector saw."""

    object: str
    attributes: tuple[str, ...] = ()
    """What the detector can tell of it: its colour, for mini's."""
    score: float
    x: float
    y: float
    width: float
    height: float


class Check(Value):
    """One question that the critic asked of a picture."""

    name: str
    """``count``, ``attribute``, ``relation``, ``absent``, ``background``, ``present``, ``form`` (not half-formed)."""
    passed: bool
    detail: str
    """What was wanted and what was seen, in words."""
    wanted: str = ""  # what was wanted alone: the same for every picture, so that a fault is known again
    box: int | None = None
    """The index of the layout's box that it is about, where there is one."""

    @property
    def counts(self) -> bool:
        """Whether it enters the score."""
        return self.name not in INFORMATIONAL and not self.detail.startswith(NOT_JUDGED)


class Repair(Tagged):
    """The one thing that is changed next; ``Repair(kind=…)`` is made as the class of that kind in the table.

    A kind of which there is no class here, because the package that brought it is gone, is read as a bare ``Repair``:
    it is told as it was, and cannot be applied.
    """

    tag: ClassVar[str] = "kind"
    once: ClassVar[frozenset[str]] = frozenset({"box", "moved", "prompt", "flow"})

    kind: str
    reason: str

    @classmethod
    def variants(cls) -> Mapping[str, type[Tagged]]:
        """The repairs of the table."""
        return load_repairs()

    @property
    def name(self) -> str:
        """The kind, as people read it."""
        return self.kind.replace("_", " ")

    def tell(self) -> str:
        """One line: what is changed, and why."""
        return f"{self.name}: {self.reason}"

    @classmethod
    def tell_tried(cls, kind: str, target: str) -> str:
        """What was tried, of a repair that is only remembered by its kind and what it was applied to."""
        return f"{kind.replace('_', ' ')} {target}".strip()


@functools.cache
def load_repairs() -> Mapping[str, type[Repair]]:
    """The class of each kind: ours in the order of their table, then those of other packages.

    Raises:
        Fault: a class in the table is no repair of that kind.
    """
    names = dict.fromkeys((*registry.BUILT_IN["repairs"], *registry.names("repairs")))
    found = {name: registry.load("repairs", name) for name in names}
    for name, shape in found.items():
        if not issubclass(shape, Repair) or shape.model_fields["kind"].default != name:
            raise Fault(f"{shape.__name__} is no repair of the kind {name!r}", "mend the entry in imagewright.repairs")
    return found


AnyRepair = SerializeAsAny[Repair]
"""A repair as a field: written with the fields of its kind."""


class Verdict(Value):
    """What the critic found: whether to accept, a score in [0, 1], the checks, and one repair."""

    accepted: bool
    score: float
    checks: tuple[Check, ...] = ()
    repair: AnyRepair | None = None
    nearer: AnyRepair | None = None
    """Where nothing but form is doubted: the close-up of the thing that is least plain to see."""
    decided_by: str = "detector"
    drawn: tuple[Detection | None, ...] = ()
    """For each box of the layout where its thing was seen, None where it was not; empty where nobody looked so."""
    borne: tuple[Check, ...] = ()
    """After an edit: what was wrong elsewhere before it, and is so still. Told once; neither counted nor mended."""
