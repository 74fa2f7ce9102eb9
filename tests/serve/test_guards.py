"""Nobody in where they do not belong: hosts, origins, tokens, sizes, others' things, slow and flooding ones."""

from __future__ import annotations

import contextlib
import io
import socket
import stat
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagewright.errors import BadInput
from imagewright.serve.address import read_address, read_secret
from imagewright.serve.faults import Denied
from imagewright.serve.guards import Doors
from imagewright.serve.renders import read_data_url, read_upload
from imagewright.serve.server import ServeOptions, gather_clients

ALICE, BOB = "alice-has-a-long-token", "bob-has-another-token-too"
BODY = {"prompt": "a red circle", "critic": False, "max_images": 1, "flow": "mini-quick"}


def port_of(served: Any) -> int:
    return int(httpx.URL(served.url).port or 0)


def alive(served: Any) -> None:
    """The server goes on."""
    assert httpx.get(f"{served.url}/health", trust_env=False, timeout=20).status_code == 200


def test_only_the_owner_allows_that_a_model_is_replaced(served: Any) -> None:
    body = {**BODY, "allow_substitute": True}
    with served.client(ALICE) as alice, served.client() as owner:
        for path, sent in (
            ("/v1/runs", body),
            ("/v1/images/generations", body),
            ("/v1/plan", body),
            ("/v1/chat/completions", {**body, "messages": [{"role": "user", "content": BODY["prompt"]}]}),
        ):
            refused = alice.post(path, json=sent)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed"), path
        run = owner.post("/v1/runs", json={**body, "seed": 77}).json()["id"]
        while owner.get(f"/v1/runs/{run}").json()["status"] in ("queued", "running"):
            time.sleep(0.05)
        asked = owner.get(f"/v1/runs/{run}", params={"trace": True}).json()["trace"]["request"]
        assert asked["allow_substitute"] is True


# --- hosts and origins --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "wrong_host"),
        ({"host": "127.0.0.1.evil.example"}, "wrong_host"),
        ({"host": "localhost.evil.example:7411"}, "wrong_host"),
        ({"host": "localhost@evil.example"}, "wrong_host"),
        ({"host": "169.254.169.254"}, "wrong_host"),
        ({"host": ""}, "wrong_host"),
        ({"origin": "null"}, "wrong_origin"),
        ({"origin": "https://evil.example"}, "wrong_origin"),
        ({"origin": "http://127.0.0.1.evil.example"}, "wrong_origin"),
        ({"origin": "http://127.0.0.1:1"}, "wrong_origin"),
        ({"origin": "file://"}, "wrong_origin"),
        ({"origin": ""}, "wrong_origin"),
        ({"authorization": ""}, "invalid_token"),
        ({"authorization": "Bearer "}, "invalid_token"),
        ({"authorization": "Bearer wrong"}, "invalid_token"),
        ({"authorization": "Basic b3duZXI6"}, "invalid_token"),
        ({"authorization": "Bearer \xfc"}, "invalid_token"),
        ({"authorization": "", "x-api-key": "wrong"}, "invalid_token"),
    ],
)
def test_a_foreign_request_is_refused_before_its_body_is_read(headers: dict[str, str], code: str, served: Any) -> None:
    before = len(served.server.desk.book.list_jobs(None, 10_000))
    sent = {"host": f"127.0.0.1:{port_of(served)}", "authorization": f"Bearer {served.token}", **headers}
    lines = [f"{name}: {value}" for name, value in sent.items() if value or name != "authorization"]
    head = "\r\n".join(["POST /v1/runs HTTP/1.1", *lines, "content-type: application/json", "content-length: 500000"])
    with socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) as sock:
        sock.sendall(head.encode("latin-1") + b"\r\n\r\n")  # and no body at all
        answer = sock.recv(65_536).decode()
    assert code in answer, answer
    assert len(served.server.desk.book.list_jobs(None, 10_000)) == before
    alive(served)


