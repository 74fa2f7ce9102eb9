"""The conformance tests, passed by our own backend, by ComfyUI's, and by one that another package brings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright import registry
from imagewright.comfy_settings import ServerSettings
from imagewright.ports import Backend, Job
from imagewright.schemas import Card, Flow
from imagewright.settings import Settings
from imagewright.t2i_backends.comfyui.backend import open_comfyui
from imagewright.t2i_backends.conformance import BackendConformance

COMFY = Path(__file__).parent / "comfyui"


class TestDiffusers(BackendConformance):
    """On a tiny random FLUX."""

    @pytest.fixture
    def backend(self, model_root: Path) -> Backend:
        """Through the registry, as the container opens it."""
        settings = Settings(data_dir=model_root, model_roots=(model_root,), device="cpu")
        opened: Backend = registry.load("backends", "diffusers")(settings)
        return opened

    @pytest.fixture
    def flow(self, make_flow: Callable[..., Flow]) -> Flow:
        """The smallest flow on it."""
        return make_flow()


class TestComfyUI(BackendConformance):
    """On a ComfyUI-shaped server."""

    @pytest.fixture
    def backend(self, load_module: Callable[[str, Path], ModuleType], tmp_path: Path) -> Iterator[Backend]:
        """Over one server that paints a colour for each graph."""
        nodes = load_module("imagewright_tests_comfy_nodes", COMFY / "comfy_nodes.py")
        load_module("imagewright_tests_comfy_process", COMFY / "comfy_process.py")
        module = load_module("imagewright_tests_comfy_server", COMFY / "comfy_server.py")
        server = module.ComfyServer(nodes.object_info({"checkpoints": ["tiny"]}), nodes.paint, step_seconds=0.01)
        named = (ServerSettings(name="desk", url=server.url),)
        yield open_comfyui(Settings(data_dir=tmp_path, model_roots=(), comfyui=named))
        server.stop()

    @pytest.fixture
    def flow(self, make_flow: Callable[..., Flow]) -> Flow:
        """A flow for it."""
        return make_flow()


PLUGIN = '''
import hashlib

from PIL import Image

from imagewright.errors import BadInput, Cancelled
from imagewright.ports import Drawn, Step
from imagewright.schemas import Problem, Readiness


class Swatch:
    """Answers every prompt with a colour: the shortest backend that there can be."""

    name = "swatch"

    def __init__(self, settings):
        self.settings = settings

    def check(self, flow):
        unknown = sorted({n["class_type"] for n in flow.graph.values()} - {"Swatch"})
        return Readiness(problems=tuple(
            Problem(kind="node", name=name, remedy=f"swatch has no node {name!r}") for name in unknown))

    def limits(self, flow, prompt, parsed):
        return ()

    def draw(self, job, on_step, is_cancelled):
        if why := self.check(job.flow).why_not:
            raise BadInput(why, "choose another flow")
        for step in (1, 2):
            if is_cancelled():
                raise Cancelled("stopped")
            on_step(Step(step, 2))
        digest = hashlib.sha256(f"{job.prompt} {job.seed}".encode()).digest()
        return Drawn(Image.new("RGB", (16, 16), tuple(digest[:3])), 0.0, {"device": "none"})
'''


class TestOutside(BackendConformance):
    """A backend that another package brings by an entry point."""

    @pytest.fixture
    def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
        """The package, installed as pip would."""
        site = tmp_path / "site"
        facts = site / "swatch-1.0.dist-info"
        facts.mkdir(parents=True)
        (site / "swatch.py").write_text(PLUGIN)
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: swatch\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text("[imagewright.backends]\nswatch = swatch:Swatch\n")
        monkeypatch.syspath_prepend(str(site))
        assert "swatch" in registry.names("backends")
        yield registry.load("backends", "swatch")(Settings(data_dir=tmp_path, model_roots=()))
        sys.modules.pop("swatch", None)

    @pytest.fixture
    def flow(self) -> Flow:
        """All that it can run."""
        return Flow(id="swatch", graph={"1": {"class_type": "Swatch", "inputs": {}}}, card=Card(title="Swatch"))


def test_a_backend_that_draws_something_else_each_time_does_not_pass(tmp_path: Path) -> None:
    """The tests can fail."""
    space: dict[str, Any] = {}
    exec(PLUGIN.replace("{job.seed}", "{id(object())} {__import__('time').time_ns()}"), space)
    flow = Flow(id="swatch", graph={"1": {"class_type": "Swatch", "inputs": {}}}, card=Card(title="Swatch"))
    backend = space["Swatch"](None)
    with pytest.raises(AssertionError):
        BackendConformance().test_the_same_job_gives_the_same_picture(backend, Job(flow=flow, prompt="a", seed=7))
