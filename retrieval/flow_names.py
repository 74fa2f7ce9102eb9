"""The names of the index's flows alone: for completion, which cannot wait for vectors and what they import."""

from __future__ import annotations

from pathlib import Path

from imagewright.database import open_for_reading, prefix_pattern


def find_flow_names(path: Path, typed: str, most: int) -> list[str]:
    """Up to ``most`` ids of flows that begin with ``typed``, sorted. Reads what is there and makes nothing.

    Raises:
        BadInput: there is no database at ``path``, or it cannot be read.
    """
    query = "SELECT id FROM flows WHERE id LIKE ? ESCAPE '\\' ORDER BY id LIMIT ?"
    with open_for_reading(path) as connection:
        return [str(row[0]) for row in connection.execute(query, (prefix_pattern(typed), most))]
