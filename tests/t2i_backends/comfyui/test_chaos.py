"""Random faults of servers and kills of ours: nothing is lost, doubled, or called done that is not."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import ImagewrightError
from imagewright.memory.artifacts import ArtifactStore, Made
from imagewright.ports import Job
from imagewright.settings import Settings
from imagewright.t2i_backends.comfyui.backend import ComfyBackend
from imagewright.t2i_backends.comfyui.follow import Patience

ROUNDS = 8
"""Jobs of a part; 26 parts make two hundred."""
KEY = "ab" * 32
CALM = Patience(beat=0.005, poll=0.5, deaf=0.02, ended=1.0, gone=0.1, away=20.0, reconnect=0.2)
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"socket_refused": True},
    {"socket_silent": True},
    {"socket_cut_after": 2},
    {"history_late": 0.05},
    {"end_late": 0.05},
    {"post_unanswered": 1},
    {"queue_full": 1},
    {"loading": 2},
    {"interrupted": 1},
    {"files_gone": 1},
    {"crash_at": "post"},
    {"crash_at": "start"},
    {"crash_at": "step"},
    {"crash_at": "saved"},
    {"crash_at": "end"},
    {"node_error": {"exception_type": "RuntimeError", "exception_message": "broken"}},
)


def deliver(open_one: Callable[[], ComfyBackend], home: Path, job: Job) -> None:
    """What a run does with a job: draw it unless its picture is kept, and keep it under its key."""
    store = ArtifactStore(home / "artifacts")
    if store.find(job.key) is None:
        backend = open_one()
        backend.patience = CALM
        drawn = backend.draw(job, lambda step: None, lambda: False)
        store.put_made(job.key, Made(image=store.put_image(drawn.image), seconds=0.0, facts=drawn.facts))


def forked(server: Any, work: Callable[[], None]) -> int:
    """Do ``work`` in a process of its own, which holds none of the server's sockets open."""
    pid = os.fork()
    if pid:
        return pid
    for one in [*server._open, *([server._http.socket] if server._http is not None else [])]:
        one.close()
    code = 1
    try:
        work()
        code = 0
    except ImagewrightError:
        code = 3
    except BaseException:  # noqa: BLE001 - a forked process must never return into pytest
        traceback.print_exc()
    finally:
        os._exit(code)


def keep_alive(server: Any, stop: threading.Event) -> None:
    """Start a server again whenever it has died."""
    while not stop.wait(0.02):
        if server.memory.dead:
            time.sleep(0.05)
            server.restart()


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 26))])
def test_random_faults_and_kills(
    serve: Callable[..., Any], settings: Callable[..., Settings], make_flow: Any, tmp_path: Path, part: int
) -> None:
    from imagewright.t2i_backends.comfyui.backend import open_comfyui

    chance = random.Random(part)
    server, stop = serve(step_seconds=0.005), threading.Event()
    threading.Thread(target=keep_alive, args=(server, stop), daemon=True).start()
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        named = settings(server, home=home)
        job = Job(flow=make_flow(), prompt="a", seed=100 * part + number, key=KEY)
        for name, value in chance.choice(FAULTS).items():
            setattr(server.faults, name, value)
        before, died = len(server.drawn), len(server.forgot)
        pid = forked(server, lambda home=home, named=named, job=job: deliver(lambda: open_comfyui(named), home, job))
        if chance.random() < 0.6:
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(pid, signal.SIGKILL)
        first = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert first in (0, 3, -signal.SIGKILL), number
        server.faults = replace(type(server.faults)())
        deadline = time.monotonic() + 30
        while (server.memory.dead or server._http is None) and time.monotonic() < deadline:
            time.sleep(0.02)
        code = 3
        while code == 3 and time.monotonic() < deadline:  # a server that rests after a fault is asked again later
            pid = forked(
                server, lambda home=home, named=named, job=job: deliver(lambda: open_comfyui(named), home, job)
            )
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code == 0, number
        made = ArtifactStore(home / "artifacts").find(KEY)
        assert made is not None
        assert made.facts["prompt_id"] in server.drawn
        with sqlite3.connect(home / "imagewright.sqlite") as db:
            rows = db.execute("SELECT prompt_id, status FROM comfyui_jobs").fetchall()
        assert [ident for ident, status in rows if status == "done"] == [made.facts["prompt_id"]], (number, rows)
        mine = {ident for ident, _ in rows}
        assert set(server.drawn[before:]) <= mine
        lost = [ident for ident, status in rows if status in ("lost", "failed", "left")]
        # What was sent by a process that was killed before it could say so, and that the server died over, is sent
        # again under its own id.
        forgot = (mine - set(lost)) & set(server.forgot[died:])
        unseen = forgot if first == -signal.SIGKILL else set()
        assert len(server.drawn[before:]) <= 1 + len(lost) + len(unseen), (number, rows)
    stop.set()
