"""Named tokens that the owner adds and removes: the file keeps what stands in it, and nobody else may read it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import BadInput
from imagewright.serve.clients import ClientAccount, read_clients
from imagewright.serve.token_file import drop_client, make_token, put_client

BY_HAND = """# those of the house
[alice]          # my sister
token = "alice-has-a-long-token"
images_a_day = 200

# the workshop
["bob"]
token = 'bob-has-another-token-too'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    path.write_text(BY_HAND)
    path.chmod(0o600)
    return path


def test_a_client_is_put_at_the_end_and_taken_out_again(file: Path) -> None:
    carol = ClientAccount(name="carol", token=make_token(), images_a_day=3, money_a_day=0.5)
    put_client(file, carol)
    assert file.read_text().startswith(BY_HAND)
    assert read_clients(file)[-1] == carol
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    drop_client(file, "bob")
    assert [one.name for one in read_clients(file)] == ["alice", "carol"]
    assert "# my sister" in file.read_text()
    drop_client(file, "carol")
    drop_client(file, "alice")
    assert read_clients(file) == []
    assert "token" not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    carol = ClientAccount(name="carol", token=make_token())
    put_client(tmp_path / "new" / "tokens.toml", carol)
    assert read_clients(tmp_path / "new" / "tokens.toml") == [carol]


def test_what_cannot_be_done_leaves_the_file_as_it_was(file: Path) -> None:
    with pytest.raises(BadInput, match="already"):
        put_client(file, ClientAccount(name="alice", token=make_token()))
    with pytest.raises(BadInput, match="nobody"):
        drop_client(file, "nobody")
    assert file.read_text() == BY_HAND
    inline = 'alice = { token = "alice-has-a-long-token" }\n'
    file.write_text(inline)
    with pytest.raises(BadInput, match="not changed here"):
        drop_client(file, "alice")
    assert file.read_text() == inline
    assert len(list(file.parent.iterdir())) == 1


def test_the_owner_admits_a_client_and_takes_the_token_back(served: Any) -> None:
    with served.client() as owner:
        made = owner.post("/v1/clients", json={"name": "erin", "images_a_day": 5})
        assert made.status_code == 201, made.text
        token = made.json()["token"]
        assert made.json()["client"]["images_a_day"] == 5
        listed = owner.get("/v1/clients")
        assert token not in listed.text
        known = {each["name"]: each["removable"] for each in listed.json()["data"]}
        assert (known["erin"], known["owner"]) == (True, False)
        assert owner.post("/v1/clients", json={"name": "erin"}).status_code == 400
        assert owner.post("/v1/clients", json={"name": "owner"}).status_code == 400
        assert owner.delete("/v1/clients/owner").status_code == 400
        with served.client(token) as erin:
            assert [each["name"] for each in erin.get("/v1/clients").json()["data"]] == ["erin"]
            assert erin.post("/v1/clients", json={"name": "finn"}).status_code == 403
            assert erin.delete("/v1/clients/alice").status_code == 403
            assert owner.delete("/v1/clients/erin").status_code == 204
            assert erin.get("/v1/clients").status_code == 401
        assert owner.delete("/v1/clients/erin").status_code == 404
