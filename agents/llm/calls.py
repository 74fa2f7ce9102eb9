"""One call to a language model: within a deadline, repeated where that may help, and its failure in plain words.

The clients' own retries are off, so that there is one policy: what may pass (429, 5xx, a lost connection) is tried
again after a pause that doubles, or after what ``Retry-After`` says; a call that ran out of time, or that was refused
for what it holds, is not.
"""

from __future__ import annotations

import contextlib
import email.utils
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr

from imagewright.agents.llm.refusals import names_request
from imagewright.errors import Cancelled
from imagewright.redaction import blank_error

T = TypeVar("T")
NOT_IMPLEMENTED = 501
"""The status of a service that cannot do what was asked; a client that cannot is taken for one."""
_PASSING = frozenset({408, 409, 425, 429})
_LOST = re.compile(r"Timeout|Connect|RemoteProtocol|ReadError|WriteError|JSONDecode|ResponseValidation")
"""Kinds of errors of HTTP clients that come from the way and not from the request."""
_MEANS = {
    401: "the key was refused", 403: "the key is not allowed to do that", 404: "there is no such model or address",
    429: "too many requests",
}  # fmt: skip
"""What statuses mean to the person; docs/llm.md says where keys come from."""
_WORDS = ("error", "message", "detail", "msg", "error_msg", "errors")
"""Where bodies of refusals hold their words."""
_SAID = 2000
"""Characters of a refusal that are looked through."""
_SLICE = 0.05
"""Seconds between two looks at whether the person stopped the run."""


@dataclass(frozen=True)
class Policy:
    """How long and how often to try."""

    call: float = 60.0
    """Seconds for one call."""
    question: float = 120.0
    """Seconds for one question: all calls, pauses and repairs, with all models."""
    tries: int = 3
    """Calls at most before one model is given up on."""
    pause: float = 1.0
    """Seconds before the second try; doubles each time."""
    longest_pause: float = 20.0
    """A service that asks for a longer pause is not waited for."""


class Failure(Exception):
    """A call that brought no answer: why, in words without keys, and whether trying again may help.

    ``said`` is all that the service says about it, as far as it is read.
    """

    def __init__(
        self, words: str, again: bool = False, pause: float | None = None, status: int | None = None, said: str = ""
    ) -> None:
        super().__init__(words)
        self.again, self.pause, self.status, self.said = again, pause, status, said


class NoAnswer(Exception):
    """What came back under a status that promises an answer and holds none."""

    def __init__(self, words: str, status_code: int | None = None) -> None:
        super().__init__(words)
        self.status_code, self.body = status_code, words

    @classmethod
    def of(cls, error: Any) -> NoAnswer:
        """What a service says about an ``error`` in its answer, under the status that it gives there, else 400."""
        code = error.get("code") if isinstance(error, Mapping) else None
        known = isinstance(code, int) and 400 <= code < 600
        return cls(words_of(error) or "it sent an error without words", code if known else 400)


@dataclass
class Deadline:
    """When a question's time is up, and whether the person has stopped the run."""

    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.end = self.clock() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until the time is up; never negative."""
        return max(0.0, self.end - self.clock())

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Cancelled: the person stopped the run meanwhile.
        """
        if self.stop.wait(seconds):
            raise Cancelled("the run was stopped")


def call(
    work: Callable[[], T], policy: Policy, deadline: Deadline, secrets: Sequence[SecretStr], patient: bool = False
) -> T:
    """What ``work`` returns, in as many tries as ``policy`` and ``deadline`` allow; ``patient`` work may take long.

    Raises:
        Failure: no try brought anything.
        Cancelled: the person stopped the run.
    """
    for number in range(1, policy.tries + 1):
        try:
            return _within(work, float("inf") if patient else min(policy.call, deadline.left), deadline.stop)
        except (Failure, Cancelled):
            raise
        except Exception as error:  # noqa: BLE001  (the boundary to a provider's client)
            failed = failure_of(error, secrets)
        pause = policy.pause * 2 ** (number - 1) if failed.pause is None else failed.pause
        if not failed.again or number == policy.tries:
            raise failed
        if pause > min(policy.longest_pause, deadline.left):
            told = f"{failed}; it may be asked again in {pause:g} s, which is too long"
            raise Failure(told, status=failed.status, said=failed.said)
        deadline.sleep(pause)
    raise Failure("no try was allowed")


def _within(work: Callable[[], T], seconds: float, stop: threading.Event) -> T:
    """What ``work`` returns within ``seconds``; a client's own timeout hears every byte and so may never come.

    The thread of work that ran out of time is left to itself: Python cannot end it.
    """
    done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:  # noqa: BLE001  (handed over to the thread that waits)
            done.put((None, error))

    end = time.monotonic() + seconds
    threading.Thread(target=run, daemon=True, name="language model").start()
    while True:
        with contextlib.suppress(queue.Empty):
            value, error = done.get(timeout=max(0.0, min(_SLICE, end - time.monotonic())))
            if error is not None:
                raise error
            return value  # type: ignore[return-value]
        if stop.is_set():
            raise Cancelled("the run was stopped")
        if time.monotonic() >= end:
            raise Failure(f"no answer within {seconds:.3g} s")


