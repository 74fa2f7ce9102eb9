"""What must be right about a request before anything is done for it: checked here, once, for every interface."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from imagewright.agents.conversation.rules import why_unclear
from imagewright.agents.reading.syntax.alternatives import expand
from imagewright.agents.reading.syntax.pasted import read_pasted
from imagewright.errors import BadInput
from imagewright.schemas import DrawRequest

MAX_SEED = 2**64 - 1
"""The largest seed that ComfyUI and torch take."""
SIDES = (16, 8192)
"""The smallest and the largest side of a picture, in pixels."""
MAX_THREAD = 200
MAX_IMAGES = 10_000
MAX_CHARACTERS = 20_000
"""The longest prompt that is drawn; text encoders read a few hundred words."""


def unpack_request(request: DrawRequest, seed: Callable[[], int]) -> tuple[DrawRequest, int]:
    """The request with a pasted block taken apart and its alternatives chosen, and the seed that chose them.

    Of a block, the prompt, the negative prompt, the seed and the size are taken where the request gives none itself;
    the other settings are the flow's own. ``seed`` gives one by chance.

    Raises:
        BadInput: the prompt names wildcard files.
    """
    block = read_pasted(request.prompt)
    if block is not None:
        sized = request.width is None and request.height is None and block.width is not None
        request = request.model_copy(
            update={
                "prompt": block.positive,
                "negative": request.negative or block.negative,
                "seed": block.seed if request.seed is None else request.seed,
                "width": block.width if sized else request.width,
                "height": block.height if sized else request.height,
                "pasted": sized,
            }
        )
    chosen = seed() if request.seed is None else request.seed
    return request.model_copy(update={"prompt": expand(request.prompt, chosen)}), chosen


def check_request(request: DrawRequest) -> None:
    """Refuse a request that cannot be carried out as it stands.

    Raises:
        BadInput: the prompt is empty or not text; the seed, a side, a budget or the thread cannot be used.
    """
    reason = why_unclear(request.prompt)
    if not reason and len(request.prompt) > MAX_CHARACTERS:
        reason = f"the prompt has {len(request.prompt):,} characters; at most {MAX_CHARACTERS:,} are read"
    if reason:
        raise BadInput(reason, 'say what to draw, such as "a red circle above a blue square"')
    if request.seed is not None and not 0 <= request.seed <= MAX_SEED:
        raise BadInput(f"the seed {request.seed} cannot be used", f"a seed is a whole number from 0 to {MAX_SEED}")
    for name, side in (("width", request.width), ("height", request.height)):
        if side is not None and not SIDES[0] <= side <= SIDES[1]:
            raise BadInput(f"the {name} {side} cannot be used", f"a side has {SIDES[0]} to {SIDES[1]} pixels")
    _check_budget(request)
    if request.thread is not None and not (0 < len(request.thread.strip()) <= MAX_THREAD):
        raise BadInput("the thread's name cannot be used", f"name it in 1 to {MAX_THREAD} characters")


def _check_budget(request: DrawRequest) -> None:
    if not 0 <= request.max_images <= MAX_IMAGES:
        raise BadInput(f"{request.max_images} images cannot be allowed", f"allow 1 to {MAX_IMAGES:,}")
    seconds = request.max_seconds
    if seconds is not None and (math.isnan(seconds) or seconds < 0):
        raise BadInput(f"{seconds} is not a number of seconds", "allow more than 0, or leave the limit out")


def out_path(request: DrawRequest, run: str, folder: Path) -> Path:
    """Where the picture of ``run`` goes: what the request says, else ``imagewright-<run>.png`` in ``folder``.

    A request may name a folder; a name without a suffix gets ``.png``. The path is absolute.

    Raises:
        BadInput: the place cannot be written, is not a PNG, or its trace would overwrite a file that is not a trace.
    """
    name = f"imagewright-{run}.png"
    wanted = Path(os.path.abspath(folder / Path(request.out).expanduser())) if request.out else folder / name
    path = wanted / name if wanted.is_dir() else wanted.with_suffix(wanted.suffix or ".png")
    if path.suffix.lower() != ".png":
        raise BadInput(f"{path.name} is not the name of a PNG", "pictures are written as PNG: name a .png file")
    _try_writing(path)
    _check_trace(path.with_suffix(".json"))
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


def _check_trace(path: Path) -> None:
    """A trace may replace an older trace, and nothing else."""
    if not path.exists():
        return
    try:
        ours = "imagewright" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        raise BadInput(f"the trace would overwrite {path}, which is not a trace", "choose another name for the picture")
