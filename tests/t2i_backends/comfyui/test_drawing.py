"""A picture from a server: sent once, followed, fetched, and every fault told apart."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from imagewright.errors import BadInput, Cancelled, CannotDraw
from imagewright.ports import Drawn, Job, Redraw, Step
from imagewright.schemas import Region
from imagewright.t2i_backends.comfyui.backend import ComfyBackend
from imagewright.t2i_backends.comfyui.faults import ServerFault

Serve = Callable[..., Any]
Connect = Callable[..., ComfyBackend]


def draw(backend: ComfyBackend, flow: Any, steps: list[Step] | None = None, **fields: Any) -> Drawn:
    told = [] if steps is None else steps
    return backend.draw(Job(flow=flow, **{"prompt": "a red circle", **fields}), told.append, lambda: False)


def wait_for(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def fault_of(backend: ComfyBackend, flow: Any, **fields: Any) -> ServerFault:
    with pytest.raises(ServerFault) as caught:
        draw(backend, flow, **fields)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert "/srv" not in f"{caught.value}{caught.value.remedy}"
    return caught.value


def test_a_picture_comes_with_its_steps_and_previews(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server, steps = serve(), []
    backend = connect(server)
    drawn = draw(backend, make_flow(), steps, seed=7)
    posted = [body for method, path, _, body in server.requests if (method, path) == ("POST", "/prompt")]
    assert len(posted) == 1
    assert b'"seed":7' in posted[0].replace(b" ", b"")
    assert drawn.image.size == (32, 32)
    assert [(s.step, s.total) for s in steps if not s.text and s.preview is None] == [(n, 4) for n in (1, 2, 3, 4)]
    assert [s.preview.size for s in steps if s.preview is not None] == [(8, 8)] * 4
    assert drawn.facts["server"] == "s1"
    assert drawn.graph == ""
    assert [job.status for job in backend.jobs.list_jobs()] == ["done"]


def test_the_id_is_a_canonical_uuid_of_ours(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    drawn = draw(connect(server), make_flow())
    assert server.drawn == [drawn.facts["prompt_id"]]


def test_the_same_key_is_never_drawn_twice(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    first, second = (draw(backend, make_flow(), key="k") for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert len(server.drawn) == 1


def test_a_fully_cached_answer_is_the_picture_that_it_is(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    first, second = (draw(backend, make_flow()) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert "cached" in second.facts
    assert "cached" not in first.facts


def test_a_cached_answer_whose_file_is_gone_is_drawn_again(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    draw(backend, make_flow())
    server.files.clear()
    drawn = draw(backend, make_flow())
    assert len(server.drawn) == 2
    assert "drawn again" in drawn.facts["fallbacks"]


@pytest.mark.parametrize(
    "fault",
    [
        {"socket_refused": True},
        {"socket_silent": True},
        {"socket_cut_after": 3},
        {"history_late": 0.3},
        {"end_late": 0.3},
        {"post_unanswered": 1},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_what_the_websocket_or_the_history_does_costs_no_picture(
    serve: Serve, connect: Connect, make_flow: Any, fault: dict[str, Any]
) -> None:
    server = serve(step_seconds=0.02)
    backend = connect(server)
    for name, value in fault.items():
        setattr(server.faults, name, value)
    drawn = draw(backend, make_flow())
    assert server.drawn == [drawn.facts["prompt_id"]]


def test_a_batch_comes_whole_and_temporary_pictures_are_no_output(
    serve: Serve, connect: Connect, make_flow: Any, graph: Any
) -> None:
    graph["4"]["inputs"]["batch_size"] = 2
    graph["0"] = {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}}
    graph["8"] = {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "z"}}
    drawn = draw(connect(serve()), make_flow(graph))
    assert len(drawn.more) == 3
    assert drawn.facts["output_node"] == "8"


def test_a_flow_that_only_previews_is_delivered_from_there(
    serve: Serve, connect: Connect, make_flow: Any, graph: Any
) -> None:
    graph["7"] = {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}}
    assert draw(connect(serve()), make_flow(graph)).image.size == (32, 32)


# --- faults ---------------------------------------------------------------------------------


def test_nobody_there(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.stop()
    with pytest.raises(CannotDraw, match="does not answer"):
        draw(connect(server), make_flow())


def test_a_server_that_is_starting_says_so(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.loading = 10_000
    with pytest.raises(CannotDraw, match="still starting"):
        draw(connect(server), make_flow())


def test_a_full_queue(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    server.faults.queue_full = 1
    assert fault_of(backend, make_flow()).kind == "queue-full"


def test_a_missing_node_is_named_with_its_pack(serve: Serve, connect: Connect, make_flow: Any, graph: Any) -> None:
    graph["9"] = {"class_type": "FancyNode", "inputs": {}}
    with pytest.raises(CannotDraw, match=r"lacks node 'FancyNode': install fancy-pack"):
        draw(connect(serve()), make_flow(graph, packs={"FancyNode": "fancy-pack"}))


def test_what_goes_missing_after_the_check_is_noticed_at_once(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    assert backend.check(make_flow()).runnable
    server.classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0][:] = ["other"]
    fault = fault_of(backend, make_flow())
    assert fault.kind == "missing"
    assert "'mini'" in str(fault)
    assert not backend.check(make_flow()).runnable


def test_a_node_error_names_node_and_message_and_no_path(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.node_error = {"exception_type": "RuntimeError", "exception_message": "bad /srv/ComfyUI/x.py\nthing"}
    fault = fault_of(connect(server), make_flow())
    assert fault.kind == "node-error"
    assert "KSampler (node 5) failed on server s1: RuntimeError: bad … thing" in str(fault)
    assert "secret" not in str(fault)


def test_out_of_memory(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.node_error = {"exception_type": "torch.OutOfMemoryError", "exception_message": "Allocation failed"}
    assert fault_of(connect(server), make_flow()).kind == "out-of-memory"


def test_somebody_else_interrupts(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.interrupted = 1
    backend = connect(server)
    assert fault_of(backend, make_flow(), key="k").kind == "interrupted"
    assert draw(backend, make_flow(), key="k").image.size == (32, 32)


def test_a_restart_in_the_middle_is_drawn_again_once(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve(step_seconds=0.01)
    server.faults.crash_at = "step"
    backend = connect(server)
    threading.Thread(target=lambda: (time.sleep(0.4), server.restart()), daemon=True).start()
    drawn = draw(backend, make_flow())
    assert len(server.drawn) == 1
    assert "restarted" in drawn.facts["fallbacks"]
    assert sorted(job.status for job in backend.jobs.list_jobs()) == ["done", "lost"]


def test_a_server_that_does_not_come_back(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.crash_at = "step"
    backend = connect(server)
    backend.patience = replace(backend.patience, away=0.3)
    assert fault_of(backend, make_flow(), key="k").kind == "restarted"
    assert backend.jobs.find_open("k") is not None


def test_partly_refused(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve(step_seconds=0.05)
    server.faults.partly = True
    fault = fault_of(connect(server), make_flow())
    assert fault.kind == "partly-refused"
    assert "SaveImage 99.filename_prefix: Required input is missing" in str(fault)
    assert server.drawn == []


def test_a_hung_job_is_stopped(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    server.faults.hang = True
    assert fault_of(connect(server, job_timeout=0.3), make_flow()).kind == "hung"
    wait_for(lambda: server.memory.running is None)


def test_an_interrupt_reaches_our_running_job_only(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve(step_seconds=0.05)
    backend, stop, began = connect(server), threading.Event(), threading.Event()
    others: list[Drawn] = []
    other = threading.Thread(target=lambda: others.append(draw(backend, make_flow(), seed=1)))

    def on_step(step: Step) -> None:
        if step.step == 1:
            other.start()
            began.wait(0.1)
            stop.set()

    with pytest.raises(Cancelled):
        backend.draw(Job(flow=make_flow(), prompt="a", steps=200), on_step, stop.is_set)
    other.join(10)
    assert len(others) == 1
    assert server.drawn == [others[0].facts["prompt_id"]]
    bodies = [body for method, path, _, body in server.requests if path == "/interrupt"]
    assert bodies
    assert all(b"prompt_id" in body for body in bodies)


def test_a_waiting_job_that_is_cancelled_leaves_the_running_one_alone(
    serve: Serve, connect: Connect, make_flow: Any
) -> None:
    server = serve(step_seconds=0.05)
    backend, stop = connect(server), threading.Event()
    others: list[Drawn] = []
    long = Job(flow=make_flow(), prompt="another", steps=60)
    other = threading.Thread(target=lambda: others.append(backend.draw(long, lambda step: None, lambda: False)))
    other.start()
    wait_for(lambda: server.memory.running is not None)

    def on_step(step: Step) -> None:
        stop.set()

    with pytest.raises(Cancelled):
        backend.draw(Job(flow=make_flow(), prompt="a"), on_step, stop.is_set)
    other.join(10)
    assert len(server.drawn) == 1
    assert not [path for _, path, _, _ in server.requests if path == "/interrupt"]


def bomb() -> bytes:
    """A PNG that says that it is 30,000 x 30,000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"<html>", "web page"), (b"\x89PNG\r\n\x1a\nxx", "cut off"), (None, "pixels")],
    ids=["empty", "page", "cut", "bomb"],
)
def test_what_is_no_whole_picture_is_not_delivered(
    serve: Serve, connect: Connect, make_flow: Any, data: bytes | None, said: str
) -> None:
    server = serve()
    server.faults.file_bytes = bomb() if data is None else data
    fault = fault_of(connect(server), make_flow())
    assert fault.kind == "bad-file"
    assert said in str(fault)


