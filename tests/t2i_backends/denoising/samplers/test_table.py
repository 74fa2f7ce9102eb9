"""Samplers on models whose exact solution is known, for flow matching and for diffusion."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from imagewright.t2i_backends.denoising.samplers.base import Source, with_noise
from imagewright.t2i_backends.denoising.samplers.names import SAMPLER_NAMES
from imagewright.t2i_backends.denoising.samplers.table import SAMPLERS
from imagewright.t2i_backends.values.noise_levels import Betas, Shift, Table

NOISY = [
    name for name in SAMPLERS
    if "ancestral" in name or "sde" in name or name in ("lcm", "ddpm", "seeds_2", "seeds_3", "sa_solver")
]  # fmt: skip
OWN_STEPS = ("dpm_fast", "dpm_adaptive")
"""They end at the last sigma above 0, by steps of their own; ``test_later.py`` has their tests."""
FIRST_ORDER = ("euler", "ddim", "ipndm", "gradient_estimation", "heunpp2")
STILL = [name for name in SAMPLERS if name not in NOISY]
FLOW, DIFFUSION = Shift(1.0), Betas()


def flow(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
    """The best x0 estimate for standard normal data; its paths are ``x(s) = c sqrt((1 - s)^2 + s^2)``."""
    return (1 - sigma) * x / ((1 - sigma) ** 2 + sigma**2)


def diffusion(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
    """The same for a diffusion model; its paths are ``x(s) = c sqrt(1 + s^2)``."""
    return x / (1 + sigma**2)


def run(name: str, model: Callable[..., torch.Tensor], table: Table, sigmas: list[float], x: torch.Tensor) -> float:
    return float(SAMPLERS[name](model, x, sigmas, lambda *a: None, Source(table))[0])


def error(name: str, steps: int) -> float:
    """How far the end lies from the exact end, 1, on a flow."""
    start = torch.ones(1, dtype=torch.float64)
    return abs(run(name, flow, FLOW, torch.linspace(1, 0, steps + 1, dtype=torch.float64).tolist(), start) - 1)


def diffusion_error(name: str, steps: int) -> float:
    """The same on a diffusion model from sigma 10 to 0.01."""
    sigmas = np.geomspace(10, 0.01, steps + 1).tolist()
    start = torch.full((1,), math.sqrt(1 + 10**2), dtype=torch.float64)
    return abs(run(name, diffusion, DIFFUSION, sigmas, start) - math.sqrt(1 + 0.01**2))


def test_the_names_are_the_table() -> None:
    assert set(SAMPLER_NAMES) == set(SAMPLERS)


def test_euler_is_of_first_order() -> None:
    assert error("euler", 32) / error("euler", 64) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("name", ["heun", "dpmpp_2m"])
def test_on_a_flow_the_others_are_closer(name: str) -> None:
    assert error(name, 32) < error("euler", 32) / 3
    assert error(name, 64) < error(name, 32) / 1.9


@pytest.mark.parametrize("name", [n for n in STILL if n not in (*FIRST_ORDER, "dpm_adaptive")])
def test_on_a_diffusion_the_others_are_of_higher_order(name: str) -> None:
    assert diffusion_error(name, 32) < diffusion_error("euler", 32) / 4
    assert diffusion_error(name, 64) < diffusion_error(name, 32) / 3


@pytest.mark.parametrize("table", [FLOW, DIFFUSION], ids=["flow", "diffusion"])
@pytest.mark.parametrize("name", [name for name in NOISY if name != "lcm"])
def test_samplers_that_add_noise_keep_the_variance(name: str, table: Table) -> None:
    """From noise to standard normal data: the variance of 20,000 values is 1, to the sampler's own error."""
    if table.flow and name == "ddpm":
        pytest.skip("ddpm is the step of a variance-preserving diffusion, on every model, as in ComfyUI")
    if table.flow:
        sigmas = [*np.linspace(1, 0.02, 60).tolist(), 0.0]
        start, model = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64), flow
    else:
        sigmas = [*np.geomspace(14, 0.03, 60).tolist(), 0.0]
        start = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 14
        model = diffusion
    found = SAMPLERS[name](model, start, sigmas, lambda *a: None, Source(table, 3))
    assert float(found.var()) == pytest.approx(1, abs=0.25 if "ancestral" in name else 0.12)


