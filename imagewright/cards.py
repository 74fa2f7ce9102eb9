"""What the index knows of a flow: its card, the files that it needs, and whether it can run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from imagewright.values import Value

SlotName = Literal[
    "positive", "negative", "seed", "width", "height", "steps", "guidance", "batch", "input_image", "mask", "denoise"
]
LayoutUse = Literal["regions", "words", "either"]
"""How a flow takes a layout, which is how it was measured; run in another way, its evidence would say little.

``regions``: with the planned boxes; not offered where a request wants no layout. ``words``: from the words alone; no
box governs its picture, outside of conversations. ``either``: the boxes govern wherever a layout is wanted.
"""
_LAYOUT_TAGS: dict[str, LayoutUse] = {"regions": "regions", "words-only": "words"}
"""The tags that said so on cards written before the field."""
Kind = Literal["text-to-image", "image-to-image", "inpaint", "upscale", "video", "audio", "3d", "api", "other"]
MINI = "mini"
"""The base model that ships with the package, as cards name it."""


class SlotBinding(Value):
    """Where a slot enters a graph: an input of a node."""

    node: str
    input: str


class ModelFile(Value):
    """A file (or diffusers folder) that a flow needs, and the folder under a model root that it belongs in."""

    name: str
    folder: str
    """ComfyUI's folder names: ``checkpoints``, ``diffusion_models``, ``text_encoders``, ``vae``, ``loras``…"""
    url: str | None = None


class Card(Value):
    """What the index knows of a flow."""

    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    layout: LayoutUse = "either"
    """How it takes a layout. A tag ``regions`` or ``words-only``, as older cards have it, is read as this field."""
    kind: Kind = "text-to-image"
    base_model: str = ""
    """The model that the flow draws with, as people name it: ``mini``, ``FLUX.1-dev``, ``SDXL 1.0``."""
    family: str = ""
    """The architecture: ``flux``, ``sdxl``, ``sd15``, ``sd3``…"""
    models: tuple[ModelFile, ...] = ()
    loras: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    node_classes: tuple[str, ...] = ()
    packs: dict[str, str] = Field(default_factory=dict)
    """The pack of custom nodes that a class comes from, by its registry name or repository, where known."""
    slots: dict[SlotName, tuple[SlotBinding, ...]] = Field(default_factory=dict)
    licence: str = ""
    cost: float | None = None
    """Measured seconds for one picture on the backend that holds its evidence, where known."""
    benchmarks: dict[str, float] = Field(default_factory=dict)
    """Published figures by benchmark name; they order flows without evidence and never enter an estimate."""
    source: str = ""
    duplicate_of: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _layout_of_tags(cls, given: object) -> object:
        if not isinstance(given, Mapping) or not isinstance(given.get("tags"), list | tuple):
            return given
        said = [_LAYOUT_TAGS[tag] for tag in given["tags"] if isinstance(tag, str) and tag in _LAYOUT_TAGS]
        if not said:
            return given
        return {**given, "tags": tuple(tag for tag in given["tags"] if tag not in _LAYOUT_TAGS), "layout": said[-1]}

    @property
    def labels(self) -> tuple[str, ...]:
        """Its tags, and the word for how it takes a layout: what is embedded, and shown as its tags."""
        return (*self.tags, *(tag for tag, use in _LAYOUT_TAGS.items() if use == self.layout))

    @property
    def ships_with_us(self) -> bool:
        """Whether its model is the small one that comes with the package."""
        return self.base_model == MINI


class Flow(Value):
    """A text-to-image workflow: a ComfyUI API-format graph ``{id: {class_type, inputs}}`` and its card."""

    id: str
    graph: dict[str, dict[str, Any]]
    card: Card

    def read_slot(self, name: SlotName) -> list[Any]:
        """What the graph states where the slot enters, in the card's order: values, links, None where there is none."""
        places = self.card.slots.get(name, ())
        return [self.graph.get(at.node, {}).get("inputs", {}).get(at.input) for at in places]


class Problem(Value):
    """One reason why a flow cannot run here, and what would cure it."""

    kind: Literal["node", "model", "memory", "family", "backend", "world", "kind", "slot"]
    name: str
    """The node class, the file, the word: what is missing."""
    remedy: str
    """One line: what to do, with the folder where a file belongs."""


class Readiness(Value):
    """The answer of ``Backend.check``: whether a flow can run here, now."""

    problems: tuple[Problem, ...] = ()

    @property
    def runnable(self) -> bool:
        """Whether nothing is missing."""
        return not self.problems

    @property
    def curable(self) -> bool:
        """Whether files or memory are all that is missing."""
        return all(p.kind in ("model", "memory") for p in self.problems)

    @property
    def why_not(self) -> str:
        """The problems in one line, the first three that differ; empty when there are none."""
        lines = list(dict.fromkeys(p.remedy for p in self.problems))
        more = f"; and {len(lines) - 3} more (imagewright flows check lists them)" if len(lines) > 3 else ""
        return "; ".join(lines[:3]) + more
