"""``GET /metrics`` for Prometheus, and the counting of requests by route, method and status: labels are few."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagewright.serve.desk import in_thread
from imagewright.serve.faults import Denied
from imagewright.serve.house import ERRORS, Asking, AtHouse, House

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(tags=["health"])
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """What one server counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "imagewright_requests", "Answered requests", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "imagewright_request_seconds", "Seconds to the end of the answer", ("route",), buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.jobs = Gauge("imagewright_jobs", "Jobs by how they stand", ("status",), registry=self.registry)
        self.work = Gauge(
            "imagewright_job_seconds_mean", "Mean seconds from claim to end of a worker's last jobs", ("worker",),
            registry=self.registry,
        )  # fmt: skip

    def read(self, house: House) -> bytes:
        """The text that Prometheus reads."""
        counts: Mapping[str, int] = house.desk.book.count()
        for status in ("queued", "running", "done", "failed", "cancelled"):
            self.jobs.labels(status).set(counts.get(status, 0))
        for number, worker in enumerate(house.desk.workers):
            if spent := worker.own_seconds:
                self.work.labels(str(number)).set(sum(spent) / len(spent))
        return generate_latest(self.registry)


class Counting:
    """The middleware that counts."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count the answer under its route."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), "500"

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, scope["method"], status).inc()
            self._metrics.seconds.labels(route).observe(time.monotonic() - begun)


@router.get("/metrics", response_class=Response, responses={**ERRORS, 200: {"content": {"text/plain": {}}}})
async def get_metrics(house: AtHouse, client: Asking) -> Response:
    """How the server fares, as Prometheus reads it; only the owner may."""
    if not client.owns_home:
        raise Denied("not_allowed", "only the owner reads the metrics", "ask the owner of this server")
    return Response(await in_thread(house.metrics.read, house), media_type=CONTENT_TYPE_PLAIN_0_0_4)
