"""Model names: what they may reach, and what is said of what they reach."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imagewright.errors import BadInput
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.models.model_files import ModelFiles, ModelPath, architecture, parameter_count, vae_scale


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "secret" / "x.safetensors")
    root = tmp_path / "models"
    (root / "checkpoints" / "deep" / "er").mkdir(parents=True)
    (root / "loras").mkdir()
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, root / "loras" / "l.safetensors")
    return root


@pytest.mark.parametrize(
    "name",
    [
        "../secret/x.safetensors", "deep/../../secret", "/etc/passwd", "..", "a/..", "C:\\x.safetensors", "\\x",
        "..\\secret", "//server/share", "x\0y", "", ".",
    ],
)  # fmt: skip
def test_names_that_leave_the_roots(root: Path, name: str) -> None:
    with pytest.raises(BadInput):
        ModelFiles([root]).find("checkpoints", name)


@pytest.mark.parametrize("ending", ["ckpt", "pt", "pth", "bin", "pkl", "PT"])
def test_pickles_are_refused(root: Path, ending: str) -> None:
    (root / "checkpoints" / f"m.{ending}").write_bytes(b"x")
    with pytest.raises(BadInput, match="pickle"):
        ModelFiles([root]).find("checkpoints", f"m.{ending}")


def test_links_out_of_the_roots_are_refused(root: Path) -> None:
    os.symlink(root.parent / "secret", root / "checkpoints" / "out")
    os.symlink(root.parent / "secret" / "x.safetensors", root / "loras" / "out.safetensors")
    os.symlink(root / "checkpoints" / "deep", root / "checkpoints" / "alias")
    with pytest.raises(BadInput, match="links out"):
        ModelFiles([root]).find("checkpoints", "out")
    with pytest.raises(BadInput, match="links out"):
        ModelFiles([root]).find("loras", "out.safetensors")
    assert ModelFiles([root]).find("checkpoints", "alias") is not None


def test_other_files_are_refused(root: Path) -> None:
    (root / "checkpoints" / "m.gguf").write_bytes(b"x")
    with pytest.raises(BadInput, match="no safetensors"):
        ModelFiles([root]).find("checkpoints", "m.gguf")


def test_names_are_found_in_comfyuis_folders(root: Path) -> None:
    files = ModelFiles([root.parent / "none", root])
    found = files.find("checkpoints", "deep\\er")
    assert found is not None
    assert found.path == (root / "checkpoints" / "deep" / "er").resolve()
    assert files.find("checkpoints", "gone") is None
    assert files.find("vae", "deep") is None
    (root / "unet").mkdir()
    save_file({"x": torch.zeros(1)}, root / "unet" / "old.safetensors")
    assert files.find("diffusion_models", "old.safetensors") is not None


def test_where_a_missing_model_belongs(root: Path) -> None:
    files = ModelFiles([root, root.parent])
    assert files.place("checkpoints", "FLUX.1-dev") == f"{root}/checkpoints/FLUX.1-dev/"
    assert files.place("diffusion_models", "flux.safetensors") == f"{root}/diffusion_models/flux.safetensors"


def test_a_lone_file_is_described_by_the_folder_of_its_stem(root: Path) -> None:
    files = ModelFiles([root])
    found = files.find("loras", "l.safetensors")
    assert found is not None
    assert found.config is None
    (root / "loras" / "l").mkdir()
    (root / "loras" / "l" / "config.json").write_text('{"_class_name": "FluxTransformer2DModel"}')
    found = files.find("loras", "l.safetensors")
    assert found is not None
    assert architecture(found) == "FluxTransformer2DModel"


def test_the_shipped_model_is_found_unless_a_root_overrides_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tmp_path / "weights" / "pipeline"
    pipeline.mkdir(parents=True)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")
    files = ModelFiles([root])
    assert files.find("checkpoints", "mini") is None
    assert "reinstall" in files.place("checkpoints", "mini")
    (pipeline / "model_index.json").write_text("{}")
    for kind in ("checkpoints", "diffusion_models", "text_encoders", "vae"):
        found = files.find(kind, "mini")
        assert found is not None
        assert found.path == pipeline
    assert files.find("loras", "mini") is None
    assert files.find("upscale_models", "mini") is None
    (root / "checkpoints" / "mini").mkdir()
    found = files.find("checkpoints", "mini")
    assert found is not None
    assert found.path == (root / "checkpoints" / "mini").resolve()


def test_loras_and_the_variant_that_ship_are_found_by_their_names(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")
    files = ModelFiles([root])
    for kind, name, file in (
        ("loras", "counting.safetensors", "loras/counting.safetensors"),
        ("diffusion_models", "mini-few-steps", "mini-few-steps/config.json"),
    ):
        assert files.find(kind, name) is None
        path = tmp_path / "weights" / file
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        found = files.find(kind, name)
        assert found is not None
        assert found.path == tmp_path / "weights" / file.removesuffix("/config.json")
    assert files.find("checkpoints", "mini-few-steps") is None
    assert "reinstall" in files.place("diffusion_models", "mini-few-steps")
    assert files.place("loras", "other.safetensors") == str(root / "loras" / "other.safetensors")


def test_what_a_header_says(root: Path) -> None:
    assert parameter_count(root / "loras" / "l.safetensors") == 17
    broken = root / "loras" / "broken.safetensors"
    broken.write_bytes(b"\xff" * 100)
    assert parameter_count(broken) == 0


def test_stamp_and_digest_follow_the_files(root: Path) -> None:
    file = root / "loras" / "l.safetensors"
    before = ModelPath(file, None)
    stamp, digest = before.stamp, before.digest
    os.utime(file, ns=(1, 1))
    touched = ModelPath(file, None)
    assert touched.stamp != stamp
    assert touched.digest == digest
    save_file({"a": torch.ones(3, 4), "b": torch.zeros(5)}, file)
    assert ModelPath(file, None).digest != digest


def test_the_scale_of_the_vae(model_root: Path, root: Path) -> None:
    found = ModelFiles([model_root]).find("checkpoints", "tiny")
    assert found is not None
    assert vae_scale(found) == 2
    lone = ModelFiles([root]).find("loras", "l.safetensors")
    assert lone is not None
    assert vae_scale(lone) == 8
