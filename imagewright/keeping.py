"""What an engine keeps, and letting go of it: conversations written out or deleted, runs deleted, a home tidied up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagewright.errors import BadInput
from imagewright.rooms import Rooms
from imagewright.schemas import DrawRequest, RunEvent

if TYPE_CHECKING:
    from imagewright.cleaning import Growth
    from imagewright.fetching import AwaitedPicture
    from imagewright.graph.lines import ThreadLines
    from imagewright.graph.shown_layout import ShownLayout


class Keeping(Rooms):
    """An engine's methods for what it has kept."""

    def export_thread(self, thread: str, folder: Path | str) -> int:
        """Write a conversation into a new or empty folder: what was said, each picture, each trace; how many pictures.

        Raises:
            BadInput: there is no such conversation, or the folder is not empty or cannot be written.
        """
        from imagewright.thread_files import write_thread

        return write_thread(self.container, thread, Path(folder))

    def delete_thread(self, thread: str) -> int:
        """Delete a conversation with its pictures, also where they were delivered to; how many the store has lost.

        Raises:
            BadInput: there is no such conversation, or a picture of it is being drawn.
        """
        from imagewright.thread_files import delete

        self.threads.insist(thread)
        return delete(self.container, thread)

    def trace_lines(self, thread: str) -> ThreadLines:
        """How the turns of a conversation hang together: after which each was said, and where one is.

        Raises:
            BadInput: its checkpoints cannot be read.
        """
        from imagewright.graph.lines import trace_lines

        return trace_lines(self.settings.checkpoints, f"thread {thread.strip()}")

    def retell(self, run: str) -> tuple[RunEvent, ...]:
        """The story of a delivered run as it was told while it was drawn, without steps and previews.

        Raises:
            BadInput: there is no such run, it delivered nothing, or its trace cannot be read.
        """
        from imagewright.graph.retelling import retell

        trace = self.runs.trace(run)
        if not trace.delivered:
            raise BadInput(f"run {run} has delivered no picture", "`imagewright runs list` shows which have")
        return tuple(retell(trace))

    def await_picture(self, request: DrawRequest, run: str) -> AwaitedPicture:
        """Where the picture of ``run``, which a server of this home will draw, goes by ``request``.

        Raises:
            BadInput: the picture that the request starts from, or the place, cannot be used.
        """
        from imagewright.fetching import AwaitedPicture

        return AwaitedPicture(self.container, request, run)

    def request_of(self, run: str) -> DrawRequest:
        """What ``run`` was asked to draw, with the flow that drew it and no seed: the request of its variations.

        Of a change in a conversation it is the whole prompt of the picture that came of it.

        Raises:
            BadInput: there is no such run, or it delivered nothing.
        """
        row = self.runs.get(run)
        if row.result is None:
            raise BadInput(f"run {run} has delivered no picture", "`imagewright runs list` shows which have")
        changes = {
            "prompt": row.result.prompt,
            "flow": row.result.flow,
            "seed": None,
            "out": None,
            "thread": None,
            "boxes": None,
        }
        return row.request.revise(**changes, taken="refuse")

    def show_layout(self, run: str) -> ShownLayout:
        """The boxes of a picture as they were drawn, by the numbers that ``Chat.edit`` takes, and what is wrong where.

        Raises:
            BadInput: there is no such run, or it delivered nothing.
        """
        from imagewright.graph.shown_layout import show_layout

        return show_layout(self.runs.trace(run))

    def rate_run(self, run: str, thumb: Literal["up", "down"]) -> str:
        """Keep what the person thinks of the picture of ``run``, whichever it is; what was noted, in words.

        It counts when a flow is chosen, as in a conversation; said again, the last word counts.

        Raises:
            BadInput: there is no such run, or it has delivered nothing.
        """
        from imagewright.graph.thumbs import tell_thumb, weigh_thumb

        if self.runs.get(run).result is None:
            raise BadInput(f"run {run} has delivered no picture", "`imagewright runs list` shows which have")
        made = self.runs.trace(run)
        self.index.add_evidence([weigh_thumb(made, made.backend or self.backend().name, thumb)])
        self.runs.note_thumb(run, thumb)
        return tell_thumb(made, thumb)

    def delete_runs(self, runs: Sequence[str]) -> int:
        """Delete runs with their pictures, also where they were delivered to; how many the store has lost.

        Raises:
            BadInput: there is no such run, it is being drawn, or it is part of a conversation.
        """
        from imagewright.deletion import delete_runs

        for run in runs:
            if (thread := self.runs.get(run).request.thread) is not None:
                reason = f"run {run} is part of the conversation {thread!r}"
                raise BadInput(reason, f"delete all of it: imagewright threads delete {thread}")
        wanted = set(runs)
        return delete_runs(self.container, [row for row in self.runs.outline() if row.id in wanted])

    def clean(
        self, *, older_than: timedelta | None = None, keep_size: int | None = None, dry_run: bool = False
    ) -> tuple[Growth, ...]:
        """Delete what nothing needs any more, and where asked what is old or too much; each kind of thing and how much.

        ``older_than`` and ``keep_size`` (bytes of the store of pictures) bound what delivered nothing, what was
        rejected, and copies of delivered pictures. Pictures in people's folders, conversations and runs that are alive
        are never touched. With ``dry_run`` nothing is deleted.

        Raises:
            BadInput: the home cannot be read or written.
        """
        from imagewright.cleaning import clean_home

        return clean_home(self.container, older_than=older_than, keep_size=keep_size, dry_run=dry_run)
