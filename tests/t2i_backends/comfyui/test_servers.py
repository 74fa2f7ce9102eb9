"""Several servers, keys, redirects: who draws, who is left alone, and what goes out to whom."""

from __future__ import annotations

import base64
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.comfy_settings import ServerSettings
from imagewright.errors import BadInput, CannotDraw
from imagewright.needing import read_need
from imagewright.ports import Drawn, Job
from imagewright.settings import Settings, load_settings
from imagewright.t2i_backends.comfyui.backend import ComfyBackend, open_comfyui
from imagewright.t2i_backends.comfyui.bench import compare_server
from imagewright.t2i_backends.comfyui.faults import ServerFault
from imagewright.t2i_backends.comfyui.servers import LOOK_SECONDS

Serve = Callable[..., Any]
Connect = Callable[..., ComfyBackend]


def draw(backend: ComfyBackend, flow: Any, **fields: Any) -> Drawn:
    return backend.draw(Job(flow=flow, **{"prompt": "a", **fields}), lambda step: None, lambda: False)


def test_what_can_run_where(serve: Serve, connect: Connect, make_flow: Any, graph: Any) -> None:
    first, second = serve({"checkpoints": ["other"]}), serve({"checkpoints": ["sub\\big.safetensors"]})
    backend = connect(first, second)
    graph["1"]["inputs"]["ckpt_name"] = "sub/big.safetensors"
    flow = make_flow(graph)
    assert backend.check(flow).runnable
    told = backend.check_servers(flow)
    assert told["s1"].problems[0].remedy == "put sub/big.safetensors into models/checkpoints of server s1"
    assert told["s2"].runnable
    drawn = draw(backend, flow)
    assert drawn.facts["server"] == "s2"
    sent = json.loads(next(body for how, path, _, body in second.requests if (how, path) == ("POST", "/prompt")))
    assert sent["prompt"]["1"]["inputs"]["ckpt_name"] == "sub\\big.safetensors"


def test_needs_are_answered_once_and_anew_when_files_change(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve({"checkpoints": ["other"]})
    backend = connect(server)
    needs = [read_need(make_flow())]
    told = backend.missing(needs)
    assert not told[0].runnable
    assert told[0].curable
    assert backend.missing(needs) is told
    server.classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0].append("mini")
    server.models["checkpoints"].append("mini")
    backend.pool.servers[0]._looked = -1e9  # the time between two looks is over
    assert backend.missing(needs)[0].runnable


def test_what_is_known_is_kept_for_when_the_server_is_away(
    serve: Serve, settings: Callable[..., Settings], make_flow: Any
) -> None:
    server = serve()
    named = settings(server)
    assert open_comfyui(named).check(make_flow()).runnable
    server.stop()
    why = open_comfyui(named).check(make_flow()).why_not
    assert "does not answer" in why
    assert "it had all that this flow needs, just now" in why


def test_a_failing_server_is_left_alone_and_its_jobs_go_elsewhere(
    serve: Serve, connect: Connect, make_flow: Any
) -> None:
    first, second = serve(), serve()
    backend = connect(first, second)
    first.faults.crash_at = "post"
    drawn = draw(backend, make_flow(), key="k")
    assert drawn.facts["server"] == "s2"
    assert "another server draws it" in drawn.facts["fallbacks"]
    assert [job.status for job in backend.jobs.list_jobs("k")] == ["left", "done"]
    before = len(first.requests)
    assert draw(backend, make_flow(), seed=1).facts["server"] == "s2"
    assert len(first.requests) == before
    assert backend.pool.servers[0].is_resting


def test_the_shorter_queue_is_taken_and_loaded_models_count(serve: Serve, connect: Connect, make_flow: Any) -> None:
    first, second = serve(), serve()
    backend = connect(first, second)
    assert draw(backend, make_flow(), seed=1).facts["server"] == "s1"
    backend.pool.servers[0].loaded = frozenset({"something else"})
    backend.pool.servers[1].loaded = frozenset({"mini"})
    assert draw(backend, make_flow(), seed=2).facts["server"] == "s2"


