"""Schedules against values computed by hand from the formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from diffusers import FlowMatchEulerDiscreteScheduler

from imagewright.t2i_backends.sigmas import DYNAMIC_TABLE, Shift, beta, normal, schedule, shift_of, simple


def test_simple_by_hand() -> None:
    assert simple(Shift(3.0, 1000), 4) == pytest.approx([1, 0.9, 0.75, 0.5, 0])
    assert simple(Shift(1.0, 1000), 3) == pytest.approx([1, 0.667, 0.334, 0])


def test_normal_by_hand() -> None:
    assert normal(Shift(1.0, 1000), 3) == pytest.approx([1, 0.5005, 0.001, 0])
    smallest = 0.003 / 1.002
    middle = (1 + smallest) / 2
    by_hand = [1, 3 * middle / (1 + 2 * middle), 3 * smallest / (1 + 2 * smallest), 0]
    assert normal(Shift(3.0, 1000), 3) == pytest.approx(by_hand)


def test_normal_adds_no_zero_where_it_ends_at_zero() -> None:
    found = normal(Shift(0.001, 1000), 3)
    assert len(found) == 4
    assert found[-1] == pytest.approx(0, abs=1e-5)
    assert found[-1] > 0


def upper_tail(x: float) -> float:
    """P(X > x) of Beta(0.6, 0.6), by the midpoint rule after ``s = (1 - t) ** 0.6`` took the singularity away."""
    top = (1 - x) ** 0.6
    s = (np.arange(200_000) + 0.5) / 200_000 * top
    integral = top * np.mean((1 - s ** (1 / 0.6)) ** -0.4) / 0.6
    return float(integral * math.gamma(1.2) / math.gamma(0.6) ** 2)


def test_beta_picks_quantiles_of_the_beta_distribution() -> None:
    found = beta(Shift(1.0, 1000), 4)
    assert found[0] == 1
    assert found[-1] == 0
    for sigma, tail in zip(found[1:4], (0.25, 0.5, 0.75), strict=True):
        index = round(sigma * 1000) - 1
        assert upper_tail((index + 0.51) / 999) <= tail <= upper_tail((index - 0.51) / 999)


def test_beta_never_repeats_a_sigma() -> None:
    found = beta(Shift(1.0, 100), 90)
    assert len(found) < 91
    assert found == sorted(set(found), reverse=True)


def test_denoise_keeps_the_end_of_a_longer_schedule() -> None:
    shift = Shift(3.0, 1000)
    assert schedule("simple", shift, 4, denoise=0.5) == simple(shift, 8)[-5:]
    assert schedule("simple", shift, 3, denoise=0.4) == simple(shift, 7)[-4:]
    assert schedule("simple", shift, 4, denoise=0.99995) == simple(shift, 4)
    assert schedule("simple", shift, 4, denoise=0.0) == []


def test_dynamic_shift_follows_the_number_of_tokens() -> None:
    config = {"use_dynamic_shifting": True}
    assert shift_of(config, 256).alpha == pytest.approx(math.exp(0.5))
    assert shift_of(config, 4096).alpha == pytest.approx(math.exp(1.15))
    assert shift_of(config, 2176).alpha == pytest.approx(math.exp(0.825))
    assert shift_of(config, 256).table == DYNAMIC_TABLE
    assert shift_of({**config, "time_shift_type": "linear"}, 4096).alpha == pytest.approx(1.15)
    assert shift_of({"shift": 3.0}, 4096) == Shift(3.0, 1000)


@pytest.mark.parametrize("config", [{"shift": 3.0}, {"use_dynamic_shifting": True}])
@pytest.mark.parametrize("steps", [1, 4, 8, 20, 28, 50])
def test_simple_is_the_stock_schedule_on_the_tables_grid(config: dict[str, float], steps: int) -> None:
    stock = FlowMatchEulerDiscreteScheduler(**config)
    shift = shift_of(stock.config, 1024)
    stock.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=math.log(shift.alpha))
    found, wanted = simple(shift, steps), stock.sigmas.tolist()
    exact = shift.table % steps == 0
    grid = float(np.diff(shift.sigmas()).max())
    assert found == pytest.approx(wanted, abs=1e-6 if exact else grid)


@pytest.mark.parametrize("scheduler", ["simple", "normal", "beta"])
def test_schedules_fall_from_one_to_zero(scheduler: str) -> None:
    for steps in (1, 2, 7, 200):
        found = schedule(scheduler, Shift(math.exp(1.15), DYNAMIC_TABLE), steps)
        assert found[0] == pytest.approx(1)
        assert found[-1] == 0
        assert all(a > b for a, b in pairwise(found))
