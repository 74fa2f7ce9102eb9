"""Flows drawn from end to end on a tiny random model: values, caching, progress, cancel, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from imagewright.errors import BadInput, Cancelled, CannotDraw
from imagewright.ports import Backend, Drawn, Job, Step
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.devices import bytes_per_number

MakeFlow = Callable[..., Flow]
MakeJob = Callable[..., Job]
Draw = Callable[[Job], Drawn]
Latents = Callable[[Job], torch.Tensor]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def with_nodes(flow: Flow, **nodes: dict[str, Any]) -> Flow:
    graph = {**flow.graph, **nodes}
    card = flow.card.model_copy(update={"slots": dict(find_slots(graph))})
    return flow.model_copy(update={"graph": graph, "card": card})


def test_it_is_a_backend(backend: DiffusersBackend) -> None:
    assert isinstance(backend, Backend)
    assert backend.name == "diffusers"


def test_a_picture_and_its_facts(draw: Draw, make_job: MakeJob) -> None:
    drawn = draw(make_job(seed=3, steps=2))
    assert drawn.image.size == (16, 16)
    assert drawn.seconds > 0
    wanted = {"device": "cpu", "dtype": "float32", "sampler": "euler", "scheduler": "simple", "steps": "2", "cfg": "1",
              "sigmas": "3", "seed": "3", "regions": "none"}  # fmt: skip
    assert wanted.items() <= drawn.facts.items()
    assert len(drawn.facts["model tiny"]) == 64
    assert "fallbacks" not in drawn.facts
    assert "truncated" not in drawn.facts
    assert all(isinstance(value, str) for value in drawn.facts.values())


def test_every_sampler_and_scheduler_runs_and_differs(
    latents_of: Latents, make_flow: MakeFlow, make_job: MakeJob
) -> None:
    found = [
        latents_of(make_job(make_flow(ks_sampler_name=sampler, ks_scheduler=scheduler)))
        for sampler, scheduler in itertools.product(("euler", "heun", "dpmpp_2m"), ("simple", "normal", "beta"))
    ]
    assert len(found) == 9
    for one, other in itertools.combinations(found, 2):
        assert (one - other).abs().max() > 1e-6


def test_the_request_fills_the_slots(latents_of: Latents, make_flow: MakeFlow, make_job: MakeJob) -> None:
    asked = latents_of(
        make_job(prompt="a blue cat", negative="a dog", seed=5, steps=2, guidance=4.0, width=24, height=20)
    )
    graph = make_flow(
        pos_text="a blue cat", neg_text="a dog", ks_seed=5, ks_steps=2, ks_cfg=4.0, size_width=24, size_height=20
    )
    assert asked.shape == (1, 4, 10, 12)
    assert torch.equal(asked, latents_of(make_job(graph, prompt="a blue cat", seed=5)))


def test_the_negative_prompt_counts_only_with_cfg(latents_of: Latents, make_flow: MakeFlow, make_job: MakeJob) -> None:
    plain = make_flow()
    guided = make_flow(ks_cfg=3.0)
    assert torch.equal(latents_of(make_job(plain, negative="a cat")), latents_of(make_job(plain, negative="a dog")))
    assert not torch.equal(
        latents_of(make_job(guided, negative="a cat")), latents_of(make_job(guided, negative="a dog"))
    )


def test_zeroed_out_conditioning(latents_of: Latents, make_flow: MakeFlow, make_job: MakeJob) -> None:
    zeroed = with_nodes(
        make_flow(ks_cfg=3.0, ks_negative=["zero", 0]), zero=node("ConditioningZeroOut", conditioning=["neg", 0])
    )
    found = latents_of(make_job(zeroed))
    assert not torch.equal(found, latents_of(make_job(make_flow(ks_cfg=3.0))))
    changed = zeroed.model_copy(
        update={"graph": {**zeroed.graph, "neg": node("CLIPTextEncode", text="a dog", clip=["ckpt", 1])}}
    )
    assert torch.equal(found, latents_of(make_job(changed)))


def test_components_from_their_own_loaders_draw_what_the_checkpoint_draws(
    model_root: Path, tmp_path: Path, make_flow: MakeFlow, make_job: MakeJob
) -> None:
    tiny = model_root / "checkpoints" / "tiny"
    for folder, source in {"diffusion_models/net": "transformer", "vae/coder": "vae", "text_encoders/both": ""}.items():
        (tmp_path / folder).parent.mkdir(parents=True)
        copy_tree(tiny / source, tmp_path / folder)
    for part in ("text_encoder", "text_encoder_2"):
        target = tmp_path / "text_encoders" / part
        copy_tree(tiny / part, target)
        copy_tree(tiny / part.replace("text_encoder", "tokenizer"), target)
    loaders = {
        "unet": node("UNETLoader", unet_name="net", weight_dtype="default"),
        "vae": node("VAELoader", vae_name="coder"),
    }
    backend = DiffusersBackend([tmp_path], device="cpu")
    flow = make_flow(
        drop=("ckpt",), pos_clip=["clip", 0], neg_clip=["clip", 0], ks_model=["unet", 0], dec_vae=["vae", 0],
        size_width=64, size_height=64,
    )  # fmt: skip
    images = []
    for one, other in (("both", "both"), ("text_encoder", "text_encoder_2"), ("text_encoder_2", "text_encoder")):
        clip = node("DualCLIPLoader", clip_name1=one, clip_name2=other, type="flux", device="default")
        with pytest.raises(BadInput, match="VAE"):
            backend.draw(make_job(with_nodes(flow, clip=clip, **loaders)), lambda step: None, lambda: False)
        text = backend._cache
        images.append(
            [e[0][0][0].embeds for e in text._kept.values() if isinstance(e, tuple) and isinstance(e[0][0], tuple)][-1]
        )
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def copy_tree(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in source.rglob("*"):
        if file.is_file():
            (target / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(source)).write_bytes(file.read_bytes())


def test_denoise_starts_from_the_given_latents(latents_of: Latents, make_flow: MakeFlow, make_job: MakeJob) -> None:
    """A second sampler on the first one's latents: with denoise 0 it changes nothing, with little it changes little."""

    def second(denoise: float) -> torch.Tensor:
        again = {**make_flow().graph["ks"]["inputs"], "latent_image": ["ks", 0], "denoise": denoise, "seed": 8}
        return latents_of(make_job(with_nodes(make_flow(dec_samples=["again", 0]), again=node("KSampler", **again))))

    first = latents_of(make_job())
    assert torch.equal(second(0.0), first.clone())
    little, much = ((second(denoise) - first).abs().mean() for denoise in (0.05, 0.6))
    assert 0 < little < much


