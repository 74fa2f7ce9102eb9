"""The command and the whole machinery behind it, on an untrained mini: it draws noise, but all else is real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm
from PIL import Image

PLAN_KEYS = {"prompt", "categories", "candidates", "layout"}
DRAW_KEYS = PLAN_KEYS | {"path", "seed", "flow", "rounds", "images", "seconds", "run"}
PROMPT = "a red circle above a blue square"
QUICK = ("--flow", "mini-quick", "--no-critic", "--seed", "7")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that the tests of this file share, with an untrained mini among its models."""
    from imagewright.t2i_backends.mini.architecture import build_pipeline, export_pipeline
    from imagewright.t2i_backends.mini.training.train_autoencoder import build_autoencoder

    root = tmp_path_factory.mktemp("shared")
    export_pipeline(build_pipeline(build_autoencoder()), root / "models" / "checkpoints" / "mini")
    return root


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, typed: Any
) -> Run:
    """Run the command in this process, in an empty folder: ``(exit code, stdout, stderr)``."""
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    found: Run = typed(capfd)
    return found


def answer(result: tuple[int, str, str]) -> dict[str, Any]:
    """The JSON of a command that went well."""
    code, out, err = result
    assert code == 0, err
    value = json.loads(out)
    assert isinstance(value, dict)
    return value


# --- plan -----------------------------------------------------------------------------------


def test_plan_prints_the_contract_and_draws_nothing(run: Run, tmp_path: Path) -> None:
    plan = answer(run("plan", PROMPT, "--json"))
    assert set(plan) >= PLAN_KEYS
    assert plan["prompt"] == PROMPT
    assert {"flow", "estimate", "low", "high", "runnable", "why_not"} <= set(plan["candidates"][0])
    assert set(plan["layout"]) == {"boxes", "background", "negative"}
    assert [box["caption"] for box in plan["layout"]["boxes"]] == ["a red circle", "a blue square"]
    assert set(plan["layout"]["boxes"][0]) == {"caption", "object", "attributes", "x", "y", "width", "height"}
    assert list(tmp_path.iterdir()) == []


def test_plan_from_a_file_prints_one_object_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text(f"{PROMPT}\n\nan astronaut riding a horse\n")
    code, out, _ = run("plan", "--from-file", "prompts.txt")
    assert code == 0
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == [PROMPT, "an astronaut riding a horse"]


