"""The settings of imagewright: the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, SecretStr

from imagewright.errors import BadInput


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
    """``provider:model`` or ``provider:model@base_url`` (``IMAGEWRIGHT_LLM``); none for the rules agents."""
    llm_key: SecretStr | None = None
    """The key for a server named by ``@base_url`` (``IMAGEWRIGHT_LLM_KEY``); providers read their own variables."""
    model_cache: int = 2
    """How many loaded pipelines stay in memory (``IMAGEWRIGHT_MODEL_CACHE``)."""
    learn_critic: bool = False
    """Whether the critic's verdicts count as evidence (``IMAGEWRIGHT_LEARN_CRITIC=1``)."""

    editor: str | None = None
    """The command that opens a file for the person to change (``VISUAL``, else ``EDITOR``)."""

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
    """Read the settings from the environment (``os.environ`` unless given).

    Raises:
        BadInput: a variable holds a value that cannot be used.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("IMAGEWRIGHT_HOME") or platformdirs.user_data_dir("imagewright")).expanduser()
    roots = [Path(p).expanduser() for p in env.get("IMAGEWRIGHT_MODELS", "").split(os.pathsep) if p]
    return Settings(
        data_dir=home,
        model_roots=(*roots, home / "models"),
        device=env.get("IMAGEWRIGHT_DEVICE") or "auto",
        llm=env.get("IMAGEWRIGHT_LLM") or None,
        llm_key=SecretStr(env["IMAGEWRIGHT_LLM_KEY"]) if env.get("IMAGEWRIGHT_LLM_KEY") else None,
        model_cache=_whole(env, "IMAGEWRIGHT_MODEL_CACHE", 2),
        editor=env.get("VISUAL") or env.get("EDITOR") or None,
        learn_critic=env.get("IMAGEWRIGHT_LEARN_CRITIC", "").lower() in ("1", "true", "yes", "on"),
    )


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"{name} must be a whole number from 1, not {text!r}", f"unset {name} for {default}")
    return int(text)
