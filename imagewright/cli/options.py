"""The words that people type after a command, checked before anything is loaded."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imagewright.cli import complete
from imagewright.cli.terminal.wrapping import is_steering
from imagewright.errors import BadInput
from imagewright.limits import MAX_TOKENS, PICTURE_FORMATS, SIDE_STEP

if TYPE_CHECKING:
    from imagewright.draw_request import PictureFormat

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
QuietFlag = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress; print the path, a tab, and how the picture was judged.")
]
ServerFlag = Annotated[
    bool, typer.Option("--server/--no-server", help="Let a running `imagewright serve` of this home draw.")
]
StrictFlag = Annotated[bool, typer.Option("--strict", help="Exit with 5 where no picture was accepted.")]
LlmOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="anthropic:NAME, openai:NAME, http://HOST/v1#NAME or paste; see docs/llm.md."),
]
ModelsOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FOLDER", help="A folder laid out as ComfyUI's models; may be given again."),
]
PolishOption = Annotated[
    bool, typer.Option("--polish", help="When a picture is right, try one change of light, angle or mood.")
]
ExploreOption = Annotated[
    bool, typer.Option("--explore", help="Try a flow that may be better as often as it may be, to learn about it.")
]
CategoriesOption = Annotated[
    bool, typer.Option("--categories/--no-categories", help="Let flows that are good at this kind of prompt win.")
]
LayoutOption = Annotated[bool, typer.Option("--layout/--no-layout", help="Plan where things go.")]
FlowOption = Annotated[
    str | None, typer.Option("--flow", metavar="ID", help="The flow to draw with.", autocompletion=complete.flows)
]
FlowArgument = Annotated[str, typer.Argument(metavar="ID", help="The flow's id.", autocompletion=complete.flows)]
ThreadOption = Annotated[
    str | None,
    typer.Option("--thread", metavar="NAME", help="The conversation that it joins.", autocompletion=complete.threads),
]
SubstituteFlag = Annotated[
    bool, typer.Option("--allow-substitute", help="On ComfyUI: another precision of a model may take its place.")
]
BackendOption = Annotated[str | None, typer.Option(metavar="NAME", help="The backend that draws.")]
ImageOption = Annotated[
    str | None, typer.Option("--image", metavar="FILE", help="Start from a picture of your own: PNG, JPEG or WebP.")
]
MaskOption = Annotated[
    str | None, typer.Option("--mask", metavar="FILE", help="Draw into what is white (or transparent) here alone.")
]
StrengthOption = Annotated[
    str | None, typer.Option("--strength", metavar="0-1", help="How far from the image; 0.65, and 1 inside a mask.")
]
NegativeOption = Annotated[str, typer.Option("--negative", metavar="TEXT", help="What must not appear.")]
StepsOption = Annotated[str | None, typer.Option("--steps", metavar="N", help="Denoising steps, not the flow's own.")]
GuidanceOption = Annotated[
    str | None, typer.Option("--guidance", metavar="N", help="The guidance scale, not the flow's own.")
]
FormatOption = Annotated[str | None, typer.Option("--format", metavar="png|jpeg|webp", help="How it is written.")]
OpenFlag = Annotated[bool, typer.Option("--open", help="Open the picture with this system's viewer.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps; cpu/bfloat16 also states the number format.")
]


def read_prompt(text: str) -> str:
    """The prompt without control and format characters; ``-`` reads standard input.

    Raises:
        BadInput: it is empty, or no text.
    """
    tidy = _tidy(_decode(sys.stdin.buffer.read(), "standard input") if text == "-" else text)
    if not tidy:
        raise BadInput("the prompt is empty", 'say what to draw, e.g. "two red circles above a blue square"')
    return tidy


def read_prompts(source: str) -> list[str]:
    """The lines of a text file (``-``: standard input) as prompts, without empty ones and comments (``# …``).

    Raises:
        BadInput: it cannot be read or is not UTF-8 text, or holds no prompt.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"cannot read {source}: {why}", "name a text file with one prompt a line") from None
    lines = (_tidy(line) for line in _decode(data, source).split("\n"))
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise BadInput(f"{source} holds no prompt", "write one prompt a line")
    return prompts


def read_text(option: str, text: str) -> str:
    """What was given as ``option``, without control characters.

    Raises:
        BadInput: it is no text.
    """
    try:
        return _tidy(text)
    except BadInput as error:
        raise BadInput(f"{option}: not valid UTF-8", error.remedy) from None


def _tidy(text: str) -> str:
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise BadInput("the prompt is not valid UTF-8", "type it in a UTF-8 terminal, or give it in a file")
    return "".join(c for c in text if c in "\n\t\u2028\u2029" or not is_steering(c)).strip()


