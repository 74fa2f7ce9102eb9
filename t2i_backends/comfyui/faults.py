"""What can go wrong at a server, told apart, in words that a person can act on.

Texts from a server are data: they are cut, put on one line, and lose paths of the server and whatever looks like a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from imagewright.errors import CannotDraw
from imagewright.redaction import blank_error

FaultKind = Literal[
    "unreachable",
    "loading",
    "refused",
    "elsewhere",
    "no-comfyui",
    "queue-full",
    "missing",
    "invalid",
    "partly-refused",
    "node-error",
    "out-of-memory",
    "interrupted",
    "restarted",
    "hung",
    "file-gone",
    "bad-file",
    "no-picture",
]
"""``refused``: the key is wrong; ``elsewhere``: it answers with a redirect; ``missing``: a node class or a file;
``invalid``: the graph has another flaw that the server names."""
_OF_SERVER = frozenset(
    {"unreachable", "loading", "refused", "elsewhere", "no-comfyui", "queue-full", "restarted", "hung"}
)
_ELSEWHERE = _OF_SERVER | {"missing", "out-of-memory", "file-gone", "bad-file"}
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.@+-]+){2,}[\\/]?|~[\\/][\w.\\/-]+")
_MOST = 300
_MEMORY = re.compile(r"out of memory|OutOfMemory|allocate memory|not enough memory|MPS backend out", re.IGNORECASE)


class ServerFault(CannotDraw):
    """A server did not draw; ``kind`` says why."""

    def __init__(self, kind: FaultKind, message: str, remedy: str = "", maybe_taken: bool = False) -> None:
        super().__init__(message, remedy)
        self.kind = kind
        self.maybe_taken = maybe_taken
        """Whether the request may have arrived all the same: the connection broke while its answer was awaited."""

    @property
    def of_server(self) -> bool:
        """Whether it is the server's state and not the job's: then the server is left alone for a while."""
        return self.kind in _OF_SERVER

    @property
    def may_work_elsewhere(self) -> bool:
        """Whether another server may draw the same job."""
        return self.kind in _ELSEWHERE


def tidy(text: object, most: int = _MOST) -> str:
    """``text`` from a server on one line, without its paths and without keys, at most ``most`` characters."""
    line = " ".join(str(text)[:20_000].split())
    line = "".join(letter for letter in blank_error(line) if letter.isprintable())
    line = _PATH.sub("…", line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


# --- a prompt that was not taken --------------------------------------------------------------


def explain_refusal(server: str, said_so: object) -> ServerFault:
    """Why a server refuses a prompt (status 400), by what it says of each node."""
    answer = _object(said_so)
    error = _object(answer.get("error"))
    kind = str(error.get("type", ""))
    if kind in ("missing_node_type", "invalid_prompt"):
        named = _object(error.get("extra_info")).get("class_type")
        what = f"node {tidy(named, 80)}" if named else tidy(error.get("message", "a node"))
        return ServerFault("missing", f"server {server} lacks {what}", f"install its pack on {server}, and restart it")
    if kind == "prompt_no_outputs":
        return ServerFault("invalid", f"server {server} finds no output in the flow", "end it with a SaveImage node")
    reasons = list_node_errors(answer)
    missing = any(reason[0] == "value_not_in_list" for reason in reasons)
    said = "; ".join(text for _, text in reasons[:3]) or tidy(error.get("message") or "no reason")
    if missing:
        return ServerFault("missing", f"server {server} lacks what the flow names: {said}", "put the file there")
    return ServerFault("invalid", f"server {server} refuses the flow: {said}", "correct the flow in ComfyUI")


def explain_partly(server: str, answer: Mapping[str, Any]) -> ServerFault:
    """A prompt that was taken without some of its outputs."""
    said = "; ".join(text for _, text in list_node_errors(answer)[:3]) or "it does not say why"
    message = f"server {server} would leave out a part of the flow: {said}"
    return ServerFault("partly-refused", message, "correct the flow in ComfyUI, or remove that output")


def list_node_errors(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Type and words of each error of ``node_errors``, in an order that is always the same."""
    found: list[tuple[str, str]] = []
    nodes = answer.get("node_errors")
    for node, value in nodes.items() if isinstance(nodes, dict) else ():
        errors = value.get("errors") if isinstance(value, dict) else None
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict):
                found.append((str(error.get("type", "")), _node_error(str(node), value, error)))
    return sorted(found, key=lambda each: (each[0] != "value_not_in_list", each))


def _node_error(node: str, value: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    info = _object(error.get("extra_info"))
    where = f"{tidy(value.get('class_type', 'node'), 60)} {tidy(node, 20)}"
    name, given = tidy(info.get("input_name", ""), 60), info.get("received_value")
    if error.get("type") == "value_not_in_list" and given is not None:
        return f"{where} has no {name} {tidy(given, 120)!r}"
    said = tidy(error.get("message", ""), 120)
    return f"{where}{f'.{name}' if name else ''}: {said}"


# --- a job that did not end well --------------------------------------------------------------


def explain_failure(server: str, messages: object) -> ServerFault:
    """Why a job failed, by the messages of its history (``[[event, data], …]``)."""
    told = [row for row in messages if _is_message(row)] if isinstance(messages, list) else []
    for event, data in reversed(told):
        if event == "execution_interrupted":
            message = f"somebody else interrupted the job on server {server}"
            return ServerFault("interrupted", message, "ask for it again, when they are done")
        if event == "execution_error":
            return explain_error(server, data)
    return ServerFault("node-error", f"server {server} says that the job failed, and not why", "look at its log")


def explain_error(server: str, data: Mapping[str, Any]) -> ServerFault:
    """What an ``execution_error`` says: the node and its message; tracebacks, inputs and paths stay where they are."""
    kind, said = str(data.get("exception_type", "")), str(data.get("exception_message", ""))
    where = f"{tidy(data.get('node_type', 'a node'), 60)} (node {tidy(data.get('node_id', '?'), 20)})"
    if _MEMORY.search(kind) or _MEMORY.search(said):
        message = f"server {server} ran out of memory in {where}"
        return ServerFault("out-of-memory", message, "use a smaller size, or free its memory: restart ComfyUI")
    message = f"{where} failed on server {server}: {tidy(kind.rpartition('.')[2], 60)}: {tidy(said)}"
    return ServerFault("node-error", message, "correct the flow in ComfyUI, or choose another: --flow")


def _is_message(row: object) -> bool:
    return isinstance(row, list) and len(row) == 2 and isinstance(row[1], dict)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
