"""A browser and a served home for the page's tests; skipped with one line where there is no browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright import Imagewright
from imagewright.errors import BadInput
from imagewright.evals.page import open_browser
from imagewright.needs import Need
from imagewright.ports import Drawn, IsCancelled, Job, OnStep
from imagewright.schemas import Flow, Readiness, Region

_TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def kit(load_module: Callable[[str, Path], ModuleType]) -> ModuleType:
    """The server's helpers."""
    return load_module("serve_kit", _TESTS / "serve" / "kit.py")


@pytest.fixture(scope="session")
def painter(load_module: Callable[[str, Path], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A backend that paints what a prompt of mini's words says, or the regions of its layout, in no time."""
    paint = load_module("graph_kit", _TESTS / "graph" / "kit.py")

    class Reader(paint.Painter):  # type: ignore[misc, name-defined]
        name = "diffusers"

        def check(self, flow: Flow) -> Readiness:
            return Readiness()

        def missing(self, needs: Sequence[Need]) -> tuple[Readiness, ...]:
            return self._ready.setdefault(needs, tuple(Readiness() for _ in needs))

        def draw(self, job: Job, on_step: OnStep, is_cancelled: IsCancelled) -> Drawn:
            boxes = () if job.regions else paint.GridPlanner().plan(job.prompt).layout.boxes
            read = tuple(Region(caption=b.caption, x=b.x, y=b.y, width=b.width, height=b.height) for b in boxes)
            return super().draw(replace(job, regions=job.regions or read), on_step, is_cancelled)

    made = Reader(tmp_path_factory.mktemp("painter") / "log")
    del made.missing  # the list of flows that the painter lacks: here it lacks none
    made._ready, made.critic = {}, paint.DetectorCritic(paint.PixelDetector())
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium for one file: while it is open its event loop runs in this thread, where others want theirs."""
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(open_browser())
        except BadInput as error:
            pytest.skip(f"{error}: {error.remedy}")
        yield opened


class Site:
    """A served home and how a page of it is opened."""

    def __init__(self, url: str, token: str, engine: Imagewright, backend: Any) -> None:
        self.url, self.token, self.engine, self.backend = url, token, engine, backend

    def address(self, fragment: str = "") -> str:
        """Where the page is, with its token where no other fragment is asked for."""
        return f"{self.url}/#{fragment or 'token=' + self.token}"


@pytest.fixture(scope="session")
def site(kit: ModuleType, painter: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server over the painter."""
    home = tmp_path_factory.mktemp("site")
    engine = kit.engine_on(home, painter)
    engine.container.critic_for = lambda flow: painter.critic  # sees flat shapes by their pixels, as they are painted
    engine.plan("a red circle")  # so that no test waits for the index
    with kit.serving(engine) as server:
        yield Site(server.url, kit.secret_of(home), engine, painter)


def _matters(said: Any) -> bool:
    """Whether a line of the console is a complaint; that the server refused something is the page's to tell."""
    return said.type == "error" and not said.text.startswith("Failed to load resource: the server responded")


@pytest.fixture
def page(browser: Any, site: Site) -> Iterator[Any]:
    """A page that has its token; whatever the console or the policy complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if _matters(said) else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.complaints = complaints
    opened.goto(site.address())
    yield opened
    context.close()
    assert not complaints
