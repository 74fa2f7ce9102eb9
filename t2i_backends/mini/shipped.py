"""Where the parts of mini lie that ship. Names and paths only: asking costs nothing."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""The folder with its ``pipeline``, its detectors, its ``loras`` and its variant of few steps."""
_NAME, _FEW_STEPS = "mini", "mini-few-steps"
NAMES = (_NAME, _FEW_STEPS)
"""What its pipeline and its variant of few steps are called by flows."""


def part(kind: str, name: str) -> Path | None:
    """Where the part of mini lies that a loader of ``kind`` means by ``name``; None for what is no part of it.

    Its pipeline serves the loaders of checkpoints and of their parts, the variant those of diffusion models. Only a
    LoRA is looked for; whether the others are there is not asked.
    """
    folder = WEIGHTS
    if kind == "loras":
        lora = folder / "loras" / name
        return lora if lora.parent == folder / "loras" and lora.is_file() else None
    if name == _NAME:
        return folder / "pipeline" if kind in ("checkpoints", "diffusion_models", "text_encoders", "vae") else None
    return folder / name if (kind, name) == ("diffusion_models", _FEW_STEPS) else None
