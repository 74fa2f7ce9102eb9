"""How the measuring commands of the project end: a line, an error with its remedy, or a word on going on."""

from __future__ import annotations

import sys
from collections.abc import Callable

from imagewright.errors import Cancelled, ImagewrightError


def end_with(work: Callable[[], str]) -> int:
    """Do ``work`` and print the line that it returns; the exit code.

    An ``ImagewrightError`` is told with its remedy; Ctrl-C says that the same command goes on.
    """
    try:
        print(work())
    except ImagewrightError as error:
        print(f"{error}\n{error.remedy}".rstrip(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return Cancelled.exit_code
    return 0
