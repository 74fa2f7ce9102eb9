"""Settings: the environment goes before the file, the file before the default; keys never stand in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import BadInput
from imagewright.settings import config_file, load_settings, setting_origins


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a settings file."""
    (tmp_path / "config.toml").write_text(
        f'home = "{tmp_path}/kept"\nmodels = ["/a", "/b"]\ndevice = "cpu"\nmodel_cache = 3\n[learn]\ncritic = true\n'
    )
    return {"IMAGEWRIGHT_CONFIG": str(tmp_path / "config.toml")}


def test_the_file_is_read(environ: dict[str, str], tmp_path: Path) -> None:
    found = load_settings(environ)
    assert found.data_dir == tmp_path / "kept"
    assert found.model_roots == (Path("/a"), Path("/b"), tmp_path / "kept" / "models")
    assert (found.device, found.model_cache, found.learn_critic) == ("cpu", 3, True)


def test_the_environment_goes_first_and_the_origin_is_told(environ: dict[str, str]) -> None:
    given = {**environ, "IMAGEWRIGHT_DEVICE": "cuda", "IMAGEWRIGHT_LLM_KEY": "hush"}
    assert load_settings(given).device == "cuda"
    whence = setting_origins(given)
    assert whence["device"] == "IMAGEWRIGHT_DEVICE"
    assert whence["model_cache"] == environ["IMAGEWRIGHT_CONFIG"]
    assert whence["llm"] == "default"


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_file({}) == tmp_path / "imagewright" / "config.toml"
    assert load_settings({}).device == "auto"


@pytest.mark.parametrize("text", ["device = ", "llm_key = 'x'", "colour = 'red'", "model_cache = 0"])
def test_what_cannot_be_used_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadInput):
        load_settings({"IMAGEWRIGHT_CONFIG": str(tmp_path / "c.toml")})
