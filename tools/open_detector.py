"""Open-vocabulary detectors through transformers: OWLv2 (Minderer et al. 2023) and Grounding DINO (Liu et al. 2023).

Only weights that are there already are used: a folder in the format of ``save_pretrained`` under a model root's
``detectors``. Nothing is downloaded. What is looked for are the words of the prompt, so a detector is made for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from imagewright.ports import Picture
from imagewright.schemas import Detection

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
THRESHOLDS = {"owlv2": 0.2, "owlvit": 0.15, "grounding-dino": 0.3}
"""The least score of a detection, by kind of model: what their authors use, somewhat raised for OWLv2's many boxes."""
OVERLAP = 0.5
"""Of two detections of one word whose intersection over union is larger, the surer one stays."""


@dataclass
class OpenDetector:
    """Finds ``words`` (singular nouns) with the model in ``folder``; loads it with the first picture."""

    folder: Path
    words: tuple[str, ...]
    device: str = "cpu"
    labels: frozenset[str] = field(init=False)
    """The objects that it was made to look for."""
    colours: frozenset[str] = field(init=False)
    """The colours that it tells apart: OWL compares a box with a query for each; Grounding DINO cannot."""

    def __post_init__(self) -> None:
        self.labels = frozenset(self.words)
        self.colours = frozenset(COLOURS) if self.kind.startswith("owl") else frozenset()

    @property
    def name(self) -> str:
        """What a trace calls it."""
        return f"{self.kind}:{self.folder.name}"

    @cached_property
    def kind(self) -> str:
        """``owlv2``, ``owlvit`` or ``grounding-dino``."""
        return str(json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["model_type"])

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        options = {"local_files_only": True, "trust_remote_code": False}
        processor = AutoProcessor.from_pretrained(self.folder, **options)
        model = AutoModelForZeroShotObjectDetection.from_pretrained(self.folder, use_safetensors=True, **options)
        return processor, model.to(self.device).eval()

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What it sees of its words in ``image``, surest first; boxes as fractions."""
        if not self.words:
            return ()
        picture = image.convert("RGB")
        found = self._boxes(picture, [f"a photo of a {word}" for word in self.words], THRESHOLDS[self.kind])
        kept = _without_doubles([(self.words[label], score, box) for label, score, box in found])
        return tuple(self._detection(picture, *one) for one in kept)

    def _boxes(
        self, picture: Picture, queries: Sequence[str], threshold: float
    ) -> list[tuple[int, float, tuple[float, float, float, float]]]:
        """Query number, score and ``(left, top, right, bottom)`` in pixels of every box above ``threshold``."""
        import torch

        processor, model = self._loaded
        owl = self.kind.startswith("owl")
        text = [list(queries)] if owl else ". ".join(queries) + "."
        length = {"padding": "max_length", "truncation": True} if owl else {}
        inputs = processor(text=text, images=picture, return_tensors="pt", **length).to(self.device)
        with torch.inference_mode():
            outputs = model(**inputs)
        sizes = [(picture.height, picture.width)]
        found = processor.post_process_grounded_object_detection(
            outputs, **({} if owl else {"input_ids": inputs["input_ids"]}),
            threshold=threshold, target_sizes=sizes,
        )[0]  # fmt: skip
        labels = _numbers(found, queries)
        rows = zip(labels, found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        return [(label, score, tuple(box)) for label, score, box in rows if label >= 0]

    def _detection(
        self, picture: Picture, word: str, score: float, box: tuple[float, float, float, float]
    ) -> Detection:
        left, top, right, bottom = _inside(box, picture)
        colour = self._colour(picture.crop((left, top, right, bottom)), word) if self.colours else ""
        return Detection(
            object=word, attributes=(colour,) if colour else (), score=score,
            x=left / picture.width, y=top / picture.height,
            width=(right - left) / picture.width, height=(bottom - top) / picture.height,
        )  # fmt: skip

    def _colour(self, part: Picture, word: str) -> str:
        """The colour whose query fits the part best; empty where none does."""
        found = self._boxes(part, [f"a photo of a {colour} {word}" for colour in COLOURS], 0.0)
        return COLOURS[max(found, key=lambda one: one[1])[0]] if found else ""


def _numbers(found: dict[str, Any], queries: Sequence[str]) -> list[int]:
    """The number of the query of each box; -1 for words that belong to none."""
    labels = found.get("text_labels") or found["labels"]
    if not isinstance(labels, list):
        return [int(label) for label in labels.tolist()]
    return [next((n for n, query in enumerate(queries) if label and label in query), -1) for label in labels]


def _inside(box: tuple[float, float, float, float], picture: Picture) -> tuple[int, int, int, int]:
    """``box`` in whole pixels of the picture, at least one on a side."""
    left, top = min(max(0, int(box[0])), picture.width - 1), min(max(0, int(box[1])), picture.height - 1)
    right, bottom = min(picture.width, round(box[2])), min(picture.height, round(box[3]))
    return left, top, max(left + 1, right), max(top + 1, bottom)


def _without_doubles(
    found: Iterable[tuple[str, float, tuple[float, float, float, float]]],
) -> list[tuple[str, float, tuple[float, float, float, float]]]:
    """Surest first, without the boxes of a word that lie on a surer one of it."""
    kept: list[tuple[str, float, tuple[float, float, float, float]]] = []
    for one in sorted(found, key=lambda item: -item[1]):
        if all(one[0] != other[0] or _iou(one[2], other[2]) <= OVERLAP for other in kept):
            kept.append(one)
    return kept


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def find_detector(roots: Iterable[Path]) -> Path | None:
    """The first folder under a root's ``detectors`` that holds a detector of a known kind with safe weights."""
    for root in roots:
        for folder in sorted((root / "detectors").glob("*")):
            if _is_detector(folder):
                return folder
    return None


def _is_detector(folder: Path) -> bool:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return False
    return kind in THRESHOLDS and any(folder.glob("*.safetensors"))
