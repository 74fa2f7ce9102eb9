"""``python -m imagewright.retrieval.build_serving DATABASE FOLDER``: the process that builds what serves, and ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from imagewright.errors import BadInput
from imagewright.retrieval.chroma_mirror import MirrorBusy
from imagewright.retrieval.neighbours import IndexTables
from imagewright.retrieval.serving import Serving


def main() -> None:
    """Build; nothing is said, for nobody listens: who asks goes on with exact answers."""
    database, folder = map(Path, sys.argv[1:3])
    with suppress(AttributeError, OSError):
        os.nice(10)
    with suppress(MirrorBusy, OSError, BadInput):
        Serving(folder, IndexTables(database)).build()


if __name__ == "__main__":
    main()
