"""What goes on inside the ComfyUI-shaped server of ``comfy_server``: its queue, its worker, its messages and faults."""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

Graph = dict[str, dict[str, Any]]
Draw = Callable[[Graph, Mapping[str, bytes]], list[Image.Image]]
SAVERS = {"SaveImage": "output", "PreviewImage": "temp"}
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass
class Faults:
    """What goes wrong; numbers count down as they happen."""

    loading: int = 0
    """So many requests are answered with 503, as a proxy does while ComfyUI starts."""
    queue_full: int = 0
    """So many posted prompts are answered with 429."""
    refused: dict[str, Any] | None = None
    """What every posted prompt is answered with: a status of 400 and this body."""
    partly: bool = False
    """A 200 with node errors: one output was dropped."""
    post_unanswered: int = 0
    """So many posted prompts are taken, and the connection is cut before the answer."""
    node_error: dict[str, str] | None = None
    """``exception_type`` and ``exception_message`` of the sampler's failure."""
    interrupted: int = 0
    """So many jobs are interrupted by somebody else."""
    hang: bool = False
    """The sampler never ends its first step."""
    crash_at: str = ""
    """``post``, ``start``, ``step``, ``saved`` or ``end``: there the process dies, once."""
    socket_refused: bool = False
    socket_cut_after: int | None = None
    """So many messages are sent on a websocket before it is cut."""
    socket_silent: bool = False
    history_late: float = 0.0
    """Seconds for which the history stays empty after the end."""
    end_late: float = 0.0
    """Seconds from ``execution_success`` to ``executing`` null."""
    files_gone: int = 0
    """So many fetched files are answered with 404."""
    file_bytes: bytes | None = None
    """What is sent in place of every file."""
    names: dict[str, str] = field(default_factory=dict)
    """Replaces ``filename``, ``subfolder`` or ``type`` in what jobs say of their files."""
    redirect: str = ""
    """Every request is sent there."""
    authorization: str = ""
    """The header that is asked for; others get 401."""
    upload_renamed: bool = False
    """Uploaded files get another name, as where one of that name holds something else."""


class Crash(Exception):
    """The process dies."""


@dataclass(order=True)
class Prompt:
    """A posted prompt."""

    number: float
    id: str = field(compare=False)
    graph: Graph = field(compare=False)
    extra: dict[str, Any] = field(compare=False)
    outputs: list[str] = field(compare=False)

    def row(self) -> list[Any]:
        """As the queue tells it."""
        return [self.number, self.id, self.graph, self.extra, self.outputs]


class Memory:
    """What is lost when the process dies."""

    def __init__(self) -> None:
        self.pending: list[Prompt] = []
        self.running: Prompt | None = None
        self.history: dict[str, dict[str, Any]] = {}
        self.cache: dict[str, dict[str, Any]] = {}
        self.sockets: dict[str, Socket] = {}
        self.interrupt = threading.Event()
        self.wake = threading.Condition()
        self.numbers = itertools.count(1)
        self.dead = False


