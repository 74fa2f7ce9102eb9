"""What a flow asks of the place where it runs, apart from its numbers and its prompt: the unit of "can it run here"."""

from __future__ import annotations

import re

from imagewright.schemas import SlotName, Value

_NAMES_FILE = re.compile(r"(_name\d?|image)$")


class NeededFile(Value):
    """A file that a flow names."""

    folder: str
    """The kind of folder of a model root that it lies in: ``checkpoints``, ``loras``…; ``input`` for a picture."""
    name: str
    """As the flow writes it."""
    eight_bit: bool = False
    """Whether the flow wants its weights kept in 8 bits."""


class NamedValue(Value):
    """A text that an input of a node holds: the name of a file, of a sampler, of whatever the node lets one choose."""

    node_class: str
    input: str
    value: str
    drawn: bool = True
    """Whether the picture depends on the node."""
    eight_bit: bool = False
    """Whether the node wants its weights kept in 8 bits."""


class Need(Value):
    """What many flows may have in common; equal needs are met or not met together.

    Numbers (steps, guidance, sizes beyond ``pixels``) and links are left out: ``Backend.check`` looks at those of the
    few flows that are offered.
    """

    kind: str
    family: str = ""
    """As the card states it; it speaks where the files are not here."""
    slots: tuple[SlotName, ...] = ()
    classes: tuple[str, ...] = ()
    values: tuple[NamedValue, ...] = ()
    pixels: int = 0
    """Of all pictures that are drawn at once, where the graph says."""
    broken: str = ""
    """Why the graph cannot be read at all."""

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """What looks like the name of a file, with the input that holds it: flows that agree in it share models."""
        return tuple((each.input, each.value) for each in self.values if each.drawn and _NAMES_FILE.search(each.input))
