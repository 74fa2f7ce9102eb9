"""Every workflow of ComfyUI's public template package through conversion and description: shares, kinds, reasons.

Run it with ``python -m imagewright.evals.comfy_templates``. The package (``comfyui-workflow-templates-json``, MIT) is
fetched with pip into a temporary folder unless a folder is named; nothing of it is kept.
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
from imagewright.retrieval.comfy.catalogue import Catalogue, load_catalogue
from imagewright.retrieval.comfy.describe import Described, describe_workflow
from imagewright.retrieval.comfy.read import Read, read_workflow
from imagewright.retrieval.comfy.sync import fetch_object_info

_PACKAGE = "comfyui-workflow-templates-json==0.1.123"
FETCH_SECONDS = 120


class Result(NamedTuple):
    """One workflow: converted and described, or the reasons why not."""

    name: str
    read: Read | None
    described: Described | None
    reasons: list[str]
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


def run(paths: Sequence[Path], catalogue: Catalogue) -> list[Result]:
    """Convert and describe each file; anything but ``BadInput`` is a bug and is not caught."""
    results = []
    for path in paths:
        start = time.perf_counter()
        try:
            read = read_workflow(path, catalogue)
            found = Result(path.stem, read, describe_workflow(read.graph, read.workflow, catalogue), [], 0.0)
        except BadInput as error:
            found = Result(path.stem, None, None, list(getattr(error, "reasons", [str(error)])), 0.0)
        results.append(found._replace(seconds=time.perf_counter() - start))
    return results


def template_table(results: Sequence[Result]) -> str:
    """The shares and reasons in plain text."""
    done = [result for result in results if result.described]
    noted = sum(any("catalogue" in note for note in result.read.notes) for result in done if result.read)
    left = sum(any("catalogue" in line for line in result.read.skipped) for result in done if result.read)
    rows = [
        ("workflows", len(results)),
        ("converted", len(done)),
        ("  of them with unknown nodes read by the names in the file", noted),
        ("  of them with unknown nodes left out, because nothing needs them", left),
        ("refused, each with its nodes named", len(results) - len(done)),
    ]
    kinds = Counter(result.described.kind for result in done if result.described)
    rows += [(f"kind {kind}", count) for kind, count in kinds.most_common()]
    drawn = [r.described.slots for r in done if r.described and r.described.kind == "text-to-image"]
    rows += [
        (f"text-to-image with {name}", sum(name in slots for slots in drawn)) for name in ("positive", "seed", "width")
    ]
    lines = [f"{name:70} {count:5} {count / max(1, len(results)):7.1%}" for name, count in rows]
    slowest = max(results, key=lambda result: result.seconds, default=None)
    lines += [f"slowest: {slowest.name}, {slowest.seconds:.2f} s"] if slowest else []
    return "\n".join([*lines, "", "reasons, by the first node in the way:", *_reasons(results)])


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
