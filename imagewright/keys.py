"""Keys of language model services: from the environment, or from a file that only its owner may read.

The file is TOML: a provider or a server's ``host`` or ``host:port``, and its key::

    anthropic = "…"
    "openrouter.ai" = "…"

A key of the environment goes before one of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from imagewright import untrusted
from imagewright.errors import BadInput

_VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "*": "IMAGEWRIGHT_LLM_KEY"}
"""Where a key is for; ``*`` is any server that is named by its address and has none of its own."""


def keys_of(environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """The keys that the environment holds."""
    return {name: SecretStr(environ[variable]) for name, variable in _VARIABLES.items() if environ.get(variable)}


def read_keys(path: Path) -> dict[str, SecretStr]:
    """The keys in the file at ``path``; none when it does not exist.

    Raises:
        BadInput: others may read it, or it is no table of texts. No error says what stands in it.
    """
    table = untrusted.read_secrets(path, "keys", 'a line reads: anthropic = "the key"')
    if table is None:
        return {}
    if not all(isinstance(value, str) and value.strip() for value in table.values()):
        raise BadInput(f"a key in {path} is no text", 'a line reads: anthropic = "the key"')
    return {name: SecretStr(value.strip()) for name, value in table.items()}
