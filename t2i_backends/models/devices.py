"""Where a model runs: the device, the number format on it, the free memory. Imports torch only when needed.

A device's name may state the format after a slash: ``cpu/bfloat16``. Without it a CPU computes in float32 and all else
in bfloat16.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.errors import BadInput

if TYPE_CHECKING:
    import torch

_NAME = re.compile(r"(?P<kind>auto|cpu|mps|cuda)(?P<number>:\d{1,2})?(/(?P<format>float32|bfloat16))?")
_NVIDIA = Path("/proc/driver/nvidia/version")


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` takes cuda, then mps, then cpu.

    Raises:
        BadInput: the name is no device, or this machine has no such device.
    """
    import torch

    name, _ = _parts(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
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
    """Raise ``BadInput`` unless ``name`` is auto, cpu, mps, cuda or ``cuda:N``, with a format or without."""
    _parts(name)


def _parts(name: str) -> tuple[str, str | None]:
    """The device and the format that ``name`` states.

    Raises:
        BadInput: it is no device's name.
    """
    found = _NAME.fullmatch(name)
    if found is None or (found["number"] and found["kind"] != "cuda"):
        remedy = "use auto, cpu, cuda, cuda:1 or mps, and where it matters a number format: cpu/bfloat16"
        raise BadInput(f"{name[:40]!r} is not a device", remedy)
    return found["kind"] + (found["number"] or ""), found["format"]


def read_format(name: str) -> str | None:
    """The number format that a device's name states; None where it leaves it to the device."""
    return _parts(name)[1]


def pick_dtype(name: str) -> torch.dtype:
    """The number format on the device called ``name``: the stated one, else float32 on a CPU, bfloat16 elsewhere."""
    import torch

    return torch.float32 if bytes_per_number(name) == 4 else torch.bfloat16


def runs_on_cpu(name: str) -> bool:
    """Whether the device called ``name`` is the CPU, found without importing torch where that is possible."""
    name, _ = _parts(name)
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
    stated = read_format(name)
    return 4 if stated == "float32" or (stated is None and runs_on_cpu(name)) else 2


def free_memory(name: str) -> int | None:
    """Bytes that a model may take on the device called ``name``; None where the system does not say."""
    if not runs_on_cpu(name):
        device = pick_device(name)
        if device.type == "cuda":
            import torch

            kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            return int(torch.cuda.mem_get_info(device)[0]) + kept  # torch keeps what it freed, for its next tensors
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
