"""What this machine could draw with beyond the small model that ships: each way with its size, licence and time."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from imagewright import registry
from imagewright.errors import BadInput, ImagewrightError

if TYPE_CHECKING:
    from imagewright.container import Container

SMALL_FLOW = "sd15-base"
"""The flow on the smallest open model that is drawn here."""
_SMALL_BYTES = 4_265_146_304
"""What its file holds, as its host states it; `models pull` asks the host before it fetches."""
_SMALL_MEMORY = {"cpu": 6_000_000_000, "gpu": 4_000_000_000}
"""What drawing with it takes: the weights (float32 on a CPU, half of that on a GPU) and room for a step."""
_LINE = 50_000_000 / 8
"""Bytes a second of the connection that a time for fetching is stated for."""
_COMFY_HOMES = ("ComfyUI", "comfyui", "Documents/ComfyUI", "stable-diffusion/ComfyUI")
"""Where ComfyUI is found below a person's home."""
_COMFY_ROOTS = ("/opt/ComfyUI", "/workspace/ComfyUI")

WayName = Literal["mini", "disk", "fetch", "comfyui", "service", "language-model"]


class Machine(NamedTuple):
    """What models are drawn on here; bytes, and None where the system does not say."""

    processor: str
    gpu: str
    """Its name; empty where there is none that torch can use."""
    gpu_memory: int | None
    memory: int | None
    """Free RAM."""
    disk: int | None
    """Free space where models are kept."""


class Way(NamedTuple):
    """One way onward."""

    name: WayName
    title: str
    gives: str
    size: str
    licence: str
    time: str
    how: str
    """The command, or what to set."""
    ready: bool = True
    """Whether this machine can take it as it is."""


class Onward:
    """The ways onward under the settings of ``container``."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def examine(self) -> Machine:
        """The machine; torch is asked where a GPU could be."""
        from imagewright.t2i_backends.models.devices import free_memory, runs_on_cpu

        device, home = self._container.settings.device, self._container.settings.data_dir
        gpu, gpu_memory = ("", None) if runs_on_cpu(device) else _look_at_gpu(device)
        processor = f"{platform.machine()}, {os.cpu_count() or '?'} cores"
        return Machine(processor, gpu, gpu_memory, free_memory("cpu"), _free_disk(home))

    def list(self, machine: Machine) -> tuple[Way, ...]:
        """The ways that are built, that which needs nothing first."""
        return tuple(_ways(self._container, machine))

    def use_folder(self, folder: Path) -> tuple[str, ...]:
        """Add a flow for each base model in ``folder`` that no flow uses yet; their ids."""
        from imagewright.container import Container
        from imagewright.model_folders import scan_folders

        settings = self._container.settings
        wider = settings.model_copy(update={"model_roots": (folder, *settings.model_roots)})
        return scan_folders(Container(wider), add_flows=True).flows

    def keep_folder(self, folder: Path) -> Path:
        """Have ``folder`` looked into from now on, by a new settings file; the file.

        Raises:
            BadInput: there is a settings file already, which is the person's own; the remedy is the line to add.
        """
        from imagewright.memory.artifacts import write_whole
        from imagewright.settings import config_file

        path, line = config_file(os.environ), f"models = [{json.dumps(str(folder), ensure_ascii=False)}]"
        if path.exists():
            raise BadInput(f"the settings file {path} is there already", f"add to it: {line}")
        write_whole(path, f"{line}\n".encode())
        return path


def _look_at_gpu(device: str) -> tuple[str, int | None]:
    import torch

    from imagewright.t2i_backends.models.devices import free_memory, pick_device

    try:
        found = pick_device(device)
        name = torch.cuda.get_device_name(found) if found.type == "cuda" else str(found)
        return name, free_memory(device)
    except (ImagewrightError, RuntimeError):  # a driver that does not answer is no GPU to draw on
        return "", None


def _free_disk(folder: Path) -> int | None:
    there = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    return shutil.disk_usage(there).free if there else None


def _ways(container: Container, machine: Machine) -> Iterator[Way]:
    yield Way(
        "mini",
        "stay with mini",
        "shapes and simple things, 128x128",
        "0: it is here",
        "Apache-2.0",
        "seconds a picture",
        "nothing to do",
    )
    yield from _on_disk(container)
    yield _fetching(machine)
    yield from _backends(container)
    yield _language_model(container)


def _model_folders(container: Container) -> Iterator[Path]:
    """Folders laid out as ComfyUI's models that hold some: those that are set, and where ComfyUI usually lies."""
    usual = [*(Path.home() / place for place in _COMFY_HOMES), *map(Path, _COMFY_ROOTS)]
    for folder in dict.fromkeys((*container.settings.model_roots, *(place / "models" for place in usual))):
        if _count_models(folder):
            yield folder


