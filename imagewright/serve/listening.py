"""Hearing the events of a job over HTTP, with nothing but the standard library: a command that waits starts at once."""

from __future__ import annotations

import http.client
import queue
import threading
from collections.abc import Iterator
from typing import IO
from urllib.parse import urlsplit

from imagewright import untrusted
from imagewright.schemas import RunEvent
from imagewright.serve.address import ServerAddress

SILENCE = 45.0
"""Seconds without a byte after which a server counts as gone: it sends a sign of life every 15."""
Heard = queue.SimpleQueue[RunEvent | None]
"""What was heard; None: nothing more comes."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a server that listens on every address is reached from its own machine."""


class EventListener(threading.Thread):
    """Puts the events of ``job`` into ``heard`` until they end or the server is gone, then None."""

    def __init__(self, address: ServerAddress, job: str, heard: Heard) -> None:
        super().__init__(name="imagewright-listener", daemon=True)
        self._address, self._job, self._heard = address, job, heard

    def run(self) -> None:
        """Listen."""
        try:
            for event in _listen(self._address, self._job):
                self._heard.put(event)
        except (OSError, http.client.HTTPException):
            pass  # whoever waits looks into the queue to see whether the job is over
        finally:
            self._heard.put(None)


def _listen(address: ServerAddress, job: str) -> Iterator[RunEvent]:
    parts = urlsplit(address.url)
    host = parts.hostname or ""
    connection = http.client.HTTPConnection(_EVERYWHERE.get(host, host), parts.port, timeout=SILENCE)
    try:
        headers = {"Authorization": f"Bearer {address.secret.get_secret_value()}"}
        connection.request("GET", f"/v1/runs/{job}/events", headers=headers)
        answer = connection.getresponse()
        if answer.status == http.client.OK:
            yield from read_events(answer)
    finally:
        connection.close()


def read_events(lines: IO[bytes] | http.client.HTTPResponse) -> Iterator[RunEvent]:
    """The events of a stream of server-sent events, up to the one called ``end``, without what the route adds (links).

    Raises:
        BadInput: what was sent is no JSON.
        ValidationError: it is no event of ours.
    """
    name = ""
    for raw in lines:
        field, _, value = raw.decode("utf-8").rstrip("\r\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data" and name == "end":
            return
        elif field == "data":
            told = untrusted.parse_json(value, "an event of the server", untrusted.ANSWER)
            yield RunEvent.model_validate({name: told[name] for name in told if name in RunEvent.model_fields})