def _decode(data: bytes, name: str) -> str:
    remedy = "give UTF-8 text with one prompt a line"
    if b"\0" in data:
        raise BadInput(f"{name} is binary, not text", remedy)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name} is not UTF-8 text (line {line})", remedy) from None


def read_size(text: str | None) -> tuple[int | None, int | None]:
    """``64`` or ``96x64`` as ``(width, height)`` in pixels; ``(None, None)`` for none.

    Raises:
        BadInput: it is no size, or its sides are no multiples of what every model needs.
    """
    if text is None:
        return (None, None)
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:[xX×]\s*([0-9]{1,6})\s*)?", text)
    if not found:
        raise BadInput(
            f"{text!r} is not a size", "give a side or WIDTHxHEIGHT in pixels, such as --size 1024 or --size 1024x768"
        )
    sides = (int(found[1]), int(found[2] or found[1]))
    if any(side % SIDE_STEP for side in sides):
        near = "x".join(str(-(-side // SIDE_STEP) * SIDE_STEP) for side in sides)
        raise BadInput(f"sides must be multiples of {SIDE_STEP}, unlike {sides[0]}x{sides[1]}", f"try --size {near}")
    return sides


def read_whole(option: str, text: str, high: int) -> int:
    """The whole number from 0 to ``high`` that was given as ``option``.

    Raises:
        BadInput: it is none.
    """
    if not re.fullmatch(r"\s*[0-9]{1,30}\s*", text) or int(text) > high:
        raise BadInput(f"{option} {text} is not usable", f"give a whole number from 0 to {high}")
    return int(text)


def read_share(option: str, text: str | None, high: float) -> float | None:
    """The number from 0 to ``high`` that was given as ``option``; None for none.

    Raises:
        BadInput: it is none.
    """
    if text is None:
        return None
    if not re.fullmatch(r"\s*[0-9]{1,6}(?:\.[0-9]{1,6})?\s*", text) or float(text) > high:
        raise BadInput(f"{option} {text} is not usable", f"give a number from 0 to {high:g}")
    return float(text)


def read_format(text: str | None) -> PictureFormat | None:
    """The format of a picture by its name; None for none.

    Raises:
        BadInput: there is no such format.
    """
    name = (text or "png").lower().replace("jpg", "jpeg")
    if name not in PICTURE_FORMATS:
        raise BadInput(f"--format {text} is not written", f"write {', '.join(PICTURE_FORMATS)}")
    return None if text is None else cast("PictureFormat", name)


def read_tokens(text: str | None) -> int | None:
    """A number of tokens; None for no bound.

    Raises:
        BadInput: it is no number.
    """
    return None if text is None else read_whole("--max-tokens", text, MAX_TOKENS)


def read_money(text: str | None) -> float | None:
    """US dollars; None for no bound.

    Raises:
        BadInput: it is no sum.
    """
    if text is None:
        return None
    if not re.fullmatch(r"\s*\$?[0-9]{1,7}(?:\.[0-9]{1,6})?\s*", text):
        raise BadInput(f"--max-money {text} is no sum", "give US dollars, such as 0.05")
    return float(text.strip().lstrip("$"))


def read_seconds(text: str | None) -> float | None:
    """A number of seconds; None for no bound.

    Raises:
        BadInput: it is no number.
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        raise BadInput(f"--max-seconds {text} is not a time", "give a number of seconds, such as 60") from None


def read_out(text: str | None, prompt: str, ending: str = ".png") -> Path:
    """Where the picture goes: the file that was named, or a new name, made from the prompt, in a folder.

    A path that ends in ``/``, or that is a folder already, is a folder; it is this one unless told otherwise.

    Raises:
        BadInput: it is no path.
    """
    if text is not None and (not text.strip() or "\0" in text):
        raise BadInput("--out is no path", "name a file or a folder")
    path = Path(text or ".").expanduser()
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BadInput(f"cannot write {path}: it is not a plain file", "choose another --out")
    try:
        folder = path.is_dir() or (text or "").endswith(("/", os.sep))
        return new_name(path, prompt, ending) if folder else path
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}", "choose another --out") from None


def new_name(folder: Path, prompt: str, ending: str) -> Path:
    """A name in ``folder`` that nothing has yet, made from the words of ``prompt``."""
    words = re.findall(r"[a-z0-9]+", prompt.lower())
    slug = "-".join(words)[:48].rstrip("-") or "picture"
    name, number = f"{slug}{ending}", 1
    while (folder / name).exists():
        number += 1
        name = f"{slug}-{number}{ending}"
    return folder / name


@contextlib.contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """Make the folders above ``path``; those that are empty in the end, because nothing was written, go again.

    Raises:
        BadInput: one cannot be made.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make the folder {path.parent}: {error.strerror}", "choose another --out") from None
    try:
        yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