def test_names_and_pages_that_were_allowed_may_ask() -> None:
    doors = Doors(hosts=frozenset({"pictures.example.org"}), origins=frozenset({"https://chat.example.org"}))
    assert all(map(doors.knows_host, ("pictures.example.org", "PICTURES.example.org:443", "[::1]:7411", "localhost")))
    assert not any(map(doors.knows_host, ("other.example.org", "[::2]", "0.0.0.0", "a b", None)))
    assert doors.admits_origin("https://chat.example.org", "pictures.example.org")
    assert doors.admits_origin("http://localhost:7411", "localhost:7411")
    assert doors.admits_origin(None, "x")
    assert not doors.admits_origin("http://[", "x")


def test_two_header_names_are_one_check(served: Any) -> None:
    answer = httpx.get(f"{served.url}/v1/runs", headers={"x-api-key": served.token}, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"].startswith("req_")
    given = httpx.get(f"{served.url}/v1/runs", headers={"x-api-key": "no", "x-request-id": "my-id.1"}, trust_env=False)
    assert given.headers["x-request-id"] == "my-id.1"


# --- sizes --------------------------------------------------------------------------------------


def test_hostile_bodies_are_refused_and_the_server_goes_on(served: Any) -> None:
    deep = b"[" * 10_000 + b"]" * 10_000
    bodies = {
        "10,000 deep": b'{"prompt": ' + deep + b"}",
        "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "cut": b'{"prompt": "a',
        "not UTF-8": b'{"prompt": "\xff\xfe"}',
        "half a letter": b'{"prompt": "\\ud800"}',
        "a list": b"[]",
        "nothing": b"",
        "values": b"[" + b"1," * 300_000 + b"1]",
    }
    with served.client(**{"content-type": "application/json"}) as http:
        for name, body in bodies.items():
            answer = http.post("/v1/runs", content=body)
            assert answer.status_code == 400, name
            assert answer.json()["error"]["code"] == "bad_input", name
        large = http.post("/v1/runs", content=b'{"prompt": "' + b"x" * 1_100_000 + b'"}')
        assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
    alive(served)


def test_a_body_without_a_length_is_counted(served: Any) -> None:
    def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 100_000

    refused_meanwhile = contextlib.suppress(httpx.WriteError)
    with served.client(**{"content-type": "application/json"}) as http, refused_meanwhile:
        assert http.post("/v1/runs", content=pieces()).status_code == 413
    alive(served)


def test_a_flood_of_headers_is_refused(served: Any) -> None:
    for lines in ([f"x-{n}: {'a' * 1000}" for n in range(100)], [f"x-{n}: a" for n in range(150)]):
        with socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) as sock:
            head = ["GET /v1/runs HTTP/1.1", f"host: 127.0.0.1:{port_of(served)}", *lines]
            sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
            assert sock.recv(4096).split()[1] in (b"400", b"413", b"431")
    alive(served)


def test_a_slow_body_ends_in_time(kit: Any, tmp_path: Path, served: Any) -> None:
    guard = served.server.config.loaded_app if hasattr(served.server.config, "loaded_app") else None
    while guard is not None and not hasattr(guard, "doors"):
        guard = getattr(guard, "app", None)
    assert guard is not None
    before, guard.doors = guard.doors, Doors(body_seconds=0.5)
    try:
        with socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) as sock:
            head = f"POST /v1/runs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {served.token}\r\n"
            sock.sendall(head.encode() + b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{")
            begun = time.monotonic()
            assert b"too_slow" in sock.recv(65_536)
            assert time.monotonic() - begun < 10
    finally:
        guard.doors = before
    alive(served)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/%2e%2e%2f%2e%2e%2fserver.json",
        "/v1/files/../../server.json",
        "/v1/pictures/..%5c..%5cserver.json",
        "/v1/runs/%00",
        "/v1/flows/%2e%2e%2f",
        "/v1/threads/..%2f..",
        "/v1/runs/..%2f..%2fserver.json/picture",
    ],
)
def test_no_path_leads_out(path: str, served: Any) -> None:
    with served.client() as http:
        answer = http.get(path)
    assert answer.status_code in (400, 403, 404)
    assert served.token not in answer.text


