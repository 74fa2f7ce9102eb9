"""The one reader of JSON, JSON lines and TOML from outside: its bounds, and that everything from outside goes by it."""

from __future__ import annotations

import ast
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagewright import untrusted
from imagewright.agents.llm.account import load_prices
from imagewright.agents.llm.answers import first_object
from imagewright.errors import BadInput
from imagewright.graph.delivery_names import read_run_of
from imagewright.keys import read_keys
from imagewright.retrieval.comfy.read import read_workflow
from imagewright.retrieval.score_matrix import read_scores
from imagewright.settings import load_settings
from imagewright.t2i_backends.models.headers import read_header
from imagewright.t2i_backends.models.model_files import ModelFiles, read_config
from imagewright.t2i_backends.models.scan import scan

DEEP = 200_000
LISTS = b"[" * DEEP + b"]" * DEEP
OBJECTS = b'{"a":' * DEEP + b"1" + b"}" * DEEP
ROOT = Path(__file__).parents[1]

HOSTILE = {
    "deep lists": LISTS,
    "deep objects": OBJECTS,
    "cut": OBJECTS[:-DEEP],
    "deep in an object": b'{"model_type": ' + LISTS + b"}",
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "half a letter": b'{"a": "\\ud800"}',
    "too many keys": b"{" + b",".join(b'"%d":1' % n for n in range(1_500_002)) + b"}",
    "a long number": b"1" * 5000,
    "empty": b"",
}


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_beyond_a_bound_is_one_line_with_a_remedy(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(BadInput) as caught:
        untrusted.load_json(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: a terabyte that takes no room
    begun = time.monotonic()
    with pytest.raises(BadInput, match="larger than 10 MB"):
        untrusted.load_json(file)
    with pytest.raises(BadInput, match="larger than 200 KB"):
        untrusted.load_toml(file)
    with pytest.raises(BadInput, match="larger than 256 MB"):
        untrusted.read_lines(file)
    assert time.monotonic() - begun < 20


def test_ordinary_json_is_read(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": {}}}
    file = tmp_path / "file.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(value).encode())
    assert untrusted.load_object(file) == value
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(BadInput, match="no JSON object"):
        untrusted.load_object(tmp_path / "list.json")


def test_a_key_twice_and_no_number_are_refused_where_it_is_strict() -> None:
    for text in ('{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}'):
        untrusted.parse_json(text, "it")
        with pytest.raises(BadInput):
            untrusted.parse_json(text, "it", untrusted.Bounds(strict=True))


# --- TOML -----------------------------------------------------------------------------------

TABLES = {
    "deep lists": b"home = " + LISTS,
    "deep lists in lines": b"home = " + b"[\n" * 49_000 + b"]\n" * 49_000,
    "long dotted key": b"a." * 50_000 + b"b = 1",
    "deep tables": b"[" + b"a." * 1000 + b"b]\nc = 1",
    "deep inline tables": b"a = " + b"{a=" * 1000 + b"1" + b"}" * 1000,
    "not UTF-8": b'home = "\xff"',
    "huge": b"#" * 300_000,
    "cut": b'home = "',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_one_line_for_settings_keys_and_prices(name: str, tmp_path: Path) -> None:
    file = tmp_path / "table.toml"
    file.write_bytes(TABLES[name])
    file.chmod(0o600)
    begun = time.monotonic()
    with pytest.raises(BadInput, match=r"table\.toml"):
        load_settings({"IMAGEWRIGHT_CONFIG": str(file)})
    with pytest.raises(BadInput, match=r"table\.toml"):
        read_keys(file)
    with pytest.raises(BadInput, match=r"table\.toml"):
        load_prices(file)
    assert time.monotonic() - begun < 20


# --- the readers of the house ---------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_folder_and_a_weights_file_are_reported_as_unreadable(name: str, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    (checkpoints / "folder").mkdir(parents=True)
    (checkpoints / "folder" / "model_index.json").write_bytes(HOSTILE[name])
    (checkpoints / "file.safetensors").write_bytes(header(HOSTILE[name]))
    assert read_config(checkpoints / "folder" / "model_index.json") == {}
    assert read_header(checkpoints / "file.safetensors") is None
    problems = {model.name: model.problem for model in scan(ModelFiles([tmp_path]))}
    assert problems["file.safetensors"]
    assert problems["folder"]


@pytest.mark.parametrize("shape", ["[1e999]", "[-1]", f"[{'9,' * 5000}9]", f"[{10**30}]", "[[]]"])
def test_a_header_with_an_impossible_shape_is_none(shape: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.safetensors"
    file.write_bytes(header(f'{{"a": {{"dtype": "F16", "shape": {shape}, "data_offsets": [0, 2]}}}}'.encode()))
    assert read_header(file) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_flows_scores_answers_and_traces(name: str, tmp_path: Path) -> None:
    from imagewright.retrieval.comfy.catalogue import load_catalogue

    file = tmp_path / "a.json"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(BadInput):
        read_workflow(file, load_catalogue())
    with pytest.raises(BadInput):
        read_scores(file)
    assert read_run_of(file) == ""


@pytest.mark.parametrize("name", ["deep objects", "cut", "deep in an object", "half a letter", "empty"])
def test_an_answer_of_a_language_model(name: str) -> None:
    with pytest.raises(ValueError, match="answer"):
        first_object(HOSTILE[name].decode())


def test_a_hostile_home_ends_no_command(tmp_path: Path) -> None:
    """A weights file and a config nested 200,000 deep lie in the models folder; the settings are deep too, later."""
    checkpoints = tmp_path / "home" / "models" / "checkpoints"
    (checkpoints / "mini-like").mkdir(parents=True)
    (checkpoints / "mini-like" / "model_index.json").write_bytes(OBJECTS)
    (checkpoints / "deep.safetensors").write_bytes(header(OBJECTS))
    environ = {**os.environ, "IMAGEWRIGHT_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    scanned = _run(["models", "scan", "--no-flows", "--json"], environ)
    assert scanned.returncode == 0, scanned.stderr
    assert all(model["problem"] for model in json.loads(scanned.stdout)["models"] if "deep" in model["name"])
    config = tmp_path / "config.toml"
    config.write_bytes(TABLES["deep lists in lines"])
    wrong = _run(["config", "show"], {**environ, "IMAGEWRIGHT_CONFIG": str(config)})
    assert wrong.returncode == 2
    assert "nested too deeply" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def _run(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imagewright.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)


# --- nothing goes past it -------------------------------------------------------------------

OWN = {
    "imagewright/untrusted.py": "the reader itself",
    "graph/spending.py": "the word of an earlier process of ours in a lock file",
    "memory/runs.py": "rows of our own database",
    "memory/threads.py": "rows of our own database",
    "retrieval/evidence.py": "rows of our own database",
    "retrieval/store.py": "rows of our own database",
    "t2i_backends/mini/architecture.py": "a config that was written a line before",
    "agents/reading/languages.py": "words that ship with us",
    "retrieval/flow_facts.py": "rows of our own database",
    "retrieval/flow_table.py": "rows of our own database",
    "evals/adding.py": "what a process of ours has printed",
    "t2i_backends/mini/captions.py": "words that ship with us",
    "t2i_backends/mini/outlines.py": "outlines that ship with us",
    "evals/scale.py": "what a process of ours has printed",
    "retrieval/fit_store.py": "rows of our own database",
    "retrieval/prompt_table.py": "rows of our own database",
}


def test_nothing_else_parses_what_comes_from_outside() -> None:
    """``json.loads``, ``json.load``, ``raw_decode`` and tomllib stand in the reader and where we read our own."""
    rooms = ("agents", "evals", "graph", "imagewright", "memory", "retrieval", "t2i_backends", "tools")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py") if not file.is_symlink()]
    parsing = {file.relative_to(ROOT).as_posix() for file in files if _parses(file) and not _through_link(file)}
    assert parsing == set(OWN)


def _through_link(file: Path) -> bool:
    return any(parent.is_symlink() for parent in file.parents)


def _parses(file: Path) -> bool:
    names = {"loads", "load", "raw_decode"}
    return any(
        isinstance(node, ast.Attribute)
        and (
            node.attr == "raw_decode"
            or (isinstance(node.value, ast.Name) and node.value.id in ("json", "tomllib") and node.attr in names)
        )
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
    )
