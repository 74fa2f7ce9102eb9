"""The measurement of our loop against the stock pipelines, on tiny shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.bench import random_models
from imagewright.t2i_backends.bench import speed as bench
from imagewright.t2i_backends.bench.speed import SpeedOrder, compare, levels_of
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models import loading
from imagewright.t2i_backends.models.memory import LEVELS
from imagewright.t2i_backends.models.model_store import ModelStore


@pytest.mark.parametrize("family", known_families())
def test_random_weights_in_a_shape_are_measured_at_each_level(family_root: Path, family: str) -> None:
    found = compare([family_root], "cpu", SpeedOrder(f"random:{family}", 16, 2, 3), LEVELS)
    assert [one.level for one in found] == list(LEVELS)
    for one in found:
        assert not one.problem
        assert min(one.ours, one.stock, one.ours_peak, one.stock_peak, one.text_peak) > 0
        assert one.low <= one.overhead <= one.high


def test_both_arms_do_the_same_work(family_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of the diffusion model a step on either side, on the model where the level has put it."""
    calls: list[str] = []
    place = ModelStore._settle

    def counted(store: ModelStore, model: Any, storage: str = "") -> None:
        place(store, model, storage)
        if "UNet" in type(model).__name__:
            model.register_forward_pre_hook(lambda *call: calls.append("step"))

    monkeypatch.setattr(ModelStore, "_settle", counted)
    compare([family_root], "cpu", SpeedOrder("sd15", 16, 4, 3), ["none"])
    assert len(calls) == 2 * (1 + 3) * 4


def test_too_little_memory_at_one_level_is_what_is_found(family_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = bench._measured

    def measure(store: ModelStore, level: str, *rest: Any) -> Any:
        if level == "none":
            raise torch.OutOfMemoryError("no")
        return measured(store, level, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(bench, "_measured", measure)
    none, model = compare([family_root], "cpu", SpeedOrder("sd15", 16, 2, 3), ["none", "model"])
    assert (none.problem, none.ours) == ("too little memory", 0)
    assert model.ours > 0


def test_levels_by_name() -> None:
    assert levels_of("", "cpu") == ("none",)
    assert levels_of("group, none", "cpu") == ("none", "group")
    with pytest.raises(BadInput, match="no offload level"):
        levels_of("none,disk", "cpu")


@pytest.mark.parametrize(
    ("name", "words"),
    [("random:gone", "no diffusers folder"), ("random:../sd15", "leaves the models folder"),
     ("sdxl-refiner", "StableDiffusionXLImg2ImgPipeline")],
)  # fmt: skip
def test_what_cannot_be_measured_is_one_line(family_root: Path, name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        compare([family_root], "cpu", SpeedOrder(name, 16, 2, 3), ["none"])


def test_a_size_that_does_not_fit_is_one_line(family_root: Path) -> None:
    with pytest.raises(BadInput, match="18 pixels do not fit") as caught:
        compare([family_root], "cpu", SpeedOrder("flux", 18, 2, 3), ["none"])
    assert caught.value.remedy == "use a multiple of 4"


def test_random_models_have_the_shape_of_the_loaded_ones(family_root: Path) -> None:
    """Same parameters, same numbers that are no weights; nothing is left as memory was found."""
    from imagewright.t2i_backends.bench.random_models import RandomModels
    from imagewright.t2i_backends.models.model_files import ModelFiles
    from imagewright.t2i_backends.values.handles import ClipHandle

    for family in known_families():
        source = ModelFiles([family_root]).find("checkpoints", family)
        assert source is not None
        made, real = RandomModels(), loading
        with loading.quiet():
            pairs = [(loader.load_net(source, torch.float32), loader.load_vae(source, torch.float32, family),
                  loader.load_encoders(ClipHandle((source,)), torch.float32)) for loader in (made, real)]  # fmt: skip
        for one, other in zip(*([x[0].model, x[1].model, *(m for m, _ in x[2].parts.values())] for x in pairs),
                              strict=True):  # fmt: skip
            shapes = [{name: p.shape for name, p in model.named_parameters()} for model in (one, other)]
            assert shapes[0] == shapes[1]
            assert all(float(p.abs().max()) < 0.2 for p in one.parameters())
            for (name, mine), (_, theirs) in zip(one.named_buffers(), other.named_buffers(), strict=True):
                assert torch.equal(mine, theirs), name


def test_random_models_are_not_initialised_twice() -> None:
    """At full size the models' own start takes minutes; what torch would fill is left as it is."""
    with random_models._plain_memory(torch.bfloat16):
        layer = torch.nn.Linear(64, 64)
        before = layer.weight.detach().fill_(3.0).clone()
        for start in (torch.nn.init.normal_, torch.nn.init.kaiming_uniform_, torch.nn.init.uniform_):
            start(layer.weight)
    assert layer.weight.dtype == torch.bfloat16
    assert torch.equal(layer.weight, before)


def test_a_truncated_start_comes_to_an_end() -> None:
    with random_models._plain_memory(torch.float32):
        weight = torch.empty(8, 8)
        torch.nn.init.trunc_normal_(weight, mean=0.5, std=0.1, a=0.0, b=1.0)
    assert (weight == 0.5).all()
