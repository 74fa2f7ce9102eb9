"""A conversation from Python: say something, get a picture, an answer or a question; it goes on after a restart.

>>> from imagewright import Imagewright
>>> chat = Imagewright().chat("sky")
>>> chat.say("a yellow star on a blue background").result.path  # doctest: +SKIP
>>> chat.say("make it red").result.path  # doctest: +SKIP
>>> chat.say("undo").text  # doctest: +SKIP
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewright.box_changes import BoxChange, BoxOrder
from imagewright.errors import BadInput
from imagewright.intents import Question, Reference
from imagewright.limits import MAX_AT_ONCE
from imagewright.run_work import OnEvent, Reply, Workplace
from imagewright.schemas import DrawRequest, RunResult

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.memory.runs import RunRow

_OPEN = ("running", "interrupted", "asked")
_MORE = "one more"


class Chat:
    """One thread. Its state lies on the disk: any ``Chat`` of the same name goes on from it."""

    def __init__(self, container: Container, options: DrawRequest, workplace: Workplace) -> None:
        self.thread = (options.thread or "").strip()
        self._container, self._options, self._workplace = container, options, workplace

    # --- what people call -------------------------------------------------------------------

    def count_asked(self, text: str) -> int:
        """How many variations of the present picture ``text`` asks for: "show me 4 variations"; 0 for anything else."""
        from imagewright.agents.conversation.commands import count_variations
        from imagewright.agents.conversation.sayings import simplify_saying

        number = count_variations(simplify_saying(text).rstrip("?! "))
        return number if number and self.pictures else 0

    def split(self, text: str) -> tuple[str, ...]:
        """The turns that ``text`` is: "show me 4 variations" is four times "one more", anything else is itself."""
        if not (count := self.count_asked(text)) or (self._asks and not self.changes_subject(text)):
            return (text,)
        return (_MORE,) * count

    def draw_variations(
        self, count: int, on_event: OnEvent | None = None, *, stop: threading.Event | None = None
    ) -> Reply:
        """``count`` more pictures like the present one, each a turn of its own, and a contact sheet of them.

        Raises:
            BadInput: there is no picture yet, or ``count`` is not from 1 to 24.
            CannotDraw, Cancelled: as ``say``; what was drawn before stays.
        """
        if not self.pictures or not 1 <= count <= MAX_AT_ONCE:
            why = "there is no picture yet" if not self.pictures else f"{count} variations are not drawn at once"
            raise BadInput(why, f"say what to draw; then ask for 1 to {MAX_AT_ONCE} variations of it")
        reply = self.say(_MORE, on_event, stop=stop)
        drawn = [reply.result] if reply.result else []
        while reply.result is not None and len(drawn) < count:
            reply = self.say(_MORE, on_event, stop=stop)
            drawn += [reply.result] if reply.result else []
        sheet = self.lay_out(drawn) if reply.result else ""
        return reply.model_copy(update={"others": tuple(drawn[:-1]), "contact_sheet": sheet})

    def lay_out(self, drawn: Sequence[RunResult]) -> str:
        """A contact sheet of pictures of this conversation beside the last of them; its path, empty for fewer than two.

        A name that is taken is left alone; the next free one is used.
        """
        from imagewright.contact_sheet import paint_sheet
        from imagewright.memory.artifacts import write_whole
        from imagewright.memory.reservations import list_names

        if len(drawn) < 2:
            return ""
        paths = [Path(result.path) for result in drawn]
        name = f"{paths[0].stem}-to-{paths[-1].stem.rpartition('-')[2]}.png"
        path = next(free for free in list_names(paths[-1].with_name(name), counts=False) if not free.exists())
        numbered = zip(drawn, paths, strict=True)
        write_whole(path, paint_sheet([(at.stem.rpartition("-")[2], it.judgement, at) for it, at in numbered]))
        return str(path)

    def say(
        self,
        text: str,
        on_event: OnEvent | None = None,
        *,
        stop: threading.Event | None = None,
        run: str | None = None,
        boxes: BoxOrder | None = None,
    ) -> Reply:
        """Say something; where the last turn asked a question, this answers it.

        "Show me 4 variations" is as many turns; the reply is the last one's, with the ``others``.
        What does not answer a question about a limit is taken for no, and then for something new. Setting ``stop`` ends
        the turn between two steps; ``run`` is an id of ``Imagewright.name_run`` for a turn that is a new one. With
        ``boxes``, of ``order_boxes``, the turn is those changes, a question that waits is left, and ``text`` only tells
        the turn.

        Raises:
            BadInput: the words, or the thread's files, cannot be used.
            CannotDraw: no flow here can draw it; the conversation stays where it was.
            Cancelled: Ctrl-C; the conversation stays where it was.
        """
        if self.changes_subject(text) or (boxes is not None and self._asks):
            self.say("no", on_event, stop=stop)
        open_turn = self.pending
        if open_turn is not None and open_turn.status == "asked":
            return self._resume(open_turn, on_event, text, stop)
        if run is None and boxes is None and (count := self.count_asked(text)):
            return self.draw_variations(count, on_event, stop=stop)
        if open_turn is not None:
            self._resume(open_turn, on_event, stop=stop)
        return self._begin(text, on_event, stop, run, boxes)

    def edit(
        self,
        boxes: Sequence[BoxChange | Mapping[str, Any]],
        text: str = "",
        on_event: OnEvent | None = None,
        *,
        go_on_from: str = "",
        stop: threading.Event | None = None,
        run: str | None = None,
    ) -> Reply:
        """Change boxes of a picture by hand: move or resize, rename, add, delete; ``Imagewright.show_layout`` has them.

        ``boxes`` are ``BoxChange``s or their fields. ``text`` is said beside: a change of the same picture in words.
        The picture is the present one, or that of run ``go_on_from``, of whatever conversation. What no change touches
        keeps its pixels where the backend can redraw.

        >>> chat.edit([{"box": 0, "x": 0.6}, {"box": 1, "delete": True}])  # doctest: +SKIP

        Raises:
            BadInput: there is no such picture or box, or a change cannot be made; nothing is drawn.
            CannotDraw, Cancelled: as ``say``.
        """
        words, order = self.order_boxes(boxes, text, go_on_from)
        if go_on_from and self.has_turn(go_on_from):
            self.return_to(go_on_from)
        return self.say(words, on_event, stop=stop, run=run, boxes=order)

    def order_boxes(
        self, boxes: Sequence[BoxChange | Mapping[str, Any]], text: str = "", go_on_from: str = ""
    ) -> tuple[str, BoxOrder]:
        """The turn in words, and the order that ``say`` takes; as ``edit``, but nothing is begun.

        Raises:
            BadInput: as ``edit``.
        """
        from imagewright.agents.conversation.box_checks import check_changes
        from imagewright.agents.conversation.by_hand import tell_changes
        from imagewright.box_changes import read_changes
        from imagewright.graph.box_order import boxes_of, describe_base

        present = self.pictures[-1:] if not go_on_from else ()
        run = present[0].run if present else go_on_from
        if not run:
            raise BadInput("this conversation has no picture yet", "say what to draw, or name a run to go on from")
        there = boxes_of(describe_base(self._container.runs.trace(run))).boxes
        changes, said = check_changes(read_changes(boxes), there), text.strip()
        words = tell_changes(changes, there)
        return f"{said}; {words}" if said else words, BoxOrder(base=run, changes=changes, said=said)

    def has_turn(self, run: str) -> bool:
        """Whether ``run`` is one of this conversation's."""
        return run in (turn.run for turn in self._container.threads.turns(self.thread))

    @property
    def _asks(self) -> bool:
        waiting = self.pending
        return waiting is not None and waiting.status == "asked"

    def changes_subject(self, text: str) -> bool:
        """Whether a question about a limit waits and ``text`` is no answer to it."""
        from imagewright.graph.spending import asks_about_a_limit, is_reply

        waiting = self.pending
        asked = waiting is not None and waiting.status == "asked" and asks_about_a_limit(waiting.error)
        return asked and not is_reply(text)

    def resume(self, on_event: OnEvent | None = None, *, stop: threading.Event | None = None) -> Reply | None:
        """Finish the turn that a kill interrupted, or ask its question again; None where nothing is open."""
        open_turn = self.pending
        return None if open_turn is None else self._resume(open_turn, on_event, stop=stop)

    def return_to(self, run: str) -> None:
        """Make the end of turn ``run`` the present of the conversation: what is said next goes on from there.

        Raises:
            BadInput: it is no turn of this conversation, or one that was never finished.
        """
        from imagewright.graph.lines import return_to
        from imagewright.graph.runner import thread_id

        if not self.has_turn(run):
            raise BadInput(f"the conversation has no turn {run[:80]!r}", "`imagewright runs list` shows them")
        return_to(self._container.settings.checkpoints, thread_id("", self._options), run)

    @property
    def pending(self) -> RunRow | None:
        """The turn that was interrupted or waits for an answer; None where there is none."""
        from imagewright.graph.lines import find_unfinished
        from imagewright.graph.runner import thread_id

        thread = thread_id("", self._options)
        row = self._container.runs.last_of(thread)
        if row is None or row.status in _OPEN:
            return row
        cut = row.status == "delivered" and find_unfinished(self._container.settings.checkpoints, thread) == row.id
        return row if cut else None

    @property
    def pictures(self) -> tuple[Reference, ...]:
        """The pictures on the present line, oldest first; the last one is the present one."""
        from imagewright.graph.lines import present
        from imagewright.graph.runner import thread_id

        return present(self._container.settings.checkpoints, thread_id("", self._options))

    @property
    def question(self) -> Question | None:
        """What the last turn waits to be told; the next saying answers it. None where it does not wait."""
        from imagewright.graph.lines import find_question
        from imagewright.graph.runner import thread_id
        from imagewright.graph.spending import asks_about_a_limit

        asked = find_question(self._container.settings.checkpoints, thread_id("", self._options))
        if asked is not None and asks_about_a_limit(asked.text):
            return asked.model_copy(update={"choices": ("yes", "no")})
        return asked

    def with_thread(self, thread: str) -> Chat:
        """The conversation called ``thread``, with the same options."""
        return Chat(self._container, self._options.revise(thread=thread), self._workplace)

    # --- how --------------------------------------------------------------------------------

    def _begin(
        self,
        text: str,
        on_event: OnEvent | None,
        stop: threading.Event | None = None,
        run: str | None = None,
        boxes: BoxOrder | None = None,
    ) -> Reply:
        # The seed stays out of the request: an edit keeps that of the picture it is about.
        taken = "number" if self._options.taken == "refuse" else self._options.taken
        request = self._options.revise(prompt=text, seed=None, out=self._out(), taken=taken, boxes=boxes)
        return self._workplace.begin(request, on_event, seed=self._options.seed, asks=True, stop=stop, run=run)

    def _resume(
        self,
        row: RunRow,
        on_event: OnEvent | None,
        reply: str | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        return self._workplace.go_on(row, on_event, asks=True, reply=reply, stop=stop)

    def _out(self) -> str:
        """The next picture's file: ``<thread>-<n>.png`` in the folder that the options name; ``n`` is its number."""
        from imagewright.graph.picture_file import name_file

        folder = Path(self._options.out or ".").expanduser()
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder} is not a folder", "a conversation makes several pictures: name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        slug = "-".join(re.findall(r"[a-z0-9]+", self.thread.lower()))[:40] or "chat"
        number = sum(turn.picture > 0 for turn in self._container.threads.turns(self.thread)) + 1
        return str(name_file(folder / f"{slug}-{number:02}", self._options.format))
