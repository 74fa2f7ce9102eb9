"""The later samplers against solutions that a general solver of differential equations finds, against other samplers
that they become in a special case, and against diffusers' DDPM; their noise against torchsde."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torchsde
from diffusers import DDPMScheduler
from scipy.integrate import solve_ivp

from imagewright.errors import CannotDraw
from imagewright.t2i_backends.denoising.samplers.base import BrownianPath, Source
from imagewright.t2i_backends.denoising.samplers.table import SAMPLERS
from imagewright.t2i_backends.values.noise_levels import Betas, Table

HIGH, LOW = 8.0, 0.2


class Still(Source):
    """A source whose noise is 0, so that a sampler follows the mean of its equation."""

    def like(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


class Always(Betas):
    """Noise levels on which SA-Solver adds noise everywhere."""

    def at(self, percent: float) -> float:
        return math.inf if percent < 0.5 else 0.0


class Never(Betas):
    """And nowhere."""

    def at(self, percent: float) -> float:
        return -1.0


def estimate(x: float, sigma: float) -> float:
    """An x0 estimate that bends in both."""
    return math.sin(x / (1 + sigma)) + 0.4 * math.cos(sigma)


def denoise(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
    return torch.sin(x / (1 + sigma)) + 0.4 * math.cos(sigma)


def truth(pull: Callable[[float], float]) -> float:
    """Where ``dx / dsigma = pull(sigma) (x - estimate)`` leads from HIGH to LOW."""
    found = solve_ivp(lambda s, x: pull(s) * (x - estimate(x[0], s)), (HIGH, LOW), [5.0], rtol=1e-11, atol=1e-12)
    return float(found.y[0, -1])


def error(name: str, steps: int, goal: float, table: Table, even: bool = True) -> float:
    shares = np.linspace(0, 1, steps + 1) if even else np.linspace(0, 1, steps + 1) ** 1.3
    sigmas = (HIGH * (LOW / HIGH) ** shares).tolist()
    start = torch.tensor([5.0], dtype=torch.float64)
    return abs(float(SAMPLERS[name](denoise, start, sigmas, lambda *a: None, Still(table))[0]) - goal)


def scale(sigma: float) -> float:
    """The rate of noise in the extended reverse-time equation, from its paper."""
    return sigma * (math.exp(sigma**0.3) + 10)


def er_pull(sigma: float) -> float:
    return (math.log(scale(sigma * 1.00001)) - math.log(scale(sigma * 0.99999))) / (0.00002 * sigma)


EQUATIONS: dict[str, tuple[Callable[[float], float], Table, float]] = {
    "gradient_estimation": (lambda s: 1 / s, Betas(), 1.0),
    "heunpp2": (lambda s: 1 / s, Betas(), 1.0),
    "res_multistep": (lambda s: 1 / s, Betas(), 2.0),
    "ipndm_v": (lambda s: 1 / s, Betas(), 1.6),
    "dpm_fast": (lambda s: 1 / s, Betas(), 2.0),
    "sa_solver": (lambda s: 1 / s, Never(), 2.6),
    "seeds_2": (lambda s: 2 / s, Betas(), 2.0),
    "seeds_3": (lambda s: 2 / s, Betas(), 2.6),
    "er_sde": (er_pull, Betas(), 1.8),
}
"""Sampler → its equation without noise, and the least order with which it nears the equation's solution."""


@pytest.mark.parametrize("name", EQUATIONS)
def test_order_of_convergence(name: str) -> None:
    pull, table, order = EQUATIONS[name]
    goal = truth(pull)
    coarse, fine = (error(name, steps, goal, table) for steps in (48, 96))
    assert fine < 0.05
    assert math.log2(coarse / fine) > order - 0.25, (coarse, fine)


def test_sa_solver_where_it_adds_noise_follows_the_equation_of_its_noise() -> None:
    """With noise of strength 1 the mean is drawn twice as fast to the estimate."""
    goal = truth(lambda s: 2 / s)
    coarse, fine = (error("sa_solver", steps, goal, Always()) for steps in (12, 24))
    assert math.log2(coarse / fine) > 2.3


