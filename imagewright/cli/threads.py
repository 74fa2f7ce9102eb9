"""``imagewright threads`` and ``imagewright prefs``: what conversations have left, and what holds for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from imagewright.cli import complete
from imagewright.cli.chat import show_threads
from imagewright.cli.options import JsonFlag
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, render, table
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.intents import Preference

app = typer.Typer(help="Look at conversations; name, search, export and delete them.", no_args_is_help=True)
prefs = typer.Typer(help="Lasting wishes for every new picture.", no_args_is_help=True)
ThreadArgument = Annotated[str, typer.Argument(metavar="THREAD", help="Its name.", autocompletion=complete.threads)]
KindArgument = Annotated[str, typer.Argument(metavar="style|never", help="A style, or what must never appear.")]
TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="Such as watercolour, or text.")]


@app.command("list")
def list_threads(
    search: Annotated[str, typer.Option(metavar="TEXT", help="Only those that say TEXT.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """List conversations, newest first."""
    with engine() as opened:
        if as_json:
            emit_json({"threads": [row.model_dump(mode="json") for row in opened.threads.list(search)]})
        else:
            show_threads(opened, search)


@app.command("show")
def show_thread(thread: ThreadArgument, as_json: JsonFlag = False) -> None:
    """Show what was said in a conversation and what came of it."""
    with engine() as opened:
        opened.threads.insist(thread)
        turns = opened.threads.turns(thread)
    if as_json:
        emit_json({"thread": thread, "turns": [turn.model_dump(mode="json") for turn in turns]})
        return
    rows = [(str(turn.picture or ""), turn.said, turn.path or turn.reply or turn.status) for turn in turns]
    emit(render(table(("picture", "said", "came of it"), rows, stretch=2)))


@app.command("name")
def name_thread(thread: ThreadArgument, title: Annotated[str, typer.Argument(metavar="TITLE")]) -> None:
    """Give a conversation a title; an empty one takes it away."""
    with engine() as opened:
        opened.threads.entitle(thread, title)
    emit(clean(f"{thread}: {title}"))


@app.command("export")
def export_thread(
    thread: ThreadArgument,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A new or empty folder.")],
) -> None:
    """Write a conversation into a folder: what was said, every picture, every trace."""
    with engine() as opened:
        count = opened.export_thread(thread, out)
    emit(clean(f"{count} pictures and thread.json are in {out}"))


@app.command("delete")
def delete_thread(
    thread: ThreadArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a conversation: its words, its history, and its pictures, also where they were delivered to."""
    with engine() as opened:
        opened.threads.insist(thread)
        if not yes:
            typer.confirm(f"Delete {thread} with all of its pictures?", abort=True, err=True)
        count = opened.delete_thread(thread)
    emit(clean(f"{thread} is gone, and {count} pictures with it"))


@prefs.command("list")
def list_preferences(as_json: JsonFlag = False) -> None:
    """List lasting wishes."""
    with engine() as opened:
        wishes = opened.preferences.all()
    if as_json:
        emit_json({"preferences": [wish.model_dump(mode="json") for wish in wishes]})
        return
    lines = [(wish.kind, wish.text, "on" if wish.on else "off") for wish in wishes]
    nothing = 'no wishes yet; in a chat, say "I like watercolour" or "never text"'
    emit(render(table(("kind", "text", ""), lines, stretch=1)) if lines else nothing)


@prefs.command("add")
def add_preference(kind: KindArgument, text: TextArgument) -> None:
    """Note a wish, or switch it on again."""
    with engine() as opened:
        opened.preferences.put(_wish(kind, text))
    emit(clean(f"{kind} {text}: on"))


@prefs.command("off")
def switch_off(kind: KindArgument, text: TextArgument) -> None:
    """Switch a wish off without forgetting it."""
    with engine() as opened:
        known = opened.preferences.put(_wish(kind, text).model_copy(update={"on": False}))
    _insist(known, text)
    emit(clean(f"{kind} {text}: off"))


@prefs.command("remove")
def remove_preference(kind: KindArgument, text: TextArgument) -> None:
    """Forget a wish."""
    with engine() as opened:
        known = opened.preferences.remove(_wish(kind, text))
    _insist(known, text)
    emit(clean(f"{kind} {text} is forgotten"))


def _wish(kind: str, text: str) -> Preference:
    from imagewright.intents import Preference

    if kind not in ("style", "never"):
        raise BadInput(f"{kind!r} is no kind of wish", "it is style (what you like) or never (what must not appear)")
    if not 0 < len(text.strip()) <= 100:
        raise BadInput("the wish needs 1 to 100 characters", 'such as: imagewright prefs add style "watercolour"')
    return Preference(kind=cast(Literal["style", "never"], kind), text=" ".join(clean(text).split()))


def _insist(known: bool, text: str) -> None:
    if not known:
        raise BadInput(f"no such wish is noted: {text}", "imagewright prefs list shows them")
