"""Whole runs over servers: chosen, drawn there, traced; imported workflows; kills and restarts."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagewright.api import Added, AlreadyThere, Imagewright
from imagewright.errors import CannotDraw
from imagewright.retrieval.intake import build_flow
from imagewright.settings import Settings
from imagewright.t2i_backends.comfyui.backend import ComfyBackend
from imagewright.t2i_backends.comfyui.faults import ServerFault
from imagewright.t2i_backends.comfyui.job_log import JobLog

PROMPT = "a red circle above a blue square"
BIG = {"checkpoints": ["big.safetensors"]}


@pytest.fixture
def big(graph: dict[str, Any]) -> dict[str, Any]:
    """A graph on a model that only the server has."""
    graph["1"]["inputs"]["ckpt_name"] = "big.safetensors"
    return graph


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose index is made."""
    home = tmp_path_factory.mktemp("indexed")
    Imagewright(Settings(data_dir=home, model_roots=(), device="cpu")).index.ids()
    return home


@pytest.fixture
def engine_of(
    indexed: Path, tmp_path: Path, settings: Callable[..., Settings], big: dict[str, Any]
) -> Callable[..., Imagewright]:
    """An engine with one flow for the server beside mini's."""
    shutil.copytree(indexed, tmp_path / "home")

    def make(*servers: Any, patience: Any = None) -> Imagewright:
        engine = Imagewright(settings(*servers))
        if "big" not in engine.index.ids():
            engine.index.add(build_flow(big, "big", {"title": "Big", "base_model": "Big 1"}))
        backend = engine.backend("comfyui")
        assert isinstance(backend, ComfyBackend)
        backend.patience = patience or backend.patience
        return engine

    return make


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, Any]:
    """How the runs here are asked for."""
    return {"out": str(tmp_path / "out.png"), "use_critic": False, "seed": 5}


def test_a_flow_that_a_server_runs_is_chosen_drawn_and_traced(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any], tmp_path: Path
) -> None:
    server = serve(BIG)
    engine = engine_of(server)
    result = engine.draw(PROMPT, **quick)
    assert result.flow == "big"
    assert next(c for c in result.candidates if c.flow == "big").backend == "comfyui"
    trace = json.loads((tmp_path / "out.json").read_text())
    assert trace["backend"] == "comfyui"
    assert trace["facts"][0]["server"] == "s1"
    with Image.open(result.path) as image:
        chunk = json.loads(image.info["prompt"])
    assert chunk == json.loads(server.requests[-1][3] or b"{}").get("prompt", chunk)
    kinds = [node["class_type"] for node in chunk.values()]
    assert kinds.count("ConditioningSetAreaPercentage") == 2


def test_a_backend_can_be_named_and_says_what_it_lacks(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any]
) -> None:
    engine = engine_of(serve({"checkpoints": ["other"]}))
    with pytest.raises(CannotDraw) as caught:
        engine.draw(PROMPT, backend="comfyui", **quick)
    assert "models/checkpoints of server s1" in caught.value.remedy


def test_a_model_is_replaced_only_where_that_is_allowed(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any], tmp_path: Path
) -> None:
    server = serve({"checkpoints": ["small/big_fp8_e4m3fn.safetensors", "bigger.safetensors"]})
    engine = engine_of(server)
    with pytest.raises(CannotDraw):
        engine.draw(PROMPT, backend="comfyui", **quick)
    told: list[str] = []
    result = engine.draw(
        PROMPT, backend="comfyui", allow_substitute=True, on_event=lambda event: told.append(event.text), **quick
    )
    said = "big.safetensors is replaced by small/big_fp8_e4m3fn.safetensors"
    assert any(said in text for text in told)
    assert said in json.loads((tmp_path / "out.json").read_text())["facts"][0]["fallbacks"]
    with Image.open(result.path) as image:
        assert json.loads(image.info["prompt"])["1"]["inputs"]["ckpt_name"] == "small/big_fp8_e4m3fn.safetensors"


def test_a_conversation_allows_it_for_all_its_pictures(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any], tmp_path: Path
) -> None:
    server = serve({"checkpoints": ["big-fp16.safetensors"]})
    engine = engine_of(server)
    options = {**quick, "backend": "comfyui", "out": str(tmp_path)}
    with pytest.raises(CannotDraw):
        engine.chat("strict", **options).say(PROMPT)
    talk = engine.chat("lenient", allow_substitute=True, **options)
    for said in (PROMPT, "make the circle green"):
        result = talk.say(said).result
        assert result is not None
        with Image.open(result.path) as image:
            names = [n["inputs"].get("ckpt_name") for n in json.loads(image.info["prompt"]).values()]
        assert "big-fp16.safetensors" in names


