"""Masks, areas, crops, ties, noise and shifts, by ComfyUI's rules and by those of before."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.t2i_backends.denoising.denoise import Conditioned, Denoiser, Kept
from imagewright.t2i_backends.denoising.sampler import _cells, _sides, draw_noise
from imagewright.t2i_backends.denoising.samplers.base import Source
from imagewright.t2i_backends.denoising.samplers.table import SAMPLERS
from imagewright.t2i_backends.denoising.sigmas import normal, sgm_uniform
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.families.sd15 import SD15
from imagewright.t2i_backends.families.unet import UNet
from imagewright.t2i_backends.pictures.pixels import cut_cells, cut_mask
from imagewright.t2i_backends.values.handles import Area
from imagewright.t2i_backends.values.noise_levels import Betas, Distilled, Shift, boundary
from imagewright.t2i_backends.values.rules import Rules, parse_rules

NET = Net(None, SD15(), {}, 8, 4)
SHAPE = (1, 4, 64, 64)


# --- masks ---


def masked(studio: Any, sampler: str, share: float, rules: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    """The latents of a picture drawn under an even mask, and those of the picture itself."""
    folder = studio.backend.files.roots[0] / "input"
    folder.mkdir(exist_ok=True)
    value = round(share * 255)
    Image.fromarray(np.full((16, 16, 3), value, dtype=np.uint8)).save(folder / f"even{value}.png")
    graph = studio.graph_of("sd15", sampler_name=sampler)
    graph["load"] = studio.node("LoadImage", image="noise.png")
    graph["mask"] = studio.node("LoadImageMask", image=f"even{value}.png", channel="red")
    graph["enc"] = studio.node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2])
    graph["set"] = studio.node("SetLatentNoiseMask", samples=["enc", 0], mask=["mask", 0])
    graph["ks"]["inputs"]["latent_image"] = ["set", 0]
    found = studio.latents(graph, rules=rules)
    picture = studio.backend.files.roots[0] / "input" / "noise.png"
    vae = studio.backend.store.vae(_vae(studio), "sd15")
    from imagewright.t2i_backends.pictures.pixels import encode_picture

    return found, encode_picture(vae, Image.open(picture).convert("RGB"))


def _vae(studio: Any) -> Any:
    from imagewright.t2i_backends.values.handles import VaeHandle

    return VaeHandle(studio.backend.files.find("checkpoints", "sd15"))


def test_a_soft_mask_counts_once() -> None:
    """The last x0 estimate has the mask in it: ``m x + (1 - m) p``. Before, it was put on once more."""
    picture, x0, share = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2), torch.full((1, 4, 2, 2), 0.5)
    kept = Kept(picture, picture, share, Betas())
    once = kept.after(x0)
    assert torch.equal(once, torch.full_like(once, 0.5))
    assert not kept.after_all
    assert torch.equal(kept.after(once), torch.full_like(once, 0.25))


def test_a_soft_mask_counts_once_when_drawn(studio: Any, input_picture: str) -> None:
    """With mask 0.5 the second application halved what was drawn: the two rules differ by exactly that."""
    now, picture = masked(studio, "euler", 128 / 255)
    before, _ = masked(studio, "euler", 128 / 255, "1")
    share = 128 / 255
    assert torch.allclose(before, now * share + picture * (1 - share), atol=1e-4)
    assert (now - before).abs().max() > 1e-2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_hard_mask_is_as_before(studio: Any, input_picture: str, share: float) -> None:
    assert torch.allclose(*(masked(studio, "euler", share, rules)[0] for rules in ("", "1")), atol=1e-5)


def test_ddim_noises_what_is_kept_with_the_next_seeds_noise(studio: Any, input_picture: str) -> None:
    """Under a mask, ``ddim`` is ``euler`` with other noise for the kept part; without one they are the same."""
    assert torch.equal(*(studio.latents(studio.graph_of("sd15", sampler_name=name)) for name in ("euler", "ddim")))
    euler, ddim = (masked(studio, name, 128 / 255)[0] for name in ("euler", "ddim"))
    assert (euler - ddim).abs().max() > 1e-3
    assert torch.equal(*(masked(studio, name, 128 / 255, "1")[0] for name in ("euler", "ddim")))
    seen: list[torch.Tensor] = []
    before = Kept.before

    def watch(self: Kept, x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(self.noise)
        return before(self, x, sigma)

    try:
        Kept.before = watch  # type: ignore[method-assign]
        masked(studio, "ddim", 128 / 255)
    finally:
        Kept.before = before  # type: ignore[method-assign]
    assert torch.equal(seen[0], draw_noise(8, (1, 4, 8, 8)))


# --- areas and crops ---


@pytest.mark.parametrize(
    ("box", "now", "before"),
    [
        ((100, 20, 60, 200), (12, 2, 19, 27), (12, 2, 20, 28)),
        ((8, 16, 64, 64), (1, 2, 9, 10), (1, 2, 9, 10)),
        ((0, 0, 4, 4), (0, 0, 1, 1), (0, 0, 0, 0)),
    ],
)
def test_areas_in_pixels_are_cut_down_to_whole_cells(
    box: tuple[int, int, int, int], now: tuple[int, ...], before: tuple[int, ...]
) -> None:
    area = Area(*box, fractions=False)
    assert _sides(area, NET, SHAPE, before=False) == now
    assert _sides(area, NET, SHAPE, before=True) == before


def test_areas_in_shares_round_place_and_size_each() -> None:
    area = Area(0.1, 0.26, 0.33, 0.004, fractions=True)
    assert _sides(area, NET, SHAPE, before=False) == (6, 17, 6 + 21, 17 + 1)


def test_an_area_stays_on_the_canvas() -> None:
    from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

    found = Conditioning(torch.zeros(1, 1, 1), None, ClipHandle(()), area=Area(480, 0, 4000, 100, fractions=False))
    assert _cells(found, NET, SHAPE, None) == (4, 12, 60, 0)


def test_areas_beside_a_controlnet_grow() -> None:
    from imagewright.t2i_backends.families.sd3 import SD3
    from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

    box = Area(24, 40, 88, 72, fractions=False)
    found = Conditioning(torch.zeros(1, 1, 1), None, ClipHandle(()), area=box, controls=(None,))  # type: ignore[arg-type]
    assert _cells(found, Net(None, SD3(), {}, 8, 16), SHAPE, None) == (12, 10, 2, 4)


@pytest.mark.parametrize(("rules", "area"), [("", (11, 9, 3, 5)), ("2", (12, 10, 2, 4))])
def test_areas_of_odd_cells_stay_odd(rules: str, area: tuple[int, ...]) -> None:
    """In models that read two cells at once; by the earlier rules they grew to whole tokens."""
    from imagewright.t2i_backends.families.sd3 import SD3
    from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

    box = Area(24, 40, 88, 72, fractions=False)
    found = Conditioning(torch.zeros(1, 1, 1), None, ClipHandle(()), area=box)
    assert _cells(found, Net(None, SD3(), {}, 8, 16), SHAPE, None, parse_rules(rules)) == area


def test_an_odd_area_is_continued_from_its_other_side() -> None:
    """The model sees whole tokens, and what it says of the rest is left out."""
    from imagewright.t2i_backends.families.base import Inputs
    from imagewright.t2i_backends.families.sd3 import SD3

    seen: list[torch.Tensor] = []

    class Twice(SD3):
        def x0(self, net: Net, table: Any, x: torch.Tensor, *_: Any) -> torch.Tensor:
            seen.append(x)
            return x * 2

    x = torch.arange(2 * 5 * 7, dtype=torch.float32).reshape(1, 2, 5, 7)
    part = Conditioned(Inputs(torch.zeros(1, 1, 1), None), area=(3, 5, 1, 2))
    family = Twice()
    denoiser = Denoiser(family, Net(None, family, {}, 8, 2), Shift(3.0), (part,))
    found = denoiser(x, 0.5, 0)
    assert seen[0].shape == (1, 2, 4, 6)
    assert torch.equal(seen[0][:, :, 3, :5], x[:, :, 1, 2:7])
    assert torch.equal(seen[0][:, :, :3, 5], x[:, :, 1:4, 2])
    assert torch.allclose(found[:, :, 1:4, 2:7], x[:, :, 1:4, 2:7] * 2)


def test_the_box_around_a_mask_has_eight_cells_a_side() -> None:
    from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning

    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 10:13, 60:62] = 1
    found = Conditioning(torch.zeros(1, 1, 1), None, ClipHandle(()), mask_bounds=True)
    assert _cells(found, NET, SHAPE, mask) == (8, 4, 10, 60)
    assert _cells(found, NET, SHAPE, mask, parse_rules("2")) == (3, 2, 10, 60)


@pytest.mark.parametrize(("side", "first"), [(512, 0), (515, 1), (517, 2), (519, 3)])
def test_odd_sizes_are_cut_in_their_middle(side: int, first: int) -> None:
    ramp = torch.arange(side)[None, None, None].expand(1, 1, 16, side)
    found = cut_cells(ramp, 8)
    assert (int(found[..., 0].max()), found.shape[-1]) == (first, 512)
    assert int(cut_cells(ramp, 8, before=True)[0, 0, 0, 0]) == 0
    assert np.array_equal(cut_mask(np.ones((1, 16, side), dtype=np.float32), 8).shape, (1, 16, 512))


def test_an_odd_picture_goes_through_the_vae_from_its_middle(tmp_path: Path, tiny: ModuleType, studio_at: Any) -> None:
    """19 x 16 with cells of 2 pixels loses its last column; 1 pixel over leaves nothing to share between both sides.
    A frame of one pixel around a picture of whole cells of 4 is what is cut: both encode alike."""
    tiny.sd15().save_pretrained(tmp_path / "checkpoints" / "sd15")
    studio = studio_at(tmp_path)
    vae = studio.backend.store.vae(_vae(studio), "sd15")
    from dataclasses import replace

    from imagewright.t2i_backends.pictures.pixels import encode_picture

    coarse = replace(vae, scale=4)
    inner = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    framed = np.pad(inner, ((1, 1), (1, 1), (0, 0)))
    pair = [encode_picture(coarse, Image.fromarray(each)) for each in (inner, framed)]
    assert torch.equal(*pair)
    assert not torch.equal(pair[0], encode_picture(coarse, Image.fromarray(framed), before=True))


# --- noise levels ---


TIES = {
    ("normal", 5): [999, 749, 500, 250, 0],
    ("normal", 7): [999, 833, 666, 500, 333, 166, 0],
    ("sgm_uniform", 8): [999, 874, 749, 624, 500, 375, 250, 125],
    ("sgm_uniform", 14): [999, 928, 856, 785, 714, 642, 571, 499, 428, 357, 285, 214, 143, 71],
}
"""What ComfyUI 0.33.0 asks SD1.5 for: 499.5 is 500 in three of them and 499 in one, 166.5 is 166."""


@pytest.mark.parametrize("schedule", TIES)
def test_ties_go_where_comfyuis_rounding_takes_them(schedule: tuple[str, int]) -> None:
    """A time half-way between two training steps is either of them, as float32 rounds its sigma."""
    table, (name, steps) = Betas(), schedule
    sigmas = {"normal": normal, "sgm_uniform": sgm_uniform}[name](table, steps)
    assert table.time(np.array(sigmas[:-1])).tolist() == TIES[schedule]


@pytest.mark.parametrize("sampler", ["dpm_2_ancestral", "dpmpp_2s_ancestral"])
def test_the_middle_of_an_ancestral_step_has_a_tie_of_its_own(sampler: str) -> None:
    """That middle is the next sigma but for rounding: 832.5 is 832 for it and 833 for the next step."""
    table = Betas()
    seen: list[float] = []

    def denoise(x: torch.Tensor, sigma: float, step: int) -> torch.Tensor:
        seen.append(float(table.time(np.array(sigma))))
        return x / 2

    SAMPLERS[sampler](denoise, torch.ones(1, 2), normal(table, 7), lambda *a: None, Source(table, 1))
    assert seen == [999, 832, 833, 666, 666, 500, 500, 333, 333, 166, 166, 0, 0]


def test_lcm_sampling_has_fifty_levels() -> None:
    """Every twentieth training step from the last one down; between them log sigma runs straight."""
    base, table = Betas(), Distilled(Betas())
    assert len(table.sigmas()) == 50
    assert table.sigmas()[0] == base.sigmas()[19]
    assert table.sigmas()[-1] == base.sigmas()[999]
    assert table.sigmas()[1] == base.sigmas()[39]
    assert float(table.time(table.sigmas()[1])) == 39
    assert float(table.sigma(np.array(39.0))) == pytest.approx(float(base.sigmas()[39]))
    middle = math.sqrt(float(base.sigmas()[39]) * float(base.sigmas()[59]))
    assert float(table.sigma(np.array(49.0))) == pytest.approx(middle)
    assert table.at(0) == 1e9
    assert table.at(1) == 0


def test_lcm_boundary_is_diffusers() -> None:
    """The same as diffusers' LCMScheduler computes."""
    from diffusers import LCMScheduler

    scheduler = LCMScheduler()
    for time in (19, 259, 999):
        skip, out = scheduler.get_scalings_for_boundary_condition_discrete(time)
        assert boundary(time) == pytest.approx((float(skip), float(out)))


