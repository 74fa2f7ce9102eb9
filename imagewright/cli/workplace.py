"""Where a command's pictures are drawn: by this home's server where one runs under the same settings, else here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.api import Imagewright


@contextlib.contextmanager
def engine_at_work(
    models: list[Path] | None, device: str | None, *, server: bool, quiet: bool = False
) -> Iterator[Imagewright]:
    """The engine, as ``engine`` gives it; its runs are done by a running server where ``server`` lets it.

    Where one runs that cannot be used, it is said why, unless ``quiet``.

    Raises:
        BadInput: as ``engine``.
    """

    def say(line: str) -> None:
        if not quiet:
            print(clean(line), file=sys.stderr, flush=True)

    with engine(models, device) as opened:
        if server:
            _send_to_server(opened, say)
        yield opened


def _send_to_server(opened: Imagewright, say: Callable[[str], None]) -> None:
    from imagewright.serve.address import look_for_server

    try:
        address, why_not = look_for_server(opened.settings)
    except BadInput as error:
        address, why_not = None, f"{error}; {error.remedy}"
    if why_not:
        say(f"{why_not}; this process draws itself")
    if address is not None:
        from imagewright.api import Imagewright
        from imagewright.serve.remote import ServerPlace

        opened.work_at(ServerPlace(Imagewright(opened.settings), address, say))