def test_unchanged_nodes_are_not_run_again(draw: Draw, make_job: MakeJob, make_flow: MakeFlow) -> None:
    assert draw(make_job()).facts["nodes_run"] == "7"
    again = draw(make_job())
    assert (again.facts["nodes_run"], again.facts["nodes_cached"]) == ("1", "6")
    assert again.facts["sampler"] == "euler"
    seeded = draw(make_job(seed=8))
    assert (seeded.facts["nodes_run"], seeded.facts["nodes_cached"]) == ("4", "3")
    renamed = make_flow()
    renamed = renamed.model_copy(update={"graph": dict(reversed(renamed.graph.items()))})
    assert draw(make_job(renamed)).facts["nodes_cached"] == "6"


def test_a_changed_model_file_is_drawn_with(model_root: Path, tmp_path: Path, make_job: MakeJob) -> None:
    copy_tree(model_root / "checkpoints" / "tiny", tmp_path / "tiny")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "tiny").rename(tmp_path / "checkpoints" / "tiny")
    backend = DiffusersBackend([tmp_path], device="cpu")
    first = backend.draw(make_job(), lambda step: None, lambda: False)
    from safetensors.torch import load_file, save_file

    weights = tmp_path / "checkpoints" / "tiny" / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file({name: value * 1.5 for name, value in load_file(weights).items()}, weights, metadata={"format": "pt"})
    second = backend.draw(make_job(), lambda step: None, lambda: False)
    assert first.facts["model tiny"] != second.facts["model tiny"]
    assert first.image.tobytes() != second.image.tobytes()


