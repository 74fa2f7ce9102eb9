"""Drawing boxes of an earlier picture anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagewright.errors import BadInput
from imagewright.ports import Drawn, Job, Redraw
from imagewright.schemas import Flow, Region
from imagewright.t2i_backends.denoising.redraw import paste, redrawn_share, soft_boxes
from imagewright.t2i_backends.denoising.sampler import draw_noise
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.families.flux import unpack_latents
from imagewright.t2i_backends.pictures.pixels import encode_picture
from imagewright.t2i_backends.values.handles import ModelHandle, VaeHandle

BOX = Region(caption="a cat", x=0.25, y=0.25, width=0.5, height=0.25)
"""Pixels 4 to 12 across and 4 to 8 down of a 16 x 16 picture."""


def noise_picture(width: int = 16, height: int = 16) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def far(cell: int = 2) -> np.ndarray[Any, Any]:
    """True for pixels that lie more than a latent cell outside the box."""
    found = np.ones((16, 16), dtype=bool)
    found[4 - cell : 8 + cell, 4 - cell : 12 + cell] = False
    return found


def test_soft_boxes_by_hand() -> None:
    row = soft_boxes([Region(caption="", x=0.25, y=0, width=0.5, height=1)], 8, 1, 2.0)[0]
    assert row.tolist() == [0.25, 0.75, 1, 1, 1, 1, 0.75, 0.25]
    assert soft_boxes([], 3, 2, 1.0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_pixels_outside_stay_bit_for_bit(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    before = noise_picture()
    after = np.asarray(draw(make_job(prompt="a cat", redraw=Redraw(before, (BOX,)))).image)
    old = np.asarray(before)
    assert np.array_equal(after[far()], old[far()])
    assert not np.array_equal(after[4:8, 4:12], old[4:8, 4:12])


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m"])
def test_the_model_sees_the_kept_part_at_the_right_noise(
    backend: DiffusersBackend, latents_of: Callable[[Job], torch.Tensor], make_job: Callable[..., Job],
    make_flow: Callable[..., Flow], sampler: str,
) -> None:  # fmt: skip
    """Far from the box every step starts from ``(1 - s) original + s noise``, and the original is what comes out."""
    found = backend.files.find("checkpoints", "tiny")
    assert found is not None
    calls: list[dict[str, Any]] = []
    model = backend.store.net(ModelHandle(found)).model
    model.register_forward_pre_hook(lambda module, args, kwargs: calls.append(kwargs), with_kwargs=True)
    before = noise_picture()
    latents = latents_of(make_job(make_flow(ks_sampler_name=sampler), redraw=Redraw(before, (BOX,), 0.5)))
    original = encode_picture(backend.store.vae(VaeHandle(found), "flux"), before)
    kept = torch.from_numpy(soft_boxes([BOX], 8, 8, 1.0) == 0)
    assert torch.allclose(latents[..., kept], original[..., kept], atol=1e-6)
    assert not torch.allclose(latents[..., ~kept], original[..., ~kept], atol=1e-3)
    noise = draw_noise(7, (1, 4, 8, 8))
    assert calls[0]["timestep"].item() < 1
    for call in calls:
        sigma = call["timestep"].item()
        seen = unpack_latents(call["hidden_states"], 8, 8)
        wanted = (1 - sigma) * original + sigma * noise
        assert torch.allclose(seen[..., kept], wanted[..., kept], atol=1e-5)


def test_seed_and_prompt_matter_inside_only(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    before = noise_picture()
    one, other = (np.asarray(draw(make_job(seed=seed, redraw=Redraw(before, (BOX,)))).image) for seed in (1, 2))
    assert not np.array_equal(one, other)
    assert np.array_equal(one[far()], other[far()])


def test_strength(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    before = draw(make_job()).image

    def change(strength: float) -> float:
        after = draw(make_job(prompt="a cat", seed=3, redraw=Redraw(before, (BOX,), strength))).image
        return float(np.abs(np.asarray(after, dtype=int) - np.asarray(before, dtype=int)).mean())

    assert change(0.0) == 0
    assert 0 < change(0.1) < change(1.0)


def test_regions_steer_a_redraw_too(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    redraw = Redraw(noise_picture(), (BOX,))
    plain, steered = (draw(make_job(redraw=redraw, regions=regions)) for regions in ((), (BOX,)))
    assert plain.image.tobytes() != steered.image.tobytes()
    assert steered.facts["regions"].startswith("1 in the first")


def test_the_size_is_the_pictures(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    wide = noise_picture(24, 16)
    assert draw(make_job(redraw=Redraw(wide, (BOX,)))).image.size == (24, 16)
    with pytest.raises(BadInput, match="size"):
        draw(make_job(width=16, redraw=Redraw(wide, (BOX,))))
    with pytest.raises(BadInput, match="do not fit"):
        draw(make_job(redraw=Redraw(noise_picture(18, 18), (BOX,))))


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_strengths_that_are_refused(
    draw: Callable[[Job], Drawn], make_job: Callable[..., Job], strength: float
) -> None:
    with pytest.raises(BadInput, match="strength"):
        draw(make_job(redraw=Redraw(noise_picture(), (BOX,), strength)))


def test_two_samplers_are_refused(
    draw: Callable[[Job], Drawn], make_job: Callable[..., Job], make_flow: Callable[..., Flow]
) -> None:
    flow = make_flow(dec_samples=["again", 0])
    again = {"class_type": "KSampler", "inputs": {**flow.graph["ks"]["inputs"], "latent_image": ["ks", 0]}}
    flow = flow.model_copy(update={"graph": {**flow.graph, "again": again}})
    with pytest.raises(BadInput, match="one KSampler"):
        draw(make_job(flow, redraw=Redraw(noise_picture(), (BOX,))))


def test_paste_blends_over_the_border() -> None:
    old, new = Image.new("RGB", (8, 1), (0, 0, 0)), Image.new("RGB", (8, 1), (200, 200, 200))
    box = Region(caption="", x=0.5, y=0, width=0.5, height=1)
    assert np.asarray(paste(new, old, [box], 2))[0, :, 0].tolist() == [0, 0, 50, 150, 200, 200, 200, 200]


# --- masks ----------------------------------------------------------------------------------


def hole() -> Image.Image:
    """An odd shape that is no box: two pixels' steps down from the left."""
    values = np.zeros((16, 16), dtype=np.uint8)
    for row in range(16):
        values[row, : row // 2 * 2] = 255
    return Image.fromarray(values)


def test_a_cell_of_the_latents_is_as_much_drawn_anew_as_the_most_of_its_pixels() -> None:
    mask = Image.new("L", (8, 4), 0)
    mask.putpixel((0, 0), 255)
    mask.putpixel((7, 3), 51)
    redraw = Redraw(noise_picture(8, 4), (), mask=mask)
    cells = redrawn_share(redraw, 4, 2, 1.0)
    assert cells == pytest.approx(np.array([[1, 0, 0, 0], [0, 0, 0, 0.2]]))
    assert redrawn_share(redraw, 8, 4, 1.0)[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


def test_what_a_mask_keeps_stays_bit_for_bit(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    before, mask = noise_picture(), np.asarray(hole())
    whole = Region(caption="the picture", x=0, y=0, width=1, height=1)
    after = np.asarray(draw(make_job(prompt="a cat", redraw=Redraw(before, (whole,), mask=hole()))).image)
    old = np.asarray(before)
    assert np.array_equal(after[mask == 0], old[mask == 0])
    assert np.abs(after[mask == 255].astype(int) - old[mask == 255]).mean() > 5


def test_another_mask_is_another_picture(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    before = noise_picture()
    whole = Region(caption="the picture", x=0, y=0, width=1, height=1)
    masks = hole(), Image.new("L", (16, 16), 255)
    one, other = (draw(make_job(redraw=Redraw(before, (whole,), mask=mask))).image.tobytes() for mask in masks)
    assert one != other
