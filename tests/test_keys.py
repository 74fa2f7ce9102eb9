"""Keys come from the environment or from a file that nobody else may read, and are never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import BadInput
from imagewright.keys import keys_of, read_keys
from imagewright.settings import load_settings

SECRET = "a-very-secret-key"


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_of_a_private_file(tmp_path: Path) -> None:
    path = key_file(tmp_path, f'anthropic = "{SECRET}"\n"openrouter.ai" = " other "\n')
    keys = read_keys(path)
    assert {name: key.get_secret_value() for name, key in keys.items()} == {
        "anthropic": SECRET,
        "openrouter.ai": "other",
    }
    assert SECRET not in repr(keys)
    assert read_keys(tmp_path / "none.toml") == {}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="others may read") as error:
        read_keys(key_file(tmp_path, f'anthropic = "{SECRET}"', mode))
    assert "chmod 600" in error.value.remedy


@pytest.mark.parametrize("text", [f"anthropic = {SECRET}", f"anthropic = ['{SECRET}']", "anthropic = ' '", "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told_without_what_it_holds(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        read_keys(key_file(tmp_path, text))
    assert SECRET not in f"{error.value} {error.value.remedy}"


def test_keys_of_the_environment() -> None:
    environ = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "", "IMAGEWRIGHT_LLM_KEY": SECRET}
    assert set(keys_of(environ)) == {"anthropic", "*"}
    settings = load_settings(environ)
    assert settings.llm_keys["*"].get_secret_value() == SECRET
    assert SECRET not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(("text", "seconds"), [("", 60.0), ("2.5", 2.5)])
def test_how_long_a_call_may_take(text: str, seconds: float) -> None:
    assert load_settings({"IMAGEWRIGHT_LLM_SECONDS": text}).llm_seconds == seconds
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        with pytest.raises(BadInput, match="IMAGEWRIGHT_LLM_SECONDS"):
            load_settings({"IMAGEWRIGHT_LLM_SECONDS": wrong})
