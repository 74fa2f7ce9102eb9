"""``flows add``, ``flows edit`` and ``comfyui sync`` as a person types them, with a server on loopback."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagewright.api import Imagewright
from imagewright.settings import load_settings

Run = Callable[..., tuple[int, str, str]]
SPARKLE = {"input": {"required": {"strength": ["INT", {"default": 1}]}}, "output": [], "output_node": True}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the shipped flows and scores in it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    with contextlib.closing(Imagewright(load_settings({"IMAGEWRIGHT_HOME": str(home)}))) as opened:
        opened.index.search("shapes", 1)
    return home


@pytest.fixture
def run(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, typed: Any
) -> Run:
    """Run the command in this process, in a home of its own."""
    shutil.copytree(filled, tmp_path / "home")
    monkeypatch.setenv("IMAGEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.chdir(tmp_path)
    found: Run = typed(capfd)
    return found


@pytest.fixture
def server() -> Iterator[str]:
    """A server that answers ``/object_info`` as ComfyUI does; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"Sparkle": SPARKLE}).encode()
            self.send_response(200 if self.path == "/object_info" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    found = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """A workflow with a node that the shipped catalogue does not know."""
    path = tmp_path / "sparkle.json"
    path.write_text(json.dumps({"nodes": [{"id": 1, "type": "Sparkle", "widgets_values": [5]}], "links": []}))
    return path


def show(run: Run, flow: str) -> dict[str, Any]:
    code, out, err = run("flows", "show", flow, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_a_servers_nodes_are_used_once_or_kept(run: Run, server: str, workflow: Path) -> None:
    code, out, err = run("flows", "add", str(workflow), "--json")
    assert code == 2
    assert json.loads(out)["errors"][0]["reasons"] == ["node 1 (Sparkle) is not in the catalogue of nodes"]
    assert "--comfyui URL" in err
    assert run("flows", "add", str(workflow), "--comfyui", server)[0] == 0
    assert run("flows", "add", str(workflow))[0] == 2
    code, out, _ = run("comfyui", "sync", server, "--json")
    assert code == 0
    assert (json.loads(out)["classes"], json.loads(out)["new"]) == (1, 1)
    code, out, _ = run("flows", "add", str(workflow))
    assert (code, out.split(":")[0]) == (0, "sparkle is in the index already")


def test_a_server_that_is_none(run: Run, workflow: Path) -> None:
    for words in (["comfyui", "sync", "nowhere"], ["flows", "add", str(workflow), "--comfyui", "http://127.0.0.1:9"]):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert "start ComfyUI and give its address" in err


def test_every_field_of_a_card_can_be_corrected(run: Run, tmp_path: Path) -> None:
    more = tmp_path / "more.json"
    more.write_text(json.dumps({"benchmarks": {"GenEval": 0.4}, "licence": "MIT"}))
    words = ("--title", "Castles", "--tag", "ink", "--tag", "castle", "--kind", "upscale", "--card", str(more))
    code, out, err = run("flows", "edit", "mini-quick", *words)
    assert code == 0, err
    assert out == "mini-quick: benchmarks, kind, licence, tags, title changed\n"
    assert show(run, "mini-quick")["title"] == "Castles"
    places = show(run, "mini-quick")["slots"]
    node = places["negative"][0]["node"]
    assert run("flows", "edit", "mini-quick", "--slot", f"positive={node}.text", "--slot", "negative=")[0] == 0
    slots = show(run, "mini-quick")["slots"]
    assert slots["positive"] == [{"node": node, "input": "text"}]
    assert "negative" not in slots
    assert slots["seed"] == places["seed"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--slot", "positive=9.nothing"], "has no place '9.nothing'"),
        (["--slot", "positive"], "names no place"),
        (["--slot", "colour="], "changed"),
        (["--kind", "song"], "wrong at kind"),
        (["--card", "none.json"], "cannot read none.json"),
        ([], "no editor is set"),
    ],
)
def test_what_cannot_be_corrected_changes_nothing(run: Run, words: list[str], says: str) -> None:
    before = show(run, "mini-quick")
    code, out, err = run("flows", "edit", "mini-quick", *words)
    assert says in out + err
    assert code == (0 if says == "changed" else 2)
    assert show(run, "mini-quick") == before


def test_a_card_in_the_editor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for editor, code, says in (
        ("sed -i s/simple/SIMPLE/I", 0, "edited"),
        ("true", 2, "was not changed"),
        ("sed -i s/{/[/", 2, "no card"),
        ("no-such-editor", 2, "does not start"),
    ):
        monkeypatch.setenv("EDITOR", editor)
        found, out, err = run("flows", "edit", "mini-quick")
        assert (found, says in out + err) == (code, True), (editor, out, err)


def test_a_list_is_filtered_paged_and_says_how_many_there_are(run: Run) -> None:
    first = json.loads(run("flows", "list", "--json", "--limit", "3")[1])
    assert (len(first["flows"]), first["next"]) == (3, 3)
    rest = json.loads(run("flows", "list", "--json", "--offset", "3", "--limit", "1000")[1])
    assert (rest["next"], rest["total"]) == (None, 3 + len(rest["flows"]))
    code, out, _ = run("flows", "list", "--limit", "3", "--offset", "3")
    assert (code, out.splitlines()[-1]) == (0, f"flows 4 to 6 of {first['total']}; go on with --offset 6")
    found = json.loads(run("flows", "list", "--json", "--runnable", "--model", "mini", "--search", "mini-quick")[1])[
        "flows"
    ]
    assert [(flow["id"], flow["model"], flow["runnable"]) for flow in found] == [("mini-quick", "mini", True)]
    assert found[0]["size"] == {"width": 128, "height": 128, "fixed": True}
    rows = {row.split()[0]: row.split() for row in run("flows", "list")[1].splitlines()}
    assert ("128" in rows["mini-quick"], "512" in rows["sdxl-turbo"]) == (True, True)
    assert "size       128x128 pixels and no other" in run("flows", "show", "mini-quick")[1]
    assert "512x512 pixels; --size WxH asks for another" in run("flows", "show", "sdxl-turbo")[1]
    assert run("flows", "list", "--search", "no such words anywhere")[:2] == (0, "no flow fits\n")
    code, _, err = run("flows", "list", "--kind", "song")
    assert (code, "kinds: text-to-image" in err) == (2, True)


def test_what_is_put_away_is_listed_as_off_and_gone_when_removed(run: Run) -> None:
    for words in (["disable", "mini-quick"], ["remove", "mini-multistep"]):
        assert run("flows", *words)[0] == 0
    listed = {flow["id"]: flow for flow in json.loads(run("flows", "list", "--json")[1])["flows"]}
    assert not listed["mini-quick"]["enabled"]
    assert "mini-multistep" not in listed
    row = next(line for line in run("flows", "list")[1].splitlines() if line.startswith("mini-quick "))
    assert row.split()[2] == "off"
    assert run("flows", "enable", "mini-quick")[0] == 0
    assert run("flows", "disable", "nothing")[0] == run("flows", "remove", "nothing")[0] == 2


def test_scores_are_learnt_from_files_and_wrong_ones_named(run: Run, tmp_path: Path) -> None:
    row = {"flow": "mini-quick", "prompt": "two stars", "backend": "diffusers", "scorer": "x", "seed": 0,
           "value": 0.5, "when": "2026-01-01T00:00:00Z"}  # fmt: skip
    lines = [{"format": "imagewright-evidence", "version": 1, "made": {}}, row]
    file = tmp_path / "scores.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run("flows", "learn", str(file)) == (0, f"1 scores of {file} are stored\n", "")
    assert json.loads(run("flows", "learn", str(file), "--json")[1])["files"][0]["scores"] == 1
    file.write_text(file.read_text() + "{")
    code, _, err = run("flows", "learn", str(file))
    assert (code, "line 3" in err) == (2, True)