def test_resume_asks_the_server_and_draws_nothing_twice(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any]
) -> None:
    server = serve(BIG, step_seconds=0.2)
    stop = threading.Event()
    pid = os.fork()
    if pid == 0:  # the run, which is killed in the middle of its picture
        try:
            engine_of(server).draw(PROMPT, **quick)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while server.memory.running is None and time.monotonic() < deadline:
        stop.wait(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    engine = engine_of(server)
    run = engine.runs.list(1)[0].id
    assert engine.resume(run).flow == "big"
    assert len(server.drawn) == 1
    jobs = JobLog(engine.settings.database).list_jobs()
    assert [(job.prompt_id, job.status) for job in jobs] == [(server.drawn[0], "done")]


def test_after_a_restart_of_the_server_resume_draws_again_once(
    serve: Callable[..., Any], engine_of: Any, quick: dict[str, Any]
) -> None:
    from imagewright.t2i_backends.comfyui.follow import Patience

    server = serve(BIG, step_seconds=0.01)
    server.faults.crash_at = "step"
    impatient = Patience(beat=0.01, deaf=0.05, away=0.3, gone=0.1)
    engine = engine_of(server, patience=impatient)
    with pytest.raises(ServerFault, match="did not come back"):
        engine.draw(PROMPT, **quick)
    server.restart()
    engine = engine_of(server, patience=impatient)
    result = engine.resume(engine.runs.list(1)[0].id)
    assert result.flow == "big"
    assert len(server.drawn) == 1
    assert sorted(job.status for job in JobLog(engine.settings.database).list_jobs()) == ["done", "lost"]


# --- import ---------------------------------------------------------------------------------


def test_what_the_person_has_is_brought_in_once(
    serve: Callable[..., Any], engine_of: Any, big: dict[str, Any], graph: dict[str, Any]
) -> None:
    server = serve(BIG)
    lacking = json.loads(json.dumps(big))
    lacking["1"]["inputs"]["ckpt_name"] = "absent.safetensors"
    server.userdata = {
        "workflows/deep/My own (1).json": json.dumps(lacking).encode(),
        "workflows/../../x.json": json.dumps({**big, "9": big["7"]}).encode(),
        "workflows/broken.json": b"{",
        "other/secret.json": b"{}",
    }
    steps = json.loads(json.dumps(big))
    steps["5"]["inputs"]["steps"] = 9
    server.templates = {
        "index.json": [
            {
                "templates": [
                    {"name": "good", "mediaType": "image"},
                    {"name": "lacking"},
                    {"name": "film", "mediaType": "video"},
                ]
            }
        ],
        "good.json": steps,
        "lacking.json": {**lacking, "8": lacking["7"]},
        "film.json": big,
    }
    engine = engine_of(server)
    told = {each.name: each for each in engine.import_comfyui(server.url)}
    assert set(told) == {"deep/My own (1).json", "../../x.json", "broken.json", "template good"}
    assert isinstance(told["template good"].told, Added)
    assert told["template good"].readiness.runnable
    assert "absent.safetensors" in told["deep/My own (1).json"].readiness.why_not
    assert "not whole JSON" in str(told["broken.json"].told.error)
    again = {each.name: each.told for each in engine.import_comfyui("s1")}
    assert [type(again[name]) for name in ("deep/My own (1).json", "template good")] == [AlreadyThere, AlreadyThere]


def test_import_and_check_and_doctor_are_told(
    serve: Callable[..., Any], big: dict[str, Any], typed: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(BIG)
    server.userdata = {"workflows/mine.json": json.dumps(big).encode()}
    monkeypatch.setenv("IMAGEWRIGHT_COMFYUI", f"desk={server.url}")
    run = typed(capsys)
    assert "added mine (mine.json): runs on desk\n1 added, 0 known, 0 refused" in run("comfyui", "import")[1]
    assert "mine: runs on desk" in run("flows", "check", "mine")[1]
    assert "ComfyUI 0.33.0" in run("doctor")[1]
    server.stop()
    code, out, _ = run("doctor")
    assert code == 1
    assert "does not answer" in out.replace("\n", " ")


def test_a_persons_picture_goes_into_a_workflow_of_theirs(
    serve: Callable[..., Any], engine_of: Callable[..., Imagewright], big: dict[str, Any], tmp_path: Path
) -> None:
    server = serve(BIG)
    engine = engine_of(server)
    big["4"] = {"class_type": "LoadImage", "inputs": {"image": "left-over.png"}}
    inputs = {"pixels": ["4", 0], "vae": ["1", 2], "mask": ["4", 1], "grow_mask_by": 6}
    big["8"] = {"class_type": "VAEEncodeForInpaint", "inputs": inputs}
    big["5"]["inputs"]["latent_image"] = ["8", 0]
    engine.index.add(build_flow(big, "fill", {"title": "Fills holes", "base_model": "Big 1"}))
    engine.index.switch("big", on=False)
    Image.new("RGB", (64, 48), "red").save(tmp_path / "photo.png")
    hole = Image.new("L", (64, 48), 0)
    hole.paste(255, (0, 0, 32, 48))
    hole.save(tmp_path / "hole.png")
    brought = {"image": tmp_path / "photo.png", "mask": tmp_path / "hole.png"}
    assert "fill" not in {candidate.flow for candidate in engine.plan(PROMPT).candidates}
    made = engine.draw(PROMPT, out=tmp_path / "out.png", seed=1, **brought)
    assert made.flow == "fill"
    ((name, data),) = server.uploads.items()
    assert name.startswith("imagewright/")
    with Image.open(io.BytesIO(data)) as sent:
        assert [sent.getpixel(at) for at in ((0, 0), (63, 0))] == [(255, 0, 0, 0), (255, 0, 0, 255)]
    posted = [json.loads(body) for method, path, _, body in server.requests if (method, path) == ("POST", "/prompt")]
    assert [one["prompt"]["4"]["inputs"]["image"] for one in posted] == [name]
    assert made.picture.getpixel((63, 0)) == (255, 0, 0)
    assert made.picture.getpixel((0, 0)) != (255, 0, 0)
    with pytest.raises(CannotDraw, match="needs a picture: --image FILE --mask FILE"):
        engine.draw(PROMPT, flow="fill")
