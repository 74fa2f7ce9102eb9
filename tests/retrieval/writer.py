"""Parts that the index's tests share, and a process of its own that works on an index.

``writer.py HOME add PREFIX COUNT`` adds flows; ``writer.py HOME file PATH`` adds a file; ``writer.py HOME folder
PATH`` adds a folder in small batches, and says so of each file; ``writer.py HOME hold`` keeps the vector index locked
until its standard input is closed, ``writer.py HOME open`` has Chroma open as long.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from imagewright.retrieval import adding
from imagewright.retrieval.chroma_mirror import lock_mirror
from imagewright.retrieval.comfy.catalogue import load_catalogue
from imagewright.retrieval.index import FlowIndex, ignore_note
from imagewright.retrieval.intake import build_flow, read_flow_file
from imagewright.schemas import Evidence, Flow


class WordEmbedder:
    """A small embedder: each word adds to one of 64 directions; like texts share words. Needs no model."""

    name = "words-64"
    dimension = 64

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector a text."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[float]:
        vector = [1e-3] * self.dimension
        for word in re.findall(r"[a-z0-9]+", text.lower()):
            vector[int(hashlib.sha256(word.removesuffix("s").encode()).hexdigest(), 16) % self.dimension] += 1.0
        length = math.sqrt(sum(x * x for x in vector))
        return [x / length for x in vector]


def graph(steps: int = 8, text: str = "", model: str = "mini", sampler: str = "euler") -> dict[str, dict[str, Any]]:
    """A classic text-to-image graph."""
    sampling = {"seed": 0, "steps": steps, "cfg": 3.0, "sampler_name": sampler, "scheduler": "simple", "denoise": 1.0}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": model}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
        "4": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "5": {
            "class_type": "KSampler",
            "inputs": {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
            | sampling,
        },
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
    }


def flow(name: str, steps: int = 8, description: str = "", **options: Any) -> Flow:
    """A flow with a card of its own."""
    own = {"title": name.replace("-", " "), "description": description}
    return build_flow(graph(steps, **options), name, own)


def score(flow_id: str, prompt: str, value: float, **options: Any) -> Evidence:
    """One score on the backend ``here``."""
    facts = {"backend": "here", "scorer": "test", "seed": 0, "when": "2026-01-01T00:00:00Z"} | options
    return Evidence(flow=flow_id, prompt=prompt, value=value, **facts)


def index(home: Path, on_note: Callable[[str], None] = ignore_note) -> FlowIndex:
    """The index in ``home``."""
    return FlowIndex(home / "index.sqlite", home / "chroma", WordEmbedder(), on_note)


def main(home: Path, work: str, *rest: str) -> None:
    """What the process does."""
    if work == "add":
        for number in range(int(rest[1])):
            index(home).add(flow(f"{rest[0]}-{number}", steps=number + 1, description=f"{rest[0]} number {number}"))
            index(home).search("number", 3)
    elif work == "file":
        print(index(home).add(read_flow_file(Path(rest[0])).flow).id, flush=True)
    elif work == "folder":
        adding.BATCH = 8
        for each in adding.add_files(index(home), adding.files_below([Path(rest[0])]), load_catalogue()):
            print(each.path, flush=True)
    elif work == "hold":
        with lock_mirror(home / "chroma" / "lock", 5.0):
            print("held", flush=True)
            sys.stdin.read()
    elif work == "open":
        with index(home)._mirror._open():
            print("open", flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