@pytest.mark.parametrize("sampling", ["eps", "lcm", "x0", "v_prediction"])
def test_model_sampling_discrete(studio: Any, sampling: str) -> None:
    graph = studio.graph_of("sd15", sampler_name="lcm" if sampling == "lcm" else "euler")
    graph["ms"] = studio.node("ModelSamplingDiscrete", model=["ckpt", 0], sampling=sampling, zsnr=False)
    graph["ks"]["inputs"]["model"] = ["ms", 0]
    found = studio.latents(graph)
    assert torch.isfinite(found).all()
    plain = studio.latents(studio.graph_of("sd15", sampler_name="lcm" if sampling == "lcm" else "euler"))
    assert torch.allclose(found, plain) == (sampling == "eps")


def test_an_x0_model_gives_its_answer() -> None:
    class Net_:
        extra: dict[str, str] = {"prediction": "sample"}  # noqa: RUF012
        scheduler: dict[str, str] = {}  # noqa: RUF012

    answer = torch.ones(1)
    assert torch.equal(UNet._estimate(SD15(), Net_(), torch.zeros(1), 3.0, 5.0, answer), answer)  # type: ignore[arg-type]


# --- the shift that stays another, told and switched ---


def test_flux_by_size_is_told_and_switched(
    model_root: Path, make_flow: Callable[..., Any], make_job: Callable[..., Any], draw: Callable[..., Any]
) -> None:
    """Without a node the shift follows the picture's size, and the trace says so; ``shift=comfyui`` is the node's."""
    flow = make_flow(ckpt_ckpt_name="dynamic")
    own = draw(make_job(flow))
    assert "ModelSamplingFlux" in own.facts["fallbacks"]
    assert own.facts["rules"] == "4"
    fixed = draw(make_job(flow, rules="shift=comfyui"))
    assert "fallbacks" not in fixed.facts
    assert fixed.facts["rules"] == "4 shift=comfyui"
    graph = {**flow.graph, "ms": {"class_type": "ModelSamplingFlux", "inputs": {
        "model": ["ckpt", 0], "max_shift": 1.15, "base_shift": 0.5, "width": 1024, "height": 1024}}}  # fmt: skip
    graph["ks"] = {**graph["ks"], "inputs": {**graph["ks"]["inputs"], "model": ["ms", 0]}}
    noded = draw(make_job(flow.model_copy(update={"graph": graph})))
    assert noded.image.tobytes() == fixed.image.tobytes()
    assert "fallbacks" not in noded.facts


