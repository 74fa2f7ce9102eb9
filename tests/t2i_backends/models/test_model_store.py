"""Loaded models: how many stay, and that quiet is quiet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from imagewright.ports import Drawn, Job, Redraw
from imagewright.schemas import Flow, Region
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.models.model_store import ModelStore
from imagewright.t2i_backends.values.handles import ModelHandle


def test_no_more_than_the_limit_stay(
    model_root: Path, make_flow: Callable[..., Flow], make_job: Callable[..., Job]
) -> None:
    backend = DiffusersBackend([model_root], device="cpu", model_cache=2)
    for seed, name in enumerate(("tiny", "dynamic", "tiny", "dev")):
        job = make_job(make_flow(ckpt_ckpt_name=name), prompt="a cat " * seed, seed=seed)
        backend.draw(job, lambda step: None, lambda: False)
    assert [backend.store.count_loaded(part) for part in ("net", "text", "vae")] == [2, 2, 2]
    assert backend.store.loads == 9
    backend.draw(make_job(make_flow(ckpt_ckpt_name="tiny"), seed=9), lambda step: None, lambda: False)
    assert backend.store.loads == 9
    backend.draw(make_job(make_flow(ckpt_ckpt_name="dynamic"), seed=9), lambda step: None, lambda: False)
    assert backend.store.loads > 9


def test_a_lone_transformer_file_with_its_config(
    model_root: Path, tmp_path: Path, make_flow: Callable[..., Flow], make_job: Callable[..., Job]
) -> None:
    """Loaded with the config beside it; without a pipeline around it the latent cells are FLUX's 8 pixels."""
    source = model_root / "checkpoints" / "tiny" / "transformer"
    folder = tmp_path / "diffusion_models"
    shutil.copytree(source, folder / "net")
    (folder / "net" / "diffusion_pytorch_model.safetensors").rename(folder / "net.safetensors")
    backend = DiffusersBackend([tmp_path, model_root], device="cpu")
    found = backend.files.find("diffusion_models", "net.safetensors")
    whole = backend.files.find("checkpoints", "tiny")
    assert found is not None
    assert whole is not None
    lone = backend.store.net(ModelHandle(found))
    other = backend.store.net(ModelHandle(whole))
    assert lone.scale == 8
    assert lone.scheduler == {"use_dynamic_shifting": False, "shift": 1.0}
    pairs = zip(lone.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_drawing_prints_nothing(
    backend: DiffusersBackend, make_job: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    backend.draw(make_job(prompt="a red cat and " * 10), lambda step: None, lambda: False)
    assert capfd.readouterr() == ("", "")


def test_the_first_picture_of_a_process_prints_nothing(model_root: Path, make_job: Callable[..., Job]) -> None:
    """Imports of optional packages are remarked on only in a fresh process."""
    code = (
        "import sys; from pathlib import Path; from imagewright.ports import Job; from imagewright.schemas import Flow;"
        "from imagewright.t2i_backends.diffusers_local import DiffusersBackend;"
        "flow = Flow.model_validate_json(sys.stdin.read());"
        "backend = DiffusersBackend([Path(sys.argv[1])], device='cpu');"
        "backend.draw(Job(flow, 'a cat'), lambda step: None, lambda: False)"
    )
    flow = make_job().flow.model_dump_json()
    run = subprocess.run([sys.executable, "-c", code, str(model_root)], input=flow, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_bfloat16_draws_nearly_the_same(
    backend: DiffusersBackend,
    draw: Callable[[Job], Drawn],
    make_flow: Callable[..., Flow],
    make_job: Callable[..., Job],
) -> None:
    """What a GPU uses, with everything that a job can hold: regions, a redraw, true CFG, previews."""
    region = Region(caption="a cat", x=0, y=0, width=0.5, height=1)
    picture = draw(make_job()).image
    job = make_job(make_flow(ks_cfg=2.0), regions=(region,), redraw=Redraw(picture, (region,)))
    exact = np.asarray(draw(job).image, dtype=int)
    backend._cache._kept.clear()
    backend._store = ModelStore(torch.device("cpu"), torch.bfloat16, 2)
    backend.preview_seconds = 0.0
    rough = draw(job)
    assert rough.facts["dtype"] == "bfloat16"
    difference = np.abs(np.asarray(rough.image, dtype=int) - exact)
    assert difference.max() > 0
    assert difference.mean() < 5


def test_threads_take_turns(backend: DiffusersBackend, make_job: Callable[..., Job]) -> None:
    def image(seed: int) -> bytes:
        return backend.draw(make_job(seed=seed), lambda step: None, lambda: False).image.tobytes()

    alone = [image(seed) for seed in range(6)]
    backend._cache._kept.clear()
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(image, range(6))) == alone
