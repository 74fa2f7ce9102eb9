"""ComfyUI's ``extra_model_paths.yaml``: more folders with models, by their kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from imagewright.errors import BadInput

_NAME = "extra_model_paths.yaml"
LARGEST = 1_000_000


def extra_folders(roots: Sequence[Path], files: Sequence[Path], kinds: Sequence[str]) -> list[Path]:
    """The folders that the files named, and those beside or above the model roots, give for ``kinds``.

    Raises:
        BadInput: a file is no readable YAML of that form.
    """
    beside = [place / _NAME for root in roots for place in (root, root.parent)]
    found = [file for file in (*files, *beside) if file.is_file()]
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise BadInput(f"{missing} is not there", "name ComfyUI's extra_model_paths.yaml, or leave it out")
    return [folder for file in dict.fromkeys(found) for folder in folders_of(file, kinds)]


def folders_of(file: Path, kinds: Sequence[str]) -> list[Path]:
    """The folders of one file for ``kinds``, those of a section with ``is_default`` first."""
    stat = file.stat()
    sections = _read(file, stat.st_mtime_ns, stat.st_size)
    first = sorted(sections, key=lambda section: not section.get("is_default", False))
    return [folder for section in first for folder in _folders(section, kinds, file.parent)]


def _folders(section: dict[str, Any], kinds: Sequence[str], here: Path) -> Iterator[Path]:
    base = here / Path(str(section.get("base_path", "."))).expanduser()
    for kind in kinds:
        value = section.get(kind)
        for line in value.splitlines() if isinstance(value, str) else ():
            if line.strip():
                yield (base / Path(line.strip()).expanduser()).resolve()


@lru_cache(maxsize=16)
def _read(file: Path, changed: int, size: int) -> tuple[dict[str, Any], ...]:
    import yaml

    if size > LARGEST:
        raise BadInput(f"{file} is larger than 1 MB", "it should list a few folders")
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        line = str(error).splitlines()[0][:120]
        raise BadInput(f"{file} cannot be read: {line}", "correct it, or move it away") from None
    if data is None:
        return ()
    if not isinstance(data, dict):
        raise BadInput(f"{file} is no list of folders", "it has sections with base_path, checkpoints, vae…")
    return tuple(section for section in data.values() if isinstance(section, dict))
