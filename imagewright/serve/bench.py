"""``imagewright bench serve``: what the server itself costs, over a backend that costs nothing.

One at a time, many at once, and very many for the memory. The server runs in a process of its own; times are reported,
never judged here: they are this machine's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from imagewright.errors import Fault
from imagewright.evals.no_cost import NoCost
from imagewright.serve.address import read_address
from imagewright.serve.desk import QueueLimits
from imagewright.serve.jobs import JobBook
from imagewright.serve.server import PictureServer, ServeOptions
from imagewright.settings import Settings, load_settings

_PROMPTS = ("a red circle above a blue square", "two yellow stars", "a green triangle left of a red star")
_ALL = 1_000_000
_WISHES = {"critic": False, "max_images": 1}


@dataclass(frozen=True)
class ServeBench:
    """What was measured. Seconds, megabytes."""

    alone: int
    own_median: float
    own_p95: float
    """Of a run, from its claim to its end: neither queue nor backend."""
    alone_rate: float
    """Pictures a second, one at a time."""
    together: int
    together_rate: float
    lost: int
    """Requests that were not answered with a picture whose job the queue says is done."""
    doubled: int
    """Jobs that are done beyond those that were asked for."""
    most_waiting: int
    """The longest that the queue was."""
    many: int
    memory_before: float
    memory_after: float
    terminal: int
    terminal_median: float
    """Of `imagewright draw` at the running server, from its start to its end."""


def bench_server(alone: int = 40, together: int = 200, many: int = 2000, terminal: int = 3) -> ServeBench:
    """Measure a server in a process of its own, in a home of its own.

    Raises:
        Fault: it does not start, or refuses what it should take.
    """
    with tempfile.TemporaryDirectory(prefix="imagewright-bench-") as folder, run_no_cost(Path(folder)) as (http, pid):
        home = Path(folder)
        _draw(http, 0)  # the first one opens the index
        single, seconds = _timed(lambda: [_draw(http, number) for number in range(alone)])
        own = _own_seconds(http, single)
        before, waiting = _read_jobs(home), _Watch(http)
        with ThreadPoolExecutor(together) as pool:
            answered, burst = _timed(lambda: list(pool.map(lambda number: _ask(http, number), range(together))))
        longest, after = waiting.end(), _read_jobs(home)
        counts = tally(together, answered, {job: stands for job, stands in after.items() if job not in before})
        typed = sorted(_time_command(home, number) for number in range(terminal + 1))[:-1]  # the first opens files
        memory = _megabytes(pid)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: _draw(http, number), range(many)))
        return ServeBench(
            alone=alone, own_median=_share(own, 0.5), own_p95=_share(own, 0.95), alone_rate=alone / seconds,
            together=together, together_rate=together / burst, lost=counts.lost, doubled=counts.doubled,
            most_waiting=longest, many=many, memory_before=memory, memory_after=_megabytes(pid),
            terminal=len(typed), terminal_median=_share(typed, 0.5),
        )  # fmt: skip


class Tally(NamedTuple):
    """What became of requests that were sent at once."""

    lost: int
    doubled: int


def tally(asked: int, answered: Sequence[str], jobs: Mapping[str, str]) -> Tally:
    """What was lost and doubled of ``asked`` requests: by the runs that were answered and how the new jobs stand."""
    done = {job for job, stands in jobs.items() if stands == "done"}
    return Tally(asked - len(done.intersection(answered)), max(0, len(done) - asked))


def _read_jobs(home: Path) -> dict[str, str]:
    """How every job of the home stands, as its queue says."""
    return {job.id: job.status for job in JobBook(_settings(home).database).list_jobs(None, _ALL)}


def _time_command(home: Path, number: int) -> float:
    """The seconds of one `imagewright draw`, which finds the server by the home."""
    words = ("draw", _PROMPTS[0], "-q", "--seed", str(number), "--max-images", "1", "--no-critic")
    out = home / f"typed-{number}.png"
    command = [sys.executable, "-m", "imagewright.cli", *words, "--out", str(out)]
    done, seconds = _timed(lambda: subprocess.run(command, env=_environment(home), capture_output=True, check=False))
    if done.returncode:
        raise Fault(f"the command ended with {done.returncode}: {done.stderr.decode(errors='replace')[:200]}")
    return float(seconds)


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "IMAGEWRIGHT_HOME": str(home), "IMAGEWRIGHT_DEVICE": "cpu", "IMAGEWRIGHT_MODELS": ""}


def _settings(home: Path) -> Settings:
    return load_settings(_environment(home))


def _draw(http: httpx.Client, number: int) -> str:
    answer = _post(http, number)
    if answer.status_code != 200:
        raise Fault(f"the server answered {answer.status_code}: {answer.text[:200]}")
    return str(answer.json()["data"][0]["run"])


def _ask(http: httpx.Client, number: int) -> str:
    """The run that a request was answered with; empty where it was not answered with a picture."""
    try:
        answer = _post(http, number)
    except httpx.HTTPError:
        return ""
    return str(answer.json()["data"][0]["run"]) if answer.status_code == 200 else ""


def _post(http: httpx.Client, number: int) -> httpx.Response:
    body = {"prompt": _PROMPTS[number % len(_PROMPTS)], "seed": number, "response_format": "url", **_WISHES}
    return http.post("/v1/images/generations", json=body)


def draw_some(http: httpx.Client, count: int) -> None:
    """Draw so many pictures, one after the other."""
    for number in range(count):
        _draw(http, number)


def _own_seconds(http: httpx.Client, runs: Sequence[str]) -> list[float]:
    """From claim to end, as the server wrote it down."""
    rows = {row["id"]: row for row in http.get("/v1/runs", params={"limit": 100}).json()["data"]}
    return sorted(rows[run]["work_seconds"] for run in runs if run in rows)


def _timed(work: Any) -> tuple[Any, float]:
    begun = time.monotonic()
    done = work()
    return done, time.monotonic() - begun


def _share(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class _Watch:
    """Looks how long the queue is, a few times a second."""

    def __init__(self, http: httpx.Client) -> None:
        self._http, self._done, self._most = http, threading.Event(), 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.2):
            self._most = max(self._most, self._http.get("/ready").json()["waiting"])

    def end(self) -> int:
        """The longest that it was."""
        self._done.set()
        self._thread.join()
        return self._most


def _megabytes(pid: int) -> float:
    """The resident memory of a process; 0 where the system does not tell it so."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def run_no_cost(home: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A server over a backend that costs nothing, in a process of its own: a client that has its token, and its id.

    Raises:
        Fault: it does not start.
    """
    command = [sys.executable, "-m", "imagewright.serve.bench", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        address = read_address(home)
        if address is None or not line.startswith("serving"):
            raise Fault("the server to measure did not start", "IMAGEWRIGHT_DEBUG=1 shows more")
        headers = {"authorization": f"Bearer {address.secret.get_secret_value()}"}
        limits = httpx.Limits(max_connections=300)
        with httpx.Client(base_url=address.url, headers=headers, timeout=600, limits=limits, trust_env=False) as http:
            yield http, process.pid
    finally:
        process.terminate()
        process.wait(60)


def to_json(found: ServeBench) -> dict[str, Any]:
    """The figures as plain JSON."""
    return asdict(found)


if __name__ == "__main__":
    from imagewright.api import Imagewright

    engine = Imagewright(_settings(Path(sys.argv[1])))
    engine.use_backend("diffusers", NoCost())
    limits = QueueLimits(most=256, most_own=256)
    PictureServer(
        [engine], ServeOptions(port=0, limits=limits), lambda line: print(line, flush=True)
    ).serve_until_stopped()