class Socket:
    """The server's end of a websocket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.lock, self.sent, self.flags = connection, threading.Lock(), 0, False

    def send(self, data: bytes, code: int) -> None:
        """One frame; a broken connection is nobody's fault here."""
        size = len(data)
        head = bytes([0x80 | code])
        head += (
            bytes([size])
            if size < 126
            else struct.pack(">BH" if size < 65536 else ">BQ", 126 if size < 65536 else 127, size)
        )
        with self.lock, contextlib.suppress(OSError):
            self.connection.sendall(head + data)
            self.sent += 1

    def read(self) -> bytes | None:
        """The payload of the next frame; None at the end."""
        with contextlib.suppress(OSError, struct.error):
            first, second = self._exactly(2)
            size = second & 127
            if size > 125:
                size = struct.unpack(">H" if size == 126 else ">Q", self._exactly(2 if size == 126 else 8))[0]
            mask = self._exactly(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self._exactly(size)))
            return None if first & 15 == 8 else data
        return None

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.connection.recv(count - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def cut(self) -> None:
        """Close the connection without a word."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.connection.close()


class ComfyProcess:
    """The queue and the worker; whoever inherits this answers on the network and can ``crash``."""

    classes: dict[str, Any]
    draw: Draw
    step_seconds: float
    faults: Faults
    files: dict[tuple[str, str, str], bytes]
    uploads: dict[str, bytes]
    drawn: list[str]
    counter: Iterator[int]
    memory: Memory

    def crash(self) -> None:
        """Die."""
        raise NotImplementedError

    def posted(self, body: bytes) -> tuple[int, Any]:
        """Take a prompt, or say why not."""
        try:
            told = json.loads(body)
            graph, ident = told["prompt"], told.get("prompt_id")
            if not isinstance(graph, dict) or "nodes" in graph:
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return 500, None
        if ident is not None and not _UUID.fullmatch(str(ident)):
            return 400, _error("invalid_prompt_id", "prompt_id must be a canonical UUID")
        if self.faults.refused is not None:
            return 400, self.faults.refused
        wrong = self._wrong(graph)
        if wrong is not None:
            return 400, wrong
        memory = self.memory
        number = float(told.get("number", next(memory.numbers)))
        extra = {**told.get("extra_data", {}), "client_id": told.get("client_id", "")}
        outputs = [node for node, value in graph.items() if value["class_type"] in SAVERS]
        with memory.wake:
            heapq.heappush(memory.pending, Prompt(number, ident, graph, extra, outputs))
            memory.wake.notify_all()
        self._status(memory)
        errors = {}
        if self.faults.partly:
            errors = {
                "99": {
                    "errors": [
                        {
                            "type": "required_input_missing",
                            "message": "Required input is missing",
                            "details": "filename_prefix",
                            "extra_info": {"input_name": "filename_prefix"},
                        }
                    ],
                    "dependent_outputs": ["99"],
                    "class_type": "SaveImage",
                }
            }
        return 200, {"prompt_id": ident, "number": number, "node_errors": errors}

    def _wrong(self, graph: Graph) -> dict[str, Any] | None:
        if not any(value["class_type"] in SAVERS for value in graph.values()):
            return _error("prompt_no_outputs", "Prompt has no outputs")
        errors: dict[str, Any] = {}
        for node, value in graph.items():
            name = value["class_type"]
            if name not in self.classes:
                found = _error("missing_node_type", f"Node '{name}' not found. The custom node may not be installed.")
                found["error"]["extra_info"] = {"node_id": node, "class_type": name, "node_title": name}
                return found
            for section in ("required", "optional"):
                for key, spec in self.classes[name]["input"].get(section, {}).items():
                    given = value["inputs"].get(key)
                    if isinstance(spec[0], list) and isinstance(given, str) and given not in spec[0]:
                        info = {"input_name": key, "input_config": spec, "received_value": given}
                        errors[node] = {
                            "errors": [
                                {
                                    "type": "value_not_in_list",
                                    "message": "Value not in list",
                                    "details": f"{key}: '{given}' not in {spec[0]}",
                                    "extra_info": info,
                                }
                            ],
                            "dependent_outputs": [],
                            "class_type": name,
                        }
        if not errors:
            return None
        return {**_error("prompt_outputs_failed_validation", "Prompt outputs failed validation"), "node_errors": errors}

    def work(self, memory: Memory) -> None:
        while not memory.dead:
            with memory.wake:
                memory.wake.wait_for(lambda: memory.pending or memory.dead)
                if memory.dead:
                    return
                prompt = memory.running = heapq.heappop(memory.pending)
            memory.interrupt.clear()
            messages: list[Any] = []
            try:
                outputs, status = self._run(memory, prompt, messages)
            except Crash:
                threading.Thread(target=self.crash, daemon=True).start()
                return
            late = self.faults.history_late
            row = {
                "prompt": prompt.row(),
                "outputs": outputs,
                "status": {"status_str": status, "completed": status == "success", "messages": messages},
                "meta": {},
            }
            if late:
                threading.Timer(late, lambda ident=prompt.id, row=row: memory.history.update({ident: row})).start()
            else:
                memory.history[prompt.id] = row
            memory.running = None
            self._status(memory)
            time.sleep(self.faults.end_late)
            self._tell(memory, prompt, "executing", {"node": None})
            if self.faults.crash_at == "end":
                self.faults.crash_at = ""
                threading.Thread(target=self.crash, daemon=True).start()
                return

    def _run(self, memory: Memory, prompt: Prompt, messages: list[Any]) -> tuple[dict[str, Any], str]:
        def log(event: str, **data: Any) -> None:
            messages.append([event, {"prompt_id": prompt.id, **data, "timestamp": int(time.time() * 1000)}])
            self._tell(memory, prompt, event, data)

        log("execution_start")
        self._die("start")
        key = json.dumps(prompt.graph, sort_keys=True)
        known = memory.cache.get(key)
        log("execution_cached", nodes=list(prompt.graph) if known else [])
        if known:
            for node, output in known.items():
                self._tell(memory, prompt, "executed", {"node": node, "display_node": node, "output": output})
            log("execution_success")
            return known, "success"
        ended = self._sample(memory, prompt, log)
        if ended:
            return {}, "error"
        outputs = self._save(memory, prompt)
        memory.cache[key] = outputs
        self._die("saved")
        log("execution_success")
        return outputs, "success"

    def _sample(self, memory: Memory, prompt: Prompt, log: Callable[..., None]) -> bool:
        sampler = next((n for n, v in prompt.graph.items() if "steps" in v["inputs"]), next(iter(prompt.graph)))
        value = prompt.graph[sampler]
        node = {"node_id": sampler, "node_type": value["class_type"], "executed": []}
        total = int(value["inputs"].get("steps", 1))
        self._tell(memory, prompt, "executing", {"node": sampler, "display_node": sampler})
        for step in range(1, total + 1):
            if self.faults.interrupted:
                self.faults.interrupted -= 1
                memory.interrupt.set()
            if memory.interrupt.wait(3600 if self.faults.hang else self.step_seconds):
                if memory.dead:
                    raise Crash
                log("execution_interrupted", **node)
                return True
            self._die("step")
            if self.faults.node_error:
                log(
                    "execution_error",
                    **node,
                    **self.faults.node_error,
                    traceback=['File "/srv/ComfyUI/x.py"\n'],
                    current_inputs={"positive": ["a secret prompt"]},
                    current_outputs=[],
                )
                return True
            self._tell(memory, prompt, "progress", {"value": step, "max": total, "node": sampler})
            self._preview(memory, prompt, sampler)
        return False

    def _save(self, memory: Memory, prompt: Prompt) -> dict[str, Any]:
        images, outputs = self.draw(prompt.graph, self.uploads), {}
        if memory.dead:
            raise Crash
        for node in prompt.outputs:
            value = prompt.graph[node]
            kind, prefix = SAVERS[value["class_type"]], str(value["inputs"].get("filename_prefix", "ComfyUI_temp"))
            subfolder, _, stem = prefix.rpartition("/")
            rows = []
            for image in images:
                buffer = io.BytesIO()
                image.save(buffer, "PNG")
                name = f"{stem}_{next(self.counter):05}_.png"
                self.files[kind, subfolder, name] = buffer.getvalue()
                rows.append({"filename": name, "subfolder": subfolder, "type": kind, **self.faults.names})
            outputs[node] = {"images": rows}
            told = {"node": node, "display_node": node, "output": outputs[node]}
            self._tell(memory, prompt, "executed", told)
        self.drawn.append(prompt.id)
        return outputs

    def _die(self, where: str) -> None:
        if self.faults.crash_at == where:
            self.faults.crash_at = ""
            raise Crash

    # --- messages ---------------------------------------------------------------------------

    def _tell(self, memory: Memory, prompt: Prompt, event: str, data: dict[str, Any]) -> None:
        text = json.dumps({"type": event, "data": {**data, "prompt_id": prompt.id}}).encode()
        self._send(memory, str(prompt.extra.get("client_id", "")), text, 1)

    def _preview(self, memory: Memory, prompt: Prompt, node: str) -> None:
        if prompt.extra.get("preview_method", "none") == "none":
            return
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), "gray").save(buffer, "JPEG")
        about = json.dumps({"node_id": node, "prompt_id": prompt.id, "image_type": "image/jpeg"}).encode()
        data = struct.pack(">II", 4, len(about)) + about + buffer.getvalue()
        self._send(memory, str(prompt.extra.get("client_id", "")), data, 2)

    def _status(self, memory: Memory) -> None:
        waiting = len(memory.pending) + (memory.running is not None)
        text = json.dumps({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": waiting}}}}).encode()
        for client in list(memory.sockets):
            self._send(memory, client, text, 1)

    def _send(self, memory: Memory, client: str, data: bytes, code: int) -> None:
        found = memory.sockets.get(client)
        if found is None or self.faults.socket_silent:
            return
        found.send(data, code)
        if self.faults.socket_cut_after is not None and found.sent >= self.faults.socket_cut_after:
            memory.sockets.pop(client, None)
            found.cut()


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, "details": "", "extra_info": {}}, "node_errors": {}}
