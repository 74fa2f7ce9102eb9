"""The tensors of a lone safetensors file under the names that we read, scaled weights multiplied out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.headers import plain_names
from imagewright.t2i_backends.models.scales import find_scales, is_beside

if TYPE_CHECKING:
    import torch


class Tensors:
    """An open file, read tensor by tensor."""

    def __init__(self, stream: Any, names: Mapping[str, str], scales: Mapping[str, str]) -> None:
        self._stream, self._names, self._scales = stream, names, scales

    def keys(self) -> list[str]:
        """The names of the weights, without their scales."""
        return [name for name in self._names if not is_beside(name, self._names)]

    def get_tensor(self, name: str) -> torch.Tensor:
        """One tensor; a scaled weight as ``weight * scale``, float32."""
        found: torch.Tensor = self._stream.get_tensor(self._names[name])
        if name not in self._scales:
            return found
        scale = self._stream.get_tensor(self._names[self._scales[name]]).float()
        rows = scale.reshape(-1, *[1] * (found.ndim - 1)) if scale.numel() > 1 else scale.reshape(())
        whole: torch.Tensor = found.float() * rows
        return whole


@contextmanager
def open_tensors(file: Path) -> Iterator[Tensors]:
    """The tensors of ``file`` while it is open."""
    from safetensors import safe_open

    names, scales = _read_names(file)
    with safe_open(file, framework="pt") as stream:
        yield Tensors(stream, names, scales)


def is_stored_plainly(file: Path) -> bool:
    """Whether ``file`` holds its tensors as they are read: under our names, without scales."""
    names, scales = _read_names(file)
    return not scales and all(plain == stored for plain, stored in names.items())


def read_all(file: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Every tensor of ``file``, the scaled ones multiplied out and then in ``dtype``."""
    _, scales = _read_names(file)
    with open_tensors(file) as stream:
        found = {name: stream.get_tensor(name) for name in stream.keys() if name not in scales}  # noqa: SIM118
        return {**found, **{name: stream.get_tensor(name).to(dtype) for name in scales}}


def _read_names(file: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    header = read_header(file)
    if header is None:
        return {}, {}
    names = plain_names(header.shapes)
    return names, find_scales(names)
