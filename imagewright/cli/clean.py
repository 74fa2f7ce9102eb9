"""``imagewright clean``: what grows in the home, and keeping it within bounds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from imagewright.cli.options import JsonFlag
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import emit, emit_json, render, table
from imagewright.errors import BadInput

_DAYS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def clean(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Also what is older: 12h, 30d, 2w, 6m, 1y.")
    ] = None,
    keep_size: Annotated[
        str | None, typer.Option("--keep-size", metavar="SIZE", help="Keep so much of the store: 500MB, 2GB.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what grows and delete what nothing needs; delivered pictures, conversations and live runs stay."""
    age = None if older_than is None else read_age(older_than)
    size = None if keep_size is None else read_bytes(keep_size)
    with engine() as opened:
        found = opened.clean(older_than=age, keep_size=size, dry_run=dry_run)
    if as_json:
        emit_json({"dry_run": dry_run, "kinds": [kind._asdict() for kind in found]})
        return
    went = "would go" if dry_run else "gone"
    rows = [(k.what, str(k.number), say_size(k.size), say_size(k.freed) if k.removed else "-", k.when) for k in found]
    emit(render(table(("what", "how many", "size", went, "goes with"), rows, stretch=0)))
    total = sum(kind.freed for kind in found)
    emit(f"{say_size(total)} {'would be freed' if dry_run else 'freed'}")


def read_age(text: str) -> timedelta:
    """``30d`` as a time.

    Raises:
        BadInput: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]{1,5})\s*([hdwmy])\w*\s*", text.lower())
    if not found:
        remedy = "give hours, days, weeks, months or years: 12h, 30d, 2w, 6m, 1y"
        raise BadInput(f"--older-than {text} is no age", remedy)
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


def read_bytes(text: str) -> int:
    """``500MB`` as a number of bytes.

    Raises:
        BadInput: it is none.
    """
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,3})?)\s*([kmgt]?)i?b?\s*", text.lower())
    if not found:
        raise BadInput(f"--keep-size {text} is no size", "give a size such as 500MB or 2GB")
    return int(float(found[1]) * _BYTES[found[2]])


def say_size(size: int) -> str:
    """Bytes as people read them."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
