"""The application: routes, error answers, and the guard before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

import imagewright
from imagewright.errors import ImagewrightError
from imagewright.serve import (
    adding,
    completions,
    conversations,
    details,
    edits,
    files,
    flows,
    gallery,
    health,
    images,
    layouts,
    metrics,
    models,
    page,
    responses,
    runs,
    scores,
    stories,
    upkeep,
    uploads,
)
from imagewright.serve.clients import Clients
from imagewright.serve.faults import Denied, deny
from imagewright.serve.guards import Doors, Guard
from imagewright.serve.house import House
from imagewright.serve.mcp_tools import OwnSessions, asker_of_request, build_mcp
from imagewright.serve.metrics import Counting

_OPENAI = (images, edits, completions, responses, models)
_TALK = (runs, details, stories, layouts, conversations, uploads, gallery)
_ROUTES = (*_OPENAI, *_TALK, flows, adding, scores, files, health, upkeep, metrics, page)
_STATUS_CODES = {404: "not_found", 405: "bad_input", 413: "too_large"}
_DESCRIPTION = """One warm engine: OpenAI's routes, so that any client of theirs draws here, and ours beside them.

Every route but `/health`, `/ready` and signed file links wants `Authorization: Bearer TOKEN`."""


def build_app(house: House, clients: Clients, doors: Doors) -> Guard:
    """The ASGI application of one server; its lifespan starts and stops nothing of the desk."""
    app = FastAPI(
        title="imagewright",
        version=imagewright.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_live,
    )
    app.state.house, app.state.mcp, app.state.clients = house, build_mcp(house, asker_of_request), clients
    for module in _ROUTES:
        app.include_router(module.router)
    app.router.routes.append(_mcp_route(app.state.mcp))
    app.add_exception_handler(Denied, _tell_refused)
    app.add_exception_handler(ImagewrightError, _tell_ours)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(Exception, _tell_bug)
    return Guard(Counting(app, house.metrics), clients, doors)


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.mcp.session_manager.run():
        yield


def _mcp_route(server: MCPServer) -> Route:
    """MCP's streamable HTTP at ``/mcp``. Host and origin were checked by the guard, which knows the allowed names."""
    checked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.streamable_http_app(transport_security=checked, max_sessions=1000)
    return Route("/mcp", endpoint=OwnSessions(StreamableHTTPASGIApp(server.session_manager)))


async def _tell_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Denied)
    return error.to_response()


async def _tell_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ImagewrightError)
    return deny(error).to_response()


async def _tell_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = f"{where}: {first['msg']}" if where else str(first["msg"])
    return Denied("bad_input", message, "see /openapi.json", param=where or None).to_response()


async def _tell_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = Denied(_STATUS_CODES.get(error.status_code, "bad_input"), str(error.detail), "see /openapi.json")
    return JSONResponse(told.to_body(), error.status_code, error.headers)


async def _tell_bug(request: Request, error: Exception) -> JSONResponse:
    return Denied("server_error", f"a bug of ours: {type(error).__name__}", "the server's log says more").to_response()
