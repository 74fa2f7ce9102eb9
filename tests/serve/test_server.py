"""The process: a port in use, a graceful stop that loses nothing, and a missing part, each told in a line."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagewright import Imagewright
from imagewright.errors import BadInput
from imagewright.extras import insist_on_extra
from imagewright.serve.address import announce, find_running, fingerprint_of, read_address, withdraw
from imagewright.settings import Settings

BODY = {"prompt": "a red circle", "critic": False, "max_images": 1, "flow": "mini-quick"}


def test_a_port_in_use_is_one_line(typed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        code, _, err = typed(capsys)("serve", "--port", str(port))
    assert code == 2
    assert err.splitlines()[0].startswith(f"imagewright: cannot listen on 127.0.0.1:{port}: ")
    assert "choose --port" in err


def test_another_host_without_a_token_is_one_line(typed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = typed(capsys)("serve", "--host", "0.0.0.0")
    assert code == 2
    assert "there is no token" in err


def test_a_missing_part_says_how_to_install_it() -> None:
    with pytest.raises(BadInput, match="not_there is not installed") as error:
        insist_on_extra("serve", "json", "not_there")
    assert error.value.remedy == "pip install 'imagewright[serve]'"


def test_a_stop_ends_the_picture_in_the_making_and_leaves_what_waits(kit: Any, tmp_path: Path) -> None:
    """One server stops while three orders are open; the next one on the home does the rest, each once."""
    slow = kit.Paper(tmp_path / "log", 0.2)
    statuses: list[int] = []
    own = kit.engine_on(tmp_path / "home", slow)
    own.plan("a red circle")
    with kit.serving(own, grace=30.0) as server:
        headers = {"authorization": f"Bearer {kit.secret_of(tmp_path / 'home')}"}
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=180) as http:
            first = http.post("/v1/runs", json={**BODY, "seed": 1}).json()["id"]
            kit.wait_until(lambda: http.get(f"/v1/runs/{first}").json()["status"] == "running")
            waiting = [http.post("/v1/runs", json={**BODY, "seed": seed}).json()["id"] for seed in (2, 3)]

            def wait_for_one() -> None:
                answer = httpx.post(
                    f"{server.url}/v1/images/generations",
                    json={**BODY, "seed": 4},
                    headers=headers,
                    trust_env=False,
                    timeout=180,
                )
                statuses.append(answer.status_code)

            asking = threading.Thread(target=wait_for_one)
            asking.start()
            kit.wait_until(lambda: len(server.desk.book.list_jobs("owner", 9)) == 4)
    asking.join(60)
    found = {job.id: job.status for job in server.desk.book.list_jobs("owner", 9)}
    assert found[first] == "done"
    assert [found[run] for run in waiting] == ["queued", "queued"]
    assert statuses == [503]
    assert json.loads((tmp_path / "home" / "server.json").read_text())["url"] == ""
    slow.delay = 0.0
    again = kit.engine_on(tmp_path / "home", slow)
    with kit.serving(again) as server:
        kit.wait_until(lambda: all(job.over for job in server.desk.book.list_jobs("owner", 9)))
    assert {job.status for job in server.desk.book.list_jobs("owner", 9)} == {"done"}


def test_a_running_server_is_known_by_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, model_roots=(), device="cpu")
    assert find_running(settings) is None
    announce(tmp_path, "http://127.0.0.1:1", settings)
    found = find_running(settings)
    assert found is not None
    assert found.url == "http://127.0.0.1:1"
    for changes in ({"device": "cuda"}, {"model_roots": (tmp_path,)}, {"llm": "openai:x"}):
        other = settings.model_copy(update=changes)
        assert fingerprint_of(other) != fingerprint_of(settings)
        assert find_running(other) is None
    monkeypatch.setattr("imagewright.__version__", "0.0.0")
    assert find_running(settings) is None
    monkeypatch.undo()
    withdraw(tmp_path)
    assert find_running(settings) is None
    assert read_address(tmp_path) is not None


def test_wishes_of_clients_are_kept_apart_and_names_are_plain(tmp_path: Path) -> None:
    engine = Imagewright(Settings(data_dir=tmp_path, model_roots=(), device="cpu"))
    alice = engine.for_client("alice")
    assert alice.preferences is not engine.preferences
    assert alice.backend() is engine.backend()
    for name in ("", "../x", "Alice", "a" * 41, "a/b"):
        with pytest.raises(BadInput, match="client's name"):
            engine.for_client(name)