# --- what went wrong ------------------------------------------------------------------------


def failure_of(error: Exception, secrets: Sequence[SecretStr]) -> Failure:
    """``error`` of any client as a ``Failure``."""
    error = _no_answer(error) or error
    status = getattr(error, "status_code", None)
    status = NOT_IMPLEMENTED if isinstance(error, NotImplementedError) else status
    status = status if isinstance(status, int) else None
    lost = status is None and (
        isinstance(error, ConnectionError | TimeoutError) or bool(_LOST.search(type(error).__name__))
    )
    said = (
        "" if status is None else blank_secrets(words_of(getattr(error, "body", None)) or str(error), secrets)[:_SAID]
    )
    passing = status is not None and (status in _PASSING or (status >= 500 and not names_request(said)))
    again = lost or (passing and status != NOT_IMPLEMENTED)
    words = _in_words(error, status, lost, secrets)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return Failure(words, again=again, pause=retry_after(headers) if again else None, status=status, said=said)


def _no_answer(error: BaseException | None) -> NoAnswer | None:
    """The ``NoAnswer`` that a client's error comes from."""
    for _ in range(20):
        if error is None or isinstance(error, NoAnswer):
            break
        error = error.__cause__ or error.__context__
    return error if isinstance(error, NoAnswer) else None


def _in_words(error: Exception, status: int | None, lost: bool, secrets: Sequence[SecretStr]) -> str:
    """What a person can act on: what the status means and what the service says, or why there is no connection."""
    if status is not None:
        means = _MEANS.get(status, "the service failed" if status >= 500 else "it was refused")
        return f"{means} ({status}: {_said(error, secrets)})"
    if isinstance(error, EOFError | NoAnswer):
        return first_line(error, secrets)  # a person who pasted nothing, or words of our own
    cause = _system_error(error) if lost else None
    if cause is not None:
        return f"no connection: {cause.strerror}"
    return f"{type(error).__name__}: {first_line(error, secrets)}"


def _said(error: Exception, secrets: Sequence[SecretStr]) -> str:
    """The message inside the body of a refusal, else the error's first line."""
    message = words_of(getattr(error, "body", None))
    return first_line(Exception(message), secrets) if message else first_line(error, secrets)


def words_of(body: Any, depth: int = 4) -> str:
    """What the body of a refusal says, wherever services put it; empty where it says nothing."""
    if isinstance(body, str):
        return body.strip()
    if depth == 0 or not isinstance(body, Mapping | list):
        return ""
    if isinstance(body, list):
        return "; ".join(filter(None, (words_of(item, depth - 1) for item in body[:6])))
    found = next(filter(None, (words_of(body.get(name), depth - 1) for name in _WORDS)), "")
    beside = [f"{name}: {body[name]}" for name in ("loc", "param", "n_ctx", "n_prompt_tokens") if body.get(name)]
    upstream = body.get("metadata")
    raw = words_of(upstream.get("raw"), depth - 1) if isinstance(upstream, Mapping) else ""
    return " ".join(filter(None, (found, raw, f"({', '.join(beside)})" if found and beside else "")))


def _system_error(error: BaseException | None) -> OSError | None:
    """The system's own error at the bottom of a client's chain of causes, where it has words for it."""
    found: OSError | None = None
    for _ in range(20):
        if error is None:
            break
        if isinstance(error, OSError) and error.strerror:
            found = error
        error = error.__cause__ or error.__context__
    return found


def first_line(error: Exception, secrets: Sequence[SecretStr]) -> str:
    """What ``error`` says in one line of at most 200 characters without a key."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return blank_secrets(line, secrets)[:200]


def blank_secrets(text: str, secrets: Sequence[SecretStr]) -> str:
    """``text`` with every known key, and what looks like one, taken out."""
    return blank_error(text, secrets)


def retry_after(headers: Mapping[str, Any], now: Callable[[], float] = time.time) -> float | None:
    """The seconds that ``Retry-After`` (RFC 9110: seconds, or a date) asks to wait; None where it says nothing."""
    milliseconds, text = headers.get("retry-after-ms"), str(headers.get("retry-after") or "").strip()
    for value, unit in ((milliseconds, 1000.0), (text, 1.0)):
        with contextlib.suppress(TypeError, ValueError):
            seconds = float(value) / unit  # type: ignore[arg-type]
            if 0 <= seconds < float("inf"):
                return seconds
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now())
    return None
