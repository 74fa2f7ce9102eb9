"""Errors as clients read them: OpenAI's shape, an HTTP status each, and a code that a program can tell apart."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from imagewright.errors import ImagewrightError, NeedsAnswer
from imagewright.serve.jobs import Full
from imagewright.serve.orders import Ending, Trouble

_STATUS = {
    "bad_input": 400,
    "cannot_draw": 422,
    "budget_spent": 402,
    "needs_answer": 409,
    "cancelled": 409,
    "not_found": 404,
    "server_error": 500,
    "queue_full": 429,
    "rate_limited": 429,
    "invalid_token": 401,
    "wrong_host": 421,
    "wrong_origin": 403,
    "too_large": 413,
    "too_slow": 408,
    "unsupported": 400,
    "key_reused": 409,
    "stopping": 503,
    "not_allowed": 403,
    "not_over": 409,
}
"""The HTTP status of each code."""
_TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error"}


class ErrorFacts(BaseModel):
    """What is told of an error."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None
    remedy: str = ""
    run: str | None = None
    choices: list[str] = []


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "no flow is called 'nope'",
                        "type": "invalid_request_error",
                        "param": None,
                        "code": "bad_input",
                        "remedy": "GET /v1/flows lists them",
                        "run": None,
                        "choices": [],
                    }
                }
            ]
        }
    )

    error: ErrorFacts


class Denied(Exception):
    """A request that is answered with an error; ``code`` is one of the table's."""

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str = "",
        *,
        param: str | None = None,
        wait: int = 0,
        run: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy, self.param = code, message, remedy, param
        self.wait, self.run, self.choices = wait, run, choices

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.code, 500)

    def to_body(self) -> dict[str, Any]:
        """The answer's body."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        facts = ErrorFacts(
            message=self.message,
            type=kind,
            param=self.param,
            code=self.code,
            remedy=self.remedy,
            run=self.run or None,
            choices=list(self.choices),
        )
        return ErrorBody(error=facts).model_dump(mode="json")

    def to_headers(self) -> dict[str, str]:
        """``Retry-After`` where asking again makes sense, and what else the status wants."""
        headers = {"retry-after": str(self.wait)} if self.wait else {}
        return headers | ({"www-authenticate": "Bearer"} if self.status == 401 else {})

    def to_response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.to_body(), self.status, self.to_headers())

    def to_event(self) -> str:
        """The data of an ``error`` event of a stream that has begun."""
        return json.dumps({"type": "error", **self.to_body()})


def deny(error: ImagewrightError | Full) -> Denied:
    """An error of ours as an answer."""
    if isinstance(error, Full):
        return Denied("queue_full", str(error), "ask again later", wait=error.seconds)
    asked = error if isinstance(error, NeedsAnswer) else None
    choices, run = (asked.choices, asked.run) if asked else ((), "")
    trouble = Trouble.of(error)
    return Denied(trouble.code, trouble.message, trouble.remedy, choices=choices, run=run)


def insist_on_picture(outcome: Ending) -> Ending:
    """``outcome`` where it is a picture.

    Raises:
        Denied: it is a question, words, or trouble.
    """
    if (trouble := outcome.trouble) is not None:
        raise Denied(trouble.code, trouble.message, trouble.remedy, run=outcome.run)
    if outcome.asked:
        remedy = "say it more clearly, or answer in the same thread"
        raise Denied("needs_answer", outcome.text, remedy, run=outcome.run, choices=outcome.choices)
    if not outcome.image:
        raise Denied("bad_input", outcome.text or "no picture was made", "say what to draw", run=outcome.run)
    return outcome
