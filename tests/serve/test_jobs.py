"""The queue's rows: bounded, fair, claimed by a lease, ended once; and what kill -9 leaves of it."""

from __future__ import annotations

import collections
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import warm

from imagewright.memory.runs import new_run_id
from imagewright.schemas import DrawRequest
from imagewright.serve.gathering import Together
from imagewright.serve.jobs import MOST_LIVES, Accepted, Full, JobBook, Reserve
from imagewright.serve.orders import Ending, JobOrder

KIT = Path(__file__).parent / "kit.py"
NOTHING = Reserve(0, 0.0)


def entry(thread: str | None = None, images: int = 1) -> Accepted:
    order = JobOrder(kind="draw", request=DrawRequest(prompt="a red circle", thread=thread))
    return Accepted(new_run_id(), order, Reserve(images, 0.5))


@pytest.fixture
def book(tmp_path: Path) -> JobBook:
    return JobBook(tmp_path / "db.sqlite", most=10, lease=0.3)


def test_it_is_bounded_and_takes_all_or_none(book: JobBook) -> None:
    book.accept("a", "", [entry() for _ in range(4)], most_own=6)
    with pytest.raises(Full) as full:
        book.accept("a", "", [entry() for _ in range(3)], most_own=6)
    assert 1 <= full.value.seconds <= 60
    assert book.count() == {"queued": 4}
    book.accept("b", "", [entry() for _ in range(6)], most_own=6)
    with pytest.raises(Full):
        book.accept("c", "", [entry()], most_own=6)


def test_what_many_threads_give_at_once_is_written_together_and_bounded_each_for_itself(book: JobBook) -> None:
    """While one commit waits for the disk the others gather; the one that finds no room is refused alone."""
    begun, go_on, sizes = threading.Event(), threading.Event(), []
    write = book._write_batches

    def write_slowly(batches: Any) -> None:
        sizes.append(len(batches))
        begun.set()
        assert go_on.wait(30)
        write(batches)

    book._intake = Together(write_slowly)
    refused: list[Full] = []

    def give(owner: str, count: int) -> None:
        try:
            book.accept(owner, "", [entry() for _ in range(count)], most_own=5)
        except Full as full:
            refused.append(full)

    threads = [threading.Thread(target=give, args=("first", 1))]
    threads[0].start()
    assert begun.wait(30)
    threads += [threading.Thread(target=give, args=(owner, count)) for owner, count in (("a", 2), ("b", 6), ("c", 3))]
    for thread in threads[1:]:
        thread.start()
    deadline = time.monotonic() + 30
    while len(book._intake._pending) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert sizes == [1, 3]
    assert len(refused) == 1
    assert collections.Counter(job.owner for job in book.list_jobs(None, 100)) == {"first": 1, "a": 2, "c": 3}


def test_what_cannot_be_written_is_told_to_all_who_gave_it() -> None:
    def fail(pieces: Any) -> None:
        raise OSError("the disk is full")

    gathered = Together[int](fail)
    for piece in range(2):
        with pytest.raises(OSError, match="full"):
            gathered.write(piece)


def test_clients_take_turns_and_so_do_their_users(book: JobBook) -> None:
    for owner, user, count in (("a", "x", 4), ("a", "y", 1), ("b", "", 2)):
        book.accept(owner, user, [entry() for _ in range(count)], most_own=10)
    turns = []
    while (job := book.claim("w")) is not None:
        turns.append(job.owner)
        book.end("w", job, "done", Ending(), NOTHING)
    assert turns == ["a", "b", "a", "b", "a", "a", "a"]


def test_a_user_of_many_orders_does_not_hold_up_another(book: JobBook) -> None:
    book.accept("a", "x", [entry() for _ in range(3)], most_own=10)
    last = entry()
    book.accept("a", "y", [last], most_own=10)
    order = []
    while (job := book.claim("w")) is not None:
        order.append(job.id)
        book.end("w", job, "done", Ending(), NOTHING)
    assert order.index(last.id) == 1


def test_a_conversation_is_worked_on_in_order_by_one_worker_at_a_time(book: JobBook) -> None:
    first, second, other = entry("t"), entry("t"), entry()
    book.accept("a", "", [first, second, other], most_own=10)
    one, two = book.claim("w1"), book.claim("w2")
    assert one is not None
    assert two is not None
    assert {one.id, two.id} == {first.id, other.id}
    assert book.claim("w3") is None
    book.end("w1", one, "done", Ending(), NOTHING)
    third = book.claim("w3")
    assert third is not None
    assert third.id == second.id


def test_no_job_is_claimed_twice(tmp_path: Path) -> None:
    book = JobBook(tmp_path / "db.sqlite")
    book.accept("a", "", [entry() for _ in range(40)], most_own=100)
    claimed: list[str] = []

    def work(name: str) -> None:
        while (job := book.claim(name)) is not None:
            claimed.append(job.id)
            assert book.end(name, job, "done", Ending(), NOTHING)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collections.Counter(claimed).most_common(1)[0][1] == 1
    assert book.count() == {"done": 40}


