"""imagewright: finds the text-to-image workflow that has measurably served prompts like yours best, and runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# LangGraph imports and calls any callable that it finds in a checkpoint unless this is set before its first import.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

if TYPE_CHECKING:
    from imagewright.api import Imagewright
    from imagewright.langchain_tool import as_tool
    from imagewright.streaming import astream

__version__ = "0.1.0"
__all__ = ["Imagewright", "__version__", "as_tool", "astream"]
_PLACES = {"Imagewright": "api", "as_tool": "langchain_tool", "astream": "streaming"}


def __getattr__(name: str) -> object:
    if name in _PLACES:
        import importlib

        return getattr(importlib.import_module(f"imagewright.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'imagewright' has no attribute {name!r}")
