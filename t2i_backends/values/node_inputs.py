"""What the inputs of a node may hold, and the plain checks of a graph against it. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagewright.flow_format import Graph, links
from imagewright.t2i_backends.values.expressions import find_fault


@dataclass(frozen=True)
class Input:
    """One input of a node class."""

    kind: str
    """``int``, ``float``, ``bool``, ``text``, ``choice``, ``file``, or the type of a link: ``MODEL``, ``LATENT``…"""
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    folder: str = ""
    """The folder of a ``file``."""
    default: Any = None
    """What an absent input means; None for a required one."""
    optional: bool = False
    """Whether a link may be absent; then it means None."""


@dataclass(frozen=True)
class Flaw:
    """Something in a graph that this backend cannot use."""

    name: str
    """The node class, or the sampler or scheduler, or ``class_type id.input``."""
    message: str
    remedy: str


LINKED = frozenset(
    "MODEL CLIP VAE CONDITIONING LATENT IMAGE MASK CONTROL_NET UPSCALE_MODEL SAMPLER SIGMAS GUIDER NOISE".split()
)
ANY = "*"
"""The type of an input that takes the output of any node, and of an output that is what its node was given."""
BRANCHES = ("on_true", "on_false")
"""The inputs of a node with such an output, of which it hands on one."""
VALUES = {
    "int": ("INT",), "float": ("FLOAT", "INT"), "text": ("STRING",), "bool": ("BOOLEAN",),
    "number": ("FLOAT", "INT", "BOOLEAN"), "expression": ("STRING",),
}  # fmt: skip
"""Plain values that may come over a link, and the output types that give them."""
_LARGEST = 1e300
"""What a number of no stated bounds may be, either way."""


def whole(low: int, high: int, default: int | None = None) -> Input:
    """A whole number from ``low`` to ``high``."""
    return Input("int", low, high, default=default)


def real(low: float, high: float, default: float | None = None) -> Input:
    """A finite number from ``low`` to ``high``."""
    return Input("float", low, high, default=default)


def choice(*names: str, default: str | None = None) -> Input:
    """One of some names."""
    return Input("choice", choices=names, default=default)


def model_file(folder: str) -> Input:
    """The name of a model below ``folder`` of a model root."""
    return Input("file", folder=folder)


def link(kind: str) -> Input:
    """A link to an output of that type."""
    return Input(kind)


def optional(kind: str) -> Input:
    """A link to an output of that type, or none."""
    return Input(kind, optional=True)


def truth(default: bool | None = None) -> Input:
    """True or false."""
    return Input("bool", default=default)


def flaws_of(
    node: str, graph: Graph, inputs: Mapping[str, Input], outputs: Mapping[str, tuple[str, ...]]
) -> Iterator[Flaw]:
    """Everything wrong with the inputs of one node; ``outputs`` gives the output types of each node class."""
    value = graph[node]
    linked = links(value["inputs"])
    for name, wanted in inputs.items():
        where = f"{value['class_type']} {node}.{name}"
        if name not in value["inputs"]:
            if wanted.default is None and not wanted.optional:
                yield Flaw(where, f"input {name!r} of node {node} ({value['class_type']}) is missing", "set it")
        elif wanted.kind in LINKED:
            yield from _check_link(where, graph, linked.get(name), (wanted.kind,), outputs)
        elif wanted.kind == ANY:
            yield from _check_link(where, graph, linked.get(name), (), outputs)
        elif name in linked and wanted.kind in VALUES:
            yield from _check_link(where, graph, linked[name], VALUES[wanted.kind], outputs)
        elif (reason := refuse(value["inputs"][name], wanted)) is not None:
            yield _bad_value(where, value["inputs"][name], wanted, reason)


def _check_link(
    where: str, graph: Graph, found: tuple[str, int] | None, kinds: tuple[str, ...],
    outputs: Mapping[str, tuple[str, ...]],
) -> Iterator[Flaw]:  # fmt: skip
    kind = kinds[0] if kinds else "value"
    if found is None:
        yield Flaw(where, f"{where} must link to a {kind}", "link it to the output of another node")
        return
    for has in _types(graph, *found, outputs, len(graph)):
        if not has or (kinds and has not in kinds):
            source, number = found
            said = f"output {number} of node {source} ({graph[source]['class_type']}) is {has or 'nothing'}"
            yield Flaw(where, f"{where} needs a {kind}, but {said}", "link it to the right output")
            return


def _types(graph: Graph, source: str, number: int, outputs: Mapping[str, tuple[str, ...]], depth: int) -> Iterator[str]:
    """The types that an output may have, empty for an output that is not there; nothing for an unknown node."""
    given = outputs.get(graph[source]["class_type"])
    if given is None or depth < 0:
        return
    if number >= len(given):
        yield ""
    elif given[number] != ANY:
        yield given[number]
    else:
        linked = links(graph[source]["inputs"])
        for name in BRANCHES:
            if name in linked:
                yield from _types(graph, *linked[name], outputs, depth - 1)


def _bad_value(where: str, value: object, wanted: Input, reason: str) -> Flaw:
    shown = repr(value)[:60]
    if wanted.kind == "choice" and isinstance(value, str):
        label = where.rpartition(".")[2].removesuffix("_name")
        here = f"the diffusers backend has no {label} {shown}"
        return Flaw(f"{label} {value[:60]}", here, f"it has {', '.join(wanted.choices)}; others need ComfyUI")
    return Flaw(where, f"{where} is {shown}, but must be {reason}", "correct it in the flow")


def refuse(value: object, wanted: Input) -> str | None:
    """What ``value`` should have been, in words; None when it is good. Nothing is converted but whole floats."""
    if wanted.kind == "text":
        return None if isinstance(value, str) else "a text"
    if wanted.kind == "file":
        return None if isinstance(value, str) and value.strip() else "the name of a model file"
    if wanted.kind == "bool":
        return None if isinstance(value, bool) else "true or false"
    if wanted.kind == "expression":
        fault = find_fault(value)
        return f"arithmetic: {fault}" if fault else None
    if wanted.kind == "number":
        return None if isinstance(value, (int, float)) and abs(value) <= _LARGEST else "a number"
    if wanted.kind == "choice":
        return None if isinstance(value, str) and value in wanted.choices else f"one of {', '.join(wanted.choices)}"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    what = f"a {'whole ' if wanted.kind == 'int' else ''}number from {wanted.low:g} to {wanted.high:g}"
    if not number or not wanted.low <= value <= wanted.high:  # type: ignore[operator]
        return what
    return what if wanted.kind == "int" and value != int(value) else None  # type: ignore[call-overload]


def read(value: object, wanted: Input) -> Any:
    """A checked value as its Python type."""
    if wanted.kind == "int":
        return int(value)  # type: ignore[call-overload]
    return float(value) if wanted.kind == "float" else value  # type: ignore[arg-type]
