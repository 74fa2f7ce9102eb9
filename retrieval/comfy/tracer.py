"""A graph walked against its links: from a sampler to its prompts, seed, size and settings.

The trace goes through whatever people put between: combined and concatenated conditionings, ControlNets, guiders and
noise nodes of custom samplers, switches, primitive value nodes, and nodes that join texts (where the longest text is
the prompt and the others stay as they are). Only what an output needs is looked at.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from imagewright.flow_format import Graph, Link, links
from imagewright.schemas import SlotBinding

MAX_SAMPLERS = 50
_MAX_STEPS = 100_000
"""How many nodes the traces of one graph visit at most, all in all; the largest templates need about 500."""
_SEEDS = ("seed", "noise_seed")
TEXTS = (
    "text", "prompt", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "llama", "user_prompt", "positive_prompt",
    "tags", "positive",
)  # fmt: skip
"""Inputs that hold the prompt of a text encoder."""
_VALUES = (
    "value",
    "string",
    "text",
    "prompt",
    "int",
    "float",
    "number",
    "Number",
    "seed",
    "noise_seed",
    "Value",
    "STRING",
)
"""Inputs in which a value node holds its value."""
_NO_TEXTS = frozenset({
    "clip", "model", "image", "find", "delimiter", "separator", "regex_pattern", "mode", "case", "sampling_mode",
    "filename_prefix", "linebreak_addition", "delimiter_type", "text_separator", "clean_whitespace",
})  # fmt: skip
_FIXED_TITLES = re.compile(r"(?i)system|trigger|template|style|prefix|suffix|negative")
_STYLE_START = re.compile(r"(?i)\bstyle\b")
NEUTRAL = frozenset({"ConditioningZeroOut"})
_SELECTED = {True: "on_true", False: "on_false"}


class Tracer:
    """One graph, walked against its links."""

    def __init__(self, graph: Graph, outputs: Iterable[str] = ()) -> None:
        self.graph = graph
        self.live = self._needed(list(outputs))
        self._left = _MAX_STEPS

    def _needed(self, outputs: Sequence[str]) -> dict[str, None]:
        """The nodes that ``outputs`` need, outputs first; all nodes where there are no outputs."""
        if not outputs:
            return dict.fromkeys(self.graph)
        seen = dict.fromkeys(outputs)
        queue = deque(outputs)
        while queue:
            for source, _slot in links(self.inputs(queue.popleft())).values():
                if source in self.graph and source not in seen:
                    seen[source] = None
                    queue.append(source)
        return seen

    def inputs(self, node: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.graph[node]["inputs"]
        return found

    def type_of(self, node: str) -> str:
        return str(self.graph[node]["class_type"])

    def link(self, node: str, *names: str) -> Link | None:
        """The first link among the inputs of these names."""
        found = links(self.inputs(node))
        return next((found[name] for name in names if name in found and found[name][0] in self.graph), None)

    def walk(self, start: Link | None, ahead: Callable[[str, int], Iterable[Link]]) -> Iterator[Link]:
        """``start`` and what is behind it, nearest first; ``ahead`` says which links to follow from a node."""
        queue = deque([start] if start and start[0] in self.graph else [])
        seen = set(queue)
        while queue and self._left > 0:
            self._left -= 1
            node, slot = queue.popleft()
            yield node, slot
            for link in ahead(node, slot):
                if link[0] in self.graph and link not in seen:
                    seen.add(link)
                    queue.append(link)

    # --- values -------------------------------------------------------------------------

    def literal(self, node: str, *names: str) -> tuple[SlotBinding, ...]:
        """The first of these inputs that is there: itself where it holds a value, else the value node behind it."""
        name = next((name for name in names if self.inputs(node).get(name) is not None), None)
        if name is None:
            return ()
        link = links(self.inputs(node)).get(name)
        return self.value_behind(link, name) if link else (SlotBinding(node=node, input=name),)

    def value_behind(self, link: Link, wanted: str) -> tuple[SlotBinding, ...]:
        """The number that a link brings, where a value node or a reroute of one holds it."""
        for node, _slot in self.walk(link, self._pass_value):
            for name in (wanted, *_VALUES):
                value = self.inputs(node).get(name)
                if type(value) in (int, float):
                    return (SlotBinding(node=node, input=name),)
        return ()

    def _pass_value(self, node: str, _slot: int) -> Iterable[Link]:
        chosen = self._switch(node)
        if chosen is not None:
            return chosen
        found = list(links(self.inputs(node)).values())
        return found if len(found) == 1 and len(self.inputs(node)) == 1 else ()

    def _switch(self, node: str) -> list[Link] | None:
        """The links of a switch that are in use; ``None`` where the node is no switch."""
        found = links(self.inputs(node))
        if "on_true" not in found and "on_false" not in found:
            return None
        state = self.inputs(node).get("switch")
        link = found.get("switch")
        if link and link[0] in self.graph:
            state = self.inputs(link[0]).get("value")
        name = _SELECTED.get(state) if isinstance(state, bool) else None
        return [found[name]] if name in found else [found[key] for key in ("on_true", "on_false") if key in found]

    # --- texts --------------------------------------------------------------------------

    def texts(self, node: str) -> tuple[SlotBinding, ...]:
        """The prompt inputs of a text encoder, each traced to where its text stands."""
        names = [name for name in TEXTS if self._may_be_text(self.inputs(node).get(name))]
        if "user_prompt" in names:
            names = ["user_prompt"]
        return tuple(dict.fromkeys(binding for name in names for binding in self._text(node, name)))

    def _may_be_text(self, value: object) -> bool:
        return isinstance(value, str) or bool(links({"text": value}))

    def _text(self, node: str, name: str) -> tuple[SlotBinding, ...]:
        value = self.inputs(node).get(name)
        if isinstance(value, str):
            return (SlotBinding(node=node, input=name),)
        link = links({name: value}).get(name)
        sources = [source for source, _slot in self.walk(link, self._pass_text)]
        behind = [place for source in sources for place in self._strings(source)]
        return (max(behind, key=self._likely_prompt),) if behind else ()

    def _pass_text(self, node: str, _slot: int) -> Iterable[Link]:
        chosen = self._switch(node)
        found = links(self.inputs(node))
        return [found[name] for name in found if name not in _NO_TEXTS] if chosen is None else chosen

    def _strings(self, node: str) -> list[SlotBinding]:
        """The texts that a text node holds; find-and-replace words, separators and files are none."""
        return [
            SlotBinding(node=node, input=name)
            for name, value in self.inputs(node).items()
            if isinstance(value, str) and name not in _NO_TEXTS and not name.endswith("_name")
        ]

    def _likely_prompt(self, place: SlotBinding) -> tuple[bool, bool, int]:
        """Of several texts that are joined: those that set a style or a system come last, then the longest wins."""
        text = str(self.inputs(place.node)[place.input])
        title = str(self.graph[place.node].get("_meta", {}).get("title", ""))
        fixed = bool(_FIXED_TITLES.search(title)) or text.startswith("You are ")
        return not fixed, not _STYLE_START.search(text[:60]), len(text)

    # --- conditionings ------------------------------------------------------------------

    def prompts(self, sampler: str, side: str) -> tuple[SlotBinding, ...]:
        """The prompt inputs behind one side (``positive`` or ``negative``) of a sampler."""
        found: dict[SlotBinding, None] = {}
        for node in self.conditioning(sampler, side):
            if self.encodes(node):
                found.update(dict.fromkeys(self.texts(node)))
        return tuple(found)

    def conditioning(self, sampler: str, side: str) -> list[str]:
        """The nodes that one side of a sampler's conditioning comes through, nearest first."""
        guider = self.link(sampler, "guider")
        holder = guider[0] if guider else sampler
        names = (side,) if side == "negative" else (side, "conditioning", "cond1", "cond", "positive_cond")
        start = self.link(holder, *names)
        return list(
            dict.fromkeys(node for node, _slot in self.walk(start, lambda node, slot: self._behind(node, slot, side)))
        )

    def encodes(self, node: str) -> bool:
        """Whether a node makes a conditioning out of text."""
        inputs = self.inputs(node)
        named = "TextEncode" in self.type_of(node) or "PromptEncode" in self.type_of(node) or "clip" in links(inputs)
        return named and any(self._may_be_text(inputs.get(name)) for name in TEXTS if name != "positive")

    def _behind(self, node: str, slot: int, side: str) -> Iterable[Link]:
        """The conditionings that a node makes its own of; one with two sides keeps them apart."""
        if self.type_of(node) in NEUTRAL or self.encodes(node):
            return ()
        chosen = self._switch(node)
        found = links(self.inputs(node))
        if chosen is not None:
            return chosen
        if "positive" in found or "negative" in found:
            name = {0: "positive", 1: "negative"}.get(slot, side)
            return [found[name]] if name in found else []
        return [link for name, link in found.items() if "cond" in name.lower()]

    # --- samplers -----------------------------------------------------------------------

    def samplers(self) -> list[str]:
        """The samplers that an output needs, in the graph's order."""
        return [node for node in self.graph if node in self.live and self._samples(node)][:MAX_SAMPLERS]

    def _samples(self, node: str) -> bool:
        found = links(self.inputs(node))
        if "guider" in found:
            return True
        conditioned = "positive" in found
        return conditioned and any(name in self.inputs(node) for name in ("sampler_name", "sampler", "noise", *_SEEDS))

    def seeds(self, sampler: str) -> tuple[SlotBinding, ...]:
        """The seed of a sampler, in it or in its noise node; none where it adds no noise."""
        if self.inputs(sampler).get("add_noise") in ("disable", False):
            return ()
        noise = self.link(sampler, "noise")
        return self.literal(noise[0] if noise else sampler, "noise_seed", "seed")

    def setting(self, sampler: str, name: str) -> tuple[SlotBinding, ...]:
        """Where ``steps`` or ``denoise`` of a sampler stands, in it or in the scheduler behind its sigmas."""
        if name in self.inputs(sampler):
            return self.literal(sampler, name)
        follow = ("sigmas", "sigmas_1", "high_sigmas")
        for node, _slot in self.walk(
            self.link(sampler, "sigmas"), lambda node, _: [link for link in [self.link(node, *follow)] if link]
        ):
            if name in self.inputs(node):
                return self.literal(node, name)
        return ()

    def latents(self, sampler: str) -> list[str]:
        """The nodes that set the size of what a sampler starts from."""
        start = self.link(sampler, "latent_image", "latent", "samples", "optional_latent")
        return [node for node, _slot in self.walk(start, self._latents_behind) if self._sized(node)]

    def _sized(self, node: str) -> bool:
        inputs = self.inputs(node)
        return (
            "width" in inputs
            and "height" in inputs
            and not {"pixels", "image", "samples", "latent"} & set(links(inputs))
        )

    def _latents_behind(self, node: str, _slot: int) -> Iterable[Link]:
        """What a latent is made of, up to an earlier sampler: that one's size is its own."""
        if self._samples(node):
            return ()
        chosen = self._switch(node)
        if chosen is not None:
            return chosen
        names = ("samples", "samples1", "samples_to", "latent", "latent_image", "latents.latent0", "video_latent")
        found = links(self.inputs(node))
        return [found[name] for name in names if name in found] if not self._sized(node) else ()