def test_two_servers_share_what_is_drawn_together(serve: Serve, connect: Connect, make_flow: Any) -> None:
    servers = [serve(step_seconds=0.05) for _ in range(2)]
    jobs = [Job(flow=make_flow(), prompt="a", seed=seed) for seed in range(6)]
    found = connect(*servers).draw_many(jobs, lambda: False)
    assert [each.image.size for each in found if isinstance(each, Drawn)] == [(32, 32)] * 6
    assert min(len(server.drawn) for server in servers) >= 2
    assert sum(len(server.drawn) for server in servers) == 6


@pytest.mark.slow
def test_two_servers_draw_nearly_twice_as_much(serve: Serve, connect: Connect, make_flow: Any, tmp_path: Path) -> None:
    jobs = [Job(flow=make_flow(), prompt="a", seed=seed) for seed in range(8)]
    taken = {}
    for count in (1, 2):
        backend = connect(*(serve(step_seconds=0.25) for _ in range(count)), home=tmp_path / str(count))
        backend.check(make_flow())
        start = time.monotonic()
        found = backend.draw_many(jobs, lambda: False)
        taken[count] = time.monotonic() - start
        assert all(isinstance(each, Drawn) for each in found)
    assert taken[1] / taken[2] >= 1.9


def keys_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def with_keys(settings: Callable[..., Settings], server: Any, keys: Path, **fields: Any) -> ComfyBackend:
    return open_comfyui(settings(server, **fields).model_copy(update={"keys_file": keys}))


@pytest.mark.parametrize(
    ("auth", "key", "header"),
    [("bearer", "tok", "Bearer tok"), ("basic", "ana:pw", f"Basic {base64.b64encode(b'ana:pw').decode()}")],
)
def test_keys_come_from_their_file_and_go_nowhere_else(
    serve: Serve, settings: Any, make_flow: Any, tmp_path: Path, auth: str, key: str, header: str
) -> None:
    server = serve(prefix="/comfy")
    server.faults.authorization = header
    keys = keys_file(tmp_path, f'"comfyui.s1" = "{key}"\nother = "zzz-secret"\n')
    fields = {"auth": auth, "user": "ana", "headers": {"X-Side": "key:other", "X-Plain": "1"}}
    drawn = draw(with_keys(settings, server, keys, **fields), make_flow())
    for _, path, sent, body in server.requests:
        assert path.startswith("/comfy/")
        assert (sent["comfy-user"], sent["X-Side"], sent["X-Plain"]) == ("ana", "zzz-secret", "1")
        assert key.encode() not in body
        assert b"zzz-secret" not in body
    assert key not in f"{drawn.facts}{drawn.graph}"


def test_a_wrong_key_is_said_so_and_not_shown(serve: Serve, settings: Any, make_flow: Any, tmp_path: Path) -> None:
    server = serve()
    server.faults.authorization = "Bearer right"
    backend = with_keys(settings, server, keys_file(tmp_path, '"comfyui.s1" = "wrong-key"\n'))
    why = backend.check(make_flow()).why_not
    assert "wants another key" in why
    assert '"comfyui.s1" = "the key"' in why
    assert "wrong-key" not in why


def test_a_header_whose_key_is_missing_is_said(serve: Serve, settings: Any, make_flow: Any, tmp_path: Path) -> None:
    backend = with_keys(settings, serve(), keys_file(tmp_path, ""), headers={"X-A": "key:absent"})
    with pytest.raises(BadInput, match="no line 'absent'"):
        backend.check(make_flow())


def test_redirects_carry_neither_keys_nor_prompts(serve: Serve, settings: Any, make_flow: Any, tmp_path: Path) -> None:
    server, thief = serve(), serve()
    backend = with_keys(settings, server, keys_file(tmp_path, '"comfyui.s1" = "tok"\n'))
    assert backend.check(make_flow()).runnable
    server.faults.redirect = thief.url
    with pytest.raises(ServerFault, match="sends elsewhere"):
        draw(backend, make_flow(), prompt="a secret")
    assert thief.requests == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "http://u:p@h:1"', "holds a password"),
        ('url = "ftp://h"', "not the address"),
        ('url = "http://h"\nheaders = { Authorization = "Bearer abc" }', "holds a key"),
        ('url = "http://h"\nspeed = 1', "speed"),
        ('url = "http://h"\njob_timeout = -1', "job_timeout"),
    ],
)
def test_a_server_that_cannot_be_used_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.toml").write_text(f"[comfyui.desk]\n{text}\n")
    with pytest.raises(BadInput, match=said) as caught:
        load_settings({"IMAGEWRIGHT_CONFIG": str(tmp_path / "c.toml")})
    assert "desk" in str(caught.value)
    assert caught.value.remedy


