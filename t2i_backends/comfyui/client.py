"""One server over HTTP: requests as ComfyUI has them, answers bounded, and every failure in our own words.

Redirects are never followed, so that neither prompts nor keys go anywhere but to the address that the person named;
no proxy and no ``netrc`` of the environment is used.
"""

from __future__ import annotations

import base64
import ssl
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from imagewright import untrusted
from imagewright.comfy_settings import ServerSettings
from imagewright.errors import BadInput
from imagewright.t2i_backends.comfyui.faults import ServerFault, explain_refusal, tidy

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 60.0
QUICK_SECONDS = 10.0
"""For questions that a server answers at once, however busy it is: it must be heard when a person wants to stop."""
IDLE_SECONDS = 30.0
"""How long a connection is kept for the next question: longer than a job goes without one, shorter than servers and
proxies keep it."""
MOST_ANSWER = untrusted.NODE_LIST
"""The bounds of a list of nodes, the longest answer that there is."""
MOST_FILE = 256_000_000
"""The largest file that is fetched, in bytes."""
_QUICK = ("/queue", "/prompt", "/system_stats")
_STARTING = (502, 503, 504)
_START = "start ComfyUI there, or correct its address in the settings"


class Client:
    """Asks one server; threads may share it."""

    def __init__(self, server: ServerSettings, keys: Mapping[str, SecretStr] | None = None) -> None:
        self.server = server
        self.name = server.name
        self._keys = keys or {}
        self._lock = threading.Lock()

    @cached_property
    def headers(self) -> dict[str, str]:
        """What every request carries: the person's headers, the key, the user.

        Raises:
            BadInput: a header names a line that the keys' file lacks.
        """
        found = {name: value for name, value in self.server.headers.items() if name not in self.server.header_keys}
        for name, line in self.server.header_keys.items():
            if line not in self._keys:
                raise BadInput(
                    f"the keys' file has no line {line!r} for the header {name} of server {self.name}",
                    f'write it there: "{line}" = "the key"',
                )
            found[name] = self._keys[line].get_secret_value()
        key = next((self._keys[name] for name in self.server.key_names if name in self._keys), None)
        if key is not None and self.server.auth == "bearer":
            found["Authorization"] = f"Bearer {key.get_secret_value()}"
        elif key is not None:
            found["Authorization"] = f"Basic {base64.b64encode(key.get_secret_value().encode()).decode()}"
        if self.server.user:
            found["comfy-user"] = self.server.user
        return found

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked; None for plain HTTP.

        Raises:
            BadInput: the file of certificates cannot be read.
        """
        if urlsplit(self.server.url).scheme != "https":
            return None
        try:
            return ssl.create_default_context(cafile=self.server.ca_file)
        except (OSError, ssl.SSLError) as error:
            message = f"cannot read the certificates in {self.server.ca_file}: {tidy(error, 120)}"
            raise BadInput(message, "ca_file names a PEM file") from None

    @cached_property
    def _http(self) -> httpx.Client:
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        made = httpx.Client(
            headers=self.headers,
            verify=self.tls or True,
            timeout=timeout,
            limits=httpx.Limits(keepalive_expiry=IDLE_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )
        weakref.finalize(self, made.close)  # whoever lets go of an engine closes its connections with it
        return made

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    # --- plain requests -----------------------------------------------------------------------

    def ask(self, method: str, path: str, *, limit: int = MOST_ANSWER.bytes, **options: Any) -> tuple[int, bytes]:
        """Status and body of one request; what is not there (404) and what is refused (400) are answers.

        Raises:
            ServerFault: nothing answers, it is starting, it wants another key, sends elsewhere, or says too much.
        """
        try:
            try:
                return self._ask(method, path, limit, options)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if method != "GET":
                    raise
                return self._ask(method, path, limit, options)  # the kept connection was of a server before this one
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        except httpx.InvalidURL:
            raise ServerFault("unreachable", f"the address of server {self.name} cannot be used", _START) from None

    def _ask(self, method: str, path: str, limit: int, options: Mapping[str, Any]) -> tuple[int, bytes]:
        with self._lock:
            http = self._http
        with http.stream(method, f"{self.server.url}{path}", **options) as answer:
            self._insist_on_status(answer)
            return answer.status_code, self._read(answer, limit)

    def get_json(self, path: str, bounds: untrusted.Bounds = MOST_ANSWER) -> Any:
        """The JSON that is answered; None where there is nothing (404).

        Raises:
            ServerFault: as ``ask``, or what comes is no JSON.
        """
        quick = {"timeout": httpx.Timeout(QUICK_SECONDS, connect=CONNECT_SECONDS)} if path in _QUICK else {}
        status, data = self.ask("GET", path, limit=bounds.bytes, **quick)
        if status == 404:
            return None
        return self.parse(data, bounds) if status == 200 else self._strange(status)

    def parse(self, data: bytes, bounds: untrusted.Bounds = MOST_ANSWER) -> Any:
        """JSON of this server.

        Raises:
            ServerFault: it is none.
        """
        try:
            return untrusted.parse_json(data, f"the answer of server {self.name}", bounds)
        except BadInput:
            message = f"what answers at {self.server.url} is no ComfyUI"
            raise ServerFault("no-comfyui", message, "give the address that ComfyUI prints when it starts") from None

    def _read(self, answer: httpx.Response, limit: int) -> bytes:
        parts, length = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            length += len(part)
            if length > limit:
                message = f"server {self.name} answers with more than {limit // 1_000_000} MB"
                raise ServerFault("bad-file", message, "choose a smaller picture")
        return b"".join(parts)

    def _insist_on_status(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in _STARTING:
            raise ServerFault(
                "loading",
                f"server {self.name} is still starting (it answers {status})",
                "loading takes minutes; try again then",
            )
        if status in (401, 403, 407):
            line = self.server.key_names[0]
            raise ServerFault(
                "refused",
                f"server {self.name} wants another key (it answers {status})",
                f'write it into the keys\' file: "{line}" = "the key"',
            )
        if 300 <= status < 400:
            host = urlsplit(answer.headers.get("location", "")).netloc
            raise ServerFault(
                "elsewhere",
                f"server {self.name} sends elsewhere: to {tidy(host, 80) or 'nowhere'}",
                "name that address in the settings, if it is yours",
            )
        if status == 429:
            raise ServerFault("queue-full", f"server {self.name} takes no more jobs now", "try again later")

    def _unreachable(self, error: httpx.HTTPError) -> ServerFault:
        if isinstance(error, httpx.ReadTimeout | httpx.PoolTimeout):
            message = f"server {self.name} does not answer within {ANSWER_SECONDS:.0f} seconds"
            return ServerFault("loading", message, "it may be loading a model; try again in a minute", True)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            message = f"the certificate of server {self.name} is not known here"
            return ServerFault("unreachable", message, 'name its authority: ca_file = "FILE.pem" in the settings')
        cut = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        return ServerFault("unreachable", f"server {self.name} ({self.server.url}) does not answer", _START, cut)

    def _strange(self, status: int) -> Any:
        message = f"server {self.name} answers {status} to what ComfyUI answers"
        raise ServerFault("no-comfyui", message, "give the address that ComfyUI prints when it starts")

    # --- ComfyUI ------------------------------------------------------------------------------

    def submit(self, graph: Mapping[str, Any], prompt_id: str, client_id: str) -> dict[str, Any]:
        """Put a job into the queue; the server's answer, which may name node errors all the same.

        Raises:
            ServerFault: as ``ask``, or the server refuses the graph.
        """
        body: dict[str, Any] = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id}
        if self.server.previews:
            body["extra_data"] = {"preview_method": "latent2rgb"}
        status, data = self.ask("POST", "/prompt", json=body)
        if status == 400:
            raise explain_refusal(self.name, self._lenient(data))
        if status != 200:
            message = f"server {self.name} cannot read the flow (it answers {status})"
            raise ServerFault("invalid", message, "look at its log")
        answer = self.parse(data)
        return answer if isinstance(answer, dict) else {}

    def _lenient(self, data: bytes) -> Any:
        try:
            return untrusted.parse_json(data, "a refusal")
        except BadInput:
            return {}

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """What the server keeps of an ended job; None where it knows of none.

        Raises:
            ServerFault: as ``get_json``.
        """
        found = self.get_json(f"/history/{prompt_id}")
        row = found.get(prompt_id) if isinstance(found, dict) else None
        return row if isinstance(row, dict) else None

    def queue(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of the jobs that run, and of those that wait, in their order.

        Raises:
            ServerFault: as ``get_json``.
        """
        found = self.get_json("/queue")
        sections = [found.get(name) if isinstance(found, dict) else None for name in ("queue_running", "queue_pending")]
        running, pending = (section if isinstance(section, list) else [] for section in sections)
        rows = sorted((row for row in pending if _is_row(row)), key=lambda row: float(row[0]))
        return tuple(str(row[1]) for row in running if _is_row(row)), tuple(str(row[1]) for row in rows)

    def waiting(self) -> int:
        """How many jobs run or wait.

        Raises:
            ServerFault: as ``get_json``.
        """
        found = self.get_json("/prompt")
        info = found.get("exec_info") if isinstance(found, dict) else None
        count = info.get("queue_remaining") if isinstance(info, dict) else None
        return count if isinstance(count, int) else 0

    def cancel(self, prompt_id: str) -> None:
        """Take a job out of the queue, and interrupt it where it runs; no other job is touched.

        Raises:
            ServerFault: as ``ask``.
        """
        self.ask("POST", "/queue", json={"delete": [prompt_id]})
        if prompt_id in self.queue()[0]:
            self.ask("POST", "/interrupt", json={"prompt_id": prompt_id})

    def view(self, filename: str, subfolder: str, kind: str) -> bytes | None:
        """The bytes of a file that a job has saved; None where it is gone. The names are only sent back.

        Raises:
            ServerFault: as ``ask``; also where the server refuses the name.
        """
        query = {"filename": filename, "subfolder": subfolder, "type": kind}
        status, data = self.ask("GET", "/view", params=query, limit=MOST_FILE)
        if status == 404:
            return None
        if status != 200:
            raise ServerFault(
                "bad-file",
                f"server {self.name} does not hand out what it saved (it answers {status})",
                "look at its log",
            )
        return data

    def upload(self, name: str, data: bytes, subfolder: str) -> str:
        """Put a picture of ours into its input folder; the name by which a graph finds it.

        Raises:
            ServerFault: as ``ask``, or it answers with a name that is none.
        """
        files = {"image": (name, data, "image/png")}
        form = {"overwrite": "true", "subfolder": subfolder, "type": "input"}
        status, told = self.ask("POST", "/upload/image", files=files, data=form)
        answer = self.parse(told) if status == 200 else self._strange(status)
        given = [answer.get(field) for field in ("name", "subfolder")] if isinstance(answer, dict) else []
        if not given or not all(isinstance(each, str) and _is_plain(each) for each in given):
            raise ServerFault("bad-file", f"server {self.name} put a picture of ours nobody knows where")
        return "/".join(str(each) for each in reversed(given) if each)

    def list_models(self, folders: Sequence[str]) -> dict[str, list[str]]:
        """The files of some model folders; a folder that it does not know has none.

        Raises:
            ServerFault: as ``get_json``.
        """
        found = {folder: self.get_json(f"/models/{quote(folder, safe='')}") for folder in folders}
        return {name: [str(each) for each in files] if isinstance(files, list) else [] for name, files in found.items()}


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) > 1 and isinstance(row[0], int | float)


def _is_plain(name: str) -> bool:
    return len(name) <= 200 and ".." not in name and not set(name) & set('\\/:*?"<>|\0') and name.isprintable()
