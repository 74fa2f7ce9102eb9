"""A picture that a server of this home draws, brought to where the person wants it: by the rules of a run done here.

The server delivers into a folder of the home that is the run's own; the name that the person wants is reserved by who
asked, filled by who asked, and in the end log and trace say what they would say without a server.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewright import untrusted
from imagewright.draw_request import DrawRequest
from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.graph.delivery_names import Names
    from imagewright.memory.runs import RunRow
    from imagewright.schemas import RunResult


class AwaitedPicture:
    """Where the picture of one run goes; its name is reserved while the block runs."""

    def __init__(self, container: Container, request: DrawRequest, run: str) -> None:
        """Raises ``BadInput`` where the request's picture, mask or place cannot be used."""
        from imagewright.graph.request import out_path
        from imagewright.memory.awaited_names import free_abandoned

        if request.image is not None:
            from imagewright.graph.own_picture import take_pictures

            request = take_pictures(request, container.store)
        self.run, self._runs = run, container.runs
        self._request = request
        self._database, self._waiting = container.settings.database, contextlib.ExitStack()
        self.path = out_path(request, run, Path.cwd(), lambda path: free_abandoned(path, self._database))
        self._folder = container.settings.data_dir / "served" / "owner" / run
        self._brought = False

    def __enter__(self) -> AwaitedPicture:
        from imagewright.memory.awaited_names import hold_awaited

        with contextlib.ExitStack() as waiting:
            waiting.enter_context(hold_awaited(self._database, self.run))
            self._reserve()
            self._waiting = waiting.pop_all()
        return self

    def _reserve(self) -> None:
        from imagewright.memory.reservations import claim_name, reserve_name, say_taken

        wanted, taken = self.path, self._request.taken
        if taken == "number":
            self.path = claim_name(wanted, self.run, lambda name: False, counts=self._request.thread is None)
        elif not reserve_name(wanted, self.run) and taken != "replace":
            raise say_taken(wanted)

    def __exit__(self, *error: object) -> None:
        with self._waiting:
            self._let_go()

    def _let_go(self) -> None:
        from imagewright.memory.reservations import free_names

        # What cannot be tidied up must not hide the error that is on its way.
        with contextlib.suppress(BadInput, OSError):
            free_names(self.path, self.run)
        with contextlib.suppress(BadInput):  # there is no such run where the server refused to begin one
            if not self._brought:
                self._runs.rehome(self._own(self._runs.get(self.run)))
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    @property
    def order(self) -> DrawRequest:
        """What the server is asked: the same, into the run's own folder, in the format that the person's name has."""
        from imagewright.graph.picture_file import SUFFIXES

        kind = self._request.format or SUFFIXES[self.path.suffix.lower()]
        return self._request.revise(out=str(self._folder), format=kind, taken="number")

    def _own(self, row: RunRow) -> RunRow:
        """The log's row of the run, as it would be without a server."""
        asked = {"out": self._request.out, "format": self._request.format, "taken": self._request.taken}
        return row.model_copy(update={"out": str(self.path), "request": row.request.revise(**asked)})

    # --- bringing ---------------------------------------------------------------------------

    def bring(self, result: RunResult) -> RunResult:
        """What the run delivered, where it is wanted: picture, those of its batch, and trace. Done again, it is left.

        Raises:
            BadInput: the disk is full, or the folder cannot be written; the picture stays where the server put it.
        """
        source = Path(result.path)
        if source.parent != self._folder:
            return result
        from imagewright.graph.delivery_names import name_delivery

        row, trace = self._own(self._runs.get(self.run)), untrusted.load_json(Path(result.trace))
        files = (source, *(source.with_name(name) for name in trace.get("batch", ())))
        data = [path.read_bytes() for path in files]
        names = name_delivery(self._runs, row, data)
        moved = self._retell(result, files, names)
        told = self._retrace(trace, row, moved, names)
        self._fill(names, data, told)
        self._runs.rehome(row.model_copy(update={"out": moved.path}), moved, told)
        self._brought = True
        shutil.rmtree(self._folder, ignore_errors=True)
        return moved

    def _retell(self, result: RunResult, files: tuple[Path, ...], names: Names) -> RunResult:
        from imagewright.graph.delivery_names import Names, say_names

        served = Names(files[0], files[1:], Path(result.trace))
        there = set(say_names(files[0], served))
        notes = (*(note for note in result.notes if note not in there), *say_names(self.path, names))
        return result.model_copy(update={"path": str(names.picture), "trace": str(names.trace), "notes": notes})

    def _retrace(self, trace: dict[str, Any], row: RunRow, result: RunResult, names: Names) -> dict[str, Any]:
        batch = {"batch": [path.name for path in names.others]} if names.others else {}
        places = {"path": result.path, "trace": result.trace, "notes": list(result.notes)}
        return {**trace, **places, **batch, "request": row.request.model_dump(mode="json", exclude={"out"})}

    def _fill(self, names: Names, data: list[bytes], trace: dict[str, Any]) -> None:
        from imagewright.memory.reservations import fill_name

        for path, content in zip((names.picture, *names.others), data, strict=True):
            fill_name(path, self.run, content)
        fill_name(names.trace, self.run, json.dumps(trace, ensure_ascii=False, indent=1).encode())

    def bring_copies(self, run: str, answer: str) -> str:
        """``answer`` of a turn, with the copies that it saved (``save as boat.png``) brought to the person's folder.

        Raises:
            BadInput: another file has such a name there.
        """
        for source in self._copies():
            path = self.path.parent / source.name
            if path.exists() and path.read_bytes() != source.read_bytes():
                raise BadInput(f"{path} is there already", f"say another name: `save as {path.stem}-2.png`")
            shutil.move(source, path)
            answer = answer.replace(str(source), str(path))
            self._runs.answer(run, answer)
        return answer

    def _copies(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from sorted(path for path in self._folder.iterdir() if path.is_file())
