"""What the owner sees of the home: doctor's findings, settings without keys, servers; and what each client has used."""

from __future__ import annotations

from typing import Any

import pytest

ALICE, POOR = "alice-has-a-long-token", "poor-has-one-picture-a-day"


def test_doctor_tells_what_the_command_tells_by_sections(served: Any) -> None:
    with served.client() as http:
        sections = http.get("/v1/doctor").json()["sections"]
    told = [(each["state"], each["what"]) for section in sections for each in section["findings"]]
    assert sorted(told) == sorted((found.state, found.what) for found in served.engine.examine())
    assert [section["name"] for section in sections][:2] == ["this machine", "the home"]
    assert "flow index" in [each["what"] for each in sections[1]["findings"]]
    order = ("broken", "missing", "ok")
    for section in sections:
        assert section["state"] == min((each["state"] for each in section["findings"]), key=order.index)


def test_settings_say_where_they_come_from_and_no_key(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEWRIGHT_LLM_KEY", "anthropic=a-key-that-nobody-may-see")
    with served.client() as http:
        answer = http.get("/v1/settings")
    rows = {row["name"]: row for row in answer.json()["data"]}
    assert rows["data_dir"] == {"name": "data_dir", "value": str(served.home), "origin": "given"}
    assert rows["polish"]["origin"] == "default"
    assert "a-key-that-nobody-may-see" not in answer.text


def test_the_home_is_the_owner_s_to_see(served: Any) -> None:
    with served.client(ALICE) as alice:
        for path in ("/v1/doctor", "/v1/settings", "/v1/servers", "/v1/model-files"):
            answer = alice.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed"), path


def test_a_client_sees_its_own_use_and_the_owner_everybody_s(served: Any) -> None:
    quick = {"prompt": "a red circle", "critic": False, "flow": "mini-quick"}
    with served.client(POOR) as poor, served.client() as owner:
        poor.post("/v1/images/generations", json=quick)
        [mine] = poor.get("/v1/clients").json()["data"]
        assert (mine["name"], mine["owner"], mine["images_a_day"], mine["images_used"]) == ("poor", False, 1, 1)
        known = {each["name"]: each for each in owner.get("/v1/clients").json()["data"]}
    assert known["poor"] == {**mine, "removable": True}  # by the owner, not by itself
    assert known["owner"]["owner"]
    assert known["slow"]["requests_a_minute"] == 2
    assert "token" not in mine


def test_servers_that_do_not_answer_are_told_with_a_remedy(served: Any, kit: Any, tmp_path: Any) -> None:
    from imagewright import Imagewright
    from imagewright.comfy_settings import server_at
    from imagewright.settings import Settings

    with served.client() as http:
        assert http.get("/v1/servers").json() == {"data": []}
    gone = server_at("http://127.0.0.1:9", "desk")
    engine = Imagewright(Settings(data_dir=tmp_path, model_roots=(tmp_path,), device="cpu", comfyui=(gone,)))
    [state] = engine.tell_servers()
    assert (state.name, state.waiting, state.version) == ("desk", None, "")
    assert state.fault
    assert state.remedy
