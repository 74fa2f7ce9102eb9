"""The person's lasting wishes, in LangGraph's store: what they like, what must never appear."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from imagewright.database import lend_connection, storage_errors
from imagewright.errors import BadInput
from imagewright.intents import Preference

if TYPE_CHECKING:
    from langgraph.store.sqlite import SqliteStore

NAMESPACE = ("imagewright", "preferences")
_MOST = 200


class Preferences:
    """The wishes of one data folder; any number of processes may use them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> tuple[Preference, ...]:
        """Every wish, on or off, oldest first.

        Raises:
            BadInput: the file cannot be read, or holds what this version does not know.
        """
        if not self.path.exists():
            return ()
        with self._store() as store:
            items = store.search(NAMESPACE, limit=_MOST)
        try:
            kept = sorted(items, key=lambda item: (item.created_at, item.key))
            return tuple(Preference.model_validate(item.value) for item in kept)
        except ValidationError as error:
            raise BadInput(f"{self.path} holds preferences of another version", "upgrade imagewright") from error

    def put(self, wish: Preference) -> bool:
        """Note a wish, or switch a known one on or off; whether it was known. An unknown one is not switched off."""
        key = f"{wish.kind} {wish.text.lower()}"
        with self._store() as store:
            known = store.get(NAMESPACE, key) is not None
            if known or wish.on:
                store.put(NAMESPACE, key, wish.model_dump(mode="json"))
        return known

    def remove(self, wish: Preference) -> bool:
        """Forget a wish; whether it was known."""
        key = f"{wish.kind} {wish.text.lower()}"
        with self._store() as store:
            known = store.get(NAMESPACE, key) is not None
            store.delete(NAMESPACE, key)
        return known

    @contextmanager
    def _store(self) -> Iterator[SqliteStore]:
        from langgraph.store.sqlite import SqliteStore

        with lend_connection(self.path) as connection:
            connection.row_factory = None
            try:
                store = SqliteStore(connection)
                store.setup()
                yield store
            except sqlite3.DatabaseError as error:
                with storage_errors(self.path):
                    raise error
