"""Reaching language models by name: one setting says which, for all agents or for each.

=====================================  ==========================================================================
name                                   what it is
=====================================  ==========================================================================
``anthropic:MODEL``, ``openai:MODEL``  the providers' own services
``http://HOST/v1#MODEL``               any OpenAI-compatible server: Ollama, vLLM, llama.cpp, LM Studio, OpenRouter
``openai:MODEL@http://HOST/v1``        the same in another spelling; ``anthropic:MODEL@…`` for compatible servers
``scripted:FILE``                      answers from a JSON file; ``scripted-vlm:FILE`` looks at pictures too
``paste``                              a person: the prompt is printed, the answer is read from the terminal
=====================================  ==========================================================================

A setting is a list of names, asked in order (``openai:a, http://localhost:11434/v1#b``), then for single agents others
behind semicolons: ``openai:a; layout=anthropic:b; selector=rules``. The rules always come last.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from imagewright import registry
from imagewright.agents.llm.calls import first_line
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Way = Literal["json_schema", "function_calling", "json_mode", "words"]
WAYS: dict[str, tuple[Way, ...]] = {
    "openai": ("json_schema", "function_calling", "json_mode", "words"),
    "anthropic": ("json_schema", "function_calling", "words"),
}
"""The ways in which a provider's protocol can be asked for JSON, surest first."""
PROVIDERS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""Providers and the variable that holds each one's key."""
AGENTS = ("interpreter", "categorizer", "selector", "layout", "lmd", "writer", "critic")
"""The agents that may have a model of their own; ``lmd`` is the layout planner in LMD's form."""
PASTE, RULES = "paste", "rules"
MOST_TOKENS = 8192
"""Tokens of one answer; models that think aloud need room."""
_SHORTEST_KEY = 6
"""A shorter key cannot be told from an ordinary word, and no service gives one out."""
_FORMAT = (
    "name it as anthropic:MODEL, openai:MODEL or http://HOST/v1#MODEL, such as http://localhost:11434/v1#qwen3; "
    "several with commas between them"
)


@dataclass(frozen=True)
class LanguageModel:
    """A chat model, its name for traces, and how it may be asked."""

    chat: BaseChatModel
    name: str = "scripted"
    ways: tuple[Way, ...] = ("words",)
    secrets: tuple[SecretStr, ...] = ()
    """Keys that must never be told, whoever says them."""
    patient: bool = False
    """True for a person, who takes the time that it takes."""
    sees: bool | None = None
    """Whether it sees pictures, where that is known beforehand."""
    wire: str = ""
    """The provider's protocol that it is asked in; empty for one that is no service."""
    open_key: bool = False
    """Whether its key goes to another machine over plain http."""


@dataclass(frozen=True)
class Reach:
    """What is needed to reach models: keys by provider or host, and how long one call may take."""

    keys: Mapping[str, SecretStr]
    seconds: float = 60.0


# --- the setting ----------------------------------------------------------------------------


def read_setting(setting: str | None) -> dict[str, tuple[str, ...]]:
    """The names that each agent asks, in order; an agent that is left to the rules is not in it.

    Raises:
        BadInput: an agent that there is not, or an empty name.
    """
    asked: dict[str, tuple[str, ...]] = {}
    for part in (setting or "").split(";"):
        agent, sign, chain = part.partition("=")
        if not sign or agent.strip() not in AGENTS:
            agent, chain = "", part
        if (known := re.match(r"\s*([a-z_]+)\s*=", part)) and known[1] not in AGENTS:
            raise BadInput(f"no agent is called {known[1]!r}", f"agents: {', '.join(AGENTS)}")
        if chain.strip():
            asked[agent.strip()] = _chain(chain)
    return _for_agents(asked)


