"""The OpenAPI describes what is answered: schemathesis asks every route, and nothing is a 5xx or another shape."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()
WANTED = ("not_a_server_error", "response_schema_conformance", "status_code_conformance", "content_type_conformance")
EXAMPLES = 4
"""Requests a route; more with ``-m slow``."""


def ask_everything(served: Any, examples: int, token: str) -> int:
    """Ask every route ``examples`` times with whatever its schema allows; how many were asked."""
    document = httpx.get(f"{served.url}/openapi.json", trust_env=False, timeout=180).json()
    schema = schemathesis.openapi.from_dict(document)
    checks = [check for check in CHECKS.get_all() if check.__name__ in WANTED]
    assert len(checks) == len(WANTED)
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            response = case.call(base_url=served.url, headers={"authorization": f"Bearer {token}"}, timeout=180)
            case.validate_response(response, checks=checks)

        ask()
    return asked


def test_no_route_fails_or_answers_in_another_shape(served: Any) -> None:
    assert ask_everything(served, EXAMPLES, served.token) > 100


@pytest.mark.slow
def test_nor_when_asked_for_long(served: Any) -> None:
    assert ask_everything(served, 100, "alice-has-a-long-token") > 1000


def test_the_document_has_examples_and_names_the_errors(served: Any) -> None:
    document = httpx.get(f"{served.url}/openapi.json", trust_env=False, timeout=180).json()
    assert len(document["paths"]) > 25
    for path in ("/v1/images/generations", "/v1/chat/completions", "/v1/runs", "/v1/plan", "/v1/flows"):
        assert {"400", "401", "429"} <= set(document["paths"][path]["post"]["responses"])
    examples = [name for name, schema in document["components"]["schemas"].items() if "examples" in schema]
    assert {"ImageRequest", "ChatRequest", "RunWishes", "TurnWishes", "PlanWishes", "NewFlow", "ErrorBody"} <= set(
        examples
    )


def test_metrics_are_the_owner_s(served: Any) -> None:
    with served.client() as owner, served.client("alice-has-a-long-token") as alice:
        owner.get("/v1/runs")
        text = owner.get("/metrics").text
        assert 'imagewright_requests_total{method="GET",route="/v1/runs",status="200"}' in text
        assert 'imagewright_jobs{status="queued"} 0.0' in text
        assert alice.get("/metrics").status_code == 403
