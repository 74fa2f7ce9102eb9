"""The named clients in the file of tokens."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from imagewright.errors import BadInput
from imagewright.serve.clients import ClientAccount, Clients, read_clients


@pytest.mark.parametrize(
    "text",
    [
        "[alice]",
        "[alice]\ntoken = 'short'",
        "[alice]\ntoken = 3",
        "[Alice]\ntoken = 'aaaaaaaaaaaaaaaaaaaa'",
        "[owner]\ntoken = 'aaaaaaaaaaaaaaaaaaaa'",
        "[a]\ntoken = 'aaaaaaaaaaaaaaaaaaaa'\nimages_a_day = -1",
        "[a]\ntoken = 'aaaaaaaaaaaaaaaaaaaa'\nsomething = 1",
        "alice = 'aaaaaaaaaaaaaaaaaaaa'",
        "[",
        "['../x']\ntoken = 'aaaaaaaaaaaaaaaaaaaa'",
    ],
)
def test_a_file_of_tokens_that_cannot_be_used_says_no_token(text: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(BadInput) as error:
        read_clients(file)
    assert "aaaaaaaa" not in f"{error.value} {error.value.remedy}"
    file.chmod(0o640)
    with pytest.raises(BadInput, match="others may read"):
        read_clients(file)


def test_one_token_is_one_client() -> None:
    one, two = (ClientAccount(name=name, token=SecretStr("t" * 20)) for name in ("a", "b"))
    with pytest.raises(BadInput, match="one token"):
        Clients([one, two])
    with pytest.raises(BadInput, match="one name"):
        Clients([one, one])