def test_a_lease_that_runs_out_frees_the_job_and_the_late_worker_ends_nothing(book: JobBook) -> None:
    book.accept("a", "", [entry()], most_own=10)
    job = book.claim("dead")
    assert job is not None
    assert book.claim("w") is None
    assert book.renew("dead") == (True, False)
    time.sleep(0.35)
    again = book.claim("w")
    assert again is not None
    assert (again.id, again.tries) == (job.id, 2)
    assert not book.end("dead", job, "failed", Ending(), NOTHING)
    assert book.renew("dead") == (False, False)
    assert book.end("w", again, "done", Ending(run=job.id), NOTHING)
    assert not book.end("w", again, "failed", Ending(), NOTHING)
    found = book.get(job.id)
    assert found is not None
    assert (found.status, found.outcome) == ("done", Ending(run=job.id))


def test_a_job_that_ends_every_process_is_given_up(book: JobBook) -> None:
    book.lease = -1.0
    book.accept("a", "", [entry()], most_own=10)
    for number in range(MOST_LIVES):
        assert book.claim(f"w{number}") is not None
    assert book.claim("w") is None
    [job] = book.list_jobs("a", 5)
    assert job.status == "failed"
    assert job.outcome is not None
    assert job.outcome.trouble is not None


def test_what_waits_is_cancelled_at_once_and_what_runs_is_told(book: JobBook) -> None:
    book.accept("a", "", [entry(), entry()], most_own=10)
    running = book.claim("w")
    assert running is not None
    for job in book.list_jobs("a", 5):
        book.ask_to_stop(job.id)
    assert book.count() == {"cancelled": 1, "running": 1}
    assert book.renew("w") == (True, True)


def test_budgets_count_what_was_used_and_what_may_yet_be(book: JobBook) -> None:
    book.accept("a", "", [entry(images=4), entry(images=4)], most_own=10)
    assert book.used_today("a") == Reserve(8, 1.0)
    job = book.claim("w")
    assert job is not None
    book.end("w", job, "done", Ending(run=job.id, image="f" * 64), Reserve(1, 0.02))
    assert book.used_today("a") == Reserve(5, 0.52)
    assert book.used_today("b") == NOTHING
    assert book.has_picture("a", "f" * 64)
    assert not book.has_picture("b", "f" * 64)


def test_a_key_stands_for_the_first_request_and_is_each_client_s_own(book: JobBook) -> None:
    assert book.remember_key("a", "k", "d1", ("j1", "j2")) == ("d1", ("j1", "j2"))
    assert book.remember_key("a", "k", "d2", ("j3",)) == ("d1", ("j1", "j2"))
    assert book.remember_key("b", "k", "d2", ("j3",)) == ("d2", ("j3",))
    book.forget_key("a", "k")
    assert book.remember_key("a", "k", "d2", ("j4",)) == ("d2", ("j4",))


# --- kill -9 ----------------------------------------------------------------------------------


def start(home: Path, port: int) -> warm.Popen:
    """A server process over a backend that takes its time."""
    command = [sys.executable, str(KIT), str(home), str(port), "0.03", "1.0"]
    process = warm.Popen(command, stdout=warm.PIPE, stderr=warm.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("serving"), process.communicate()[1]
    return process


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_kill_9_under_load_and_every_accepted_run_ends_exactly_once(kills: int, tmp_path: Path, kit: Any) -> None:
    port = free_port()
    accepted: list[str] = []
    body = {"prompt": "a red circle", "critic": False, "max_images": 1, "flow": "mini-quick"}
    for life in range(kills + 1):
        process = start(tmp_path, port)
        try:
            headers = {"authorization": f"Bearer {kit.secret_of(tmp_path)}"}
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=90
            ) as http:
                if life < kills:
                    for number in range(6):
                        answer = http.post("/v1/runs", json={**body, "seed": 100 * life + number})
                        assert answer.status_code == 202, answer.text
                        accepted.append(answer.json()["id"])
                    time.sleep(0.7)
                else:
                    kit.wait_until(lambda: all(_over(http, run) for run in accepted), 90)
        finally:
            os.kill(process.pid, signal.SIGKILL if life < kills else signal.SIGTERM)
            process.communicate(timeout=60)
    engine = kit.engine_on(tmp_path, kit.Paper())
    statuses = {job.id: job.status for job in JobBook(engine.settings.database).list_jobs(None, 1000)}
    assert statuses == dict.fromkeys(accepted, "done")
    rows = engine.runs.list(1000)
    assert sorted(row.id for row in rows) == sorted(accepted)
    assert {row.status for row in rows} == {"delivered"}
    done = collections.Counter(line for line in (tmp_path / "log.txt").read_text().splitlines() if "done" in line)
    assert len(done) == len(accepted)
    assert sum(done.values()) <= len(accepted) + kills, "no more than what was in the making is drawn again"


def _over(http: httpx.Client, run: str) -> bool:
    return http.get(f"/v1/runs/{run}").json()["status"] in ("done", "failed", "cancelled")