def test_a_dry_run_plans_what_the_same_draw_would_do(run: Run, tmp_path: Path) -> None:
    whole = answer(run("draw", PROMPT, "--dry-run", "--json"))
    assert whole["categories"]
    assert whole["layout"]["boxes"]
    options = ("--no-categories", "--no-layout", "--flow", "mini-quick")
    bare = answer(run("draw", PROMPT, "--dry-run", "--json", *options))
    assert bare["candidates"][0]["flow"] == "mini-quick"
    assert not bare["categories"]
    assert not bare["layout"]["boxes"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prompt", ["a", "?!", "an astronaut riding a horse", "赤い丸", "word " * 3_000, "no circle"])
def test_plan_has_an_answer_to_every_text(run: Run, prompt: str) -> None:
    assert set(answer(run("plan", prompt, "--json"))) >= PLAN_KEYS


def test_plan_tells_a_story_without_json(run: Run) -> None:
    code, out, err = run("plan", PROMPT)
    assert (code, err) == (0, "")
    assert "1 a red circle" in out
    assert "categories" in out


# --- draw -----------------------------------------------------------------------------------


def test_draw_prints_the_contract_and_writes_a_picture(run: Run, tmp_path: Path) -> None:
    code, out, err = run("draw", PROMPT, *QUICK, "--out", "new/folder/a.png", "--json")
    value = answer((code, out, err))
    assert set(value) >= DRAW_KEYS
    assert set(value["rounds"][0]) >= {"verdict", "repair"}
    assert (value["flow"], value["seed"], value["images"]) == ("mini-quick", 7, 1)
    assert err.splitlines()[0] == f"run {value['run']}"
    with Image.open(tmp_path / "new" / "folder" / "a.png") as image:
        assert image.size == (128, 128)
    assert Path(value["trace"]).exists()


def test_draw_tells_the_story_and_names_the_file_by_the_prompt(run: Run, tmp_path: Path) -> None:
    code, out, err = run("draw", PROMPT, *QUICK)
    assert code == 0, err
    assert "mini-quick" in out
    assert (tmp_path / "a-red-circle-above-a-blue-square.png").exists()


def test_the_same_seed_draws_the_same_and_quiet_prints_the_path(run: Run, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        code, out, err = run("draw", PROMPT, *QUICK, "--quiet", "--out", name)
        assert (code, out, err) == (0, f"{tmp_path / name}\tnot judged\n", "")
    with Image.open(tmp_path / "a.png") as first, Image.open(tmp_path / "b.png") as second:
        assert first.tobytes() == second.tobytes()


def test_what_mini_does_not_know_is_said_before_drawing(run: Run, tmp_path: Path) -> None:
    code, out, err = run("draw", "an astronaut riding a horse", "--out", "new/a.png", "--json")
    assert code == json.loads(out)["error"]["exit_code"] == 3
    assert "astronaut" in err
    assert "--anyway" in err
    assert list(tmp_path.iterdir()) == []
    assert run("draw", "an astronaut riding a horse", "--anyway", *QUICK, "--quiet")[0] == 0


def test_the_size_that_the_model_takes_is_said_before_anything_is_drawn(run: Run, tmp_path: Path) -> None:
    code, _, err = run("draw", PROMPT, "--size", "64")
    assert code == 2
    assert "mini draws 128x128 pixels and no other size" in err
    assert "generate" not in err
    assert list(tmp_path.iterdir()) == []


def test_what_was_refused_stands_in_no_list_as_failed(run: Run) -> None:
    assert run("draw", "an astronaut riding a horse")[0] == 3
    refused = answer(run("runs", "list", "--all", "--json"))["runs"][0]
    assert refused["id"] not in run("runs", "list")[1]
    assert (refused["status"], refused["prompt"]) == ("refused", "an astronaut riding a horse")
    shown = run("runs", "show", refused["id"])[1]
    assert "nothing was drawn" in shown
    assert "resume" not in shown


def test_strict_exits_5_where_none_is_accepted_and_the_picture_is_kept(run: Run, tmp_path: Path) -> None:
    strict = ("--flow", "mini-quick", "--seed", "7", "--max-images", "1", "--out", "a.png")
    code, out, err = run("draw", PROMPT, *strict, "--strict", "--quiet")
    assert code == 5, err
    assert out.startswith(f"{tmp_path / 'a.png'}\tnot accepted 0.")
    assert (tmp_path / "a.png").exists()
    assert "not accepted 0." in run("runs", "list")[1]


def test_a_budget_of_nothing_is_spent_at_once(run: Run, tmp_path: Path) -> None:
    code, _, err = run("draw", PROMPT, *QUICK, "--max-images", "0")
    assert code == 4, err
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["draw", "x", "--flow", "mini-quik"], "mini-quick"),
        (["runs", "show", "nope"], "no run"),
        (["runs", "resume", "nope"], "no run"),
        (["runs", "resume", "../../etc/passwd"], "no run"),
        (["flows", "show", "mini-quik"], "mini-quick"),
        (["flows", "check", "mini-quik"], "mini-quick"),
        (["flows", "add", "nothing.json"], "nothing.json"),
        (["draw", "x", "--llm", "nobody"], "nobody"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(run: Run, words: list[str], message: str) -> None:
    code, _, err = run(*words)
    assert code == 2, err
    assert message in err
    assert len(err.splitlines()) <= 3


def test_out_that_would_overwrite_a_folder_or_other_files_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "mine"}')
    (tmp_path / "file").touch()
    (tmp_path / "package.png").touch()
    assert run("draw", PROMPT, *QUICK, "--out", "package.png")[0] == 2
    assert run("draw", PROMPT, *QUICK, "--out", "file/a.png")[0] == 2
    assert (tmp_path / "package.json").read_text() == '{"name": "mine"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "package.json", "package.png"]


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(home: Path, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from imagewright.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400)); main()"
    )
    command = [sys.executable, "-c", code, "draw", PROMPT, *QUICK, "--out", str(tmp_path / "a.png")]
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(home)}
    done = warm.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on(home: Path, tmp_path: Path, run: Run) -> None:
    command = [sys.executable, "-m", "imagewright.cli", "draw", PROMPT, "--flow", "mini-careful", "--no-critic"]
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(home)}
    process = warm.Popen([*command, "--out", "stopped.png"], stderr=warm.PIPE, text=True, cwd=tmp_path, env=environment)
    assert process.stderr is not None
    name = process.stderr.readline().split()[1]
    assert any("generate" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == 130, rest
    assert f"imagewright runs resume {name}" in rest
    assert not (tmp_path / "stopped.png").exists()
    assert answer(run("runs", "show", name, "--json"))["status"] == "cancelled"
    assert answer(run("runs", "resume", name, "--json"))["run"] == name
    assert (tmp_path / "stopped.png").exists()


def test_a_picture_is_delivered_though_nobody_reads_standard_error(home: Path, tmp_path: Path) -> None:
    draw = f"{sys.executable} -m imagewright.cli draw '{PROMPT}' {' '.join(QUICK)} --out a.png"
    command = ["bash", "-c", f"{draw} 2> >(head -c 5 >/dev/null)"]
    environment = {**os.environ, "IMAGEWRIGHT_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout
    assert str(tmp_path / "a.png") in done.stdout
    assert (tmp_path / "a.png").exists()


# --- runs -----------------------------------------------------------------------------------


def test_runs_are_listed_shown_and_delivered_once(run: Run, tmp_path: Path) -> None:
    drawn = answer(run("draw", PROMPT, *QUICK, "--out", "a.png", "--json"))
    newest = answer(run("runs", "list", "--json"))["runs"][0]
    assert (newest["id"], newest["status"], newest["prompt"]) == (drawn["run"], "delivered", PROMPT)
    assert drawn["run"] in run("runs", "list")[1]
    assert answer(run("runs", "show", drawn["run"], "--json"))["path"] == drawn["path"]
    assert "a red circle" in run("runs", "show", drawn["run"])[1]
    (tmp_path / "a.png").unlink()
    assert answer(run("runs", "resume", drawn["run"], "--json"))["images"] == 1


# --- flows ----------------------------------------------------------------------------------


def test_flows_are_listed_searched_checked_and_shown(run: Run) -> None:
    listed = {flow["id"]: flow for flow in answer(run("flows", "list", "--json"))["flows"]}
    assert listed["mini-quick"]["runnable"]
    assert not listed["flux1-dev"]["runnable"]
    assert listed["flux1-dev"]["why_not"]
    checked = {flow["id"]: flow for flow in answer(run("flows", "check", "--json"))["flows"]}
    assert checked["flux1-dev"]["problems"][0]["remedy"]
    found = answer(run("flows", "search", "simple flat shapes", "--json", "-k", "2"))["flows"]
    assert len(found) == 2
    shown = answer(run("flows", "show", "mini-quick", "--json"))
    assert set(shown) >= {"id", "title", "kind", "slots", "runnable", "why_not", "duplicate_of", "graph"}
    for words in (["list"], ["check"], ["search", "shapes"], ["show", "mini-quick"]):
        code, out, _ = run("flows", *words)
        assert code == 0
        assert "mini-quick" in out


def test_reindex_keeps_every_flow(run: Run) -> None:
    before = len(answer(run("flows", "list", "--json"))["flows"])
    assert answer(run("flows", "reindex", "--json"))["flows"] == before


BAD_FILES: dict[str, bytes] = {
    "binary.json": b"\x89PNG\r\n\x1a\n\0\0\xff",
    "cut.json": b'{"1": {"class_type": "KSam',
    "list.json": b"[]",
    "object.json": b"{}",
    "words.json": b'"a flow"',
    "cycle.json": json.dumps(
        {
            "1": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0]}},
            "2": {"class_type": "KSampler", "inputs": {"latent_image": ["1", 0]}},
        }
    ).encode(),
}


