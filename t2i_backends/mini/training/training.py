"""What mini's training scripts share: resumable checkpoints, seeded threads, an exponential moving average."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch


def pick_training_device(name: str | None = None) -> torch.device:
    """The device to train on: ``name``, or CUDA where there is one, or the CPU."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write ``state`` so that an interruption leaves the old file or the new one, never half of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_if_there(path: Path) -> dict[str, Any] | None:
    """The state saved at ``path``, or None. Loads tensors and plain values only."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Average:
    """An exponential moving average of parameters, with a warm-up so that early noise is forgotten."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
        self.decay = decay
        self.shadow = [p.detach().clone().float() for p in parameters]

    @torch.no_grad()
    def update(self, parameters: Iterable[torch.nn.Parameter], step: int) -> None:
        """Move the average toward ``parameters`` after optimiser step ``step``."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.shadow, parameters, strict=True):
            mine.lerp_(theirs.detach().float(), 1 - decay)

    @torch.no_grad()
    def copy_to(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Overwrite ``parameters`` with the average."""
        for mine, theirs in zip(self.shadow, parameters, strict=True):
            theirs.copy_(mine.to(theirs.dtype))


class TrainingProgress:
    """Prints one line every ``every`` steps: step, loss, seconds a step, time left."""

    def __init__(self, name: str, steps: int, start: int, every: int = 50) -> None:
        self.name, self.steps, self.every = name, steps, every
        self.first, self.began, self.loss = start, time.monotonic(), 0.0

    def tell(self, step: int, loss: float) -> None:
        """Record the loss of ``step`` (a running mean is shown)."""
        self.loss = loss if self.loss == 0 else 0.98 * self.loss + 0.02 * loss
        if step % self.every == 0 and step > self.first:
            rate = (time.monotonic() - self.began) / (step - self.first)
            left = rate * (self.steps - step) / 60
            print(
                f"{self.name} {step}/{self.steps} loss {self.loss:.4f} {rate:.2f} s/step {left:.0f} min left",
                flush=True,
            )