@pytest.mark.parametrize("names", [{"filename": "../../etc/passwd"}, {"filename": "..\\evil.png"}, {"subfolder": "/x"}])
def test_names_of_the_server_are_no_paths(
    serve: Serve, connect: Connect, make_flow: Any, names: dict[str, str]
) -> None:
    server = serve()
    server.faults.names = names
    assert fault_of(connect(server), make_flow()).kind == "file-gone"


def test_a_flow_that_saves_no_picture(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve(draw=lambda graph, uploads: [])
    assert fault_of(connect(server), make_flow()).kind == "no-picture"


def test_sizes_are_bounded_before_anything_is_sent(serve: Serve, connect: Connect, make_flow: Any, graph: Any) -> None:
    server = serve()
    graph["4"]["inputs"].update(width=16384, height=16384, batch_size=4096)
    with pytest.raises(BadInput, match="too many"):
        draw(connect(server), make_flow(graph))
    assert not [path for _, path, _, _ in server.requests if path == "/prompt" and _ == "POST"]


def test_a_mask_goes_out_as_it_is_and_what_it_keeps_stays(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    own, mask = Image.new("RGB", (32, 32), (1, 2, 3)), Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 10, 32))
    whole = Region(caption="the picture", x=0, y=0, width=1, height=1)
    drawn = draw(connect(server), make_flow(), redraw=Redraw(own, (whole,), mask=mask))
    assert drawn.image.crop((10, 0, 32, 32)).getcolors() == [(22 * 32, (1, 2, 3))]
    assert drawn.image.crop((0, 0, 10, 32)).getcolors() != [(10 * 32, (1, 2, 3))]
    sent = [body for method, path, _, body in server.requests if (method, path) == ("POST", "/upload/image")]
    pictures = [Image.open(io.BytesIO(body[body.index(b"\x89PNG") :])).convert("RGB") for body in sent]
    assert mask.convert("RGB").tobytes() in [picture.tobytes() for picture in pictures]
