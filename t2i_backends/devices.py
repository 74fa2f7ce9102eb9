"""Where a model runs: the device, the number format on it, the free memory. Imports torch only when needed."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.errors import BadInput

if TYPE_CHECKING:
    import torch

_NVIDIA = Path("/proc/driver/nvidia/version")


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` takes cuda, then mps, then cpu.

    Raises:
        BadInput: the name is no device, or this machine has no such device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    check_device_name(name)
    device = torch.device(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        raise BadInput(f"this machine has no device {name!r}", "use auto or cpu")
    return device


def check_device_name(name: str) -> None:
    """Raise ``BadInput`` unless ``name`` is auto, cpu, mps, cuda or ``cuda:N``."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,2})?", name):
        raise BadInput(f"{name[:40]!r} is not a device", "use auto, cpu, cuda, cuda:1 or mps")


def pick_dtype(device: torch.device) -> torch.dtype:
    """float32 on a CPU, bfloat16 elsewhere."""
    import torch

    return torch.float32 if device.type == "cpu" else torch.bfloat16


def runs_on_cpu(name: str) -> bool:
    """Whether the device called ``name`` is the CPU, found without importing torch where that is possible."""
    if name != "auto":
        return name == "cpu"
    if "torch" not in sys.modules and sys.platform == "linux" and not _NVIDIA.exists():
        return True
    return pick_device("auto").type == "cpu"


def device_is_cuda(name: str) -> bool:
    """Whether the device called ``name`` has memory of its own: an NVIDIA or ROCm GPU."""
    return pick_device(name).type == "cuda"


def bytes_per_number(name: str) -> int:
    """Bytes of one weight on the device called ``name``."""
    return 4 if runs_on_cpu(name) else 2


def free_memory(name: str) -> int | None:
    """Bytes that a model may take on the device called ``name``; None where the system does not say."""
    if not runs_on_cpu(name):
        device = pick_device(name)
        if device.type == "cuda":
            import torch

            return int(torch.cuda.mem_get_info(device)[0])
    limits = [value for value in (_available_ram(), _cgroup_room()) if value is not None]
    return min(limits) if limits else None


def _available_ram() -> int | None:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _cgroup_room() -> int | None:
    """What is left of a container's memory limit (cgroup v2); page cache counts as used there, so it errs low."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        cache = re.search(r"^inactive_file (\d+)", Path("/sys/fs/cgroup/memory.stat").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(limit) - used + (int(cache[1]) if cache else 0) if limit.isdigit() else None
