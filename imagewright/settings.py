"""The settings of imagewright: the only reader of the environment and of the settings file.

A command's own option goes before the environment, the environment before the file (``config.toml`` in the person's
configuration folder, or the file that ``IMAGEWRIGHT_CONFIG`` names), the file before the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
from pydantic import BaseModel, ConfigDict, SecretStr

from imagewright import untrusted
from imagewright.comfy_settings import ServerSettings, read_servers
from imagewright.errors import BadInput
from imagewright.keys import keys_of
from imagewright.redaction import SHORTEST, secret_values

_VARIABLES = {
    "data_dir": "IMAGEWRIGHT_HOME",
    "model_roots": "IMAGEWRIGHT_MODELS",
    "device": "IMAGEWRIGHT_DEVICE",
    "llm": "IMAGEWRIGHT_LLM",
    "llm_keys": "IMAGEWRIGHT_LLM_KEY",
    "model_cache": "IMAGEWRIGHT_MODEL_CACHE",
    "learn_critic": "IMAGEWRIGHT_LEARN_CRITIC",
    "polish": "IMAGEWRIGHT_POLISH",
    "comfyui": "IMAGEWRIGHT_COMFYUI",
    "rules": "IMAGEWRIGHT_RULES",
    "embedder": "IMAGEWRIGHT_EMBEDDER",
    "explore": "IMAGEWRIGHT_EXPLORE",
}
"""The environment's name of each setting."""
FILE_NAMES = {
    "home": "data_dir", "models": "model_roots", "device": "device", "llm": "llm", "model_cache": "model_cache",
    "learn.critic": "learn_critic", "polish": "polish", "rules": "rules",
    "embedder": "embedder", "explore": "explore",
}  # fmt: skip
"""The file's name of each setting. There is none for a key: keys stay out of files."""
_SERVERS = "comfyui"
"""The table of the file that names servers (``comfy_settings``)."""
_OF_FIELD = {name.replace(".", "_"): setting for name, setting in FILE_NAMES.items()}
"""The setting that each field of ``setting_sources`` becomes."""


class Settings(BaseModel):
    """Everything that can be set, with its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    """Where the index, runs, checkpoints and pictures live (``IMAGEWRIGHT_HOME``)."""
    model_roots: tuple[Path, ...]
    """Folders laid out as ComfyUI's ``models``: ``checkpoints/``… (``IMAGEWRIGHT_MODELS``, separated by ``:``)."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` (``IMAGEWRIGHT_DEVICE``)."""
    llm: str | None = None
    """Language models, as ``agents/llm/models.py`` reads them (``IMAGEWRIGHT_LLM``); none for the rules agents."""
    llm_keys: Mapping[str, SecretStr] = {}
    """Keys by provider; ``*`` is for servers named by an address (``IMAGEWRIGHT_LLM_KEY``)."""
    keys_file: Path | None = None
    """A file of more keys that only its owner may read (``IMAGEWRIGHT_KEYS``)."""
    llm_seconds: float = 60.0
    """How long one call to a language model may take (``IMAGEWRIGHT_LLM_SECONDS``)."""
    llm_cache: bool = True
    """Whether checked answers of language models are used again (``IMAGEWRIGHT_LLM_CACHE=0``: not)."""
    model_cache: int = 2
    """How many loaded pipelines stay in memory (``IMAGEWRIGHT_MODEL_CACHE``)."""
    learn_critic: bool = False
    """Whether the critic's verdicts count as evidence (``IMAGEWRIGHT_LEARN_CRITIC=1``)."""
    comfyui: tuple[ServerSettings, ...] = ()
    """The ComfyUI servers (``IMAGEWRIGHT_COMFYUI``, or ``[comfyui.NAME]`` in the file)."""
    polish: bool = False
    """Whether a picture that is right is tried with one change of light, angle or mood (``IMAGEWRIGHT_POLISH=1``)."""
    rules: str = ""
    """Whose way the ``diffusers`` backend goes where ComfyUI and the stock pipelines differ: ``comfyui``, ``stock``, or
    ``text=…`` and ``shift=…`` apart; docs/executor.md (``IMAGEWRIGHT_RULES``)."""
    embedder: str = ""
    """The sentence-transformers model whose vectors the index holds, a folder or a name; the shipped MiniLM for none
    (``IMAGEWRIGHT_EMBEDDER``)."""
    explore: bool = False
    """Whether a flow may be chosen to learn more about it (``IMAGEWRIGHT_EXPLORE=1``)."""

    editor: str | None = None
    """The command that opens a file for the person to change (``VISUAL``, else ``EDITOR``)."""

    @property
    def prices(self) -> Path:
        """The person's own prices of language models."""
        return self.data_dir / "prices.toml"

    @property
    def database(self) -> Path:
        """The SQLite file that holds the truth: flows, vectors, evidence, runs."""
        return self.data_dir / "imagewright.sqlite"

    @property
    def checkpoints(self) -> Path:
        """The SQLite file of LangGraph's checkpoints."""
        return self.data_dir / "checkpoints.sqlite"

    @property
    def preferences(self) -> Path:
        """The SQLite file of LangGraph's store: the person's lasting wishes."""
        return self.data_dir / "store.sqlite"

    @property
    def chroma_dir(self) -> Path:
        """The folder of the derived vector index."""
        return self.data_dir / "chroma"

    @property
    def artifacts(self) -> Path:
        """The folder of pictures and traces, addressed by content."""
        return self.data_dir / "artifacts"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (``os.environ`` unless given) and the settings file.

    Raises:
        BadInput: a variable or the file holds a value that cannot be used.
    """
    from imagewright.setting_sources import read_given

    env = os.environ if environ is None else environ
    file = config_file(env)
    table = _from_file(file)
    servers = read_servers(env.get(_VARIABLES["comfyui"]), table.pop(_SERVERS, {}), file)
    given = read_given(env, table, file)
    home = (given.home or Path(platformdirs.user_data_dir("imagewright"))).expanduser()
    return Settings(
        data_dir=home,
        model_roots=(*(path.expanduser() for path in given.models), home / "models"),
        device=given.device or "auto",
        llm=given.llm or None,
        llm_keys=keys_of(env),
        keys_file=given.keys or platformdirs.user_config_path("imagewright") / "keys.toml",
        llm_seconds=given.llm_seconds,
        llm_cache=given.llm_cache,
        model_cache=given.model_cache,
        editor=env.get("VISUAL") or env.get("EDITOR") or None,
        learn_critic=given.learn_critic,
        polish=given.polish,
        comfyui=servers,
        rules=given.rules,
        embedder=given.embedder,
        explore=given.explore,
    )


def environment_secrets(shortest: int = SHORTEST) -> tuple[SecretStr, ...]:
    """The values of this process's variables that hold keys by their names (``redaction.secret_values``)."""
    return tuple(secret_values(os.environ, shortest).values())


