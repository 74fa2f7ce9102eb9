"""Runs a graph node by node in this process; what did not change since an earlier job is not run again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import Any

from PIL import Image

from imagewright.errors import BadInput
from imagewright.flow_format import links
from imagewright.t2i_backends.execution.program import Program
from imagewright.t2i_backends.models.model_files import ModelPath
from imagewright.t2i_backends.nodes.registry import NodeClass
from imagewright.t2i_backends.nodes.runtime import Runtime
from imagewright.t2i_backends.nodes.table import NODES
from imagewright.t2i_backends.values.handles import VaeHandle
from imagewright.t2i_backends.values.node_inputs import VALUES, Input, read, refuse


def execute(program: Program, run: Runtime) -> tuple[Image.Image, ...]:
    """The pictures of a checked program: one, or those of a batch in its order.

    Raises:
        BadInput: a model is missing, or values do not fit together.
        Cancelled: the person stopped it.
    """
    if program.output is None:
        raise BadInput("the flow has no SaveImage node", "end it with a SaveImage")
    job = _Execution(program, run)
    for node in program.nodes:
        run.stop_if_cancelled()
        job.run_node(node)
    run.facts |= {"nodes_run": str(job.ran), "nodes_cached": str(len(program.nodes) - job.ran)}
    pictures: tuple[Image.Image, ...] = job.results[program.output][0]
    return pictures


class _Execution:
    """The results so far, and the content key of each."""

    def __init__(self, program: Program, run: Runtime) -> None:
        self.graph, self.run = program.graph, run
        self.results: dict[str, tuple[Any, ...]] = {}
        self.keys: dict[str, str] = {}
        self.ran = 0
        for node in program.nodes:
            if self.graph[node]["class_type"] in ("CheckpointLoaderSimple", "UNETLoader"):
                self.run_node(node)
        for node in program.nodes:
            if isinstance(handle := self._vae_of(node), VaeHandle):
                run.vae = handle

    def _vae_of(self, node: str) -> Any:
        """The VAE that a VAEDecode decodes with; previews and redraws need it before the decoder's turn."""
        if self.graph[node]["class_type"] not in ("VAEDecode", "VAEDecodeTiled"):
            return None
        source, number = links(self.graph[node]["inputs"])["vae"]
        self.run_node(source)
        return self.results[source][number]

    def run_node(self, node: str) -> None:
        """Run one node whose sources have been run, or take its result from the cache."""
        if node in self.results:
            return
        value = self.graph[node]
        known = NODES[value["class_type"]]
        inputs = self._inputs(value["inputs"], known.inputs)
        if known.loads:
            self.results[node] = known.run(self.run, **inputs)
            self.keys[node] = _hash([value["class_type"], _stamps(self.results[node])])
            self.ran += 1
            return
        beside = [str(self.run.rules), self.run.beside if known.beside else "", *self._files(value, known)]
        key = self.keys[node] = self._key(value, beside)
        found = self.run.cache.get(key)
        if found is None:
            found = self._run_fresh(known, inputs)
            self.run.cache.put(key, found)
        self.results[node], facts, notes = found
        self.run.facts |= facts
        self.run.notes += [note for note in notes if note not in self.run.notes]

    def _run_fresh(self, known: NodeClass, inputs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, str], list[str]]:
        """Outputs, and the facts and notes that belong to them whenever they are used again."""
        facts, notes = self.run.facts, self.run.notes
        self.run.facts, self.run.notes = {}, []
        try:
            outputs = known.run(self.run, **inputs)
            self.ran += 1
            return outputs, self.run.facts, self.run.notes
        finally:
            self.run.facts, self.run.notes = facts, notes

    def _inputs(self, given: dict[str, Any], wanted: Any) -> dict[str, Any]:
        linked = links(given)
        values = {}
        for name, kind in wanted.items():
            if name in linked:
                source, number = linked[name]
                left_out = source not in self.results  # the branch that a switch does not hand on
                values[name] = None if left_out else self._linked(self.results[source][number], name, kind)
            else:
                values[name] = read(given.get(name, kind.default), kind)
        return values

    def _linked(self, value: Any, name: str, kind: Input) -> Any:
        """What comes over a link; a plain value is checked only now."""
        if kind.kind not in VALUES:
            return value
        reason = refuse(value, kind)
        if reason is not None:
            raise BadInput(f"input {name!r} gets {value!r} over its link, but must be {reason}", f"give it {reason}")
        return read(value, kind)

    def _files(self, value: dict[str, Any], known: NodeClass) -> list[str]:
        """When the pictures that a node names last changed."""
        named = [(kind.folder, value["inputs"].get(name)) for name, kind in known.inputs.items() if kind.kind == "file"]
        return [self.run.stamp_file(folder, name) for folder, name in named if isinstance(name, str)]

    def _key(self, value: dict[str, Any], beside: list[str]) -> str:
        linked = links(value["inputs"])
        inputs = {
            name: [self.keys.get(linked[name][0], ""), linked[name][1]] if name in linked else item
            for name, item in value["inputs"].items()
        }
        return _hash([value["class_type"], inputs, beside])


def _stamps(value: Any) -> Any:
    """What loader outputs name, and when those files last changed, as plain JSON."""
    if isinstance(value, ModelPath):
        return value.stamp
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_stamps(getattr(value, part.name)) for part in fields(value))]
    return [_stamps(item) for item in value] if isinstance(value, tuple) else value


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
