"""Schedules against values computed by hand from the formulas."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from diffusers import EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

from imagewright.t2i_backends.denoising.sigmas import (
    SCHEDULERS,
    beta,
    ddim_uniform,
    karras,
    normal,
    schedule,
    sgm_uniform,
    simple,
)
from imagewright.t2i_backends.values.noise_levels import DYNAMIC_TABLE, Betas, Shift, shift_of


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


@pytest.mark.parametrize(
    "table", [Shift(math.exp(1.15), DYNAMIC_TABLE), Shift(3.0), Betas()], ids=["flux", "sd3", "sd"]
)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedules_fall_to_zero(scheduler: str, table: Shift | Betas) -> None:
    for steps in (1, 2, 7, 100):
        found = schedule(scheduler, table, steps)
        assert found[0] <= table.sigmas()[-1] + 1e-6
        if scheduler != "ddim_uniform":
            assert found[0] == pytest.approx(table.sigmas()[-1])
        assert found[-1] == 0
        assert all(a > b for a, b in pairwise(found))


def test_betas_by_hand() -> None:
    """SD1.5 and SDXL: the first variance is 0.00085; 0.0292 to 14.61 are k-diffusion's known ends."""
    found = Betas().sigmas()
    assert found[0] == pytest.approx(math.sqrt(0.00085 / (1 - 0.00085)))
    assert found[1] == pytest.approx(math.sqrt(1 / ((1 - 0.00085) * (1 - (0.00085**0.5 + STEP) ** 2)) - 1))
    assert found[0] == pytest.approx(0.02917, abs=1e-5)
    assert found[-1] == pytest.approx(14.6146, abs=1e-4)


STEP = (0.012**0.5 - 0.00085**0.5) / 999


def test_diffusion_schedules_by_hand() -> None:
    """Four steps of each over SD's table, from the entries of the stock scheduler's own table."""
    table = Betas()
    kept = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012).alphas_cumprod
    entry = [math.sqrt((1 - float(a)) / float(a)) for a in kept]
    close = {"rel": 2e-4}
    assert simple(table, 4) == pytest.approx([entry[999], entry[749], entry[499], entry[249], 0], **close)
    assert ddim_uniform(table, 4) == pytest.approx([entry[751], entry[501], entry[251], entry[1], 0], **close)
    assert normal(table, 4) == pytest.approx([entry[999], entry[666], entry[333], entry[0], 0], **close)
    quarters = [entry[999], entry[749] ** 0.75 * entry[750] ** 0.25, math.sqrt(entry[499] * entry[500])]
    assert sgm_uniform(table, 4)[:3] == pytest.approx(quarters, **close)
    low, high = 0.0291675 ** (1 / 7), 14.614642 ** (1 / 7)
    by_hand = [14.614642, (high + (low - high) / 3) ** 7, (high + (low - high) * 2 / 3) ** 7, 0.0291675, 0]
    assert karras(table, 4) == pytest.approx(by_hand, rel=1e-4)
    ratio = (0.0291675 / 14.614642) ** (1 / 3)
    assert schedule("exponential", table, 4) == pytest.approx([14.614642 * ratio**k for k in range(4)] + [0], rel=1e-4)
    angle = (math.atan(14.614642) + math.atan(0.0291675)) / 2
    assert schedule("kl_optimal", table, 3)[1] == pytest.approx(math.tan(angle), rel=1e-4)


def test_linear_quadratic_by_hand() -> None:
    """Four steps: two of 0.0125, then a parabola that leaves 0.025 with the same slope and reaches 1."""
    curve = (1 - 0.025 - 2 * 0.0125) / 4
    by_hand = [1, 1 - 0.0125, 1 - 0.025, 1 - (0.025 + 0.0125 + curve), 0]
    assert schedule("linear_quadratic", Shift(3.0), 4) == pytest.approx(by_hand)


def test_sd3_and_flux_by_hand() -> None:
    """``s = a t / (1 + (a - 1) t)``: SD3.5 with shift 3, FLUX at 1024 x 1024 with ``a = e^1.15``."""
    times = [1, 0.75, 0.5, 0.25]
    assert simple(Shift(3.0), 4)[:4] == pytest.approx([3 * t / (1 + 2 * t) for t in times])
    a = math.exp(1.15)
    flux = shift_of({"use_dynamic_shifting": True}, 4096)
    assert simple(flux, 4)[:4] == pytest.approx([a * t / (1 + (a - 1) * t) for t in times])


@pytest.mark.parametrize("steps", [5, 20, 25, 50])
def test_ddim_uniform_is_the_stock_leading_schedule(steps: int) -> None:
    stock = EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="leading", steps_offset=1
    )
    stock.set_timesteps(steps)
    assert ddim_uniform(Betas(), steps) == pytest.approx(stock.sigmas.tolist(), rel=2e-4)


def test_some_samplers_leave_out_the_last_sigma_but_one() -> None:
    whole = karras(Betas(), 5)
    assert schedule("karras", Betas(), 4, sampler="dpm_2") == [*whole[:4], 0.0]
    assert schedule("karras", Betas(), 4, sampler="uni_pc") == [*whole[:4], 0.0]


@pytest.mark.parametrize(("between", "step"), [(499.5, 500), (0.5, 0), (998.5, 998), (499.4, 499), (499.6, 500)])
def test_a_time_half_way_between_two_steps_is_the_one_that_rounding_leaves_nearer(between: float, step: int) -> None:
    """As ComfyUI's table has it; both are exactly as near."""
    table = Betas()
    assert table.time(table.sigma(np.array([between]))).tolist() == [step]


def test_times_and_percents() -> None:
    table = Betas()
    sigmas = table.sigmas()
    assert table.time(sigmas[[0, 500, 999]]).tolist() == [0, 500, 999]
    assert float(table.sigma(np.array(3.5))) == pytest.approx(math.sqrt(sigmas[3] * sigmas[4]))
    assert (table.at(0.0), table.at(1.0)) == (1e9, 0.0)
    assert table.at(0.5) == pytest.approx(math.sqrt(sigmas[499] * sigmas[500]))
    assert (Shift(3.0).at(0.0), Shift(3.0).at(1.0)) == (1.0, 0.0)
    assert Shift(3.0).at(0.5) == pytest.approx(0.75)


def test_a_terminal_signal_of_zero() -> None:
    """The rescaled table keeps its first entry and ends at the value that stands for infinity."""
    plain, rescaled = Betas().sigmas(), Betas(zero_terminal_snr=True).sigmas()
    assert rescaled[0] == pytest.approx(plain[0], rel=1e-6)
    assert rescaled[-1] == pytest.approx(4518.76, abs=0.1)
    assert all(a < b for a, b in pairwise(rescaled))