def test_a_node_for_another_familys_times_is_told(make_flow: Callable[..., Any], draw: Callable[..., Any],
                                                  make_job: Callable[..., Any]) -> None:  # fmt: skip
    """On FLUX a node for SD3 would scale the times a thousandfold in ComfyUI."""
    graph = {
        **make_flow().graph,
        "ms": {"class_type": "ModelSamplingSD3", "inputs": {"model": ["ckpt", 0], "shift": 3.0}},
    }
    graph["ks"] = {**graph["ks"], "inputs": {**graph["ks"]["inputs"], "model": ["ms", 0]}}
    told = draw(make_job(make_flow().model_copy(update={"graph": graph}))).facts["fallbacks"]
    assert "its shift alone counts here" in told


def test_a_static_shift_has_nothing_to_tell(draw: Callable[..., Any], make_job: Callable[..., Any]) -> None:
    assert "fallbacks" not in draw(make_job()).facts


# --- the rules ---


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", Rules()), ("4", Rules()), ("1", Rules(1)), ("99", Rules()), ("stock", Rules(4, "stock", "stock")),
        ("comfyui", Rules(4, "comfyui", "comfyui")), ("2 text=stock", Rules(2, "stock")),
        ("2 shift=comfyui", Rules(2, shift="comfyui")),
    ],
)  # fmt: skip
def test_rules_as_text(text: str, rules: Rules) -> None:
    assert parse_rules(text) == rules
    assert parse_rules(str(rules)) == rules


