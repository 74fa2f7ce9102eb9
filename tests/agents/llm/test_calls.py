"""One retry policy: what may pass is tried again, a deadline is one, and no key is ever told."""

from __future__ import annotations

import email.utils
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from imagewright.agents.llm.calls import Deadline, Failure, Policy, blank_secrets, call, failure_of, retry_after
from imagewright.errors import Cancelled

POLICY = Policy(call=5.0, question=5.0, tries=3, pause=0.0)


class ServiceError(Exception):
    """What the providers' clients raise, as far as it matters here."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"Error code: {status}\nsecond line")
        self.status_code = status
        self.response = type("Response", (), {"headers": headers or {}})()


def failing(*errors: Exception | str) -> Callable[[], str]:
    """Work that raises these in turn, or returns a text."""
    left = list(errors)

    def work() -> str:
        following = left.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return work


@pytest.mark.parametrize(
    "error", [ServiceError(429), ServiceError(500), ServiceError(529), ConnectionResetError(), TimeoutError()]
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert call(failing(error, error, "answer"), POLICY, Deadline(5), ()) == "answer"
    with pytest.raises(Failure):
        call(failing(error, error, error, "too late"), POLICY, Deadline(5), ())


@pytest.mark.parametrize(
    "error", [ServiceError(400), ServiceError(401), ServiceError(404), ServiceError(501), EOFError()]
)
def test_what_will_not_pass_is_not(error: Exception) -> None:
    with pytest.raises(Failure) as failed:
        call(failing(error, "never asked for"), POLICY, Deadline(5), ())
    assert failed.value.status == getattr(error, "status_code", None)


def test_a_pause_that_is_too_long_is_not_waited_for() -> None:
    asks_for_an_hour = ServiceError(429, {"retry-after": "3600"})
    with pytest.raises(Failure, match="in 3600 s, which is too long"):
        call(failing(asks_for_an_hour, "an hour later"), POLICY, Deadline(5), ())


def test_the_pause_that_a_service_asks_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(Deadline, "sleep", lambda self, seconds: slept.append(seconds))
    call(
        failing(ServiceError(429, {"retry-after": "2"}), ServiceError(500), "answer"),
        Policy(pause=0.5),
        Deadline(60),
        (),
    )
    assert slept == [2.0, 1.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": email.utils.formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, Any], seconds: float | None) -> None:
    assert retry_after(headers, now=lambda: 1_000_000.0) == seconds


def test_work_that_never_ends_ends_at_its_deadline() -> None:
    never = threading.Event()
    with pytest.raises(Failure, match=r"no answer within 0\.05 s"):
        call(never.wait, Policy(call=0.05), Deadline(60), ())
    never.set()


def test_a_stopped_run_does_not_wait_for_an_answer() -> None:
    never, stop = threading.Event(), threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        call(never.wait, Policy(), Deadline(60, stop), ())
    with pytest.raises(Cancelled):
        call(failing(ServiceError(500), "late"), Policy(pause=9.0), Deadline(60, stop), ())
    never.set()


def test_errors_are_told_in_one_line_without_keys() -> None:
    error = RuntimeError("Incorrect API key provided: sk-proj-1234567890abcdef, or my-own-secret\nmore")
    told = str(failure_of(error, (SecretStr("my-own-secret"), SecretStr(""))))
    assert told == "RuntimeError: Incorrect API key provided: …, or …"
    assert blank_secrets("Bearer abc.def and so on", ()) == "Bearer … and so on"


class Refused(ServiceError):
    """A status with a body, as both providers' clients keep it."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status)
        self.body = body


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused(401, {"message": "bad key sk-abcdef123456"}), "the key was refused (401: bad key …)"),
        (Refused(403, {"error": {"message": "not you"}}), "the key is not allowed to do that (403: not you)"),
        (Refused(404, {"error": {"message": "model 'x' not found"}}),
         "there is no such model or address (404: model 'x' not found)"),
        (Refused(429, None), "too many requests (429: Error code: 429)"),
        (Refused(400, {"error": "no object"}), "it was refused (400: no object)"),
        (Refused(503, []), "the service failed (503: Error code: 503)"),
        (ConnectionRefusedError(111, "Connection refused"), "no connection: Connection refused"),
        (NotImplementedError("no schema"), "the service failed (501: no schema)"),
    ],
)  # fmt: skip
def test_a_person_is_told_what_it_means(error: Exception, told: str) -> None:
    assert str(failure_of(error, ())) == told


def test_the_systems_own_words_are_found_below_the_clients() -> None:
    class APIConnectionError(Exception):
        """What a client raises over a lost connection."""

    outer = APIConnectionError("Connection error.")
    outer.__cause__ = RuntimeError("inner")
    outer.__cause__.__cause__ = OSError(113, "No route to host")
    failed = failure_of(outer, ())
    assert (str(failed), failed.again) == ("no connection: No route to host", True)
    assert str(failure_of(APIConnectionError("Connection error."), ())) == "APIConnectionError: Connection error."


def test_what_a_client_cannot_do_is_not_tried_again() -> None:
    failed = failure_of(NotImplementedError("no such method"), ())
    assert (failed.status, failed.again) == (501, False)