def test_files_that_are_no_flows_are_named_and_the_rest_is_stored(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    for name, data in BAD_FILES.items():
        (folder / name).write_bytes(data)
    graph = answer(run("flows", "show", "mini-quick", "--json"))["graph"]
    (folder / "my-own.json").write_text(json.dumps(graph))
    before = {flow["id"] for flow in answer(run("flows", "list", "--json"))["flows"]}
    code, out, err = run("flows", "add", str(folder), "--json")
    value = json.loads(out)
    assert code == 2
    assert [flow["id"] for flow in value["flows"]] == ["my-own"]
    assert value["flows"][0]["duplicate_of"] == "mini-quick"
    assert {Path(error["path"]).name for error in value["errors"]} == set(BAD_FILES)
    assert len(err.splitlines()) == len(BAD_FILES)
    after = {flow["id"] for flow in answer(run("flows", "list", "--json"))["flows"]}
    assert after - before == {"my-own"}


@pytest.mark.parametrize("name", sorted(BAD_FILES))
def test_each_bad_file_alone_is_one_line_and_exit_2(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BAD_FILES[name])
    code, out, err = run("flows", "add", name)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert name in err


def test_a_folder_without_flows_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("flows", "add", "empty")[0] == 2


def test_a_flow_that_cannot_run_here_is_stored_with_what_it_lacks(run: Run, tmp_path: Path) -> None:
    graph = answer(run("flows", "show", "mini-quick", "--json"))["graph"]
    graph["1"]["inputs"]["ckpt_name"] = "not-here.safetensors"
    (tmp_path / "elsewhere.json").write_text(json.dumps(graph))
    flow = answer(run("flows", "add", "elsewhere.json", "--json"))["flows"][0]
    assert not flow["runnable"]
    assert "not-here.safetensors" in flow["why_not"]