# --- pictures that clients send -----------------------------------------------------------------


def bomb(side: int) -> bytes:
    """A PNG of some kilobytes that says it is ``side`` pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side + 1) * 8)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def noise() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "PNG")
    return buffer.getvalue()


def animated() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bomb(13_000), "too_large"),
        (bomb(5001), "too_large"),
        (noise()[:-200], "bad_input"),
        (b"GIF89a" + b"\0" * 100, "bad_input"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "bad_input"),
        (b"\x89PNG\r\n\x1a\n", "bad_input"),
        (b"RIFF\0\0\0\0AVI ", "bad_input"),
        (animated(), "bad_input"),
        (b"", "bad_input"),
        (b"\xff\xd8\xff" + b"\0" * 21_000_000, "too_large"),
    ],
    ids=["13000 px", "5001 px", "cut", "gif", "svg", "head only", "avi", "animated", "empty", "21 MB"],
)
def test_a_sent_picture_is_judged_by_its_content(data: bytes, code: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Denied) as denied:
        read_upload(data, "image")
    assert denied.value.code == code
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:7411/health",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "file:///etc/passwd",
        "https://example.org/a.png",
        "ftp://x/a.png",
        "data:text/html;base64,PGI+",
        "data:image/png,abc",
        "",
        "//evil.example/a.png",
    ],
)
def test_no_address_is_fetched_for_a_client(url: str) -> None:
    with pytest.raises(Denied) as denied:
        read_data_url(url, "image")
    assert denied.value.code == "unsupported"


# --- clients ------------------------------------------------------------------------------------


def test_a_client_never_sees_another_s(served: Any, kit: Any) -> None:
    with served.client(ALICE) as alice, served.client(BOB) as bob, served.client() as owner:
        run = alice.post("/v1/threads/secret/turns", json={**BODY, "text": "a red circle"}).json()["id"]
        kit.wait_until(lambda: alice.get(f"/v1/runs/{run}").json()["status"] == "done")
        image = alice.get(f"/v1/runs/{run}").json()["image"]
        assert alice.get(f"/v1/pictures/{image}").status_code == 200
        for method, path in (
            ("GET", f"/v1/runs/{run}"),
            ("GET", f"/v1/runs/{run}/events"),
            ("POST", f"/v1/runs/{run}/cancel"),
            ("POST", f"/v1/runs/{run}/replay"),
            ("DELETE", f"/v1/runs/{run}"),
            ("GET", f"/v1/runs/{run}/picture"),
            ("GET", f"/v1/runs/{run}/details"),
            ("GET", "/v1/threads/secret"),
            ("DELETE", "/v1/threads/secret"),
            ("POST", "/v1/threads/secret/undo"),
            ("GET", f"/v1/pictures/{image}"),
        ):
            assert bob.request(method, path).status_code == 404, path
        assert bob.post(f"/v1/runs/{run}/thumb", json={"thumb": "up"}).status_code == 404
        assert bob.post("/v1/threads/x/turns", json={**BODY, "text": "undo", "go_on_from": run}).status_code == 202
        assert [one["run"] for one in bob.get("/v1/pictures").json()["data"]] == []
        assert bob.get("/v1/threads").json()["data"] == []
        assert {one["name"] for one in alice.get("/v1/threads").json()["data"]} >= {"secret"}
        assert owner.get(f"/v1/runs/{run}").status_code == 200
        assert "@alice/secret" in {one["name"] for one in owner.get("/v1/threads").json()["data"]}
        chat = {
            "model": "imagewright",
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": f"`{run}`"},
                {"role": "user", "content": "make the circle green"},
            ],
        }
        stolen = bob.post("/v1/chat/completions", json={**chat, "critic": False, "max_images": 1, "flow": "mini-quick"})
        assert stolen.json().get("thread") != "secret"
        assert alice.get("/v1/threads/secret").json()["data"][-1]["run"] == run


def test_a_client_s_wishes_are_its_own(served: Any, kit: Any) -> None:
    with served.client(ALICE) as alice:
        run = alice.post("/v1/threads/wish/turns", json={**BODY, "text": "I like watercolour"}).json()["id"]
        kit.wait_until(lambda: alice.get(f"/v1/runs/{run}").json()["status"] == "done")
        assert "watercolour" in alice.get(f"/v1/runs/{run}").json()["text"]
    assert served.engine.preferences.all() == ()


def test_only_the_owner_changes_the_index(served: Any) -> None:
    with served.client(ALICE) as alice:
        assert alice.post("/v1/flows", json={"name": "x", "workflow": {}}).status_code == 403
        assert alice.patch("/v1/flows/mini-quick", json={"disabled": True}).status_code == 403


def test_nothing_of_the_engine_s_own_can_be_asked_for(served: Any, kit: Any) -> None:
    """No language model, backend or file of the client's choice: such fields are not known here."""
    hostile = {"llm": "openai:x@http://169.254.169.254/", "backend": "nope", "out": "/etc/x.png", "strip": True}
    with served.client(ALICE) as alice:
        run = alice.post("/v1/runs", json={**BODY, **hostile}).json()["id"]
        kit.wait_until(lambda: alice.get(f"/v1/runs/{run}").json()["status"] == "done")
    request = served.engine.runs.get(run).request
    assert (request.llm, request.backend, request.strip) == (None, None, False)
    assert served.engine.runs.get(run).out.startswith(str(served.home / "served" / "alice"))