@pytest.mark.parametrize("name", ["res_multistep", "sa_solver", "seeds_3", "dpm_fast"])
def test_uneven_steps(name: str) -> None:
    pull, table, _ = EQUATIONS[name]
    goal = truth(pull)
    assert error(name, 96, goal, table, even=False) < error(name, 48, goal, table, even=False) / 3


def test_res_multistep_is_exact_where_the_estimate_is_a_line_in_log_sigma() -> None:
    """Its steps integrate such an estimate exactly: only the first, which knows one, errs, by a known amount."""
    sigmas = [4.0, 2.5, 1.2, 0.3]

    def line(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        return torch.full_like(x, 3 - 2 * math.log(sigma))

    after_one = 2.5 / 4 * 5.0 + (1 - 2.5 / 4) * (3 - 2 * math.log(4.0))
    exact = solve_ivp(lambda s, x: (x - (3 - 2 * math.log(s))) / s, (2.5, 0.3), [after_one], rtol=1e-11, atol=1e-12)
    found = SAMPLERS["res_multistep"](
        line, torch.tensor([5.0], dtype=torch.float64), sigmas, lambda *a: None, Source(Betas())
    )
    assert float(found[0]) == pytest.approx(float(exact.y[0, -1]), rel=1e-8)


def test_ipndm_v_on_equal_steps_is_ipndm() -> None:
    """Up to three slopes; the published weights of four are others."""
    sigmas = np.linspace(6, 3, 4).tolist()
    start = torch.tensor([5.0], dtype=torch.float64)
    pair = [SAMPLERS[name](denoise, start, sigmas, lambda *a: None, Source(Betas())) for name in ("ipndm", "ipndm_v")]
    assert torch.allclose(*pair, atol=1e-10)


def test_ipndm_v_on_uneven_steps_by_hand() -> None:
    """Two slopes, 2 then 4, over steps of 1 and 2: the line through them is 8 at the end, its mean 6."""
    slopes = iter([2.0, 4.0])
    found = SAMPLERS["ipndm_v"](
        lambda x, sigma, step: x - sigma * next(slopes), torch.tensor(10.0), [4.0, 3.0, 1.0], lambda *a: None, Source()
    )
    assert float(found) == pytest.approx(10 - 2 - 2 * 6)


def test_gradient_estimation_by_hand() -> None:
    """Slopes 2 then 5: the second step goes along 2 * 5 - 2 = 8."""
    slopes = iter([2.0, 5.0])
    found = SAMPLERS["gradient_estimation"](
        lambda x, sigma, step: x - sigma * next(slopes), torch.tensor(10.0), [3.0, 2.0, 1.0], lambda *a: None, Source()
    )
    assert float(found) == pytest.approx(10 - 2 - 8)


def test_heunpp2_by_hand() -> None:
    """From sigma 4 to 2 with two sigmas ahead: slopes 1, 3, 6 count 1 - 1/6 - 1/12, 1/6, 1/12."""
    slopes = iter([1.0, 3.0, 6.0, 1.0, 2.0, 7.0])
    found = SAMPLERS["heunpp2"](
        lambda x, sigma, step: x - sigma * next(slopes), torch.tensor(10.0), [4.0, 2.0, 1.0, 0.0], lambda *a: None,
        Source(),
    )  # fmt: skip
    first = 10 - 2 * (1 * (1 - 1 / 6 - 1 / 12) + 3 / 6 + 6 / 12)
    second = first - (1 * (1 - 1 / 8) + 2 / 8)
    assert float(found) == pytest.approx(second - 7)


def test_dpm_fast_makes_as_many_calls_as_the_schedule_has_steps() -> None:
    for steps in range(1, 9):
        calls: list[float] = []
        told: list[int] = []

        def count(x: torch.Tensor, sigma: float, step: int, calls: list[float] = calls) -> torch.Tensor:
            calls.append(sigma)
            return x * 0

        sigmas = [*np.geomspace(10, 0.1, max(steps, 2))[:steps].tolist(), 0.0]
        found = SAMPLERS["dpm_fast"](
            count, torch.ones(1), sigmas, lambda done, x, x0, told=told: told.append(done), Source(Betas())
        )
        assert told[-1] == steps
        assert len(calls) <= steps + 1
        assert float(found[0]) == pytest.approx(sigmas[-2] / sigmas[0], rel=1e-4)


def test_dpm_adaptive_is_as_near_as_it_asks_itself_to_be() -> None:
    goal = truth(lambda s: 1 / s)
    assert error("dpm_adaptive", 4, goal, Betas()) < 0.02
    told: list[int] = []
    SAMPLERS["dpm_adaptive"](
        denoise, torch.tensor([5.0]), [8.0, 3.0, 0.2, 0.0], lambda done, x, x0: told.append(done), Source(Betas())
    )
    assert told == sorted(told)
    assert told[-1] == 3


def test_dpm_adaptive_gives_up_in_one_line() -> None:
    def wild(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        return x * 0 + 1e9 * math.sin(1e9 * sigma)

    with pytest.raises(CannotDraw, match="dpm_adaptive"):
        SAMPLERS["dpm_adaptive"](wild, torch.ones(4), [8.0, 3.0, 0.2], lambda *a: None, Source(Betas()))


def test_ddpm_is_the_step_of_diffusers_ddpm() -> None:
    """From training step 600 to 500, with the noise that diffusers is given."""
    scheduler = DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        variance_type="fixed_small",
        clip_sample=False,
    )
    scheduler.set_timesteps(10)
    table = Betas().sigmas()
    high, low = float(table[600]), float(table[500])
    x, slope = torch.tensor([[1.5]], dtype=torch.float64), torch.tensor([[0.7]], dtype=torch.float64)
    found = SAMPLERS["ddpm"](
        lambda x, sigma, step: x - sigma * slope, x, [high, low], lambda *a: None, Source(Betas(), 4)
    )
    noise = Source(Betas(), 4).like(x)
    theirs = _ddpm(scheduler, slope, x / math.sqrt(1 + high**2), noise)
    assert float(found[0, 0]) == pytest.approx(float(theirs) * math.sqrt(1 + low**2), rel=1e-4)


def _ddpm(scheduler: DDPMScheduler, slope: torch.Tensor, x: torch.Tensor, noise: torch.Tensor) -> float:
    import diffusers.schedulers.scheduling_ddpm as module

    before = module.randn_tensor
    module.randn_tensor = lambda *a, **k: noise
    try:
        return float(scheduler.step(slope, 600, x).prev_sample[0, 0])
    finally:
        module.randn_tensor = before


def tree(sigmas: Sequence[float], seed: int) -> Callable[[float, float], torch.Tensor]:
    """k-diffusion's noise: the tree from the schedule's last sigma above 0 to its first, asked from high to low."""
    low, high = (torch.tensor(sigma) for sigma in (min(s for s in sigmas if s > 0), max(sigmas)))
    found = torchsde.BrownianTree(low, torch.zeros(2, 3), high, entropy=seed)
    return lambda a, b: -found(torch.tensor(b), torch.tensor(a)) / math.sqrt(a - b)


def test_noise_of_the_sde_samplers_is_torchsdes() -> None:
    sigmas = [9.0, 4.0, 1.0, 0.3, 0.0]
    wanted = tree(sigmas, 11)
    path = Source(Betas(), 11).path(torch.zeros(2, 3), sigmas)
    for pair in ((9.0, 4.0), (4.0, 1.5), (4.0, 1.0), (1.0, 0.3)):
        assert torch.allclose(path(*pair), wanted(*pair), atol=1e-6), pair


def test_dpmpp_2m_sde_adds_that_noise() -> None:
    """With an estimate of 0 a step leaves ``(s2 / s1)^2 x`` and adds ``s2 sqrt(1 - (s2 / s1)^2)`` of the noise."""
    sigmas = [9.0, 4.0, 0.3, 0.0]
    seen: list[torch.Tensor] = []

    def nothing(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        seen.append(x)
        return x * 0

    SAMPLERS["dpmpp_2m_sde"](nothing, torch.ones(2, 3), sigmas, lambda *a: None, Source(Betas(), 5))
    share = 4 / 9
    wanted = share**2 + 4 * math.sqrt(1 - share**2) * tree(sigmas, 5)(9.0, 4.0)
    assert torch.allclose(seen[1], wanted, atol=1e-4)


def test_a_path_of_one_sigma_is_still() -> None:
    assert not BrownianPath(torch.zeros(3), 1.0, 1.0, 0)(1.0, 1.0).any()
