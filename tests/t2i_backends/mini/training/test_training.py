"""The training scripts: they resume to the same numbers, and what they export is a plain diffusers folder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline
from PIL import Image

from imagewright.t2i_backends.mini.detector import find_things, load_detector
from imagewright.t2i_backends.mini.render import SIZE
from imagewright.t2i_backends.mini.training import train, train_autoencoder, train_detector
from imagewright.t2i_backends.mini.training.training import Average, load_if_there, save_atomically
from imagewright.t2i_backends.mini.world import COLOURS

CPU = torch.device("cpu")
PLAN = train.TrainingPlan(
    steps=4, batch=2, seed=1, regions_from=0.5, region_share=1.0, shard=12, grow_every=2, text_steps=2
)  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the autoencoder after one step."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_autoencoder, "CALIBRATED_ON", 8)
        train_autoencoder.train_autoencoder(folder, steps=1, batch=2, seed=1, device=CPU)
    return folder


def test_a_broken_off_training_goes_on_to_the_same_weights(work: Path, tmp_path: Path) -> None:
    train.train_flow(work, PLAN, CPU, tmp_path / "whole", compiled=False)
    whole = load_if_there(work / "mini.pt")
    (work / "mini.pt").unlink()

    def stop_after_two(
        model: train.Model, data: train.Scenes, plan: train.TrainingPlan, step: int, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if step == 2:
            raise KeyboardInterrupt
        return loss_of(model, data, plan, step, device)

    loss_of = train.loss_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "loss_of", stop_after_two)
        patch.setattr(train, "SAVE_EVERY", 2)
        with pytest.raises(KeyboardInterrupt):
            train.train_flow(work, PLAN, CPU, tmp_path / "half", compiled=False)
    halfway = load_if_there(work / "mini.pt")
    assert halfway is not None
    assert halfway["step"] == 2
    train.train_flow(work, PLAN, CPU, tmp_path / "resumed", compiled=False)
    resumed = load_if_there(work / "mini.pt")
    assert whole is not None
    assert resumed is not None
    for name, tensor in whole["model"].items():
        torch.testing.assert_close(resumed["model"][name], tensor, rtol=0, atol=1e-6)


def test_its_export_is_a_folder_for_stock_diffusers(work: Path, tmp_path: Path) -> None:
    train.train_flow(work, replace(PLAN, steps=1), CPU, tmp_path / "mini", compiled=False)
    pipe = FluxPipeline.from_pretrained(tmp_path / "mini", local_files_only=True)
    assert {
        p.dtype for m in (pipe.transformer, pipe.vae, pipe.text_encoder, pipe.text_encoder_2) for p in m.parameters()
    } == {torch.float32}
    image = pipe(
        "a red circle", negative_prompt="", height=128, width=128, max_sequence_length=32, true_cfg_scale=3.0,
        num_inference_steps=2,
    ).images[0]  # fmt: skip
    assert image.size == (128, 128)
    assert {"README.md", "world.json", "model_index.json"} <= {p.name for p in (tmp_path / "mini").iterdir()}
    assert max(p.stat().st_size for p in (tmp_path / "mini").rglob("*.safetensors")) < 15e6


def test_an_export_can_be_trained_further(work: Path, tmp_path: Path) -> None:
    train.train_flow(work, replace(PLAN, steps=1), CPU, tmp_path / "first", compiled=False)
    started = train.Model(train.first_pipeline(tmp_path / "more", PLAN, tmp_path / "first"))
    exported = FluxPipeline.from_pretrained(tmp_path / "first", local_files_only=True)
    for name, tensor in exported.transformer.state_dict().items():
        torch.testing.assert_close(started.transformer.state_dict()[name], tensor, rtol=0, atol=0)
    assert (tmp_path / "more" / "vae" / "config.json").is_file()


def test_a_detector_trains_resumes_and_loads(tmp_path: Path) -> None:
    for steps in (1, 4):  # the second plan is longer than the first allowed
        train_detector.train_detector("evidence", tmp_path, tmp_path, steps, 2, CPU, checked=2)
    net = load_detector(tmp_path / "detector-evidence.safetensors")
    found, background = find_things(net, Image.new("RGB", (SIZE, SIZE), "white"))
    assert isinstance(found, tuple)
    assert background in COLOURS


def test_the_map_loss_teaches_the_blocks_before_it(work: Path) -> None:
    model = train.Model(train.first_pipeline(work, replace(PLAN, text_steps=0), None))
    data = train.Scenes(model.transformer, work, 1, 12, CPU)
    data.vae = train.first_pipeline(work, replace(PLAN, text_steps=0), None).vae
    data.grow(1)
    flow, mapped = train.loss_of(model, data, PLAN, 0, CPU)
    mapped.backward()
    assert flow.isfinite()
    assert model.transformer.x_embedder.weight.grad is not None
    assert model.transformer.proj_out.weight.grad is None


def test_an_average_follows_and_a_save_is_whole(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    average = Average([weight], decay=0.5)
    with torch.no_grad():
        weight.fill_(1.0)
    for step in range(60):
        average.update([weight], step)
    torch.testing.assert_close(average.shadow[0], torch.ones(3), rtol=0, atol=1e-3)
    save_atomically({"a": average.shadow}, tmp_path / "x.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]
    assert load_if_there(tmp_path / "nothing.pt") is None
