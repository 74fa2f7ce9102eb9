"""Where the picture of a request goes: checked before anything is done for it, for every interface."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from imagewright.agents.reading.syntax.alternatives import expand
from imagewright.agents.reading.syntax.pasted import read_pasted
from imagewright.errors import BadInput
from imagewright.graph.picture_file import name_file
from imagewright.memory.reservations import say_taken
from imagewright.schemas import DrawRequest


def unpack_request(request: DrawRequest, seed: Callable[[], int]) -> tuple[DrawRequest, int]:
    """The request with a pasted block taken apart and its alternatives chosen, and the seed that chose them.

    Of a block, the prompt, the negative prompt, the seed, the size and the steps are taken where the request gives none
    itself; the other settings are the flow's own. ``seed`` gives one by chance. The words of boxes that were changed
    by hand are left as they are.

    Raises:
        BadInput: the prompt names wildcard files, or what was pasted is beyond the limits of a request.
    """
    if request.boxes is not None:
        return request, seed() if request.seed is None else request.seed
    block = read_pasted(request.prompt)
    if block is not None:
        sized = request.width is None and request.height is None and block.width is not None
        request = request.revise(
            prompt=block.positive,
            negative=request.negative or block.negative,
            seed=block.seed if request.seed is None else request.seed,
            width=block.width if sized else request.width,
            height=block.height if sized else request.height,
            steps=block.steps if request.steps is None else request.steps,
            pasted=sized,
        )
    chosen = seed() if request.seed is None else request.seed
    return request.revise(prompt=expand(request.prompt, chosen)), chosen


def out_path(request: DrawRequest, run: str, folder: Path, free: Callable[[Path], None] = lambda path: None) -> Path:
    """Where the picture of ``run`` goes: what the request says, else ``imagewright-<run>.png`` in ``folder``.

    A request may name a folder; a name without a suffix gets that of the format. The path is absolute. ``free`` may
    make it free before it is looked at.

    Raises:
        BadInput: the place cannot be written, is no picture's, or another file is there that may not be replaced.
    """
    name = name_file(Path(f"imagewright-{run}"), request.format)
    wanted = Path(os.path.abspath(folder / Path(request.out).expanduser())) if request.out else folder / name
    path = wanted / name if wanted.is_dir() else name_file(wanted, request.format)
    _try_writing(path)
    free(path)
    if request.taken == "refuse" and os.path.lexists(path):
        raise say_taken(path)
    return path


def _try_writing(path: Path) -> None:
    if path.is_dir():
        raise BadInput(f"{path} is a folder", "name another file")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".imagewright-"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"cannot write {path}: {reason}", "choose a folder that exists and can be written") from None
