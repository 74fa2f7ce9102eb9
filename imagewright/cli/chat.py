"""``imagewright chat``: a conversation in the terminal, and its ``/`` commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.chat_help import HELP
from imagewright.cli.options import (
    BackendOption,
    CategoriesOption,
    DeviceOption,
    ExploreOption,
    FlowOption,
    LayoutOption,
    LlmOption,
    ModelsOption,
    PolishOption,
    ServerFlag,
    SubstituteFlag,
    ThreadOption,
    read_money,
    read_seconds,
    read_size,
    read_tokens,
    read_whole,
)
from imagewright.cli.setup import OFFER, is_new_here
from imagewright.cli.terminal.input import open_reader
from imagewright.cli.terminal.preview import show
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_prose, is_terminal, keep_whole, render
from imagewright.cli.workplace import engine_at_work
from imagewright.errors import BadInput, Cancelled, ImagewrightError
from imagewright.limits import MAX_AT_ONCE, MAX_IMAGES, MAX_SEED

if TYPE_CHECKING:
    from imagewright.api import Chat, Imagewright, Reply
    from imagewright.draw_request import ChatOptions
    from imagewright.schemas import RunResult

_COMMANDS = """/variations 3                    three more with other seeds, on one sheet
/undo /more /why /story /pictures /threads /thread NAME /name TITLE /prefs /quit"""


def chat(
    thread: ThreadOption = "chat",
    out: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="The seed of every new picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="In pixels: 1024 or 1024x768; mini: 128.")] = None,
    flow: FlowOption = None,
    backend: BackendOption = None,
    categories: CategoriesOption = True,
    layout: LayoutOption = True,
    critic: Annotated[bool, typer.Option("--critic/--no-critic", help="Check pictures and repair them.")] = True,
    max_images: Annotated[str, typer.Option(metavar="N", help="Pictures to make at most for one saying.")] = "4",
    max_seconds: Annotated[str | None, typer.Option(metavar="S", help="Seconds for one saying at most.")] = None,
    max_tokens: Annotated[str | None, typer.Option(metavar="N", help="Tokens for language models at most.")] = None,
    max_money: Annotated[str | None, typer.Option(metavar="USD", help="What a saying may cost at most.")] = None,
    llm: LlmOption = None,
    polish: PolishOption = False,
    explore: ExploreOption = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Draw what can be drawn of a prompt.")] = False,
    allow_substitute: SubstituteFlag = False,
    preview: Annotated[bool, typer.Option("--preview/--no-preview", help="Show pictures in the terminal.")] = True,
    models: ModelsOption = None,
    device: DeviceOption = None,
    server: ServerFlag = True,
) -> None:
    """Talk about pictures: each saying draws, changes, goes back or is answered. It goes on where it was left."""
    width, height = read_size(size)
    options: ChatOptions = {
        "out": out, "seed": None if seed is None else read_whole("--seed", seed, MAX_SEED), "width": width,
        "height": height, "flow": flow, "backend": backend, "use_categories": categories, "use_layout": layout,
        "use_critic": critic,
        "max_images": read_whole("--max-images", max_images, MAX_IMAGES), "max_seconds": read_seconds(max_seconds),
        "max_tokens": read_tokens(max_tokens), "max_money": read_money(max_money), "llm": llm, "anyway": anyway,
        "polish": polish, "explore": explore, "allow_substitute": allow_substitute,
    }  # fmt: skip
    with engine_at_work(models, device, server=server) as opened:
        if is_new_here(opened.settings):
            emit_prose(OFFER)
        if flow is not None:
            opened.index.get(flow)
        code = Talk(opened, opened.chat("chat" if thread is None else thread, **options), preview=preview).run()
    raise typer.Exit(code)


class Talk:
    """One sitting: reads sayings and tells what came of them until the end of input."""

    def __init__(self, opened: Imagewright, talk: Chat, *, preview: bool) -> None:
        self._engine, self._chat, self._preview = opened, talk, preview
        self._failed, self._keys = 0, ""
        self._commands: dict[str, Callable[[str], object]] = {
            "/help": lambda _: self._help(), "/undo": lambda _: self._say("undo"),
            "/more": lambda _: self._say("one more"), "/variations": self._vary,
            "/why": lambda about: self._say(f"why {about}?" if about else "why?"), "/story": lambda _: self._story(),
            "/pictures": lambda _: self._pictures(), "/threads": lambda text: show_threads(opened, text),
            "/thread": self._switch, "/name": self._entitle, "/prefs": lambda _: self._say("what are my preferences?"),
        }  # fmt: skip

    def run(self) -> int:
        """The exit code: 0, or for input that is no terminal that of the last saying that failed."""
        reader = open_reader(self._engine.settings.data_dir / "chat-history", [*self._commands, "/quit"])
        self._keys = reader.keys
        self._greet()
        stopped = False
        while True:
            try:
                said = reader.read().strip()
            except EOFError:
                return 0 if is_terminal(sys.stdin) else self._failed
            except KeyboardInterrupt:
                if stopped:
                    return Cancelled.exit_code
                emit("(Ctrl-C again, Ctrl-D or /quit ends)")
                stopped = True
                continue
            stopped = False
            if said in ("/quit", "/exit"):
                return 0
            if said:
                self._take(said)

    def _greet(self) -> None:
        """Say where the conversation stands, and finish what a kill cut off."""
        pictures = self._chat.pictures
        last = f"; the present one: {pictures[-1].prompt}" if pictures else "; /help says what can be said"
        emit_prose(f"thread {self._chat.thread}: {len(pictures)} picture{'s' * (len(pictures) != 1)}{last}")
        turn = self._chat.pending
        if turn is None:
            return
        emit_prose(f"going on with: {turn.prompt}")
        self._guarded(lambda: self._tell(self._followed(self._chat.resume)))

    def _take(self, said: str) -> None:
        name, _, rest = said.partition(" ")
        if said.startswith("/") and name not in self._commands:
            emit(f"no command is called {clean(name)}; /help lists them")
            return
        command = self._commands.get(name)
        self._guarded(lambda: command(rest.strip()) if command else self._say(said))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do one thing; what goes wrong is told, and the conversation goes on."""
        try:
            work()
        except KeyboardInterrupt:
            emit("stopped; the conversation is where it was")
        except ImagewrightError as error:
            self._failed = error.exit_code
            emit_prose(*(text for text in (str(error), error.remedy) if text))

    # --- what is said and told --------------------------------------------------------------

    def _say(self, said: str) -> RunResult | None:
        """Say it and tell what came of it; the picture, where there is one."""
        if self._chat.changes_subject(said):
            self._tell(self._followed(lambda listen: self._chat.say("no", on_event=listen)))
        if not self._waits() and (count := self._chat.count_asked(said)):
            self._vary(str(count))
            return None
        reply = self._followed(lambda listen: self._chat.say(said, on_event=listen))
        self._tell(reply)
        return reply.result if reply else None

    def _waits(self) -> bool:
        turn = self._chat.pending
        return turn is not None and turn.status == "asked"

    def _followed(self, work: Callable[[ProgressLine], Reply | None]) -> Reply | None:
        with ProgressLine(names_run=False) as progress:
            reply = work(progress)
        if reply is not None and reply.result is None and progress.notes:
            emit_prose(*(f"note: {note}" for note in progress.notes))
        return reply

    def _tell(self, reply: Reply | None) -> None:
        if reply is None:
            return
        if reply.result is None:
            emit_prose(*reply.text.split("\n"))
            for number, choice in enumerate(reply.question.choices if reply.question else (), 1):
                emit_prose(f"  {number}  {choice}")
            return
        number = self._chat.pictures[-1].number
        if self._preview and (picture := show(Path(reply.result.path), os.environ)):
            emit(picture)
        tell_turn(reply.result, number)

    # --- the commands -----------------------------------------------------------------------

    def _help(self) -> None:
        emit("\n".join((HELP, _COMMANDS)))
        if self._keys:
            emit_prose(self._keys)

    def _vary(self, count: str) -> None:
        made: list[RunResult] = []
        for _ in range(read_whole("/variations", count or "3", MAX_AT_ONCE)):
            result = self._say("one more")
            if result is None:
                break
            made.append(result)
        if sheet := self._chat.lay_out(made):
            emit(f"all of them: {clean(sheet)}")

    def _story(self) -> None:
        from imagewright.cli.story import tell_run

        pictures = self._chat.pictures
        result = self._engine.runs.get(pictures[-1].run).result if pictures else None
        emit(render(tell_run(result)) if result else "there is no picture yet")

    def _pictures(self) -> None:
        live = {picture.run for picture in self._chat.pictures}
        for picture in self._engine.threads.pictures(self._chat.thread):
            mark = "" if picture.run in live else "  (left behind)"
            emit_prose(f"{picture.number}  {picture.prompt}{mark}")

    def _switch(self, name: str) -> None:
        if not name:
            raise BadInput("/thread needs a name", "/threads lists them; a new name begins a new one")
        self._chat = self._chat.with_thread(name)
        self._greet()

    def _entitle(self, title: str) -> None:
        self._engine.threads.entitle(self._chat.thread, title)
        emit(clean(f"titled: {title}") if title else "the title is gone")


def tell_turn(result: RunResult, number: int) -> None:
    """Tell what came of a saying in a few lines: the picture with its number, then what is to be known of it."""
    made = f"({result.judgement}; {result.flow}, seed {result.seed})"
    emit_prose(f"{keep_whole(f'picture {number}: {result.path}')}  {made}")
    if result.notes:
        emit_prose(f"note: {'; '.join(result.notes)}")


def show_threads(opened: Imagewright, text: str) -> None:
    """The list of threads, those that say ``text`` where it is given."""
    from imagewright.cli.terminal.text import table

    rows = opened.threads.list(text)
    if not rows:
        emit("no thread says that" if text else "no threads yet; begin one: imagewright chat --thread NAME")
        return
    lines = [(row.name, str(row.pictures), row.changed[:16].replace("T", " "), row.title or row.last) for row in rows]
    emit(render(table(("thread", "pictures", "changed", "title, or what was said last"), lines, stretch=3)))
