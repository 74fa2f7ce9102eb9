"""The variants: LoRAs that the executor can put on, and a few-step transformer that diffusers loads."""

import random
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from safetensors.torch import load_file
from torch import Tensor

from imagewright.t2i_backends.denoising.loras import wear
from imagewright.t2i_backends.families.base import Net
from imagewright.t2i_backends.families.flux import Flux
from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.architecture import build_pipeline, export_pipeline
from imagewright.t2i_backends.mini.training import train_variants
from imagewright.t2i_backends.mini.training.scenes import Scenes
from imagewright.t2i_backends.mini.training.train import Model, TrainingPlan
from imagewright.t2i_backends.mini.training.train_autoencoder import build_autoencoder
from imagewright.t2i_backends.mini.training.train_variants import LESSONS, Focused, train_few_steps, train_lora
from imagewright.t2i_backends.models.model_files import ModelPath

CPU = torch.device("cpu")
PLAN = TrainingPlan(steps=2, batch=2, seed=1, shard=24, region_share=0.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained pipeline whose blocks are not the identity, so that a LoRA inside them shows."""
    torch.manual_seed(0)
    pipeline = build_pipeline(build_autoencoder())
    for parameter in pipeline.transformer.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    folder = tmp_path_factory.mktemp("base")
    export_pipeline(pipeline, folder)
    return folder


@pytest.fixture(autouse=True)
def few_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_variants, "SHARDS", 1)


def _velocity(transformer: FluxTransformer2DModel) -> torch.Tensor:
    source = torch.Generator().manual_seed(3)
    ids = FluxPipeline._prepare_latent_image_ids(1, sizes.GRID, sizes.GRID, CPU, torch.float32)
    with torch.no_grad():
        found: torch.Tensor = transformer(
            hidden_states=torch.randn(1, sizes.GRID**2, 4 * sizes.LATENT_CHANNELS, generator=source),
            timestep=torch.tensor([0.5]), encoder_hidden_states=torch.randn(1, 4, 128, generator=source),
            pooled_projections=torch.randn(1, sizes.POOLED_WIDTH, generator=source), txt_ids=torch.zeros(4, 3),
            img_ids=ids, return_dict=False,
        )[0]  # fmt: skip
    return found


def test_a_lora_is_one_that_the_executor_puts_on_and_takes_off(base: Path, tmp_path: Path) -> None:
    file = train_lora("counting", base, tmp_path, tmp_path / "loras", PLAN, 0.05, CPU, compiled=False)
    transformer = FluxPipeline.from_pretrained(base, local_files_only=True).transformer
    plain = _velocity(transformer)
    net = Net(transformer, Flux(), {}, 8, sizes.LATENT_CHANNELS)
    with wear(net, [(ModelPath(file, None), 1.0)]):
        changed = _velocity(transformer)
    assert not torch.allclose(changed, plain, atol=1e-5)
    assert torch.equal(_velocity(transformer), plain)


def test_a_broken_off_lora_goes_on(base: Path, tmp_path: Path) -> None:
    whole = load_file(train_lora("relations", base, tmp_path / "a", tmp_path / "a", PLAN, 0.01, CPU, compiled=False))

    def stop_after_one(
        model: Model, data: Scenes, plan: TrainingPlan, step: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        if step == 1:
            raise KeyboardInterrupt
        return loss_of(model, data, plan, step, device)

    loss_of, half = train_variants.loss_of, tmp_path / "b"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_variants, "loss_of", stop_after_one)
        patch.setattr(train_variants, "SAVE_EVERY", 1)
        with pytest.raises(KeyboardInterrupt):
            train_lora("relations", base, half, half, PLAN, 0.01, CPU, compiled=False)
    assert not (half / "relations.safetensors").exists()
    resumed = load_file(train_lora("relations", base, half, half, PLAN, 0.01, CPU, compiled=False))
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-6)


def test_a_lesson_holds_only_its_scenes(base: Path, tmp_path: Path) -> None:
    vae = FluxPipeline.from_pretrained(base, local_files_only=True).vae
    for lesson, fits in LESSONS.items():
        data = Focused(fits, vae, tmp_path, 1, 24, CPU)
        data.grow(1)
        chosen = data.batch(random.Random(1), 30, 1.0, None)
        assert all(fits(data.scenes[i]) for i in chosen), lesson


def test_the_few_step_variant_is_a_transformer_of_its_own(base: Path, tmp_path: Path) -> None:
    folder = train_few_steps(base, tmp_path, tmp_path, PLAN, 1e-3, CPU, compiled=False)
    student = FluxTransformer2DModel.from_pretrained(folder, local_files_only=True).float()
    teacher = FluxPipeline.from_pretrained(base, local_files_only=True).transformer
    assert not torch.equal(_velocity(student), _velocity(teacher))
    assert student.config.in_channels == teacher.config.in_channels
