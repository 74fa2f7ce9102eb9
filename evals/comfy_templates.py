"""Every workflow of ComfyUI's public template package through ``flows add``: shares, kinds, each refusal's reason.

Run it with ``python -m imagewright.evals.comfy_templates``. The package (``comfyui-workflow-templates-json``, MIT) is
fetched with pip into a temporary folder unless a folder is named, and added to an index that is thrown away;
nothing of it is kept.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imagewright import untrusted
from imagewright.errors import BadInput
from imagewright.ports import Embedder
from imagewright.retrieval.adding import Added, Refused, add_files
from imagewright.retrieval.comfy.catalogue import Catalogue, load_catalogue
from imagewright.retrieval.comfy.sync import fetch_object_info
from imagewright.retrieval.embed import MiniLMEmbedder
from imagewright.retrieval.index import FlowIndex
from imagewright.schemas import Flow

_PACKAGE = "comfyui-workflow-templates-json==0.1.123"
FETCH_SECONDS = 120


class Result(NamedTuple):
    """One workflow: what it is stored as, or the reasons why it is refused."""

    name: str
    flow: Flow | None
    new: bool
    """Whether it was not in the index yet."""
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    reasons: tuple[str, ...]
    seconds: float


def fetch_templates(folder: Path, package: str = _PACKAGE) -> Path:
    """The folder with the workflows of ``package``, fetched with pip and unpacked under ``folder``.

    Raises:
        BadInput: pip cannot fetch it.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    try:
        done = subprocess.run(command, env=clean, capture_output=True, timeout=FETCH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    wheels = sorted(folder.glob("*.whl"))
    if done is None or done.returncode or not wheels:
        raise BadInput(f"{package} could not be fetched", "name a folder that holds its workflows")
    with zipfile.ZipFile(wheels[0]) as archive:
        names = [name for name in archive.namelist() if re.search(r"/templates/[^/]+\.json$", name)]
        for name in names:
            (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


def workflows_in(folder: Path) -> Iterator[Path]:
    """The workflow files of a folder: JSON with nodes; indexes and translations are none."""
    for path in sorted(folder.glob("*.json")):
        data = untrusted.load_json(path)
        if isinstance(data, dict) and "nodes" in data:
            yield path


def run(paths: Sequence[Path], catalogue: Catalogue, embedder: Embedder | None = None) -> list[Result]:
    """Add each file to an index of its own, as ``flows add`` does; ``embedder`` is the shipped one unless given.

    Anything but a refusal in words is a bug and is not caught.
    """
    with tempfile.TemporaryDirectory() as home:
        database = Path(home) / "index.sqlite"
        index = FlowIndex(database, Path(home) / "chroma", embedder or MiniLMEmbedder(database))
        return [_add(index, path, catalogue) for path in paths]


def _add(index: FlowIndex, path: Path, catalogue: Catalogue) -> Result:
    start = time.perf_counter()
    (told,) = add_files(index, [path], catalogue)
    seconds = time.perf_counter() - start
    if isinstance(told, Refused):
        return Result(path.stem, None, False, (), (), told.reasons, seconds)
    skipped, notes = (told.skipped, told.notes) if isinstance(told, Added) else ((), ())
    return Result(path.stem, told.flow, isinstance(told, Added), skipped, notes, (), seconds)


def template_table(results: Sequence[Result]) -> str:
    """The shares and reasons in plain text."""
    flows = [result.flow for result in results if result.flow is not None]
    noted = sum(any("catalogue" in note for note in result.notes) for result in results)
    left = sum(any("catalogue" in line for line in result.skipped) for result in results)
    rows = [
        ("workflows", len(results)),
        ("stored", sum(result.new for result in results)),
        ("  of them drawing the same as another", sum(flow.card.duplicate_of is not None for flow in flows)),
        ("  of them with unknown nodes read by the names in the file", noted),
        ("  of them with unknown nodes left out, because nothing needs them", left),
        ("in the index already", len(flows) - sum(result.new for result in results)),
        ("refused, each with its nodes named", len(results) - len(flows)),
    ]
    rows += [(f"kind {kind}", count) for kind, count in Counter(flow.card.kind for flow in flows).most_common()]
    drawn = [flow.card.slots for flow in flows if flow.card.kind == "text-to-image"]
    rows += [
        (f"text-to-image with {name}", sum(name in slots for slots in drawn)) for name in ("positive", "seed", "width")
    ]
    lines = [f"{name:70} {count:5} {count / max(1, len(results)):7.1%}" for name, count in rows]
    slowest = max(results, key=lambda result: result.seconds, default=None)
    lines += [f"slowest: {slowest.name}, {slowest.seconds:.2f} s"] if slowest else []
    lines += ["", "reasons, by the first node in the way:", *_reasons(results), "", "refused, each reason:"]
    return "\n".join([*lines, *(f"{r.name}: {reason}" for r in results for reason in r.reasons)])


def _reasons(results: Sequence[Result]) -> Iterator[str]:
    first = (re.sub(r"^node \S+ ", "", result.reasons[0]) for result in results if result.reasons)
    for reason, count in Counter(first).most_common(40):
        yield f"{count:5}  {reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 when every workflow was converted or refused with a reason."""
    parser = argparse.ArgumentParser(prog="python -m imagewright.evals.comfy_templates", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of workflows; fetched with pip by default")
    parser.add_argument("--comfyui", metavar="URL", help="take the nodes of this server instead of the shipped ones")
    chosen = parser.parse_args(arguments)
    catalogue = fetch_object_info(chosen.comfyui) if chosen.comfyui else load_catalogue()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or fetch_templates(Path(temporary))
        print(template_table(run(list(workflows_in(folder)), catalogue)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
