"""The ``imagewright`` command."""

from imagewright.cli.app import main

__all__ = ["main"]
