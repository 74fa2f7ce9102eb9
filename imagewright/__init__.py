"""imagewright: finds the text-to-image workflow that has measurably served prompts like yours best, and runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# LangGraph imports and calls any callable that it finds in a checkpoint unless this is set before its first import.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

if TYPE_CHECKING:
    from imagewright.container import Imagewright

__version__ = "0.1.0"
__all__ = ["Imagewright", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Imagewright":
        from imagewright.container import Imagewright

        return Imagewright
    raise AttributeError(f"module 'imagewright' has no attribute {name!r}")
