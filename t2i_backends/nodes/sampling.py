"""Nodes that denoise, and those that prepare it: schedules, guiders, noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising import sigmas as schedules
from imagewright.t2i_backends.denoising.samplers.names import SAMPLER_NAMES
from imagewright.t2i_backends.nodes.registry import MAX_STEPS, node_class
from imagewright.t2i_backends.values.handles import Conditionings, Guider, Latent, ModelHandle, Noise, Sigmas
from imagewright.t2i_backends.values.node_inputs import choice, link, real, truth, whole

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime
    from imagewright.t2i_backends.values.noise_levels import Table

LEAST_DENOISE = 0.01
"""ComfyUI's step of ``denoise``; below it the schedule that is cut would grow without bound."""
_SEED = whole(0, 2**64 - 1, default=0)
_STEPS = whole(1, MAX_STEPS)
_CFG = real(0, 100)
_SAMPLER, _SCHEDULER = choice(*SAMPLER_NAMES), choice(*schedules.SCHEDULERS)
_DENOISE = real(0, 1, default=1.0)
_LATENT, _MODEL, _CONDITIONING = link("LATENT"), link("MODEL"), link("CONDITIONING")


def _planned(
    model: ModelHandle, sampler: str, scheduler: str, steps: int, denoise: float,
    cut: Callable[[list[float]], list[float]] = lambda found: found,
) -> Sigmas:  # fmt: skip
    """The schedule of a sampler node, to be made when the model's noise levels are known."""

    def make(table: Callable[[ModelHandle], Table], strength: float) -> list[float]:
        share = denoise * strength
        if 0 < share < LEAST_DENOISE:
            raise BadInput(f"denoise {share:g} is too small", f"use 0, or {LEAST_DENOISE} to 1")
        return cut(schedules.schedule(scheduler, table(model), steps, share, sampler))

    return make


def _fixed(found: list[float]) -> Sigmas:
    """A schedule that no model changes; a redraw of less strength starts later in it."""

    def make(table: Callable[[ModelHandle], Table], strength: float) -> list[float]:
        return found[len(found) - 1 - round((len(found) - 1) * strength) :]

    return make


_K_SAMPLER = {
    "model": _MODEL, "seed": _SEED, "steps": _STEPS, "cfg": _CFG, "sampler_name": _SAMPLER, "scheduler": _SCHEDULER,
    "positive": _CONDITIONING, "negative": _CONDITIONING, "latent_image": _LATENT, "denoise": _DENOISE,
}  # fmt: skip


@node_class("KSampler", _K_SAMPLER, ("LATENT",), beside=True)
def k_sampler(
    run: Runtime, model: ModelHandle, seed: int, steps: int, cfg: float, sampler_name: str, scheduler: str,
    positive: Conditionings, negative: Conditionings, latent_image: Latent, denoise: float,
) -> tuple[Latent]:  # fmt: skip
    """Denoise: sampler, scheduler, cfg and denoise as in ComfyUI; regions and redraw from beside the graph."""
    from imagewright.t2i_backends.denoising.sampler import Request

    sigmas = _planned(model, sampler_name, scheduler, steps, denoise)
    facts = {"scheduler": scheduler, "denoise": f"{denoise:g}"}
    asked = Request(model, positive, negative, cfg, sampler_name, sigmas, latent_image, seed, steps, facts)
    return (run.sample(asked),)


_ADVANCED = {
    "model": _MODEL, "add_noise": choice("enable", "disable"), "noise_seed": _SEED, "steps": _STEPS, "cfg": _CFG,
    "sampler_name": _SAMPLER, "scheduler": _SCHEDULER, "positive": _CONDITIONING, "negative": _CONDITIONING,
    "latent_image": _LATENT, "start_at_step": whole(0, 10_000, default=0),
    "end_at_step": whole(0, 10_000, default=10_000), "return_with_leftover_noise": choice("disable", "enable"),
}  # fmt: skip


@node_class("KSamplerAdvanced", _ADVANCED, ("LATENT",), beside=True)
def k_sampler_advanced(
    run: Runtime, model: ModelHandle, add_noise: str, noise_seed: int, steps: int, cfg: float, sampler_name: str,
    scheduler: str, positive: Conditionings, negative: Conditionings, latent_image: Latent, start_at_step: int,
    end_at_step: int, return_with_leftover_noise: str,
) -> tuple[Latent]:  # fmt: skip
    """Some steps of a schedule: with or without fresh noise, to the end or leaving noise for the next sampler."""
    from imagewright.t2i_backends.denoising.sampler import Request

    def cut(found: list[float]) -> list[float]:
        part = found[: end_at_step + 1]
        if return_with_leftover_noise == "disable" and len(part) < len(found):
            part = [*part[:-1], 0.0]
        return part[start_at_step:] if start_at_step < len(part) - 1 else []

    sigmas = _planned(model, sampler_name, scheduler, steps, 1.0, cut)
    seed = noise_seed if add_noise == "enable" else None
    facts = {"scheduler": scheduler, "denoise": "1"}
    done = max(min(end_at_step, steps) - start_at_step, 0)
    return (run.sample(Request(model, positive, negative, cfg, sampler_name, sigmas, latent_image, seed, done, facts)),)


