"""One sentinel of every known form of key through flows, pictures, traces, logs and the LLM cache; harmless names."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from imagewright.agents.llm.ask import Asker, Line, Query
from imagewright.agents.llm.calls import failure_of
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.scripted import ScriptedChatModel
from imagewright.api import Imagewright
from imagewright.cli.boundary import guard
from imagewright.graph.png_texts import blank_keys
from imagewright.memory.llm_cache import LLMCache
from imagewright.redaction import blank_error, blank_text, blank_value, is_key_name, secret_values
from imagewright.schemas import Choice, DrawRequest
from imagewright.settings import load_settings

FORMS = {
    "OpenAI": "sk-{}abcdef0123456789",
    "OpenAI project": "sk-proj-{}_abc-DEF0123456789",
    "Anthropic": "sk-ant-api03-{}-abcdef_0123456789AA",
    "Stability": "sk-{}0123456789abcdefABCDEF0123456789",
    "OpenRouter": "sk-or-v1-{}0123456789abcdef",
    "GitHub": "ghp_{}0123456789abcdefghij",
    "GitHub OAuth": "gho_{}0123456789abcdefghij",
    "GitHub server": "ghs_{}0123456789abcdefghij",
    "GitHub fine": "github_pat_11ABCDEFG0{}_abcdefghijklmnopqrstuvwxyz",
    "GitLab": "glpat-{}0123456789abcdef",
    "Slack bot": "xoxb-123456789012-{}-abcdef",
    "Slack person": "xoxp-123456789012-{}-abcdef",
    "Slack app": "xoxa-2-{}-abcdef0123",
    "Hugging Face": "hf_{}abcdefghijklmnopqr",
    "AWS": "AKIA{}9XYZ",
    "Google": "AIzaSy{}abcdefghijklmnopqrstuvwxyz-_",
    "Replicate": "r8_{}abcdefghijklmnopqrst",
    "Groq": "gsk_{}abcdefghijklmnopqrst",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.{}abcdefgh.abcdefgh",
    "Bearer": "Bearer {}abcdefgh01234567",
    "header": "Authorization: Basic {}abc0=",
    "address": "https://person:{}@example.org/model",
    "query": "https://civitai.com/api/download/models/1?type=Model&token={}",
}
"""Each form with its place for the sentinel."""
MARK = "SENTINEL0123"
HARMLESS = (
    "token_normalization keyframe keyframes tokenizer max_tokens token_count key_color key monkey hotkey keyboard "
    "sort_key keypoints eos_token pad_token trigger_token tokens_per_image secretary passwordless apiary author keys "
    "key_frame turkey monkey_patch tokenized keep"
).split()
NAMES = (
    "api_key apikey apiKey API_KEY x-api-key OPENAI_API_KEY openai_key token hf_token auth_token authToken accessToken "
    "civitai_token bearer_token secret client_secret password passwd passphrase credentials Authorization api_keys "
    "api_key_2 private_key aws_secret_access_key"
).split()
TEXTS = (
    "a monkey with a key in a tokenizer", "the ring bearer carries the photograph", "a task-force",
    "a basic shape, sk-1",
    "basic straightforwardness", "a ski-lift", "https://example.org/a@b", "ratio 3:4 @ noon", "flux1-dev.safetensors",
    "desk-lamp-with-many-words-0123", "hf_x", "token=blue is no address", "key: gold", "risk-taking-people-2000",
)  # fmt: skip


def sentinel(form: str) -> str:
    return FORMS[form].format(MARK)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["{}", "use {} now", '{{"a": "{}"}}', "({}),", "a\n{}\nb"])
def test_every_form_is_known_wherever_it_stands(form: str, around: str) -> None:
    text = around.format(sentinel(form))
    assert MARK not in blank_text(text)
    assert MARK not in blank_error(text)


@pytest.mark.parametrize("text", TEXTS)
def test_ordinary_words_stay(text: str) -> None:
    assert blank_text(text) == text


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_names_stay(name: str) -> None:
    assert not is_key_name(name)
    assert blank_value(name, "none") == "none"
    graph = {"1": {"class_type": "A", "inputs": {name: "none"}}}
    assert blank_keys(graph) == graph


@pytest.mark.parametrize("name", NAMES)
def test_names_of_keys_are_known(name: str) -> None:
    assert is_key_name(name)
    assert blank_value(name, "anything") == ""
    assert blank_value(name, ["4", 1]) == ["4", 1], "a link is no key"


def test_the_keys_of_the_environment() -> None:
    environ = {"MY_API_KEY": "a" * 8, "GH_PAT": "b" * 9, "X_TOKEN": "short", "TOKENIZERS_PARALLELISM": "false-false",
               "MONKEY": "bananas-bananas", "IMAGEWRIGHT_KEYS": "/home/me/keys.toml"}  # fmt: skip
    assert secret_values(environ) == {"MY_API_KEY": SecretStr("a" * 8), "GH_PAT": SecretStr("b" * 9)}
    assert blank_text("see aaaaaaaa", tuple(secret_values(environ).values()), "…") == "see …"


def test_a_key_in_a_key_leaves_no_rest() -> None:
    assert blank_text("abcdefgh-more", [SecretStr("abcdefgh"), SecretStr("abcdefgh-more")]) == ""


@pytest.mark.parametrize("text", ["a" * 1_000_000, "sk-" * 300_000, "https://" * 100_000, "eyJ" + "a." * 300_000,
                                  "authorization " * 70_000, "-----BEGIN PRIVATE KEY-----" * 20_000])  # fmt: skip
def test_long_texts_take_no_long_time(text: str) -> None:
    begun = time.monotonic()
    blank_error(text)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("form", FORMS)
def test_a_service_that_repeats_a_key(form: str) -> None:
    assert MARK not in str(failure_of(RuntimeError(f"refused: {sentinel(form)}"), ()))


@pytest.mark.parametrize("form", FORMS)
def test_an_error_and_its_log(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path))

    def fail() -> None:
        raise ZeroDivisionError(f"with {sentinel(form)}")

    assert guard(["--json"], fail) == 1
    said = capsys.readouterr()
    logs = [file.read_text() for file in tmp_path.rglob("*.log")]
    assert logs
    assert MARK not in said.out + said.err + "".join(logs)


def test_every_form_through_a_flow_into_picture_trace_and_index(tmp_path: Path) -> None:
    """A flow with a key of every form in its inputs and titles is added, drawn with, exported and replayed from."""
    shipped = json.loads((Path(__file__).parents[1] / "retrieval" / "flows" / "mini-quick.json").read_text())
    graph: dict[str, Any] = shipped["graph"]
    inputs = next(node["inputs"] for node in graph.values() if node["class_type"] == "SaveImage")
    inputs |= {"api_key": MARK, "token_normalization": "none"}
    inputs |= {f"note{number}": f"x {sentinel(form)}" for number, form in enumerate(FORMS)}
    next(iter(graph.values()))["_meta"] = {"title": " ".join(map(sentinel, FORMS))}
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(graph))
    seen = tmp_path / "seen"
    engine = Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(seen / "home")}))
    list(engine.add_flows([file]))
    file.unlink()
    events: list[str] = []
    result = engine.draw(
        DrawRequest(prompt="a red circle", flow="keys", max_images=1, seed=1, out=str(seen / "a.png")),
        on_event=lambda event: events.append(event.model_dump_json()),
    )
    with Image.open(result.path) as image:
        image.load()
        texts = json.dumps(image.text)  # type: ignore[attr-defined]
    assert "token_normalization" in texts
    stored = json.dumps(engine.index.get("keys").model_dump(mode="json"))
    assert '"token_normalization": "none"' in stored
    for name, text in (("png", texts), ("events", " ".join(events)), ("stored", stored)):
        assert MARK not in text, name
    files = [path for path in seen.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if MARK.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("form", FORMS)
def test_the_cache_of_answers(form: str, tmp_path: Path) -> None:
    """A model that repeats a key in its answer: the answer that is used and the one that is kept are without it."""
    line = Line(store=LLMCache(tmp_path / "llm.sqlite"))
    chat = ScriptedChatModel(answers=[json.dumps({"flow": "best", "reason": f"by {sentinel(form)}"})])
    question = Query(Prompt("selector", 1, "Rules.", "Which?"), Choice, lambda answer: "")
    assert Asker("selector", (LanguageModel(chat),), line).ask(question).reason.startswith("by ")
    with sqlite3.connect(tmp_path / "llm.sqlite") as connection:
        [(kept,)] = connection.execute("SELECT answer FROM llm_answers").fetchall()
    assert "best" in kept
    assert all(MARK.encode() not in file.read_bytes() for file in tmp_path.iterdir())
