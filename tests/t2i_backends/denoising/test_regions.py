"""Layout regions at the sampler: what the transformer is given, when, and what a region's prompt can change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from imagewright.errors import BadInput
from imagewright.ports import Drawn, Job
from imagewright.schemas import Flow, Region
from imagewright.t2i_backends.denoising.attention_masks import attention_mask, own_tokens
from imagewright.t2i_backends.denoising.denoise import Conditioned, Denoiser
from imagewright.t2i_backends.denoising.sampler import draw_noise
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.families.base import Inputs
from imagewright.t2i_backends.families.flux import Flux
from imagewright.t2i_backends.text.encode import encode_texts, texts_for
from imagewright.t2i_backends.values.handles import ClipHandle, ModelHandle
from imagewright.t2i_backends.values.noise_levels import Shift

LENGTH, TOKENS = 12, 16


def region(caption: str = "a cat", x: float = 0.0, width: float = 0.5) -> Region:
    return Region(caption=caption, x=x, y=0, width=width, height=1)


def watch(backend: DiffusersBackend) -> list[dict[str, Any]]:
    """Every call of the tiny transformer from now on: its keyword arguments."""
    found = backend.files.find("checkpoints", "tiny")
    assert found is not None
    calls: list[dict[str, Any]] = []
    model = backend.store.net(ModelHandle(found)).model
    model.register_forward_pre_hook(lambda module, args, kwargs: calls.append(kwargs), with_kwargs=True)
    return calls


def test_the_first_steps_see_regions_and_the_last_only_the_base(
    backend: DiffusersBackend,
    draw: Callable[[Job], Drawn],
    make_job: Callable[..., Job],
    make_flow: Callable[..., Flow],
) -> None:
    calls = watch(backend)
    flow = make_flow(ks_cfg=2.0, ks_steps=5)
    drawn = draw(make_job(flow, regions=(region(), region("a dog", 0.5)), negative="a square"))
    shapes = [tuple(call["encoder_hidden_states"].shape[:2]) for call in calls]
    assert shapes == [(1, 3 * LENGTH), (1, LENGTH)] * 3 + [(2, LENGTH)] * 2, "then both sides share a pass"
    for call in calls[:6:2]:
        mask = call["joint_attention_kwargs"]["attention_mask"]
        assert torch.equal(mask, attention_mask(LENGTH, LENGTH, own_tokens([region(), region("", 0.5)], 4, 4)))
        assert mask.shape[-1] == 3 * LENGTH + TOKENS
        assert len(call["txt_ids"]) == 3 * LENGTH
    assert all(not call["joint_attention_kwargs"] for call in (*calls[1:6:2], *calls[6:]))
    assert drawn.facts["regions"] == "2 in the first 3 of 5 steps"


def test_the_base_prompt_comes_first_and_gives_the_pooled_vector(
    backend: DiffusersBackend, draw: Callable[[Job], Drawn], make_job: Callable[..., Job]
) -> None:
    calls = watch(backend)
    draw(make_job())
    draw(make_job(regions=(region("a dog"),), region_share=1.0))
    draw(make_job(prompt="a dog"))
    plain, regional, dog = calls[0], calls[4], calls[8]
    assert torch.equal(regional["encoder_hidden_states"][:, :LENGTH], plain["encoder_hidden_states"])
    assert torch.equal(regional["encoder_hidden_states"][:, LENGTH:], dog["encoder_hidden_states"])
    assert torch.equal(regional["pooled_projections"], plain["pooled_projections"])


def test_share_bounds(latents_of: Callable[[Job], torch.Tensor], make_job: Callable[..., Job]) -> None:
    plain = latents_of(make_job())
    regions = (region("a blue dog"),)
    assert torch.equal(latents_of(make_job(regions=regions, region_share=0.0)), plain)
    some, all_steps = (latents_of(make_job(regions=regions, region_share=share)) for share in (0.01, 1.0))
    assert not torch.equal(some, plain)
    assert not torch.equal(some, all_steps)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(
    draw: Callable[[Job], Drawn], make_job: Callable[..., Job], share: float
) -> None:
    with pytest.raises(BadInput, match="share"):
        draw(make_job(regions=(region(),), region_share=share))


def test_a_regions_prompt_and_place_change_the_picture(
    latents_of: Callable[[Job], torch.Tensor], make_job: Callable[..., Job]
) -> None:
    cat = latents_of(make_job(regions=(region("a cat"),)))
    assert not torch.equal(cat, latents_of(make_job(regions=(region("a dog"),))))
    assert not torch.equal(cat, latents_of(make_job(regions=(region("a cat", 0.5),))))


def test_no_mask_outlives_its_job(latents_of: Callable[[Job], torch.Tensor], make_job: Callable[..., Job]) -> None:
    """Other regions and another size in between: the first job still draws the same, fresh from the sampler."""
    job = make_job(regions=(region(),))
    first = latents_of(job)
    latents_of(make_job(regions=(region("a dog", 0.5), region("a star")), width=24))
    again = latents_of(make_job(regions=(region(),), region_share=0.6))
    assert torch.equal(first, again)


def test_a_region_without_tokens_changes_nothing_at_all(backend: DiffusersBackend) -> None:
    """Its prompt reaches the picture through the mask only: with no token of its own it is as if not there."""
    found = backend.files.find("checkpoints", "tiny")
    assert found is not None
    clip = ClipHandle((found,))
    encoders = backend.store.text(clip)
    base, cat, dog = (encode_texts(encoders, clip, texts_for(t)) for t in ("a red circle", "a cat", "two blue dog"))
    net = backend.store.net(ModelHandle(found))
    x = draw_noise(1, (1, 4, 8, 8))

    def predict(other: Any, owned: torch.Tensor | None) -> torch.Tensor:
        embeds, mask = base.embeds, None
        if owned is not None:
            embeds, mask = torch.cat([embeds, other.embeds], dim=1), attention_mask(LENGTH, LENGTH, owned)
        part = Conditioned(Inputs(embeds, base.pooled, 3.5, mask=mask))
        with torch.inference_mode():
            return Denoiser(Flux(), net, Shift(1.0), (part,))(x, 0.8, 0)

    nothing = torch.zeros(1, TOKENS, dtype=torch.bool)
    corner = nothing.clone()
    corner[0, 0] = True
    plain = predict(None, None)
    assert torch.equal(predict(cat, nothing), predict(dog, nothing))
    assert torch.allclose(predict(cat, nothing), plain, atol=1e-5)
    assert not torch.equal(predict(cat, corner), predict(dog, corner))


def test_a_long_region_prompt_is_reported(draw: Callable[[Job], Drawn], make_job: Callable[..., Job]) -> None:
    facts = draw(make_job(regions=(region("a blue cat and " * 9),))).facts
    assert "12 of 37 tokens" in facts["truncated"]