@node_class("KSamplerSelect", {"sampler_name": _SAMPLER}, ("SAMPLER",))
def sampler_select(run: Runtime, sampler_name: str) -> tuple[str]:
    """A sampler by its name."""
    return (sampler_name,)


@node_class(
    "BasicScheduler",
    {"model": _MODEL, "scheduler": _SCHEDULER, "steps": _STEPS, "denoise": _DENOISE},
    ("SIGMAS",),
)
def basic_scheduler(run: Runtime, model: ModelHandle, scheduler: str, steps: int, denoise: float) -> tuple[Sigmas]:
    """A schedule over the model's noise levels."""
    return (_planned(model, "", scheduler, steps, denoise),)


@node_class(
    "BetaSamplingScheduler",
    {"model": _MODEL, "steps": _STEPS, "alpha": real(0.01, 50, default=0.6), "beta": real(0.01, 50, default=0.6)},
    ("SIGMAS",),
)
def beta_scheduler(run: Runtime, model: ModelHandle, steps: int, alpha: float, beta: float) -> tuple[Sigmas]:
    """A schedule at the quantiles of any Beta distribution."""

    def make(table: Callable[[ModelHandle], Table], strength: float) -> list[float]:
        return _fixed(schedules.beta_quantiles(table(model), steps, alpha, beta))(table, strength)

    return (make,)


@node_class(
    "KarrasScheduler",
    {
        "steps": _STEPS, "sigma_max": real(0.001, 5000, default=14.614642),
        "sigma_min": real(0.0001, 5000, default=0.0291675), "rho": real(0.01, 100, default=7.0),
    },
    ("SIGMAS",),
)  # fmt: skip
def karras_scheduler(run: Runtime, steps: int, sigma_max: float, sigma_min: float, rho: float) -> tuple[Sigmas]:
    """The schedule of Karras et al. between two sigmas."""
    return (_fixed(schedules.karras_between(sigma_min, sigma_max, steps, rho)),)


@node_class("SplitSigmas", {"sigmas": link("SIGMAS"), "step": whole(0, 10_000, default=0)}, ("SIGMAS", "SIGMAS"))
def split_sigmas(run: Runtime, sigmas: Sigmas, step: int) -> tuple[Sigmas, Sigmas]:
    """A schedule before and after a step."""
    return (lambda table, strength: sigmas(table, strength)[: step + 1]), (
        lambda table, strength: sigmas(table, strength)[step:]
    )


@node_class("BasicGuider", {"model": _MODEL, "conditioning": _CONDITIONING}, ("GUIDER",))
def basic_guider(run: Runtime, model: ModelHandle, conditioning: Conditionings) -> tuple[Guider]:
    """One pass a step, without a negative."""
    return (Guider(model, conditioning),)


@node_class(
    "CFGGuider", {"model": _MODEL, "positive": _CONDITIONING, "negative": _CONDITIONING, "cfg": _CFG}, ("GUIDER",)
)
def cfg_guider(
    run: Runtime, model: ModelHandle, positive: Conditionings, negative: Conditionings, cfg: float
) -> tuple[Guider]:
    """Classifier-free guidance."""
    return (Guider(model, positive, negative, cfg),)


@node_class("RandomNoise", {"noise_seed": _SEED}, ("NOISE",))
def random_noise(run: Runtime, noise_seed: int) -> tuple[Noise]:
    """Noise from a seed."""
    return (Noise(noise_seed),)


@node_class("DisableNoise", {}, ("NOISE",))
def disable_noise(run: Runtime) -> tuple[Noise]:
    """No noise at all."""
    return (Noise(None),)


_OUT = ("LATENT", "LATENT")


@node_class(
    "SamplerCustom",
    {
        "model": _MODEL, "add_noise": truth(default=True), "noise_seed": _SEED, "cfg": _CFG, "positive": _CONDITIONING,
        "negative": _CONDITIONING, "sampler": link("SAMPLER"), "sigmas": link("SIGMAS"), "latent_image": _LATENT,
    },
    _OUT,
    beside=True,
)  # fmt: skip
def sampler_custom(
    run: Runtime, model: ModelHandle, add_noise: bool, noise_seed: int, cfg: float, positive: Conditionings,
    negative: Conditionings, sampler: str, sigmas: Sigmas, latent_image: Latent,
) -> tuple[Latent, Latent]:  # fmt: skip
    """Denoise along any schedule; both outputs are the result."""
    noise = Noise(noise_seed if add_noise else None)
    return sampler_custom_advanced(run, noise, Guider(model, positive, negative, cfg), sampler, sigmas, latent_image)


@node_class(
    "SamplerCustomAdvanced",
    {
        "noise": link("NOISE"), "guider": link("GUIDER"), "sampler": link("SAMPLER"), "sigmas": link("SIGMAS"),
        "latent_image": _LATENT,
    },
    _OUT,
    beside=True,
)  # fmt: skip
def sampler_custom_advanced(
    run: Runtime, noise: Noise, guider: Guider, sampler: str, sigmas: Sigmas, latent_image: Latent
) -> tuple[Latent, Latent]:
    """Denoise along any schedule with any guider; both outputs are the result."""
    from imagewright.t2i_backends.denoising.sampler import Request

    found = run.sample(
        Request(guider.model, guider.positive, guider.negative, guider.cfg, sampler, sigmas, latent_image, noise.seed)
    )
    return found, found