def test_budgets_and_rates_end_a_client_s_day(served: Any, kit: Any) -> None:
    with served.client("poor-has-one-picture-a-day") as poor, served.client("broke-may-not-draw-at-all-") as broke:
        first = poor.post("/v1/images/generations", json={**BODY, "max_images": 9})
        assert first.status_code == 200
        assert served.engine.runs.get(first.json()["data"][0]["run"]).request.max_images == 1
        for answer in (poor.post("/v1/runs", json=BODY), broke.post("/v1/images/generations", json=BODY)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (402, "budget_spent")
            assert answer.json()["error"]["type"] == "insufficient_quota"
    with served.client("slow-may-ask-twice-a-minute") as slow:
        statuses = [slow.get("/v1/runs").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert 1 <= int(slow.get("/v1/runs").headers["retry-after"]) <= 60


def test_a_full_queue_says_when_to_ask_again(served: Any) -> None:
    book = served.server.desk.book
    most, book.most = book.most, 0
    try:
        with served.client() as http:
            answer = http.post("/v1/runs", json=BODY)
    finally:
        book.most = most
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
    assert int(answer.headers["retry-after"]) >= 1


# --- files and options --------------------------------------------------------------------------


def test_the_secret_is_the_user_s_alone_and_stays(tmp_path: Path) -> None:
    secret = read_secret(tmp_path)
    file = tmp_path / "server.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_secret(tmp_path) == secret
    assert len(secret.get_secret_value()) > 40
    file.chmod(0o644)
    with pytest.raises(BadInput, match="others may read"):
        read_address(tmp_path)
    file.chmod(0o600)
    file.write_text("{}")
    with pytest.raises(BadInput, match="cannot be used"):
        read_address(tmp_path)


def test_another_host_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="open to other machines"):
        gather_clients(tmp_path, ServeOptions(host="0.0.0.0"))
    with pytest.raises(BadInput, match="fewer than 16"):
        gather_clients(tmp_path, ServeOptions(host="0.0.0.0", token="short"))
    assert gather_clients(tmp_path, ServeOptions(host="0.0.0.0", token="x" * 16)).identify("x" * 16) is not None
