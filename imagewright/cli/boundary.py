"""The process boundary: every way that a command can end, as an exit code and one to three lines.

====  =========================================================
code  meaning
====  =========================================================
0     done
1     our fault: a bug (its traceback goes to a file) or a broken installation
2     bad input: a prompt, a file, an option, a folder that cannot be written; or the machine: a full disk, a locked
      database, too little memory, too few file handles
3     nothing here can draw the prompt
4     the budget ran out before any picture was made
5     with ``--strict``: a picture was made, and none was accepted
130   cancelled
141   nobody reads the output: the reader went away, or standard output is closed
====  =========================================================
"""

from __future__ import annotations

import datetime
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from imagewright.cli.terminal.streams import stand_streams
from imagewright.cli.terminal.text import clean, emit, emit_json, is_terminal
from imagewright.cli.terminal.wrapping import prose, window, wrap
from imagewright.database import explain_storage
from imagewright.errors import BadInput, Cancelled, Fault, ImagewrightError
from imagewright.redaction import blank_text, secret_values
from imagewright.starvation import explain_starvation

NOBODY_READS = 128 + signal.SIGPIPE.value if hasattr(signal, "SIGPIPE") else 1
EXIT_CODES = (
    "Exit codes: 0 done; 1 a bug or a broken installation; 2 bad input, or the machine lacks something; 3 nothing here "
    "can draw it; 4 the budget ended before a picture; 5 with --strict, no picture was accepted; 130 cancelled; 141 "
    "nobody reads the output."
)
"""The table above in words, for ``--help``."""
_UNREAD = "standard output is closed, so nothing was printed; what was made is kept"
_BARE = "NoArgsIsHelpError"
"""What typer raises for a group without a command; it has no public name."""
_LONGEST = 400
"""Characters of a message, and of a remedy, that are shown."""
_SHORTEST_SECRET = 6
"""Characters: a log is searched for shorter values too, which may be ordinary words there."""
_QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def guard(argv: Sequence[str], command: Callable[[], object]) -> int:
    """Run ``command`` and turn whatever comes of it into an exit code.

    ``argv`` is only looked at for ``--json``: then an error is also an object on standard output.
    """
    _hush()
    with stand_streams() as unread:
        code = _run(argv, command)
        if unread and code == 0:
            print(
                "imagewright: standard output is closed, so nothing was printed; what was made is kept", file=sys.stderr
            )
        return NOBODY_READS if unread and code == 0 else code


def _run(argv: Sequence[str], command: Callable[[], object]) -> int:
    try:
        command()
        sys.stdout.flush()
        return 0
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        _drop_stdout()
        return NOBODY_READS
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the process boundary
        if type(error).__name__ == _BARE and isinstance(error, TyperException):
            return _show_help(error)
        if os.environ.get("IMAGEWRIGHT_DEBUG") == "1":
            traceback.print_exc()
        return _report(as_ours(error), "--json" in argv)


def _show_help(bare: TyperException) -> int:
    """A group without a command: its help, as bad input."""
    try:
        emit(bare.format_message())
    except OSError:
        _drop_stdout()
    return BadInput.exit_code


def as_ours(error: BaseException) -> ImagewrightError:
    """``error`` as one of our exceptions, so that it has a message, a remedy and an exit code."""
    if isinstance(error, ImagewrightError):
        return explain_starvation(error) or error
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Cancelled("cancelled")
    if isinstance(error, TyperException):
        return _usage(error)
    if known := explain_storage(error):
        return known
    return Fault(f"a bug of ours: {type(error).__name__}: {error}", f"please report it with {_write_log(error)}")


def _usage(error: TyperException) -> ImagewrightError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "imagewright"
    hint = "put the whole prompt in quotes; " if "unexpected extra argument" in error.format_message() else ""
    return BadInput(error.format_message().rstrip("."), f"{hint}see: {path} --help")


def _report(error: ImagewrightError, as_json: bool) -> int:
    message, remedy = (clean(_without_secrets(text)) for text in (str(error) or type(error).__name__, error.remedy))
    columns = prose(window(is_terminal(sys.stderr)))
    lines = wrap(_bounded(f"imagewright: {message}"), columns)
    lines += wrap(_bounded(remedy), columns and columns - 2) if remedy else []
    try:
        print(*lines, sep="\n  ", file=sys.stderr, flush=True)
        if as_json:
            emit_json({"error": {"message": message, "remedy": remedy, "exit_code": error.exit_code}})
    except OSError:
        _drop_stdout()
    return error.exit_code


def _bounded(text: str) -> str:
    """``text`` without the words beyond its first ``_LONGEST`` characters."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rpartition(' ')[0] or text[:_LONGEST]} …"


def _write_log(error: BaseException) -> str:
    """Write the traceback of ``error`` without any secret of the environment; returns where it went."""
    text = _without_secrets("".join(traceback.format_exception(error)))
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    for folder in _log_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="replace")
            return str(folder / name)
        except OSError:
            continue
    return "IMAGEWRIGHT_DEBUG=1 set, which shows the traceback"


def _without_secrets(text: str) -> str:
    for name, value in secret_values(os.environ, _SHORTEST_SECRET).items():
        text = text.replace(value.get_secret_value(), f"<{name}>")
    return blank_text(text, mark="…")


def _log_folders() -> list[Path]:
    from imagewright.settings import load_settings

    temporary = Path(tempfile.gettempdir())
    try:
        return [load_settings().data_dir / "logs", temporary]
    except ImagewrightError:
        return [temporary]


def _hush() -> None:
    """Keep the chatter of libraries from the screen: the first line of standard error is the run's id."""
    if os.environ.get("IMAGEWRIGHT_DEBUG") == "1":
        return
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _drop_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not complain."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