def test_rules_that_mean_nothing() -> None:
    with pytest.raises(BadInput, match="names no rules"):
        parse_rules("text=comfy")


def test_shift_at_every_size_is_comfyuis() -> None:
    from imagewright.t2i_backends.families.flux import Flux

    most, least, width, height = Flux.fixed_shift
    assert (most, least, width * height // 256) == (1.15, 0.5, 4096)
    assert Shift(math.exp(1.15)).alpha == pytest.approx(math.exp(1.15))


def test_a_redraw_keeps_its_border(
    draw: Callable[..., Any], make_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soft border of a redraw counts twice in the latents by every rule: earlier pictures' repairs stay theirs."""
    from imagewright.ports import Redraw
    from imagewright.schemas import Region

    picture = draw(make_job()).image
    redraw = Redraw(picture, (Region(caption="a cat", x=0.25, y=0.25, width=0.5, height=0.5),))
    seen: list[bool] = []
    after = Kept.after

    def watch(self: Kept, x0: torch.Tensor) -> torch.Tensor:
        seen.append(self.after_all)
        return after(self, x0)

    monkeypatch.setattr(Kept, "after", watch)
    images = [draw(make_job(redraw=redraw, rules=rules)).image.tobytes() for rules in ("", "1")]
    assert images[0] == images[1]
    assert seen
    assert all(seen)
