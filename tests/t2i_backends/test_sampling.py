"""Samplers on a flow whose exact solution is known."""

from __future__ import annotations

import pytest
import torch

from imagewright.t2i_backends.sampling import SAMPLERS


def gaussian(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
    """The best x0 estimate for standard normal data; its paths are ``x(s) = c sqrt((1 - s)^2 + s^2)``."""
    return (1 - sigma) * x / ((1 - sigma) ** 2 + sigma**2)


def error(sampler: str, steps: int) -> float:
    """How far the end lies from the exact end, 1, of the path that starts at 1."""
    sigmas = torch.linspace(1, 0, steps + 1, dtype=torch.float64).tolist()
    start = torch.ones(1, dtype=torch.float64)
    return abs(float(SAMPLERS[sampler](gaussian, start, sigmas, lambda *a: None)) - 1)


def test_euler_is_of_first_order() -> None:
    assert error("euler", 32) / error("euler", 64) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m"])
def test_the_others_are_closer(sampler: str) -> None:
    assert error(sampler, 32) < error("euler", 32) / 3
    assert error(sampler, 64) < error(sampler, 32) / 1.9


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_a_sure_estimate_is_where_every_sampler_ends(sampler: str) -> None:
    goal = torch.tensor([0.25, -3.0])
    seen: list[int] = []
    found = SAMPLERS[sampler](
        lambda x, sigma, step: goal, torch.ones(2), [1.0, 0.7, 0.2, 0.0], lambda i, x, x0: seen.append(i)
    )
    assert torch.allclose(found, goal, atol=1e-6)
    assert seen == [1, 2, 3]


def test_model_calls_of_a_step() -> None:
    calls: list[tuple[float, int]] = []

    def denoise(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        calls.append((sigma, step))
        return x * 0

    SAMPLERS["heun"](denoise, torch.ones(1), [1.0, 0.5, 0.0], lambda *a: None)
    assert calls == [(1.0, 0), (0.5, 0), (0.5, 1)]


def test_dpmpp_2m_by_hand() -> None:
    """Two steps of sigma 1, 1/2, 1/4 with x0 estimates 1 then 2: h = h_last = log 2, so r = 1."""
    estimates = iter([1.0, 2.0])
    found = SAMPLERS["dpmpp_2m"](
        lambda x, sigma, step: torch.tensor(next(estimates)), torch.tensor(3.0), [1.0, 0.5, 0.25], lambda *a: None
    )
    first = 0.5 * 3.0 + 0.5 * 1.0
    assert float(found) == pytest.approx(0.5 * first + 0.5 * (1.5 * 2.0 - 0.5 * 1.0))
