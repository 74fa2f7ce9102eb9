"""Language models are reached by one setting; a key goes where it belongs and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from imagewright.agents.llm.models import AGENTS, Reach, connect, read_setting
from imagewright.errors import BadInput

COMMON = tuple(agent for agent in AGENTS if agent != "lmd")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, {}),
        ("", {}),
        ("rules", {}),
        ("openai:a", dict.fromkeys(COMMON, ("openai:a",))),
        ("openai:a, http://h/v1#b, rules", dict.fromkeys(COMMON, ("openai:a", "http://h/v1#b"))),
        ("paste", {"lmd": ("paste",)}),
        ("layout=openai:a", {"layout": ("openai:a",)}),
        ("lmd=openai:a", {"lmd": ("openai:a",)}),
        (
            "openai:a; selector=rules; critic=anthropic:b",
            {**dict.fromkeys(set(COMMON) - {"selector", "critic"}, ("openai:a",)), "critic": ("anthropic:b",)},
        ),
        ("openai:a; lmd=openai:b", {**dict.fromkeys(set(COMMON) - {"layout"}, ("openai:a",)), "lmd": ("openai:b",)}),
    ],
)
def test_a_setting_names_models_for_agents(setting: str | None, expected: dict[str, tuple[str, ...]]) -> None:
    assert read_setting(setting) == expected


@pytest.mark.parametrize("setting", ["painter=openai:a", "openai:a,", "openai:a; layout=,"])
def test_a_setting_that_cannot_be_read(setting: str) -> None:
    with pytest.raises(BadInput):
        read_setting(setting)


@pytest.mark.parametrize(
    "name",
    [
        "", "gpt", "openai:", "openai", "cohere:x", "openai:x@localhost", "openai:x@ftp://y", "openai:x@",
        "openai:x@http://me:secret@y/v1", "openai:x@http://y/v1?api_key=secret", "http://me:secret@y/v1#m",
        "http://y/v1", "http://y/v1#", "http:///v1#m", "https://y/v1?key=secret#m",
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_read_and_no_secret_in_the_answer(name: str) -> None:
    with pytest.raises(BadInput, match="cannot read the language model") as error:
        connect(name)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("name", "variable"), [("anthropic:m", "ANTHROPIC_API_KEY"), ("openai:m", "OPENAI_API_KEY")])
def test_a_missing_key_names_its_variable(name: str, variable: str) -> None:
    pytest.importorskip(f"langchain_{name.split(':')[0]}")
    with pytest.raises(BadInput) as error:
        connect(name)
    assert variable in error.value.remedy


def key_sent(name: str, keys: dict[str, str]) -> str:
    """The key that the client of ``name`` holds."""
    chat: Any = connect(name, Reach({host: SecretStr(key) for host, key in keys.items()})).chat
    held = getattr(chat, "openai_api_key", None) or chat.anthropic_api_key
    return str(held.get_secret_value())


def test_a_providers_key_goes_to_the_provider_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    keys = {"openai": "of-openai", "h:80": "of-h-80", "h": "of-h", "*": "of-any"}
    assert key_sent("openai:m", keys) == "of-openai"
    assert key_sent("http://h:80/v1#m", keys) == "of-h-80"
    assert key_sent("http://h:81/v1#m", keys) == "of-h"
    assert key_sent("openai:m@http://other/v1", keys) == "of-any"
    assert key_sent("http://other/v1#m", {"openai": "of-openai"}) == "none"


def test_retries_of_the_client_are_off_and_no_key_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_openai")
    pytest.importorskip("langchain_anthropic")
    for name in ("http://h/v1#m", "anthropic:m@http://h"):
        model = connect(name, Reach({"*": SecretStr("very-secret-key")}, seconds=7))
        chat: Any = model.chat
        assert chat.max_retries == 0
        assert "very-secret-key" not in repr(model)
        assert "very-secret-key" not in str(chat)
        assert model.name in ("http://h/v1#m", "http://h#m")


@pytest.mark.parametrize("script", ["3", "{}", "[", '{"a": 1}', "nothing there"])
def test_a_script_that_is_none(script: str, tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    if script != "nothing there":
        path.write_text(script)
    with pytest.raises(BadInput, match="script"):
        connect(f"scripted:{path}")


def test_scripted_models_are_registered(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"flow": "other"}]))
    assert connect(f"scripted:{path}").sees is False
    assert connect(f"scripted-vlm:{path}").sees is True
    assert connect("paste").patient