def _chain(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise BadInput(f"cannot read the language models {text.strip()!r}", _FORMAT)
    return () if names == (RULES,) else tuple(name for name in names if name != RULES)


def _for_agents(asked: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Every agent with its own names or the common ones. A person is only asked for what was asked for by name:
    the common ``paste`` is for the layout, in LMD's form."""
    common = asked.get("", ())
    if common == (PASTE,):
        asked, common = {"lmd": common, **asked}, ()
    asked = {"lmd": (), **asked}
    if asked["lmd"]:
        asked["layout"] = ()
    return {agent: names for agent in AGENTS if (names := asked.get(agent, common))}


def missing_keys(setting: str, keys: Mapping[str, SecretStr]) -> tuple[str, ...]:
    """The variables of the providers that ``setting`` names and that have no key.

    Raises:
        BadInput: the setting cannot be read.
    """
    names = {name for chain in read_setting(setting).values() for name in chain}
    providers = {name.partition(":")[0] for name in names if "//" not in name}
    return tuple(PROVIDERS[provider] for provider in sorted(providers & set(PROVIDERS)) if provider not in keys)


# --- one model ------------------------------------------------------------------------------


def connect(name: str, reach: Reach | None = None) -> LanguageModel:
    """The chat model called ``name``; nothing is sent yet.

    Raises:
        BadInput: the name cannot be read, the extra is not installed, or the provider's key is not set.
    """
    reach = reach or Reach({})
    kind, _, rest = name.partition(":")
    if kind not in PROVIDERS and "//" not in name and kind in registry.names("models"):
        made: LanguageModel = registry.load("models", kind)(name, rest)
        return made
    provider, model, url = _parts(name)
    if importlib.util.find_spec("langchain") is None or importlib.util.find_spec(f"langchain_{provider}") is None:
        raise BadInput(f"{provider} models need an extra that is not installed", "pip install 'imagewright[llm]'")
    key = _key(provider, url, reach.keys)
    secrets = (key,) if key is not None and len(key.get_secret_value()) >= _SHORTEST_KEY else ()
    chat = _connect(provider, model, url, key, reach.seconds)
    return LanguageModel(
        chat, f"{url}#{model}" if url else name, WAYS[provider], secrets,
        wire=provider, open_key=key is not None and _is_open(url),
    )  # fmt: skip


def _parts(name: str) -> tuple[str, str, str]:
    """Provider, model and address; the address is empty for a provider's own service.

    Raises:
        BadInput: the name cannot be read.
    """
    if name.startswith(("http://", "https://")):
        url, _, model = name.partition("#")
        provider = "openai"
    else:
        provider, _, rest = name.partition(":")
        model, at, url = rest.partition("@")
        if at and not url:
            model = ""
    if provider not in PROVIDERS or not model or (url and not _is_address(url)):
        raise BadInput(f"cannot read the language model {_without_login(name)!r}", _FORMAT)
    return provider, model, url.rstrip("/")


def _is_address(text: str) -> bool:
    """Whether ``text`` is the address of a server; one with a password or a query is not, for it would be logged."""
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)


def _is_open(url: str) -> bool:
    """Whether what is sent to ``url`` leaves this machine in plain text."""
    parts = urlsplit(url)
    if parts.scheme != "http" or (host := (parts.hostname or "").rstrip(".")) == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return not host.endswith(".localhost")


def _without_login(name: str) -> str:
    """``name`` without what stands between ``//`` and ``@`` or behind ``?``: there are people who put keys there."""
    return re.sub(r"\?.*", "?…", re.sub(r"//[^/@]*@", "//…@", name))[:200]


def _key(provider: str, url: str, keys: Mapping[str, SecretStr]) -> SecretStr | None:
    """The key to send: a provider's own to the provider only; to a server the one that is kept for it.

    Raises:
        BadInput: a provider's own service has no key.
    """
    if not url:
        if provider not in keys:
            variable = PROVIDERS[provider]
            raise BadInput(f"the key for {provider} is not set", f"export {variable}=…, or leave --llm out")
        return keys[provider]
    parts = urlsplit(url)
    return keys.get(parts.netloc) or keys.get(parts.hostname or "") or keys.get("*")


def _connect(provider: str, model: str, url: str, key: SecretStr | None, seconds: float) -> BaseChatModel:
    from imagewright.agents.llm.clients import anthropic_chat, openai_chat

    settings: dict[str, Any] = {
        "timeout": seconds,
        "max_retries": 0,
        "max_tokens": MOST_TOKENS,
        "api_key": key.get_secret_value() if key else "none",
    }
    if url:
        settings["base_url"] = url
    try:
        return (openai_chat if provider == "openai" else anthropic_chat)(model=model, **settings)
    except Exception as error:  # noqa: BLE001  (the boundary to a provider's client)
        told = first_line(error, (key,) if key else ())
        raise BadInput(f"cannot set up the {provider} model: {told}", _FORMAT) from None
