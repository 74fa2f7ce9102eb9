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


@pytest.mark.parametrize(
    ("variable", "value"),
    [("IMAGEWRIGHT_MODEL_CACHE", "0"), ("IMAGEWRIGHT_MODEL_CACHE", "many"), ("IMAGEWRIGHT_LLM_SECONDS", "-1"),
     ("IMAGEWRIGHT_LLM_SECONDS", "nan"), ("IMAGEWRIGHT_POLISH", "perhaps"), ("IMAGEWRIGHT_LLM_CACHE", "maybe")],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_its_value(variable: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"{variable} cannot be '{value}'") as caught:
        load_settings({"IMAGEWRIGHT_CONFIG": str(tmp_path / "none.toml"), variable: value})
    assert caught.value.remedy == f"unset {variable} for the default"


@pytest.mark.parametrize("text", ["models = 3", "polish = [1]", "home = false", "[learn]\ncritic = 'perhaps'"])
def test_a_wrong_type_in_the_file_names_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadInput, match=r"c\.toml cannot be") as caught:
        load_settings({"IMAGEWRIGHT_CONFIG": str(tmp_path / "c.toml")})
    assert "\n" not in str(caught.value)


def test_an_empty_variable_is_none_and_switches_read_as_words(environ: dict[str, str], tmp_path: Path) -> None:
    empty = dict.fromkeys(("IMAGEWRIGHT_HOME", "IMAGEWRIGHT_MODELS", "IMAGEWRIGHT_DEVICE", "IMAGEWRIGHT_POLISH"), "")
    assert load_settings({**environ, **empty}) == load_settings(environ)
    assert setting_origins({**environ, **empty}) == setting_origins(environ)
    words = {"IMAGEWRIGHT_POLISH": "ON", "IMAGEWRIGHT_LEARN_CRITIC": "no", "IMAGEWRIGHT_LLM_CACHE": "0"}
    found = load_settings({**environ, **words})
    assert (found.polish, found.learn_critic, found.llm_cache) == (True, False, False)


def test_relative_folders_and_those_of_the_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    none = {"IMAGEWRIGHT_CONFIG": str(tmp_path / "none.toml")}
    found = load_settings({**none, "IMAGEWRIGHT_HOME": "~/x", "IMAGEWRIGHT_MODELS": "a::~/b"})
    assert found.data_dir == tmp_path / "x"
    assert found.model_roots == (Path("a"), tmp_path / "b", tmp_path / "x" / "models")


def test_what_this_process_has_is_not_read_where_an_environment_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_DEVICE", "cuda:7")
    assert load_settings({}).device == "auto"
    assert load_settings().device == "cuda:7"


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_file({}) == tmp_path / "imagewright" / "config.toml"
    assert load_settings({}).device == "auto"


@pytest.mark.parametrize("text", ["device = ", "llm_key = 'x'", "colour = 'red'", "model_cache = 0"])
def test_what_cannot_be_used_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(BadInput):
        load_settings({"IMAGEWRIGHT_CONFIG": str(tmp_path / "c.toml")})
