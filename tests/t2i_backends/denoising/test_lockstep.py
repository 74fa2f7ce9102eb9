"""Jobs in step: their passes through one model go together, and nothing else of theirs does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from imagewright.errors import BadInput, Cancelled
from imagewright.t2i_backends.denoising.lockstep import Joined, Lockstep


class Adder:
    """A model that adds 1 and remembers the size of each batch."""

    def __init__(self, room: int = 100) -> None:
        self.batches: list[int] = []
        self.room, self.refused = room, 0
        self.name = "adder"

    def __call__(self, x: torch.Tensor, by: float = 1.0, **rest: Any) -> tuple[torch.Tensor]:
        if len(x) > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError("too many")
        self.batches.append(len(x))
        return (x + by,)


def rows(value: float, count: int = 1, width: int = 2) -> torch.Tensor:
    return torch.full((count, width), value)


def in_step(works: Sequence[Callable[[Lockstep], Any]]) -> list[Any]:
    lockstep = Lockstep()
    return lockstep.run([lambda work=work: work(lockstep) for work in works])


def times(model: Adder, start: float, passes: int, **given: Any) -> Callable[[Lockstep], float]:
    """A job that goes through ``model`` ``passes`` times."""

    def work(lockstep: Lockstep) -> float:
        x, joined = rows(start), Joined(model, lockstep)
        for _ in range(passes):
            x = joined(x=x, **given)[0]
        return float(x[0, 0])

    return work


def test_passes_of_all_jobs_are_one_batch_until_a_job_has_had_its_last() -> None:
    model = Adder()
    assert in_step([times(model, 0, 3), times(model, 10, 1), times(model, 20, 3)]) == [3, 11, 23]
    assert model.batches == [3, 2, 2]


def test_calls_that_differ_in_shape_value_or_model_stay_apart() -> None:
    model, other = Adder(), Adder()
    wide = rows(0, width=3)

    def unlike(lockstep: Lockstep) -> tuple[int, ...]:
        return tuple(Joined(model, lockstep)(x=wide)[0].shape)

    works = [times(model, 0, 1), times(model, 0, 1, by=5.0), times(other, 0, 1), unlike]
    assert in_step(works) == [1, 5, 1, (1, 3)]
    assert (model.batches, other.batches) == ([1, 1, 1], [1])


def test_shared_tensors_are_not_stacked_and_must_be_equal() -> None:
    seen: list[tuple[int, ...]] = []

    def model(x: torch.Tensor, img_ids: torch.Tensor, extra: dict[str, list[torch.Tensor]]) -> tuple[torch.Tensor]:
        seen.append((len(x), len(img_ids), len(extra["blocks"][0])))
        return (x + img_ids[0, 0] + extra["blocks"][0],)

    def job(start: float, place: float) -> Callable[[Lockstep], float]:
        def work(lockstep: Lockstep) -> float:
            ids, extra = torch.full((4, 2), place), {"blocks": [rows(0.5)]}
            return float(lockstep.call(model, {"x": rows(start), "img_ids": ids, "extra": extra})[0][0, 0])

        return work

    assert in_step([job(1, 0), job(2, 0), job(3, 7)]) == [1.5, 2.5, 10.5]
    assert sorted(seen) == [(1, 4, 1), (2, 4, 2)]


def test_a_job_may_bring_a_batch_of_its_own() -> None:
    model = Adder()

    def pair(lockstep: Lockstep) -> tuple[int, ...]:
        return tuple(Joined(model, lockstep)(x=rows(4, count=2))[0][:, 0].tolist())

    assert in_step([pair, times(model, 1, 1), pair]) == [(5, 5), 2, (5, 5)]
    assert model.batches == [5]


def test_an_error_ends_the_job_that_has_it_and_no_other() -> None:
    model = Adder()

    def broken(lockstep: Lockstep) -> None:
        Joined(model, lockstep)(x=rows(0))
        raise BadInput("no such sampler", "use euler")

    found = in_step([times(model, 0, 3), broken])
    assert found[0] == 3
    assert isinstance(found[1], BadInput)
    assert model.batches == [2, 1, 1]


def test_an_error_in_the_model_is_raised_in_every_job_of_the_batch() -> None:
    def model(x: torch.Tensor) -> None:
        raise RuntimeError("shapes")

    def work(lockstep: Lockstep) -> str:
        try:
            lockstep.call(model, {"x": rows(0)})
        except RuntimeError as error:
            return str(error)
        return "no error"

    assert in_step([work, work]) == ["shapes", "shapes"]


def test_a_batch_that_memory_does_not_hold_is_halved() -> None:
    model = Adder(room=2)
    assert in_step([times(model, i, 2) for i in range(5)]) == [2, 3, 4, 5, 6]
    assert model.batches == [2, 2, 1, 2, 2, 1]
    assert model.refused == 1
    found = in_step([times(Adder(room=0), 0, 1)])
    assert isinstance(found[0], torch.OutOfMemoryError)


Worn = Callable[[str, int], Callable[[Lockstep], None]]


@pytest.fixture
def worn() -> tuple[Adder, list[str], Worn]:
    """A model, the log of what it wears and when, and a maker of jobs that pass through it so."""
    model, log = Adder(), list[str]()

    @contextlib.contextmanager
    def wearing(what: str) -> Iterator[None]:
        log.append(f"on {what}")
        yield
        log.append(f"off {what}")

    def work(what: str, passes: int) -> Callable[[Lockstep], None]:
        def run(lockstep: Lockstep) -> None:
            with lockstep.together(model, what, lambda: wearing(what)):
                for _ in range(passes):
                    Joined(model, lockstep)(x=rows(0))
                    log.append(what)

        return run

    return model, log, work


def test_a_change_to_a_model_is_made_once_and_jobs_that_want_another_wait(worn: tuple[Adder, list[str], Worn]) -> None:
    model, log, work = worn
    assert in_step([work("a", 2), work("b", 1), work("a", 1)]) == [None, None, None]
    assert log == ["on a", "a", "a", "a", "off a", "on b", "b", "off b"]
    assert model.batches == [2, 1, 1]


def test_two_jobs_that_wait_for_one_change_to_end_do_not_share_the_next(worn: tuple[Adder, list[str], Worn]) -> None:
    _, log, work = worn
    assert in_step([work("a", 2), work("b", 1), work("c", 1)]) == [None, None, None]
    assert log == ["on a", "a", "a", "off a", "on b", "b", "off b", "on c", "c", "off c"]


def test_jobs_take_turns_so_that_what_they_share_needs_no_lock() -> None:
    inside, most = 0, 0

    def work(lockstep: Lockstep) -> None:
        nonlocal inside, most
        for _ in range(20):
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.0005)
            inside -= 1
            lockstep.call(Adder(), {"x": rows(0)})

    in_step([work] * 4)
    assert most == 1


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_lets_every_job_undo_what_it_changed() -> None:
    undone: list[str] = []
    began = threading.Event()

    def slow(x: torch.Tensor) -> tuple[torch.Tensor]:
        began.set()
        signal.raise_signal(signal.SIGINT)
        return (x,)

    def work(lockstep: Lockstep) -> None:
        try:
            for _ in range(3):
                lockstep.call(slow, {"x": rows(0)})
        except Cancelled:
            undone.append("cancelled")
            raise
        finally:
            undone.append("undone")

    lockstep = Lockstep()
    with pytest.raises(KeyboardInterrupt):
        lockstep.run([lambda: work(lockstep)] * 3)
    assert began.is_set()
    assert undone == ["cancelled", "undone"] * 3


def test_only_a_job_can_wait() -> None:
    with pytest.raises(RuntimeError, match="only a job"):
        Lockstep().call(Adder(), {"x": rows(0)})
