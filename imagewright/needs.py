"""What a flow asks of a place, known from the flow alone: plain values that an index can keep. Looks at no file."""

from __future__ import annotations

from imagewright.schemas import Kind, SlotName, Value


class NeededFile(Value):
    """A file that a flow names."""

    folder: str
    """The kind of folder of a model root that it lies in: ``checkpoints``, ``loras``…; ``input`` for a picture."""
    name: str
    """As the flow writes it."""
    eight_bit: bool = False
    """Whether the flow wants its weights kept in 8 bits."""


class Needs(Value):
    """What a flow needs of whatever runs it."""

    nodes: tuple[str, ...] = ()
    """Its node classes, sorted."""
    unknown: tuple[str, ...] = ()
    """Those of them that the backend does not have, sorted."""
    files: tuple[NeededFile, ...] = ()
    """The files that the nodes behind its picture name, each once."""
    pixels: int = 0
    """Of all pictures that it draws at once; a request may ask for others."""
    slots: tuple[SlotName, ...] = ()
    """The slots that it has."""
    family: str = ""
    """The architecture that its card states; empty where it states none."""
    kind: Kind = "text-to-image"
    """What it makes."""