def test_progress_of_every_step_with_previews(backend: DiffusersBackend, make_job: MakeJob) -> None:
    backend.preview_seconds = 0.0
    steps: list[Step] = []
    backend.draw(make_job(seed=21), steps.append, lambda: False)
    assert [(step.step, step.total) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert steps[0].preview is not None
    assert steps[0].preview.size == (16, 16)
    assert steps[-1].preview is None


def test_previews_do_not_change_the_picture(backend: DiffusersBackend, model_root: Path, make_job: MakeJob) -> None:
    backend.preview_seconds = 0.0
    one = backend.draw(make_job(), lambda step: None, lambda: False)
    other = DiffusersBackend([model_root], device="cpu").draw(make_job(), lambda step: None, lambda: False)
    assert one.image.tobytes() == other.image.tobytes()


def test_progress_counts_all_samplers(backend: DiffusersBackend, make_flow: MakeFlow, make_job: MakeJob) -> None:
    again = {**make_flow().graph["ks"]["inputs"], "latent_image": ["ks", 0], "denoise": 0.5, "steps": 3}
    flow = with_nodes(make_flow(dec_samples=["again", 0]), again=node("KSampler", **again))
    steps: list[Step] = []
    backend.draw(make_job(flow), steps.append, lambda: False)
    assert [(step.step, step.total) for step in steps] == [(i, 7) for i in range(1, 8)]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_cancel_between_steps(backend: DiffusersBackend, make_job: MakeJob, after: int) -> None:
    steps: list[Step] = []
    with pytest.raises(Cancelled):
        backend.draw(make_job(seed=99), steps.append, lambda: len(steps) >= after)
    assert len(steps) == after
    whole = backend.draw(make_job(seed=99), lambda step: None, lambda: False)
    assert whole.facts["steps"] == "4"


def test_a_prompt_that_is_too_long_is_reported(draw: Draw, make_job: MakeJob) -> None:
    short = draw(make_job(prompt="a red cat and a dog")).facts
    assert "truncated" not in short
    facts = draw(make_job(prompt="a red cat and " * 10)).facts
    assert "12 of 41 tokens" in facts["truncated"]
    assert "12 of 41 tokens" in draw(make_job(prompt="a red cat and " * 10)).facts["truncated"]


def test_what_is_left_out_is_noted(draw: Draw, make_flow: MakeFlow, make_job: MakeJob) -> None:
    zeroed = with_nodes(make_flow(ks_negative=["zero", 0]), zero=node("ConditioningZeroOut", conditioning=["pos", 0]))
    assert "negative" in draw(make_job(zeroed, negative="a dog")).facts["fallbacks"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ks_sampler_name": "euler_cfg_pp"}, ["sampler", "euler_cfg_pp"]),
        ({"ks_scheduler": "align_your_steps"}, ["scheduler", "align_your_steps"]),
        ({"ks_steps": 0}, ["KSampler ks.steps", "1 to 200"]),
        ({"ks_steps": 201}, ["KSampler ks.steps"]),
        ({"ks_steps": "20"}, ["KSampler ks.steps"]),
        ({"ks_steps": True}, ["KSampler ks.steps"]),
        ({"ks_steps": 2.5}, ["KSampler ks.steps"]),
        ({"ks_cfg": 1e9}, ["KSampler ks.cfg"]),
        ({"ks_cfg": 10**400}, ["KSampler ks.cfg"]),
        ({"ks_cfg": None}, ["KSampler ks.cfg"]),
        ({"ks_denoise": 1.5}, ["KSampler ks.denoise"]),
        ({"ks_denoise": 0.001}, ["denoise", "too small"]),
        ({"ks_model": ["ckpt", 1]}, ["KSampler ks.model", "MODEL", "CLIP"]),
        ({"ks_model": ["ckpt", 9]}, ["KSampler ks.model", "nothing"]),
        ({"ks_model": "ckpt"}, ["KSampler ks.model"]),
        ({"dec_samples": ["size", 0]}, ["empty latent"]),
        ({"pos_clip": 3}, ["CLIPTextEncode pos.clip"]),
        ({"size_width": 17}, ["17 x 16", "multiples of 4"]),
        ({"size_width": 4096}, ["EmptySD3LatentImage size.width", "2048"]),
        ({"size_height": -16}, ["EmptySD3LatentImage size.height"]),
        ({"ckpt_ckpt_name": "gone"}, ["gone"]),
        ({"ckpt_ckpt_name": "../tiny"}, ["leads out of its folder"]),
        ({"ckpt_ckpt_name": ["size", 0]}, ["CheckpointLoaderSimple ckpt.ckpt_name"]),
    ],
)
def test_values_that_are_refused(
    draw: Draw, make_flow: MakeFlow, make_job: MakeJob, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        draw(make_job(make_flow(**changes)))
    said = f"{caught.value} {caught.value.remedy}"
    assert all(word in said for word in words), said
    assert "\n" not in said


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 17}, {"height": 100_000}, {"steps": 0}, {"guidance": float("nan")}, {"guidance": float("inf")},
        {"seed": -1}, {"seed": 2**64}, {"seed": 10**400}, {"region_share": 2.0, "regions": ()},
    ],
)  # fmt: skip
def test_requests_that_are_refused(draw: Draw, make_job: MakeJob, fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        draw(make_job(**fields))


def test_the_largest_seed_is_good(draw: Draw, make_job: MakeJob) -> None:
    assert draw(make_job(seed=2**64 - 1)).facts["seed"] == str(2**64 - 1)


def test_graphs_that_are_refused(draw: Draw, make_flow: MakeFlow, make_job: MakeJob) -> None:
    with pytest.raises(BadInput, match="circle"):
        draw(make_job(make_flow(ks_latent_image=["ks", 0])))
    with pytest.raises(BadInput, match="SaveImage"):
        draw(make_job(make_flow(drop=("out",))))
    with pytest.raises(BadInput, match="not there"):
        draw(make_job(make_flow(drop=("dec",))))
    with pytest.raises(BadInput, match="FaceDetailer"):
        draw(make_job(with_nodes(make_flow(), extra=node("FaceDetailer"))))


def test_numbers_that_run_off_are_no_picture(model_root: Path, tmp_path: Path, make_job: MakeJob) -> None:
    from safetensors.torch import load_file, save_file

    copy_tree(model_root / "checkpoints", tmp_path / "checkpoints")
    weights = tmp_path / "checkpoints" / "tiny" / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file({name: value * 1e30 for name, value in load_file(weights).items()}, weights, metadata={"format": "pt"})
    with pytest.raises(CannotDraw, match="infinity"):
        DiffusersBackend([tmp_path], device="cpu").draw(make_job(), lambda step: None, lambda: False)


@pytest.mark.parametrize("damage", ["cut", "config", "weights"])
def test_a_broken_model_is_one_line(model_root: Path, tmp_path: Path, make_job: MakeJob, damage: str) -> None:
    copy_tree(model_root / "checkpoints", tmp_path / "checkpoints")
    folder = tmp_path / "checkpoints" / "tiny" / "transformer"
    weights = folder / "diffusion_pytorch_model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "config":
        (folder / "config.json").write_text("{")
    else:
        weights.unlink()
    with pytest.raises(BadInput) as caught:
        DiffusersBackend([tmp_path], device="cpu").draw(make_job(), lambda step: None, lambda: False)
    assert "\n" not in str(caught.value)


def test_devices() -> None:
    for name in ("gpu", "cpu:1", "cpu/int8", "cpu/"):
        with pytest.raises(BadInput, match="not a device"):
            DiffusersBackend([], device=name)
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no device"):
            _ = DiffusersBackend([], device="cuda").store


@pytest.mark.parametrize(
    ("name", "format_", "width"),
    [("cpu", "float32", 4), ("cpu/bfloat16", "bfloat16", 2), ("cpu/float32", "float32", 4)],
)
def test_a_device_may_state_the_number_format(
    model_root: Path, make_job: MakeJob, name: str, format_: str, width: int
) -> None:
    backend = DiffusersBackend([model_root], device=name)
    drawn = backend.draw(make_job(), lambda step: None, lambda: False)
    assert drawn.facts["dtype"] == format_
    assert (drawn.facts["device"], bytes_per_number(name)) == ("cpu", width)


def test_nothing_is_written(draw: Draw, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = draw(make_job()).image
    assert isinstance(image, Image.Image)
    assert not list(tmp_path.iterdir())


def test_guidance_that_a_model_cannot_take_is_noted(draw: Draw, make_flow: MakeFlow, make_job: MakeJob) -> None:
    guide = node("FluxGuidance", conditioning=["pos", 0], guidance=6.0)
    plain = draw(make_job(with_nodes(make_flow(ks_positive=["guide", 0]), guide=guide)))
    assert "guidance 6" in plain.facts["fallbacks"]
    embedded = draw(make_job(with_nodes(make_flow(ckpt_ckpt_name="dev", ks_positive=["guide", 0]), guide=guide)))
    assert "guidance" not in embedded.facts.get("fallbacks", "")
    assert embedded.facts["guidance"] == "6"