def test_the_variable_names_servers_and_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[comfyui.desk]\nurl = "http://desk:8188/x/"\n')
    environ = {"IMAGEWRIGHT_CONFIG": str(tmp_path / "c.toml")}
    assert load_settings(environ).comfyui == (ServerSettings(name="desk", url="http://desk:8188/x"),)
    given = load_settings({**environ, "IMAGEWRIGHT_COMFYUI": "a=http://1.2.3.4:1, http://h:2"}).comfyui
    assert [(each.name, each.url) for each in given] == [("a", "http://1.2.3.4:1"), ("h:2", "http://h:2")]


def test_nobody_named_and_nobody_at_comfyui_s_own_address(tmp_path: Path, make_flow: Any) -> None:
    backend = open_comfyui(Settings(data_dir=tmp_path, model_roots=()))
    backend.pool.servers[0].client.server = ServerSettings(name="local", url="http://127.0.0.1:9")
    with pytest.raises(CannotDraw, match="does not answer"):
        draw(backend, make_flow())


def test_another_precision_only_where_that_is_allowed_and_then_it_is_told(
    serve: Serve, connect: Connect, make_flow: Any, graph: Any
) -> None:
    server = serve({"checkpoints": ["flux/big_fp8_e4m3fn.safetensors", "other.safetensors"]})
    backend = connect(server)
    graph["1"]["inputs"]["ckpt_name"] = "big-fp16.safetensors"
    flow = make_flow(graph)
    assert not backend.check(flow).runnable
    drawn = draw(backend.permissive, flow)
    said = "big-fp16.safetensors is replaced by flux/big_fp8_e4m3fn.safetensors, as was allowed"
    assert said in drawn.facts["fallbacks"]
    assert json.loads(drawn.graph)["1"]["inputs"]["ckpt_name"] == "flux/big_fp8_e4m3fn.safetensors"
    graph["1"]["inputs"]["ckpt_name"] = "bigger-fp16.safetensors"
    assert not backend.permissive.check(make_flow(graph)).runnable


def test_a_job_waits_for_two_answers_before_it_is_sent(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve()
    backend = connect(server)
    assert backend.check(make_flow()).runnable
    backend.pool.servers[0]._looked -= LOOK_SECONDS  # the time between two looks is over
    before = len(server.requests)
    draw(backend, make_flow())
    asked = [(how, path.partition("?")[0]) for how, path, _, _ in server.requests[before:]]
    assert asked[: asked.index(("POST", "/prompt"))] == [("GET", "/prompt"), ("GET", "/ws")]


def test_what_came_since_the_last_look_is_seen_when_a_job_comes(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve({"checkpoints": ["other"]})
    backend = connect(server)
    assert not backend.check(make_flow()).runnable
    server.classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0].append("mini")
    server.models["checkpoints"].append("mini")
    backend.pool.servers[0]._looked -= LOOK_SECONDS
    assert draw(backend, make_flow()).facts["server"] == "s1"


def test_connections_end_with_whoever_held_them(serve: Serve, settings: Any, make_flow: Any) -> None:
    backend = open_comfyui(settings(serve()))
    draw(backend, make_flow())
    http = backend.pool.servers[0].client._http
    assert not http.is_closed
    del backend
    gc.collect()
    assert http.is_closed


def test_our_way_is_timed_beside_a_bare_script(serve: Serve, connect: Connect, make_flow: Any) -> None:
    server = serve(step_seconds=0.05)
    found = compare_server(connect(server), make_flow(), "a", 3)
    assert (found.server, found.flow, found.repeats) == ("s1", "small", 3)
    assert min(found.ours, found.bare) >= 0.2
    assert len(server.drawn) == 7
    with pytest.raises(BadInput, match="one turn"):
        compare_server(connect(server), make_flow(), "a", 1)


@pytest.mark.slow
def test_the_overhead_beside_a_job_of_ten_seconds(serve: Serve, connect: Connect, make_flow: Any) -> None:
    assert compare_server(connect(serve(step_seconds=2.5)), make_flow(), "a", 3).overhead <= 0.02