def _count_models(folder: Path) -> int:
    from imagewright.t2i_backends.models.model_files import ModelFiles
    from imagewright.t2i_backends.models.scan import scan

    if not folder.is_dir():
        return 0
    bases = [seen for seen in scan(ModelFiles((folder,))) if seen.kind in ("checkpoints", "diffusion_models")]
    return sum(not seen.problem and seen.name != "mini" for seen in bases)


def _on_disk(container: Container) -> Iterator[Way]:
    for folder in _model_folders(container):
        count = _count_models(folder)
        gives = f"{count} base model{'s' * (count != 1)} in {folder}"
        yield Way(
            "disk",
            "models on this disk",
            gives,
            "0: on the disk",
            "each its own",
            "by model and machine",
            f"imagewright models scan --models {folder}",
        )


def _fetching(machine: Machine) -> Way:
    from imagewright.retrieval.builtin import HERE
    from imagewright.retrieval.intake import read_flow_file

    flow = read_flow_file(HERE / "flows" / f"{SMALL_FLOW}.json").flow
    room, needed = (machine.gpu_memory, "gpu") if machine.gpu else (machine.memory, "cpu")
    lacks = _lack(room, _SMALL_MEMORY[needed], "memory") or _lack(machine.disk, _SMALL_BYTES, "disk")
    minutes = round(_SMALL_BYTES / _LINE / 60)
    pace = "seconds a picture" if machine.gpu else "minutes a picture on this processor"
    return Way(
        "fetch",
        "one small open model",
        f"{flow.card.base_model}, about anything, 512x512{lacks}",
        f"{_SMALL_BYTES / 1e9:.1f} GB",
        flow.card.licence,
        f"{minutes} min to fetch at 50 Mbit/s; {pace}",
        f"imagewright models pull {SMALL_FLOW}",
        ready=not lacks,
    )


def _lack(there: int | None, needed: int, what: str) -> str:
    if there is None or there >= needed:
        return ""
    return f"; too little {what} here: {there / 1e9:.1f} of {needed / 1e9:.1f} GB"


def _backends(container: Container) -> Iterator[Way]:
    """A way for each backend that is registered beside the one of this process."""
    from imagewright.container import DEFAULT_BACKEND

    for name in registry.names("backends"):
        if name == "comfyui":
            yield Way(
                "comfyui",
                "a ComfyUI server",
                "whatever models that server has",
                "0 here",
                "each model its own",
                "as fast as the server",
                _comfy_words(container),
            )
        elif name != DEFAULT_BACKEND:
            yield Way(
                "service",
                f"the backend {name}",
                "whatever it offers",
                "0 here",
                "the service's terms",
                "as fast as the service; it may cost money",
                f'imagewright draw "…" --backend {name}',
            )


def _comfy_words(container: Container) -> str:
    servers = ", ".join(server.name for server in container.settings.comfyui)
    return f"it is set: {servers}" if servers else 'IMAGEWRIGHT_COMFYUI=http://127.0.0.1:8188 imagewright draw "…"'


def _language_model(container: Container) -> Way:
    llm = container.settings.llm
    here = importlib.util.find_spec("langchain") is not None
    before = "" if here else "pip install 'imagewright[llm]', then "
    how = f"it is set: {llm}" if llm else f'{before}imagewright draw "…" --llm http://localhost:11434/v1#NAME'
    return Way(
        "language-model",
        "a language model",
        "reads freer prompts and other languages; draws nothing itself",
        "by model; 0 for a hosted one",
        "the model's",
        "seconds a prompt more",
        how,
    )