def setting_origins(environ: Mapping[str, str]) -> dict[str, str]:
    """Where each setting's value comes from: a variable, the file, or the default."""
    path = config_file(environ)
    from_file = {_OF_FIELD.get(name, name) for name in _from_file(path)}
    return {
        name: variable if environ.get(variable) else str(path) if name in from_file else "default"
        for name, variable in _VARIABLES.items()
    }


class SettingInForce(NamedTuple):
    """One setting: its value as text, never a key's, and where it comes from."""

    name: str
    value: str
    origin: str
    """A variable, the file, ``default``, or ``given``: by whoever made the engine, such as a command's own option."""


def tell_settings(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[SettingInForce, ...]:
    """Every setting in force; what ``settings`` has otherwise than environment and file say was ``given``.

    Raises:
        BadInput: the environment or the file cannot be used.
    """
    env = os.environ if environ is None else environ
    said = load_settings(env)
    return tuple(
        SettingInForce(
            name, _say(getattr(settings, name)), origin if getattr(settings, name) == getattr(said, name) else "given"
        )
        for name, origin in setting_origins(env).items()
    )


def _say(value: object) -> str:
    if isinstance(value, SecretStr | Mapping):
        return "set, not shown" if value else ""
    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    return "" if value is None else str(value)


def config_file(environ: Mapping[str, str]) -> Path:
    """The settings file: what ``IMAGEWRIGHT_CONFIG`` names, else ``config.toml`` in the configuration folder (XDG)."""
    named = environ.get("IMAGEWRIGHT_CONFIG")
    return Path(named).expanduser() if named else Path(platformdirs.user_config_dir("imagewright")) / "config.toml"


def _from_file(path: Path) -> dict[str, Any]:
    """The fields that the file states, none without a file.

    Raises:
        BadInput: it cannot be read, is no TOML, or states what there is not.
    """
    table = untrusted.load_toml(path, "the settings file") if _exists(path) else {}
    servers = {_SERVERS: table.pop(_SERVERS)} if _SERVERS in table else {}
    values = _flat(table)
    unknown = [name for name in values if name not in FILE_NAMES]
    if unknown:
        known = ", ".join((*FILE_NAMES, _SERVERS))
        why = "keys belong in the environment" if "key" in unknown[0] else f"it knows {known}"
        raise BadInput(f"the settings file {path} states {unknown[0]!r}", why)
    return {name.replace(".", "_"): value for name, value in values.items() if value not in ("", [])} | servers


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    return True


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """``{"learn": {"critic": true}}`` as ``{"learn.critic": true}``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found