@pytest.mark.parametrize("table", [FLOW, DIFFUSION], ids=["flow", "diffusion"])
@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - set(OWN_STEPS)))
def test_a_sure_estimate_is_where_every_sampler_ends(name: str, table: Table) -> None:
    goal = torch.tensor([0.25, -3.0])
    seen: list[int] = []
    found = SAMPLERS[name](
        lambda x, sigma, step: goal, torch.ones(2), [1.0, 0.7, 0.2, 0.0], lambda i, x, x0: seen.append(i), Source(table)
    )
    assert torch.allclose(found, goal, atol=5e-3 if name.startswith("uni_pc") else 1e-5)
    assert seen == [1, 2, 3]


def test_model_calls_of_a_step() -> None:
    calls: list[tuple[float, int]] = []

    def denoise(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        calls.append((round(sigma, 4), step))
        return x * 0

    sigmas = [1.0, 0.25, 0.0]
    for name, wanted in {
        "heun": [(1.0, 0), (0.25, 0), (0.25, 1)],
        "dpm_2": [(1.0, 0), (0.5, 0), (0.25, 1)],
        "uni_pc": [(1.0, 0), (0.25, 1)],
    }.items():
        calls.clear()
        SAMPLERS[name](denoise, torch.ones(1), sigmas, lambda *a: None, Source())
        assert calls == wanted, name


def test_dpmpp_2m_by_hand() -> None:
    """Two steps of sigma 1, 1/2, 1/4 with x0 estimates 1 then 2: h = h_last = log 2, so r = 1."""
    estimates = iter([1.0, 2.0])
    found = SAMPLERS["dpmpp_2m"](
        lambda x, sigma, step: torch.tensor(next(estimates)), torch.tensor(3.0), [1.0, 0.5, 0.25], lambda *a: None,
        Source(),
    )  # fmt: skip
    first = 0.5 * 3.0 + 0.5 * 1.0
    assert float(found) == pytest.approx(0.5 * first + 0.5 * (1.5 * 2.0 - 0.5 * 1.0))


def test_lms_and_ipndm_by_hand() -> None:
    """Slopes 2 then 4: equal steps give Adams-Bashforth's 3/2 and -1/2 in both."""
    for name in ("lms", "ipndm"):
        slopes, sigmas, x = iter([2.0, 4.0]), [3.0, 2.0, 1.0], torch.tensor(10.0)
        found = SAMPLERS[name](
            lambda x, sigma, step, s=slopes: x - sigma * next(s), x, sigmas, lambda *a: None, Source()
        )  # type: ignore[misc]
        assert float(found) == pytest.approx(10 - 2 - (1.5 * 4 - 0.5 * 2)), name


def test_lcm_by_hand() -> None:
    """It jumps to the estimate, 2, and back up to sigma 0.5: the last estimate sees ``2 + 0.5 noise``."""
    seen: list[float] = []

    def denoise(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        seen.append(float(x[0]))
        return torch.full_like(x, 2.0)

    SAMPLERS["lcm"](denoise, torch.ones(1), [4.0, 0.5, 0.0], lambda *a: None, Source(DIFFUSION, 9))
    assert seen[1] == pytest.approx(2 + 0.5 * float(Source(DIFFUSION, 9).like(torch.ones(1))[0]))


def test_one_seed_is_one_picture() -> None:
    def draw(seed: int) -> torch.Tensor:
        return SAMPLERS["dpmpp_sde"](
            diffusion, torch.ones(4), [5.0, 2.0, 0.5, 0.0], lambda *a: None, Source(DIFFUSION, seed)
        )

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("before", [False, True])
def test_increments_of_one_path_belong_together(before: bool) -> None:
    """W(4) to W(2) and W(4) to W(1) share their first part: their covariance is sqrt(2 / 3)."""
    path = Source(None, 0, own_path=before).path(torch.zeros(100_000), [4.0, 2.0, 1.0])
    short, long = path(4.0, 2.0), path(4.0, 1.0)
    assert float(short.var()) == pytest.approx(1, abs=0.02)
    assert float(long.var()) == pytest.approx(1, abs=0.02)
    assert float((short * long).mean()) == pytest.approx(math.sqrt(2 / 3), abs=0.02)


def test_noise_at_the_start() -> None:
    x0, noise = torch.tensor([2.0]), torch.tensor([3.0])
    assert float(with_noise(x0, noise, 0.25, FLOW)) == pytest.approx(0.25 * 3 + 0.75 * 2)
    assert float(with_noise(x0, noise, 4.0, DIFFUSION, start=True)) == pytest.approx(2 + 12)
    top = float(DIFFUSION.sigmas()[-1])
    assert float(with_noise(x0, noise, top, DIFFUSION, start=True)) == pytest.approx(2 + 3 * math.sqrt(1 + top**2))
    assert float(with_noise(x0, noise, top, DIFFUSION)) == pytest.approx(2 + 3 * top)
